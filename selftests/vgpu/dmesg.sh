#!/bin/bash
# SPDX-License-Identifier: MIT
#
# dmesg.sh  What ran since boot has left nothing in the kernel's log that dmesg.allow or, for tests that
# provoke it, dmesg.provoked do not explain.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tap.sh
source "$here/tap.sh"
# shellcheck source=gpu.sh
source "$here/gpu.sh"

dmesg >/dev/null 2>&1 || tap_skip_all "dmesg is not allowed"
tap_plan 1
tap_check "kernel_log_has_nothing_unexplained" gpu_log_is_clean \
	<(cat "$here/dmesg.allow" "$here/dmesg.provoked")
tap_end
