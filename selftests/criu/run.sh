#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh [TEST...]  Runs the tests named, or all in the file "list".
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
exec "$here/../run-folder" "$here" "$@"
