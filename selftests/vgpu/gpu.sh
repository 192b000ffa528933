# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Where the MI50 under test is in sysfs. Sourced, not run.

gpu_vendor=0x1002
gpu_device=0x66a1
gpu_topology=/sys/class/kfd/kfd/topology/nodes

# Prints the folder of each such PCI function, whether a driver is bound to it or not.
gpu_functions() {
	local function
	for function in /sys/bus/pci/devices/*; do
		[[ $(<"$function/vendor") == "$gpu_vendor" ]] || continue
		[[ $(<"$function/device") == "$gpu_device" ]] || continue
		printf '%s\n' "$function"
	done
}

# gpu_driver FUNCTION
gpu_driver() {
	[[ -e $1/driver ]] || return 0
	basename "$(readlink -f "$1/driver")"
}

# gpu_render_node FUNCTION: prints /dev/dri/renderD<n>
gpu_render_node() {
	local node
	for node in "$1"/drm/renderD*; do
		[[ -e $node ]] || return 1
		printf '/dev/dri/%s\n' "${node##*/}"
	done
}

# gpu_node_property NODE NAME
gpu_node_property() {
	awk -v name="$2" '$1 == name { print $2 }' "$gpu_topology/$1/properties"
}

# gpu_nodes: prints the numbers of the topology's nodes that are this kind of GPU
gpu_nodes() {
	local node
	for node in "$gpu_topology"/*; do
		[[ -e $node/properties ]] || continue
		[[ $(gpu_node_property "${node##*/}" device_id) == $((gpu_device)) ]] || continue
		printf '%s\n' "${node##*/}"
	done
}

# gpu_ready FUNCTION: the driver has finished with it
gpu_ready() {
	[[ $(gpu_driver "$1") == amdgpu ]] && gpu_render_node "$1" >/dev/null
}

# gpu_log_is_clean ALLOW: the kernel's log has no line of level warning or above that names the driver,
# and no trace of a kernel bug, but what the regular expressions in the file ALLOW explain.
gpu_log_is_clean() {
	local allowed
	allowed=$(grep -Ev '^(#|$)' "$1")
	! {
		dmesg --level=emerg,alert,crit,err,warn | grep -Ei 'amdgpu|kfd|\[drm|\[ttm'
		dmesg | grep -E 'BUG:|WARNING:|Oops|Call Trace|blocked for more than'
	} | grep -Evf <(printf '%s\n' "$allowed")
}
