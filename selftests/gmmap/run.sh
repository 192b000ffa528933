#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh [TEST...]  Runs the tests named, or all in the file "list", on this machine's GPU. Prints
# their TAP and a summary; the exit status is 1 if one failed, 4 if all were skipped.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
out=${OUT:-$(cd "$here/../.." && pwd -P)/build/selftests/gmmap}
export OUT=$out

if [[ ${1-} == -h || ${1-} == --help ]]; then
	sed -n '/^# run.sh/,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
	exit 0
fi

if [[ $# -gt 0 ]]; then
	tests=("$@")
else
	mapfile -t tests < <(grep -Ev '^(#|$)' "$here/list")
fi

# The path of a test, or nothing if it was not built.
find_test() {
	case $1 in
	*.sh) printf '%s\n' "$here/$1" ;;
	*) [[ ! -x $out/$1 ]] || printf '%s\n' "$out/$1" ;;
	esac
}

passed=0 failed=0 skipped=0
summary=()

for name in "${tests[@]}"; do
	path=$(find_test "$name")
	if ! grep -qxF "$name" "$here/list"; then
		echo "run.sh: there is no test $name" >&2
		exit 2
	fi
	printf '# --- %s\n' "$name"
	status=0
	begin=$SECONDS
	if [[ -n $path ]]; then
		"$path" || status=$?
	else
		echo "not built: run make -C ${here@Q}" >&2
		status=1
	fi
	case $status in
	0) passed=$((passed + 1)) result=pass ;;
	4) skipped=$((skipped + 1)) result=skip ;;
	*) failed=$((failed + 1)) result="FAIL ($status)" ;;
	esac
	summary+=("$(printf '%-16s %4d s  %s' "$name" $((SECONDS - begin)) "$result")")
done

printf '\n'
printf '%s\n' "${summary[@]}"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
((failed == 0)) || exit 1
((passed > 0)) || exit 4
