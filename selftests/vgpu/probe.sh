#!/bin/bash
# SPDX-License-Identifier: MIT
#
# probe.sh [--no-kfd]  The stock driver accepts the MI50: bound, in KFD's topology, every ring works,
# and the kernel's log has nothing from it that dmesg.allow does not explain.
# shellcheck disable=SC2317 # functions are called through tap_check
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tap.sh
source "$here/tap.sh"
# shellcheck source=gpu.sh
source "$here/gpu.sh"

kfd=1
[[ ${1-} != --no-kfd ]] || kfd=

mapfile -t functions < <(gpu_functions)
[[ ${#functions[@]} -gt 0 ]] || tap_skip_all "no PCI device ${gpu_vendor#0x}:${gpu_device#0x}"

all_bound() {
	local function
	for function in "${functions[@]}"; do
		wait_until 60 gpu_ready "$function" || {
			echo "${function##*/}: driver '$(gpu_driver "$function")', no render node"
			return 1
		}
	done
}

render_nodes_open() {
	local function node
	for function in "${functions[@]}"; do
		node=$(gpu_render_node "$function")
		[[ -c $node ]] || { echo "$node is no character device"; return 1; }
		: <>"$node" || return 1
	done
}

kfd_has_every_gpu() {
	local nodes node
	mapfile -t nodes < <(gpu_nodes)
	[[ ${#nodes[@]} -eq ${#functions[@]} ]] || {
		echo "${#functions[@]} PCI devices, but ${#nodes[@]} nodes in $gpu_topology"
		return 1
	}
	for node in "${nodes[@]}"; do
		[[ $(gpu_node_property "$node" gfx_target_version) == 90006 ]] || {
			echo "node $node: gfx_target_version $(gpu_node_property "$node" gfx_target_version)"
			return 1
		}
	done
}

kfd_opens() {
	: <>/dev/kfd
}

# The debugfs folder of a function: /sys/kernel/debug/dri/<minor> with its name in the file "name".
debugfs_of() {
	local folder
	for folder in /sys/kernel/debug/dri/*; do
		[[ -e $folder/amdgpu_test_ib && $(readlink -f "$folder") == "$folder" ]] || continue
		grep -qs "${1##*/}" "$folder/name" || continue
		printf '%s\n' "$folder"
		return
	done
	return 1
}

ib_tests_pass() {
	local function folder answer
	for function in "${functions[@]}"; do
		folder=$(debugfs_of "$function") || { echo "no debugfs of ${function##*/}"; return 1; }
		answer=$(<"$folder/amdgpu_test_ib")
		grep -q 'ib ring tests passed' <<<"$answer" || { echo "$answer"; return 1; }
	done
}

# After the IB tests each ring has done all that was submitted to it.
rings_are_idle() {
	local function folder
	for function in "${functions[@]}"; do
		folder=$(debugfs_of "$function") || { echo "no debugfs of ${function##*/}"; return 1; }
		awk '/^--- ring/ { ring = $0 }
		     /^Last signaled fence/ { signaled = $NF; next }
		     /^Last emitted/ && signaled != "" && $NF != signaled {
			     print ring ": emitted " $NF ", signaled " signaled; busy = 1 }
		     { signaled = "" }
		     END { exit busy }' "$folder/amdgpu_fence_info" || return 1
	done
}

tap_plan 7
tap_check "driver_is_bound_to_every_gpu" all_bound
tap_check "render_nodes_open" render_nodes_open
if [[ -n $kfd ]]; then
	tap_check "kfd_topology_has_every_gpu_as_gfx906" kfd_has_every_gpu
	tap_check "dev_kfd_opens" kfd_opens
else
	tap_skip "kfd_topology_has_every_gpu_as_gfx906" "not asked for"
	tap_skip "dev_kfd_opens" "not asked for"
fi
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null || true
if [[ -d /sys/kernel/debug/dri ]]; then
	tap_check "ib_tests_of_all_rings_pass" ib_tests_pass
	tap_check "rings_are_idle_after_the_tests" rings_are_idle
else
	tap_skip "ib_tests_of_all_rings_pass" "no debugfs"
	tap_skip "rings_are_idle_after_the_tests" "no debugfs"
fi
if dmesg >/dev/null 2>&1; then
	tap_check "kernel_log_has_nothing_unexplained" gpu_log_is_clean "$here/dmesg.allow"
else
	tap_skip "kernel_log_has_nothing_unexplained" "dmesg is not allowed"
fi
tap_end
