#!/bin/bash
# SPDX-License-Identifier: MIT
#
# networks.sh  MobileNetV2 and GPT-2's tiny shape answer requests as the CPU does.
# shellcheck disable=SC2317 # functions are called through tap_check
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=../vgpu/tap.sh
source "$here/../vgpu/tap.sh"
# shellcheck source=start.sh
source "$here/start.sh"

expected=$programs/expected
tolerance=1e-4
work=$(mktemp -d)
trap 'rm -rf "$work"; kill $(jobs -p) 2>/dev/null || true' EXIT
cd "$work"

mobilenet_answers() {
	local image
	image=$(<"$expected/mobilenet.image")
	printf 'image %s logits\nimage %s\nimage seven\nfile logits\nquit\n' "$image" "$image" |
		start "$programs/mobilenet" "$programs/mobilenet.weights" >mobilenet.out || return 1
	mapfile -t answers <mobilenet.out
	[[ ${answers[0]} == ready ]] && "$programs/compare" "$expected/mobilenet.logits" logits "$tolerance"
}

same_image_same_answer() {
	[[ ${answers[1]} == [0-9]* && ${answers[2]} == "${answers[1]}" ]]
}

wrong_requests_are_refused() {
	[[ ${answers[3]} == "error: the seed seven "* && ${answers[4]} == "error: logits: "* ]]
}

# talk LINE...: one client of the socket, who leaves after the answers.
talk() { "$here/talk.py" socket "$@"; }

gpt2_is_ready() {
	start "$programs/gpt2" "$programs/gpt2-tiny.weights" socket >gpt2.out 2>&1 &
	gpt2=$!
	wait_until 250 grep -qx ready gpt2.out || { cat gpt2.out; return 1; }
}

# The text stays with the server, not with the client.
gpt2_generates() {
	talk "prompt $(<"$expected/gpt2.prompt")" >/dev/null
	[[ "$(talk "generate 2") $(talk "generate 4" "logits $work/logits2" | head -n 1)" == \
		"$(<"$expected/gpt2.tokens")" ]]
}

gpt2_has_the_logits() { "$programs/compare" "$expected/gpt2.logits" logits2 "$tolerance"; }

gpt2_begins_anew() {
	local first
	first=$(talk "generate 1000" "more 512" "prompt $(<"$expected/gpt2.prompt")" "generate 6")
	[[ $first == "error: "*"error: "*"text of 11 tokens"*"$(<"$expected/gpt2.tokens")" ]] ||
		{ echo "$first"; return 1; }
}

gpt2_ends() {
	talk quit >/dev/null
	wait "$gpt2"
}

answers=()
tap_plan 8
tap_run() { # NAME FUNCTION: as tap_check, but what the function sets stays
	if "$2" >output 2>&1; then
		tap_pass "$1"
	else
		while read -r line; do tap_note "$line"; done <output
		tap_fail "$1"
	fi
}
tap_run "mobilenet_sees_what_the_cpu_sees" mobilenet_answers
tap_run "the_same_image_gets_the_same_answer" same_image_same_answer
tap_run "wrong_requests_are_refused" wrong_requests_are_refused
tap_run "gpt2_is_ready" gpt2_is_ready
tap_run "gpt2_generates_the_tokens_of_the_cpu" gpt2_generates
tap_run "gpt2_has_the_logits_of_the_cpu" gpt2_has_the_logits
tap_run "gpt2_begins_a_new_text" gpt2_begins_anew
tap_run "gpt2_ends_when_told_to" gpt2_ends
tap_end
