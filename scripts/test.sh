#!/usr/bin/env bash
# Sets up, builds with warnings as errors, and passes the tests.
# Usage: scripts/test.sh [LABEL]     LABEL: quick (default), full (takes long), or a regular expression of both
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh -DPHALANX_WERROR=ON
ctest --test-dir build --label-regex "^${1:-quick}$" --output-on-failure --no-tests=error -j "$(nproc)"
