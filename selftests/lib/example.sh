#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs examples/weights, which compares data itself, on a file of random bytes.
# shellcheck disable=SC2317 # functions are called by tap_check
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
program=$(cd "$here/../.." && pwd -P)/build/examples/weights
# shellcheck source=selftests/vgpu/tap.sh
. "$here/../vgpu/tap.sh"

[[ -e $program ]] || tap_skip_all "$program is not built"
[[ -e /dev/gmmap ]] || tap_skip_all "gmmap.ko is not loaded"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
head -c 33M /dev/urandom >"$folder/weights.bin"
truncate -s 1000 "$folder/short"

runs() {
	"$program" "$folder/weights.bin" >"$folder/output"
}

refuses() {
	! "$program" "$1" 2>"$folder/message" && grep -q usage "$folder/message"
}

tap_plan 4
tap_check "the example runs" runs
sed 's/^/# /' "$folder/output"
tap_check "little is loaded" grep -Eq '^three parts: +[0-6] of [0-9]+ MiB' "$folder/output"
tap_check "a file that is not there" refuses "$folder/none"
tap_check "a file that is too short" refuses "$folder/short"
tap_end
