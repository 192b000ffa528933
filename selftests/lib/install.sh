#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Installs the library into a folder and builds a program with what is there.
# shellcheck disable=SC2317 # functions are called by tap_check
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
lib=$(cd "$here/../../lib" && pwd -P)
# shellcheck source=selftests/vgpu/tap.sh
. "$here/../vgpu/tap.sh"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PKG_CONFIG_PATH=$folder/root/opt/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$folder/root

cat >"$folder/program.c" <<'END'
#include <errno.h>
#include <gmmap.h>

int main(void)
{
	struct gmmap_stat stat;

	return gmmap_check_code(0, 0, 0) || gmmap_stat(-1, 0, &stat) != -EBADF;
}
END

install_it() {
	make -s -C "$lib" OUT="$folder/out" PREFIX=/opt DESTDIR="$folder/root" install
}

# Words of the C program's flags must be split.
build() {
	local flags
	read -ra flags < <(pkg-config --cflags --libs "$@" gmmap)
	cc -Wall -Werror -o "$folder/program" "$folder/program.c" "${flags[@]}"
}

runs_with_the_shared_library() {
	build &&
		readelf -d "$folder/program" | grep -q 'NEEDED.*\[libgmmap.so.1\]' &&
		LD_LIBRARY_PATH=$folder/root/opt/lib "$folder/program"
}

runs_with_the_static_library() {
	rm "$folder/root/opt/lib/libgmmap.so" && build --static && "$folder/program"
}

# What the headers declare, the map and the library have, and nothing else.
exports_what_it_declares() {
	local declared exported
	declared=$(grep -hoE '\bgmmap_[a-z0-9_]+\(' "$folder"/root/opt/include/gmmap*.h |
		grep -oE '[a-z0-9_]+' | sort -u)
	exported=$(nm -D --defined-only "$folder/root/opt/lib/libgmmap.so.1" |
		sed -n 's/.* T \([a-z0-9_]*\)@@LIBGMMAP_1\.[0-9]*$/\1/p' | sort -u)
	diff <(echo "$declared") <(echo "$exported")
}

every_call_has_a_page() {
	local name missing=0
	while read -r name; do
		[[ -e $folder/root/opt/share/man/man3/$name.3 ]] || {
			echo "$name has no page"
			missing=1
		}
	done < <(grep -hoE '\bgmmap_[a-z0-9_]+\(' "$lib/gmmap.h" | grep -oE '[a-z0-9_]+' | sort -u)
	return "$missing"
}

has_no_writable_data() {
	[[ $(nm "$folder/root/opt/lib/libgmmap.so.1.0.0" | grep -c ' [BDC] \| [bd] gmmap') -eq 0 ]]
}

tap_plan 6
tap_check "it installs" install_it
tap_check "it exports what it declares" exports_what_it_declares
tap_check "every call has a page" every_call_has_a_page
tap_check "it has no writable data of its own" has_no_writable_data
tap_check "a program runs with the shared library" runs_with_the_shared_library
tap_check "a program runs with the static library" runs_with_the_static_library
tap_end
