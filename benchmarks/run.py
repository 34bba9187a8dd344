"""Measures every row, both sides in turn, and writes build/benchmarks/results.json and docs/benchmarks.md."""
import argparse
import json
import os
import sys
import time

import all_reduce
import checkpoint
import recovery
import startup
import table
import training
from jobs import ROOT

SECTIONS = ("startup", "recovery", "training", "all_reduce", "checkpoint")


def load():
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def measure(section, quick):
    if section == "startup":
        return startup.measure()
    if section == "recovery":
        return recovery.measure()
    if section == "training":
        small = training.measure("S", steps=6, repetitions=3, compiled=not quick)
        large = [] if quick else training.measure("M", steps=3, repetitions=2, compiled=True)
        return small + large
    if section == "all_reduce":
        return all_reduce.measure()
    return checkpoint.measure()


def main():
    parser = argparse.ArgumentParser(prog="benchmarks/run.sh", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="neither the model M nor torch.compile")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="print these sections, and leave the page as it is")
    options = parser.parse_args()
    begin, load_before = time.monotonic(), load()
    rows = []
    for section in options.only or SECTIONS:
        print(f"benchmarks: {section}, load average {load()}", file=sys.stderr, flush=True)
        rows += measure(section, options.quick)
    circumstances = table.circumstances(sys.argv[1:], load_before, load(), time.monotonic() - begin)
    text = table.markdown(rows, circumstances)
    print(text)
    results = ROOT / "build/benchmarks/results.json"
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps({"circumstances": circumstances, "rows": [row.to_json() for row in rows]}, indent=1))
    if not options.only:
        table.write_page(text)


main()
