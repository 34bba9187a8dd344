#!/usr/bin/env bash
# Sets up what is missing and builds everything into build/ (Release).
# Usage: scripts/build.sh [CMake option...]     e.g. scripts/build.sh -DPHALANX_WERROR=ON
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh

# A compiler of a file with ATen takes up to 2 GiB.
memory_gib=$(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
jobs=$(nproc)
[ $((memory_gib / 2)) -lt "$jobs" ] && jobs=$((memory_gib / 2))
[ "$jobs" -lt 1 ] && jobs=1

mkdir -p build
cmake -S . -B build -G Ninja "$@" >build/configure.log || { cat build/configure.log; exit 1; }
if [ -t 1 ]; then ninja -C build -j "$jobs"; else ninja -C build -j "$jobs" | grep -v '^\[' || exit "${PIPESTATUS[0]}"; fi
