#!/bin/bash
# SPDX-License-Identifier: MIT
#
# reload.sh [COUNT]  Takes the driver off the GPU and puts it back COUNT times (default 1), by sysfs
# and by unloading the module; each time the GPU must work as before.
# shellcheck disable=SC2317 # functions are called through tap_check
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tap.sh
source "$here/tap.sh"
# shellcheck source=gpu.sh
source "$here/gpu.sh"

count=${1:-1}
out=${OUT:-$(cd "$here/../.." && pwd -P)/build/selftests/vgpu}
driver=/sys/bus/pci/drivers/amdgpu
load_seconds=300

mapfile -t functions < <(gpu_functions)
[[ ${#functions[@]} -gt 0 ]] || tap_skip_all "no PCI device ${gpu_vendor#0x}:${gpu_device#0x}"
[[ -d /sys/module/amdgpu ]] || tap_skip_all "amdgpu is not loaded"
[[ $EUID -eq 0 ]] || tap_skip_all "needs root"

all_ready() {
	local function
	for function in "${functions[@]}"; do
		gpu_ready "$function" || return 1
	done
}

rebind() {
	local function
	for function in "${functions[@]}"; do
		timeout 60 tee "$driver/unbind" <<<"${function##*/}"
		[[ -z $(gpu_driver "$function") ]] || { echo "still bound"; return 1; }
		timeout 60 tee "$driver/bind" <<<"${function##*/}"
	done
	wait_until 60 all_ready
}

reload_module() {
	timeout 120 modprobe -r amdgpu || return 1
	timeout "$load_seconds" modprobe amdgpu || return 1
	wait_until 60 all_ready
}

# The tests of what came back: its rings, and copies by command submission or on KFD's queues.
drm_works() {
	dmesg --clear
	"$here/probe.sh" --no-kfd && "$out/drm_cs" submissions_finish_in_order
}

kfd_works() {
	dmesg --clear
	"$here/probe.sh" && "$out/sdma_queue" write_stores_its_data
}

tap_plan $((count * 2 + 3))
for ((i = 1; i <= count; i++)); do
	tap_check "driver_is_unbound_and_bound_$i" rebind
done
tap_check "drm_works_after_rebinding" drm_works
# kgd2kfd_suspend() of the unbinding counts kfd_locked up and nothing counts it down before the
# module goes, so that open() gives EINVAL: not a matter of the device.
if : <>/dev/kfd; then
	tap_check "kfd_works_after_rebinding" kfd_works
else
	tap_skip "kfd_works_after_rebinding" "this driver leaves KFD locked when it is unbound"
fi 2>/dev/null
if modprobe -n amdgpu 2>/dev/null; then
	for ((i = 1; i <= count; i++)); do
		tap_check "module_is_removed_and_loaded_$i" reload_module
	done
	tap_check "kfd_works_after_reloading" kfd_works
else
	for ((i = 1; i <= count; i++)); do
		tap_skip "module_is_removed_and_loaded_$i" "modprobe does not find amdgpu"
	done
	tap_skip "kfd_works_after_reloading" "modprobe does not find amdgpu"
fi
tap_end
