"""Measures, both sides in turn, and writes docs/benchmarks.md and every figure to build/benchmarks/results.json.

Sections that are not measured this time keep what they had, wherever that was measured.
"""
import argparse
import json
import os
import sys
import time

import all_reduce
import axes
import checkpoint
import gemm
import hidden
import one_rank
import recovery
import scale
import schedules
import startup
import table
import training
from jobs import ROOT

RESULTS = ROOT / "build/benchmarks/results.json"


def load():
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


SECTIONS = {
    "startup": lambda repetitions: startup.measure(repetitions=repetitions),
    "recovery": lambda repetitions: recovery.measure(repetitions=repetitions),
    "scale": lambda repetitions: scale.measure(repetitions=repetitions),
    "training": lambda repetitions: training.measure("S", "fp32", steps=6, repetitions=repetitions),
    "training-bf16": lambda repetitions: training.measure("S", "bf16", steps=6, repetitions=repetitions),
    "training-large": lambda _: training.measure("M", "fp32", steps=3, repetitions=1),
    "training-large-bf16": lambda _: training.measure("M", "bf16", steps=3, repetitions=1),
    "axes": lambda repetitions: axes.measure("S", "fp32", steps=6, repetitions=repetitions),
    "axes-bf16": lambda repetitions: axes.measure("S", "bf16", steps=6, repetitions=repetitions),
    "axes-large": lambda _: axes.measure("M", "fp32", steps=3, repetitions=1),
    "axes-large-bf16": lambda _: axes.measure("M", "bf16", steps=3, repetitions=1),
    "schedules": lambda _: schedules.measure(),
    "one-rank": lambda _: one_rank.measure(),
    "gemm": lambda repetitions: gemm.measure(repetitions=repetitions),
    "all-reduce": lambda repetitions: all_reduce.measure(repetitions=repetitions),
    "hidden": lambda repetitions: hidden.measure(repetitions=repetitions),
    "hidden-larger": lambda repetitions: hidden.measure(
        repetitions=repetitions, axes=hidden.LARGER_AXES,
        heading="Communication hidden under compute, with more of it, S, 2 ranks"),
    "checkpoint": lambda repetitions: checkpoint.measure(repetitions=repetitions),
}


def measure(name, repetitions):
    begin, load_before = time.monotonic(), load()
    print(f"benchmarks: {name}, load average {load_before}", file=sys.stderr, flush=True)
    rows = SECTIONS[name](repetitions)
    told = table.circumstances(load_before, load(), time.monotonic() - begin)
    return told, rows


def main():
    parser = argparse.ArgumentParser(prog="benchmarks/run.sh", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the model M")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="measure only these")
    parser.add_argument("--repetitions", type=int, default=3, help="launches of each side (default 3)")
    options = parser.parse_args()
    everything = [name for name in SECTIONS if not (options.quick and "-large" in name)]
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    for name in options.only or everything:
        told, rows = measure(name, options.repetitions)
        results[name] = {"circumstances": told, "rows": [row.to_json() for row in rows]}
        RESULTS.write_text(json.dumps(results, indent=1))
        text = table.markdown(told, rows)
        table.write_page(name, text, SECTIONS)
        print(text)


main()
