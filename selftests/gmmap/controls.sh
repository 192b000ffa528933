#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs controls on the variant of the module that can leave out its precautions. The module itself
# must not be loaded.
# shellcheck disable=SC2317 # functions are called by trap and wait_until
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
build=$(cd "$here/../.." && pwd -P)/build
out=${OUT:-$build/selftests/gmmap}
ko=${GMMAP_CONTROLS_KO:-$build/kmod/${VM_KERNEL:-running}-controls/gmmap.ko}
# shellcheck source=selftests/vgpu/tap.sh
. "$here/../vgpu/tap.sh"

[[ $EUID -eq 0 ]] || tap_skip_all "loading a module needs root"
[[ -e $ko ]] || tap_skip_all "$ko is not built"
[[ ! -e /sys/module/gmmap ]] || tap_skip_all "the module is loaded"
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
insmod "$ko"
status=0
"$out/controls" "$@" || status=$?
wait_until 30 rmmod gmmap 2>/dev/null || {
	echo "# the variant of the module does not unload"
	status=1
}
exit "$status"
