# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Checkpoints and restores programs with Debian's CRIU and the plugin. Sourced, not run.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
build=$(cd "$here/../.." && pwd -P)/build
out=${OUT:-$build/selftests/criu}
plugin_folder=${GMMAP_PLUGIN_DIR:-$build/criu}
# shellcheck source=selftests/vgpu/tap.sh
. "$here/../vgpu/tap.sh"

work=
pid=

# Skips everything where it cannot work.
criu_open() {
	[[ $EUID -eq 0 ]] || tap_skip_all "CRIU needs root"
	command -v criu >/dev/null || tap_skip_all "criu is not installed"
	[[ -e /dev/kfd ]] || tap_skip_all "there is no /dev/kfd"
	modprobe -a nf_tables tun 2>/dev/null || true
	ip link set lo up
	work=$(mktemp -d)
	trap criu_close EXIT
}

criu_close() {
	[[ -z $pid ]] || kill -9 "$pid" 2>/dev/null || true
	[[ -z ${KEEP-} ]] || cp -a "$work" "$KEEP"
	rm -rf "$work"
}

# start NAME ARGUMENT...  Starts a program in a session of its own; $pid is its. Not by tap_check,
# whose shell would be its parent.
start() {
	setsid "$out/$1" "${@:2}" <"/dev/null" >"$work/output" 2>&1 &
	pid=$!
}

ready() { wait_until 60 grep -q ready "$work/output"; }

alive() { [[ -e /proc/$1/stat && $(cut -d' ' -f3 "/proc/$1/stat") != Z ]]; }
gone() { ! alive "$1"; }

# said COUNT TEXT: the program has said it so many times.
said() { [[ $(grep -c "$2" "$work/output") -ge $1 ]]; }

# Has the program compare its content.
check() {
	local before
	before=$(grep -c checked "$work/output" || true)
	kill -USR1 "$pid" && wait_until "${1:-60}" said $((before + 1)) checked && return
	cat "$work/output"
	return 1
}

# dump IMAGE OPTION...
dump() {
	mkdir -p "$work/$1"
	criu dump --tree "$pid" --images-dir "$work/$1" --libdir "$plugin_folder" -v4 \
		--log-file dump.log "${@:2}" >/dev/null 2>&1 &&
		cp "$work/output" "$work/$1/output" && return
	grep -E 'Error|gmmap' "$work/$1/dump.log" | tail -n 20
	return 1
}

# restore IMAGE OPTION...
restore() {
	cp "$work/$1/output" "$work/output" # CRIU wants it as it was
	criu restore --images-dir "$work/$1" --libdir "$plugin_folder" -v4 --log-file restore.log \
		--restore-detached "${@:2}" >/dev/null 2>&1 && return
	grep -E 'Error|gmmap' "$work/$1/restore.log" | tail -n 20
	return 1
}

# The number of a process that is gone is free again when its parent, this shell or init, has been told.
reap() {
	wait "$pid" 2>/dev/null || true
	wait_until 20 number_is_free
}
number_is_free() { [[ ! -e /proc/$pid ]]; }

# finish: the program ends by itself, and well.
finish() {
	kill -TERM "$pid" && wait_until 60 gone "$pid"
}
