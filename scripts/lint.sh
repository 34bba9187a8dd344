#!/usr/bin/env bash
# Passes every source through clang-format and clang-tidy (.clang-format, .clang-tidy); findings are errors.
# Usage: scripts/lint.sh [FILE.cc...]     everything by default; needs a finished build
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --lint

files=("$@")
[ $# -gt 0 ] || mapfile -t files < <(git ls-files '*.cc' '*.h')
clang-format-16 --dry-run --Werror "${files[@]}"

# clang reads no precompiled header of g++'s.
mkdir -p build/lint
sed -E 's/ -include [^ ]*cmake_pch\.hxx//; s/ -Winvalid-pch//' build/compile_commands.json >build/lint/compile_commands.json
printf '%s\n' "${files[@]}" | grep '\.cc$' |
  xargs -P "$(nproc)" -n 4 clang-tidy-16 -p build/lint --quiet --extra-arg=-Wno-unknown-warning-option
