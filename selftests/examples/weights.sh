#!/bin/bash
# SPDX-License-Identifier: MIT
#
# weights.sh  Files of weights and the CPU's networks: the same from the same seed, and what is broken is
# refused with the file's name. Needs no GPU.
# shellcheck disable=SC2317 # functions are called through tap_check
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
repo=${here%/*/*}
programs=${PROGRAMS:-$repo/build/examples/hip}
# shellcheck source=../vgpu/tap.sh
source "$here/../vgpu/tap.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# A number of a file: its offset and bytes.
number_at() { od -An -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '; }

# As published: GPT-2's tiny shape by its formula, MobileNetV2 with its batch normalisation folded,
# which leaves a bias for each of the two numbers of a channel.
elements_are_those_of_the_network() {
	local file=$1 expected=$2 tensors i total=0
	tensors=$(number_at "$file" 32 4)
	for ((i = 0; i < tensors; i++)); do
		total=$((total + $(number_at "$file" $((64 + 64 * i + 56)) 8) / 4))
	done
	[[ $total -eq $expected ]] || { echo "$total elements, not $expected"; return 1; }
}

same_from_the_same_seed() {
	"$programs/gpt2_weights" tiny 1 again && cmp "$programs/gpt2-tiny.weights" again &&
		"$programs/mobilenet_weights" 1 again && cmp "$programs/mobilenet.weights" again
}

other_from_another_seed() {
	"$programs/gpt2_weights" tiny 2 other || return 1
	! cmp -s "$programs/gpt2-tiny.weights" other
}

# refused FILE WORDS: reading it fails, and the message names it and has the words.
refused() {
	local output
	! output=$("$programs/gpt2_reference" "$1" 1 logits 5 2>&1) || { echo "accepted"; return 1; }
	[[ $output == *"$1: "*"$2"* && ! -e logits ]] || { echo "$output"; return 1; }
}

# broken NAME OFFSET BYTES: a copy with bytes (as printf has them) at an offset.
broken() {
	cp "$programs/gpt2-tiny.weights" "$1"
	# shellcheck disable=SC2059 # the bytes are a format
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

truncated_is_refused() {
	head -c 3000000 "$programs/gpt2-tiny.weights" >short
	refused short "not sound"
}

no_weights_are_refused() {
	broken magic 0 weightX && refused magic "not a file of weights" &&
		: >empty && refused empty "ends at 0" && refused missing "No such file"
}

another_network_is_refused() {
	refused "$programs/mobilenet.weights" "weights of mobilenet-v2, not of gpt2"
}

impossible_entries_are_refused() {
	broken offset $((64 + 48)) '\1' && refused offset "tensor 0 is not sound" &&
		broken inside $((64 + 49)) '\0' && refused inside "tensor 0 is not sound" &&
		broken size $((64 + 56 + 7)) '\1' && refused size "tensor 0 is not sound" &&
		broken shape $((64 + 32 + 3)) '\377' && refused shape "tensor 0 is not sound" &&
		broken count 32 '\377\377\377\377' && refused count "no file has" &&
		broken name $((64 + 64)) 'x' && refused name "xpe.weight" &&
		broken layers 48 '\3' && refused layers "tensor 38"
}

impossible_shape_is_refused() {
	broken width 44 '\1' && refused width "no shape of GPT-2"
}

# The text decides what comes next, and reading it in one go or in two is the same.
text_decides() {
	local first other
	first=$("$programs/gpt2_reference" "$programs/gpt2-tiny.weights" 6 logits 5 17 23)
	other=$("$programs/gpt2_reference" "$programs/gpt2-tiny.weights" 6 logits 5 17 24)
	[[ $first != "$other" ]] || { echo "$first whatever the text"; return 1; }
	# shellcheck disable=SC2086 # one word for each token
	set -- $first
	other=$("$programs/gpt2_reference" "$programs/gpt2-tiny.weights" 3 logits 5 17 23 "${@:1:3}")
	[[ $other == "${*:4:3}" ]] || { echo "$first, but then $other"; return 1; }
}

picture_decides() {
	"$programs/mobilenet_reference" "$programs/mobilenet.weights" 7 seven &&
		"$programs/mobilenet_reference" "$programs/mobilenet.weights" 8 eight &&
		"$programs/compare" seven seven 1e-9 && ! "$programs/compare" seven eight 0.01
}

not_a_number_differs() {
	printf '\0\0\200\77\0\0\0\100' >numbers
	printf '\0\0\200\77\0\0\300\177' >nan
	"$programs/compare" numbers numbers 1e-9 && ! "$programs/compare" numbers nan 1
}

tap_plan 12
tap_check "gpt2_has_the_published_tensors" \
	elements_are_those_of_the_network "$programs/gpt2-tiny.weights" \
	$((512 * 128 + 128 * 128 + 4 * (12 * 128 * 128 + 13 * 128) + 2 * 128))
tap_check "mobilenet_has_the_published_tensors" \
	elements_are_those_of_the_network "$programs/mobilenet.weights" $((3504872 - 17056))
tap_check "same_from_the_same_seed" same_from_the_same_seed
tap_check "other_from_another_seed" other_from_another_seed
tap_check "truncated_file_is_refused" truncated_is_refused
tap_check "files_without_weights_are_refused" no_weights_are_refused
tap_check "another_network_is_refused" another_network_is_refused
tap_check "impossible_entries_are_refused" impossible_entries_are_refused
tap_check "impossible_shape_is_refused" impossible_shape_is_refused
tap_check "text_decides_what_gpt2_generates" text_decides
tap_check "picture_decides_what_mobilenet_sees" picture_decides
tap_check "compare_finds_what_is_not_a_number" not_a_number_differs
tap_end
