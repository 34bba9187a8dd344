#!/usr/bin/env bash
# Measures Phalanx beside torchrun, Gloo and Open MPI on this machine, and writes the table of docs/benchmarks.md.
# Usage: benchmarks/run.sh [--quick] [--only SECTION...]     --help says what they do
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --benchmarks
mkdir -p build
cmake -S . -B build -G Ninja > build/benchmarks.log 2>&1 &&
  ninja -C build phalanx phalanx-worker phalanx-mpi benchmarks/all >> build/benchmarks.log 2>&1 ||
  { tail -n 30 build/benchmarks.log; exit 1; }
if [ ! -f runs/corpus/train.tokens ]; then
  mkdir -p runs/corpus
  build/bin/phalanx data prepare "${PHALANX_LIBTORCH:-.deps/python/torch}" --tokenizer bytes --pattern '*.py' \
    --output runs/corpus/train.tokens --validation-output runs/corpus/validation.tokens --validation-fraction 0.05
fi
exec /usr/bin/python3 benchmarks/run.py "$@"
