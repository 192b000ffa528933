#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Loads the module for the tests after it, if it is not there.
# GMMAP_KO is the module; default: the one that was built for the test machine's kernel.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
ko=${GMMAP_KO:-$(cd "$here/../.." && pwd -P)/build/kmod/${VM_KERNEL:-running}/gmmap.ko}
# shellcheck source=selftests/vgpu/tap.sh
. "$here/../vgpu/tap.sh"

[[ -e /dev/gmmap || -e $ko ]] || tap_skip_all "$ko is not built"
[[ -e /sys/kernel/btf/amdgpu ]] || tap_skip_all "amdgpu is not loaded"
tap_plan 1
if [[ -e /dev/gmmap ]]; then
	tap_skip "the module loads" "it is loaded"
else
	tap_check "the module loads" insmod "$ko"
fi
tap_end
