#!/usr/bin/env bash
# check_refused.sh WINNOW MODELS PICTURE: on a driver whose compiler is too slow for an encoder, opening one says so, fails, and
# leaves no file.
set -euo pipefail
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
if "$1" encode --backend gpu --model "$2/clip" "$3" -o "$out/f.safetensors" 2>"$out/said"; then
    echo "check_refused: it was not refused" >&2
    exit 1
fi
grep -q 'takes minutes to compile its attention (use lavapipe, a GPU, or plain C: --backend cpu)' "$out/said"
[ ! -e "$out/f.safetensors" ]
cat "$out/said"
