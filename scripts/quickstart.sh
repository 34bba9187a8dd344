#!/usr/bin/env bash
# From a fresh clone to a trained model, with a worker killed on the way:
#   sets up and builds; makes a corpus of the Python sources in the LibTorch wheel; trains examples/quickstart.yaml with
#   4 workers on 2 emulated nodes; kills one in the middle; trains the same job undisturbed; and says whether the two
#   are equal, what the model has learnt, and how long everything took. Call it again for a new run in a new output.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh phalanx phalanx-worker
export PATH="$PWD/build/bin:$PATH"
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n%s\n' "$*"; }

corpus=runs/corpus
if [ ! -f $corpus/train.tokens ] || [ ! -f $corpus/validation.tokens ]; then
  say "A corpus of Python sources"
  mkdir -p $corpus
  phalanx data prepare "${PHALANX_LIBTORCH:-.deps/python/torch}" --tokenizer bytes --pattern '*.py' \
    --output $corpus/train.tokens --validation-output $corpus/validation.tokens --validation-fraction 0.05
fi

number=1
while [ -e "runs/quickstart-$number" ]; do number=$((number + 1)); done
output=runs/quickstart-$number

say "4 workers on 2 emulated nodes; one will be killed"
phalanx run examples/quickstart.yaml --output="$output" &
run=$!
trap 'kill -INT $run 2>/dev/null || true' EXIT
killed=$(/usr/bin/python3 scripts/kill_in_the_middle.py "$output" "$run")
wait "$run"
trap - EXIT

say "The same job, undisturbed"
phalanx run examples/quickstart.yaml --output="$output-undisturbed"

say "What happened"
/usr/bin/python3 scripts/quickstart_report.py "$output" "$output-undisturbed" "$killed"
