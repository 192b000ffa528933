#!/bin/bash
# SPDX-License-Identifier: MIT
#
# dkms.sh install  Adds, builds and installs the module with dkms for the kernel that VM_KERNEL names,
#                  which is not the running one. Runs in the tree of the test machine (vm/root); what
#                  is installed goes to an overlay in build/tests/dkms/.
# dkms.sh load     Loads what was installed, by its name, on that kernel (vm/run).
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck source=selftests/vgpu/tap.sh
. "$repo/selftests/vgpu/tap.sh"
: "${VM_KERNEL:?names the kernel}"
work=$repo/build/tests/dkms/$VM_KERNEL
release=$(<"$repo/build/vm/kernels/$VM_KERNEL/version")
modules=/usr/lib/modules

install() {
	local source=$work/src/gmmap-0.1
	rm -rf "$work"
	mkdir -p "$source" "$work/dkms" "$work/modules" "$work/overlay"
	mount -t overlay overlay "$modules" -o "upperdir=$work/modules,workdir=$work/overlay" \
		-o "lowerdir=$repo/build/vm/kernels/$VM_KERNEL/root/usr/lib/modules:$modules"
	cp -r "$repo"/{Kbuild,dkms.conf,kmod,uapi} "$source/"
	local dkms=(dkms --sourcetree "$work/src" --dkmstree "$work/dkms")
	"${dkms[@]}" add -m gmmap -v 0.1
	"${dkms[@]}" build -m gmmap -v 0.1 -k "$release"
	"${dkms[@]}" install -m gmmap -v 0.1 -k "$release"
	"${dkms[@]}" status gmmap | tee "$work/status"
	grep -q ", $release, .*: installed" "$work/status"
	modinfo -k "$release" gmmap | grep -E '^(filename|vermagic)'
}

load() {
	[[ $(uname -r) == "$release" ]] || {
		echo "the running kernel is not $release" >&2
		return 1
	}
	mount -t overlay overlay "$modules" -o "lowerdir=$work/modules:$modules"
	modprobe gmmap
	"$repo/build/selftests/gmmap/errors" attach
	# The last work of a process that has died may still hold the module.
	wait_until 20 modprobe -r gmmap 2>/dev/null
}

case ${1-} in
install | load) "$1" ;;
*)
	sed -n '/^# dkms.sh/,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
	;;
esac
