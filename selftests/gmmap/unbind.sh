#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Unbinds the GPU while it has a mapping. Afterwards the machine has no GPU and a process that must not
# end (see unbind.c), so this is not in the list: it has a machine of its own, which then is switched off.
# shellcheck disable=SC2317 # functions are called by tap_check
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
build=$(cd "$here/../.." && pwd -P)/build
out=${OUT:-$build/selftests/gmmap}
# shellcheck source=selftests/vgpu/tap.sh
. "$here/../vgpu/tap.sh"

no_trouble() { ! dmesg | grep -E 'WARNING:|BUG:|Oops|refcount_t|general protection|hung task'; }

tap_plan 3
tap_check "the module loads" insmod "${GMMAP_KO:-$build/kmod/${VM_KERNEL:-running}/gmmap.ko}"
tap_check "mappings are given up" "$out/unbind"
tap_check "the kernel's log has no complaint" no_trouble
tap_end
