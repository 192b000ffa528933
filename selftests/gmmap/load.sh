#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Loads and unloads the module, and tries what must be refused. Leaves it loaded.
#
# GMMAP_KO is the module; default: the one that was built for the test machine's kernel.
# shellcheck disable=SC2317 # functions are called by tap_check, trap and wait_until
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
build=$(cd "$here/../.." && pwd -P)/build
out=${OUT:-$build/selftests/gmmap}
ko=${GMMAP_KO:-$build/kmod/${VM_KERNEL:-running}/gmmap.ko}
loops=${LOOPS:-5}
# shellcheck source=selftests/vgpu/tap.sh
. "$here/../vgpu/tap.sh"

is_loaded() { [[ -e /sys/module/gmmap ]]; }

# The last work of a process that has died may still hold the module.
unload() { wait_until 20 rmmod gmmap 2>/dev/null; }

# Functions that ftrace diverts to the module.
wrapped() { grep -c 'gmmap\|divert' "$tracing/enabled_functions" || true; }

attach_many_times() {
	local i
	for ((i = 0; i < loops; i++)); do
		insmod "$ko"
		"$out/errors" attach >/dev/null
		unload
	done
}

# The module finds a BTF that is not the one it was built for.
refuses_other_amdgpu() {
	local btf=/sys/kernel/btf/amdgpu other status=0
	other=$(mktemp)
	cp "$btf" "$other"
	printf 'x' >>"$other"
	mount --bind "$other" "$btf"
	! insmod "$ko" 2>/dev/null || status=1
	umount "$btf"
	rm -f "$other"
	[[ $(dmesg | grep gmmap: | tail -n 1) == *"built for another amdgpu"* ]] || status=1
	! is_loaded || status=1
	return "$status"
}

something_is_wrapped() { [[ $(wrapped) -gt 0 ]]; }
nothing_is_wrapped() { [[ $(wrapped) -eq 0 ]]; }

# While a process is attached the module stays; what it has changed is restored afterwards.
stays_while_attached() {
	local pid status=0
	"$out/hold" &
	pid=$!
	wait_until 20 something_is_wrapped || status=1
	! rmmod gmmap 2>/dev/null || status=1
	kill -9 "$pid"
	wait "$pid" || true
	wait_until 20 nothing_is_wrapped || status=1
	return "$status"
}

[[ $EUID -eq 0 ]] || tap_skip_all "loading a module needs root"
[[ -e $ko ]] || tap_skip_all "$ko is not built"
[[ -e /sys/kernel/btf/amdgpu ]] || tap_skip_all "amdgpu is not loaded"
tracing=/sys/kernel/tracing
[[ -e $tracing/enabled_functions ]] || mount -t tracefs tracefs "$tracing"
! is_loaded || unload

tap_plan 6
tap_check "another amdgpu is refused" refuses_other_amdgpu
tap_check "$loops times load, attach, unload" attach_many_times
tap_check "the module loads" insmod "$ko"
tap_check "a loaded module changes nothing" nothing_is_wrapped
tap_check "it cannot be unloaded while a process is attached" stays_while_attached
tap_check "it is still loaded" is_loaded
tap_end
