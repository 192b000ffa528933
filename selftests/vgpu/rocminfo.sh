#!/bin/bash
# SPDX-License-Identifier: MIT
#
# rocminfo.sh  The HSA runtime's own listing shows each MI50 as gfx906 with its memory.
# shellcheck disable=SC2317 # functions are called through tap_check
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tap.sh
source "$here/tap.sh"
# shellcheck source=gpu.sh
source "$here/gpu.sh"

mapfile -t functions < <(gpu_functions)
[[ ${#functions[@]} -gt 0 ]] || tap_skip_all "no PCI device ${gpu_vendor#0x}:${gpu_device#0x}"
command -v rocminfo >/dev/null || tap_skip_all "rocminfo is not installed"
[[ -c /dev/kfd ]] || tap_skip_all "no /dev/kfd"

listing=

rocminfo_succeeds() {
	listing=$(timeout 120 rocminfo 2>&1) || { echo "rocminfo: status $?"; echo "$listing"; return 1; }
}

every_gpu_is_listed() {
	local agents
	agents=$(grep -cE '^ +Name: +gfx906' <<<"$listing" || true)
	[[ $agents -eq ${#functions[@]} ]] || { echo "$agents agents of ${#functions[@]}"; return 1; }
}

isa_is_gfx906() {
	grep -E 'amdgcn-amd-amdhsa--gfx906(:|$)' <<<"$listing" >/dev/null
}

# rocminfo prints KiB, the driver bytes.
pools_have_the_memory() {
	local function vram
	for function in "${functions[@]}"; do
		vram=$(<"$function/mem_info_vram_total")
		grep -E "Size: +$((vram / 1024))\(" <<<"$listing" >/dev/null || {
			echo "no pool of $((vram / 1024)) KiB for ${function##*/}"
			return 1
		}
	done
}

tap_plan 4
if rocminfo_succeeds; then tap_pass "rocminfo_succeeds"; else tap_fail "rocminfo_succeeds"; fi
tap_check "every_gpu_is_listed_as_gfx906" every_gpu_is_listed
tap_check "isa_is_gfx906" isa_is_gfx906
tap_check "pools_have_the_memory_of_the_gpu" pools_have_the_memory
tap_end
