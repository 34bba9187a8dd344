#!/usr/bin/env bash
# Builds what is above the Torch line under sanitizers, and passes its quick tests.
# Usage: scripts/sanitize.sh address,undefined | thread
set -euo pipefail
cd "$(dirname "$0")/.."
sanitizers=$1
build=build-${sanitizers/,/-}
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPHALANX_TORCH=OFF -DPHALANX_WERROR=ON \
  "-DPHALANX_SANITIZE=$sanitizers" >/dev/null
ninja -C "$build"
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:ignore_noninstrumented_modules=1:suppressions=$PWD/cmake/tsan_suppressions.txt
# Where addresses are random beyond 28 bits, g++ 12's thread sanitizer cannot start: setarch -R switches that off.
select=()
[ "$sanitizers" = thread ] && select=(--tests-regex "${PHALANX_THREAD_TESTS:-^(Comm|Native|Contract|Control|Keeper|Agent|Nursery|Engine|Reliable|Frame)}")
setarch -R ctest --test-dir "$build" --label-regex '^quick$' --output-on-failure --no-tests=error "${select[@]}"
