#!/bin/bash
# SPDX-License-Identifier: MIT
#
# demo.sh  Runs in the test machine: shows the GPU as ROCm sees it, a copy and a served page fault.
set -euo pipefail

out=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)/build/examples

echo "kernel $(uname -r), driver amdgpu, unmodified"
rocminfo | awk '
	/^Agent/ { agent = $2 }
	agent == 2 && /Name: +gfx/ && !isa { print "agent  " $2 }
	agent == 2 && /Marketing Name:/ { sub(/.*: +/, ""); print "       " $0 }
	agent == 2 && /Compute Unit:/ { print "       " $3 " compute units" }
	agent == 2 && /Name: +amdgcn/ { print "       " $2; isa = 1 }'
"$out/copy_and_fault"
