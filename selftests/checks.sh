# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Sourced by what runs a list of commands and counts how they end.

passed=0 failed=0 skipped=0

check() { # NAME COMMAND...
	local name=$1 status=0
	shift
	"$@" || status=$?
	case $status in
	0) passed=$((passed + 1)) && echo "ok $name" ;;
	4) skipped=$((skipped + 1)) && echo "ok $name # SKIP" ;;
	*) failed=$((failed + 1)) && echo "not ok $name" ;;
	esac
}

# The last line that selftests/run looks for.
checks_end() {
	printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
	((failed == 0))
}
