#!/usr/bin/env bash
# Sets up, builds everything, and passes the tests.
# Usage: scripts/test.sh [LABEL]     quick (default) or full (takes long)
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh
ctest --test-dir build --label-regex "^${1:-quick}$" --output-on-failure --no-tests=error -j "$(nproc)"
