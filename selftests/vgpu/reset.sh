#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Resets each GPU through the driver's debugfs file; afterwards it must work as before.
# shellcheck disable=SC2317 # functions are called through tap_check
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tap.sh
source "$here/tap.sh"
# shellcheck source=gpu.sh
source "$here/gpu.sh"

out=${OUT:-$(cd "$here/../.." && pwd -P)/build/selftests/vgpu}

mapfile -t functions < <(gpu_functions)
[[ ${#functions[@]} -gt 0 ]] || tap_skip_all "no PCI device ${gpu_vendor#0x}:${gpu_device#0x}"
[[ $EUID -eq 0 ]] || tap_skip_all "needs root"
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug ||
	tap_skip_all "there is no debugfs"

# The device has a card node of the same number as its folder in debugfs.
reset_gpu() {
	local function card file
	for function in "${functions[@]}"; do
		card=("$function"/drm/card*)
		file=/sys/kernel/debug/dri/${card[0]##*card}/amdgpu_gpu_recover
		timeout 120 cat "$file" || return 1
	done
}

# One line for each reset, since this script began.
resets_succeeded() {
	(($(dmesg | grep -Ec 'GPU reset\([0-9]+\) succeeded') == before + ${#functions[@]}))
}

before=$(dmesg | grep -Ec 'GPU reset\([0-9]+\) succeeded') || true
tap_plan 5
tap_check "every GPU is reset" reset_gpu
tap_check "the resets succeeded" resets_succeeded
tap_check "user queues copy" timeout 120 "$out/sdma_queue" copies_every_size_between_all_memories
tap_check "compute queues raise interrupts" \
	timeout 120 "$out/pm4_queue" release_mem_interrupt_wakes_a_waiting_thread
tap_check "graphics VMs copy" timeout 120 "$out/drm_cs" random_copies_between_vram_and_gtt
tap_end
