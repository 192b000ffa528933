#!/bin/bash
# SPDX-License-Identifier: MIT
#
# demo.sh  Runs in the test machine: shows the GPU as ROCm sees it, and a buffer that is mapped to a
# file. Fails if data is wrong, or if what gmmap is for does not show.
set -euo pipefail

build=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)/build
folder=${DEMO_DIR:-/scratch/ext4}
if [[ ! -d $folder ]]; then
	echo "demo.sh: there is no $folder; run it with: make demo" >&2
	exit 2
fi

if [[ ! -e /dev/gmmap ]]; then
	insmod "$build/kmod/$VM_KERNEL/gmmap.ko"
fi
rocminfo | awk -v kernel="$(uname -r)" '
	/^Agent/ { agent = $2 }
	agent == 2 && /^  Name: +gfx/ { name = $2 }
	agent == 2 && /Marketing Name:/ { sub(/.*: +/, ""); sub(/ +$/, ""); model = $0 }
	agent == 2 && /Compute Unit:/ { units = $3 }
	agent == 2 && /Name: +amdgcn/ && !isa { isa = $2 }
	END {
		if (!isa) {
			print "rocminfo shows no GPU" >"/dev/stderr"
			exit 1
		}
		print "Linux " kernel " with its own amdgpu driver, and gmmap.ko"
		print "GPU: " model ", " name ", " units " compute units (" isa ")\n"
	}'
"$build/examples/lazy_file" "$folder"
