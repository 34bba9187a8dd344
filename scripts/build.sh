#!/usr/bin/env bash
# Sets up what is missing and builds into build/ (Release; with CI set, warnings are errors).
# Usage: scripts/build.sh [TARGET...]     everything by default
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh

# A compiler of a file with ATen takes up to 2 GiB.
memory_gib=$(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
jobs=$(nproc)
[ $((memory_gib / 2)) -lt "$jobs" ] && jobs=$((memory_gib / 2))
[ "$jobs" -lt 1 ] && jobs=1

mkdir -p build
cmake -S . -B build -G Ninja "-DPHALANX_WERROR=${CI:+ON}" >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
printf 'build: %s\n' "${*:-everything}"
# ninja shows its progress on a terminal; elsewhere only what goes wrong is of interest.
if [ -t 1 ]; then ninja -C build -j "$jobs" "$@"; else ninja -C build -j "$jobs" --quiet "$@"; fi
