#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A process of KFD is checkpointed and restored, its content read into its buffers.
# shellcheck disable=SC2317,SC2154 # functions are called by tap_check; variables are criu.sh's
set -euo pipefail

# shellcheck source=selftests/criu/criu.sh
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/criu.sh"

export GMMAP_RESTORE_MODE=eager

render_fds() { find "/proc/$pid/fd" -lname '*renderD*' | wc -l; }
same_descriptors() { [[ $(render_fds) -le $1 ]]; }
is_gone() { wait_until 20 gone "$pid"; }

# Nothing of it runs, and the log says why in a line of the plugin.
refused() { # IMAGE REASON
	! restore "$1" >/dev/null && is_gone && grep -q "Error.*gmmap: .*$2" "$work/$1/restore.log" &&
		return
	tail -n 20 "$work/$1/restore.log"
	return 1
}

copy_image() { cp -a "$work/one" "$work/$1"; }
pages_of() { echo "$work/$1"/gmmap-pages-*.img; }
tables_of() { find "$work/$1" -name 'gmmap-[0-9]*.img' -size +4k | head -n 1; }

criu_open
tap_plan 16
start worker 8 30
tap_check "the program runs" ready
fds=$(render_fds)
tap_check "a checkpoint leaves it running" dump one --leave-running
tap_check "it still works" check
tap_check "a checkpoint ends it" dump two
tap_check "it is gone" is_gone
reap
tap_check "it is restored" restore two
tap_check "its content is the same" check
tap_check "it works on" check
tap_note "$fds descriptors of the render node before, $(render_fds) after"
kill -9 "$pid"
reap
tap_check "the first checkpoint is restored" restore one
tap_check "its content is that of then" check
kill -9 "$pid"
reap

copy_image short
truncate -s -65536 "$(pages_of short)"
tap_check "content that is too short" refused short "it has [0-9]* bytes"
copy_image none
rm "$(pages_of none)"
tap_check "content that is not there" refused none "gmmap-pages-.*No such file"
copy_image flipped
printf 'x' | dd of="$(tables_of flipped)" bs=1 seek=200 conv=notrunc status=none
tap_check "damaged tables" refused flipped "checksum is wrong"
tap_check "the next restore works" restore two
tap_check "its content is the same once more" check
tap_check "it ends" finish
tap_end
