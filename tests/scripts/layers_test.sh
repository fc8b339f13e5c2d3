#!/usr/bin/env bash
# The source tree keeps the rules of scripts/lib/check_layers.py.
set -euo pipefail
root=$(dirname "$(readlink -f WORKSPACE)")
exec python3 -B "$root/scripts/lib/check_layers.py" --root="$root"
