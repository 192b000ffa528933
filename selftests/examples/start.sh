# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Where the HIP programs are, and how they start in an emulated guest. Sourced, not run.

repo=${BASH_SOURCE[0]%/*}
repo=$(cd "$repo/../.." && pwd -P)
programs=${PROGRAMS:-$repo/build/examples/hip}

[[ -x $programs/vector_add ]] || tap_skip_all "no HIP programs: hipcc was missing when they were built"
[[ -c /dev/kfd ]] || tap_skip_all "no /dev/kfd"

# Starting takes a minute of compiling otherwise; the first program still does.
mkdir -p "$programs/cache"
export COMGR_CACHE=$programs/cache

# start COMMAND...: a program, which must end within 5 minutes.
start() {
	env LD_PRELOAD="$programs/comgr_cache.so" timeout 300 "$@"
}
