# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# TAP for shell tests, in the manner of kselftest's ktap_helpers.sh. Sourced, not run.

tap_number=0
tap_failed=0
tap_skipped=0

tap_plan() {
	printf 'TAP version 13\n1..%d\n' "$1"
}

tap_note() {
	printf '# %s\n' "$*"
}

tap_pass() {
	tap_number=$((tap_number + 1))
	printf 'ok %d %s\n' "$tap_number" "$1"
}

tap_fail() {
	tap_number=$((tap_number + 1))
	tap_failed=$((tap_failed + 1))
	printf 'not ok %d %s\n' "$tap_number" "$1"
}

# tap_skip NAME REASON...
tap_skip() {
	local name=$1
	shift
	tap_number=$((tap_number + 1))
	tap_skipped=$((tap_skipped + 1))
	printf 'ok %d %s # SKIP %s\n' "$tap_number" "$name" "$*"
}

# tap_check NAME COMMAND...: passes if the command succeeds, and shows its output if not.
tap_check() {
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then
		tap_pass "$name"
	else
		[[ -z $output ]] || printf '# %s\n' "${output//$'\n'/$'\n# '}"
		tap_fail "$name"
	fi
}

# Skips everything, before a plan was printed.
tap_skip_all() {
	printf 'TAP version 13\n1..0 # SKIP %s\n' "$*"
	exit 4
}

tap_end() {
	printf '# Totals: pass:%d fail:%d xfail:0 xpass:0 skip:%d error:0\n' \
		$((tap_number - tap_failed - tap_skipped)) "$tap_failed" "$tap_skipped"
	((tap_failed == 0)) || exit 1
	((tap_skipped < tap_number)) || exit 4
	exit 0
}

# wait_until SECONDS COMMAND...: repeats the command until it succeeds or the time is over.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		sleep 0.1
	done
}
