#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs direct on each of several file systems: scratch disks of the test machine where they are, else
# loop devices.
# shellcheck disable=SC2317 # functions are called by tap_check, trap and wait_until
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
out=${OUT:-$(cd "$here/../.." && pwd -P)/build/selftests/gmmap}
# shellcheck source=selftests/vgpu/tap.sh
. "$here/../vgpu/tap.sh"

tmp=$(mktemp -d)
loops=()

clean_up() {
	# The module closes a file about a second after its mapping has ended.
	for folder in "$tmp"/*/; do wait_until 20 umount "$folder" 2>/dev/null || true; done
	for loop in "${loops[@]}"; do losetup -d "$loop" || true; done
	rm -rf "$tmp"
}
trap clean_up EXIT

# folder_on TYPE: a folder on such a file system; fails if there can be none.
folder_on() {
	local loop
	folder=/scratch/$1
	[[ ! -d $folder ]] || return 0
	folder=$tmp/$1
	modprobe "$1" 2>/dev/null || grep -qw "$1" /proc/filesystems || return 1
	truncate -s 320M "$folder.img"
	loop=$(losetup -f --show "$folder.img") || return 1
	loops+=("$loop")
	"mkfs.$1" -q "$loop" || return 1
	mkdir "$folder"
	mount "$loop" "$folder"
}

on() {
	local status=0
	DIRECT_DIR=$folder "$out/direct" || status=$?
	return "$status"
}

[[ $EUID -eq 0 ]] || tap_skip_all "mounting needs root"
modprobe loop 2>/dev/null || true
[[ -e /dev/gmmap ]] || tap_skip_all "the module is not loaded"

tap_plan 2
for type in ext4 xfs; do
	if folder_on "$type"; then
		tap_check "O_DIRECT on $type" on
	else
		tap_skip "O_DIRECT on $type" "there is no $type"
	fi
done
tap_end
