#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Large buffers of a restored process are loaded when they are touched.
# GMMAP_KO is the module; default: the one that was built for the test machine's kernel.
# shellcheck disable=SC2317,SC2154 # functions are called by tap_check; variables are criu.sh's
set -euo pipefail

# shellcheck source=selftests/criu/criu.sh
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/criu.sh"

ko=${GMMAP_KO:-$build/kmod/${VM_KERNEL:-running}/gmmap.ko}
table=/sys/kernel/debug/gmmap/mappings

# Sums a column of the table of mappings over the lines of the process.
sum() { awk -v pid="$pid" -v name="$1" '
	NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
	NR > 1 && $1 == pid && $column["life"] == "live" { sum += $column[name] }
	END { print sum + 0 }' "$table"; }

maps() { grep -q "gmmap: $1 buffers are loaded when" "$work/$2/restore.log"; }
# A quarter of each buffer is zeros, which are present.
most_is_absent() { [[ $(sum absent) -gt 200 ]]; }
nothing_is_absent() { [[ $(sum absent) -eq 0 ]]; }
loads_the_rest() { wait_until 60 nothing_is_absent; }
is_gone() { wait_until 20 gone "$pid"; }

refused() {
	! restore "$1" >/dev/null && is_gone && grep -q "Error.*gmmap: .*$2" "$work/$1/restore.log" &&
		return
	tail -n 20 "$work/$1/restore.log"
	return 1
}

[[ -e /dev/gmmap ]] || insmod "$ko" || tap_skip_all "gmmap.ko cannot be loaded"
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
criu_open
tap_plan 21
start worker 16 20
tap_check "the program runs" ready
tap_check "it is checkpointed" dump image
reap

export GMMAP_RESTORE_MODE=lazy
tap_check "it is restored lazily" restore image
tap_check "two buffers are mapped" maps 2 image
tap_check "most is absent" most_is_absent
tap_note "$SECONDS s, $(sum granules) granules, $(sum absent) absent"
tap_check "its content is the same" check
tap_check "the buffers are complete" loads_the_rest
tap_check "it works on" check
kill -9 "$pid"
reap

tap_check "it is restored lazily again" restore image
tap_check "a checkpoint of what is absent" dump second
reap
tap_check "the restored one is restored" restore second
tap_check "its content is the same once more" check
kill -9 "$pid"
reap

export GMMAP_RESTORE_MODE=auto
tap_check "it is restored, with loading in the background" restore image
tap_check "two buffers are mapped for it" maps 2 image
tap_check "everything is loaded untouched" loads_the_rest
tap_check "its content is that" check
kill -9 "$pid"
reap

# The module lets nobody write to a file until a second after its last mapping has ended.
pages=$(echo "$work"/image/gmmap-pages-*.img)
may_be_written() { : >>"$pages"; } 2>/dev/null
wait_until 20 may_be_written
exec {writer}>>"$pages"
tap_check "content that is open for writing" refused image "mapping the buffer .*busy"
exec {writer}>&-
export GMMAP_RESTORE_MODE=eagerly
tap_check "a mode that there is not" refused image "GMMAP_RESTORE_MODE"
export GMMAP_RESTORE_MODE=auto
tap_check "the next restore works" restore image
tap_check "its content is right" check
tap_check "it ends" finish
tap_end
