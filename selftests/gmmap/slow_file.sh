#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs slow_file on files of a device that is slow, and of one that fails on request.
# shellcheck disable=SC2317 # functions are called by tap_check, trap and wait_until
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
out=${OUT:-$(cd "$here/../.." && pwd -P)/build/selftests/gmmap}
# shellcheck source=selftests/vgpu/tap.sh
. "$here/../vgpu/tap.sh"

delay_ms=300
mib=64
tmp=$(mktemp -d)
loops=()
devices=()

clean_up() {
	eval "${RESUME_COMMAND-}" 2>/dev/null || true
	# The module closes a file about a second after its mapping has ended.
	for folder in "$tmp"/*/; do wait_until 20 umount "$folder" 2>/dev/null || true; done
	for name in "${devices[@]}"; do dmsetup --noudevsync remove --retry "$name" || true; done
	for loop in "${loops[@]}"; do losetup -d "$loop" || true; done
	rm -rf "$tmp"
}
trap clean_up EXIT

# create NAME TARGET...: a file system on a loop device behind a device mapper target.
create() {
	local name=$1 loop
	shift
	truncate -s "${mib}M" "$tmp/$name.img"
	loop=$(losetup -f --show "$tmp/$name.img")
	loops+=("$loop")
	mkfs.ext4 -q -O ^has_journal "$loop"
	# shellcheck disable=SC2059 # the target is the format
	dmsetup --noudevsync create "gmmap-$name" --table "0 $((mib * 2048)) $(printf "$1" "$loop")"
	devices+=("gmmap-$name")
	dmsetup mknodes "gmmap-$name" # where no udev runs
	mkdir "$tmp/$name"
	mount "/dev/mapper/gmmap-$name" "$tmp/$name"
}

[[ $EUID -eq 0 ]] || tap_skip_all "device mapper needs root"
command -v dmsetup >/dev/null || tap_skip_all "there is no dmsetup"
for module in loop dm_mod dm_delay; do
	modprobe "$module" 2>/dev/null || tap_skip_all "there is no module $module"
done

export PAUSE_COMMAND="dmsetup --noudevsync suspend --noflush --nolockfs gmmap-slow"
export RESUME_COMMAND="dmsetup --noudevsync resume gmmap-slow"
create slow "delay %s 0 $delay_ms"
create bad "linear %s 0"
export SLOW_DIR=$tmp/slow BAD_DIR=$tmp/bad

# bad TARGET: a command that replaces the target of the device of BAD_DIR.
bad() {
	local table="0 $((mib * 2048)) $1" tool="dmsetup --noudevsync"
	echo "$tool suspend --noflush --nolockfs gmmap-bad && $tool load gmmap-bad --table '$table' && $tool resume gmmap-bad"
}
BAD_COMMAND=$(bad error)
REPAIR_COMMAND=$(bad "linear ${loops[1]} 0")
export BAD_COMMAND REPAIR_COMMAND
status=0
"$out/slow_file" "$@" || status=$?
exit "$status"
