#!/bin/bash
# SPDX-License-Identifier: MIT
#
# programs.sh  The HIP programs that check themselves: two of them at the same time.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=../vgpu/tap.sh
source "$here/../vgpu/tap.sh"
# shellcheck source=start.sh
source "$here/start.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() { # NAME COMMAND...
	local name=$1 status=0
	shift
	start "$@" >"$work/$name" 2>&1 || status=$?
	echo "$status" >"$work/$name.status"
}

report() { # NAME TEST
	local status
	status=$(<"$work/$1.status")
	while read -r line; do tap_note "$line"; done <"$work/$1"
	case $status in
	0) tap_pass "$2" ;;
	4) tap_skip "$2" "$(<"$work/$1")" ;;
	*) tap_note "status $status"; tap_fail "$2" ;;
	esac
}

tap_plan 4
run vector_add "$programs/vector_add"
run reduce "$programs/reduce" &
run sgemm "$programs/sgemm" &
wait
run managed env HSA_XNACK=1 "$programs/managed" 20011
report vector_add "vector_addition_is_exact"
report reduce "reduction_with_atomics_is_exact"
report sgemm "matrix_product_is_that_of_the_cpu"
report managed "cpu_and_gpu_take_turns_at_managed_memory"
tap_end
