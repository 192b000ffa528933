#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A process of an unmodified HSA runtime, with its queues, is checkpointed and restored.
# shellcheck disable=SC2317,SC2154 # functions are called by tap_check; variables are criu.sh's
set -euo pipefail

# shellcheck source=selftests/criu/criu.sh
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/criu.sh"

ko=${GMMAP_KO:-$build/kmod/${VM_KERNEL:-running}/gmmap.ko}

[[ -x $out/hsa_worker ]] || tap_skip_all "not built: libhsa-runtime-dev was missing"
[[ -e /dev/gmmap ]] || insmod "$ko" || tap_skip_all "gmmap.ko cannot be loaded"
criu_open
tap_plan 9
start hsa_worker
tap_check "the program runs" ready
tap_check "it is checkpointed, and goes on" dump first --leave-running
tap_check "it works on" check
tap_check "it is checkpointed" dump image
reap
for mode in eager auto; do
	export GMMAP_RESTORE_MODE=$mode
	tap_check "it is restored, $mode" restore image
	tap_check "its content is the same and its queues work" check
	[[ $mode == auto ]] || kill -9 "$pid"
	[[ $mode == auto ]] || reap
done
tap_check "it ends" finish
tap_end
