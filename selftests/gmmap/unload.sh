#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Unloads the module after all other tests and looks at what is left.
# shellcheck disable=SC2317 # functions are called by tap_check, trap and wait_until
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=selftests/vgpu/tap.sh
. "$here/../vgpu/tap.sh"

unload() { wait_until 20 rmmod gmmap 2>/dev/null; }
no_trouble() {
	! dmesg | grep -E 'WARNING:|BUG:|Oops|refcount_t|gmmap: (a buffer|cannot)|general protection|hung task|IH soft ring buffer overflow'
}

[[ -e /sys/module/gmmap ]] || tap_skip_all "the module is not loaded"
tap_plan 2
tap_check "the module unloads" unload
tap_check "the kernel's log has no complaint" no_trouble
tap_end
