"""Matrix products of training steps on one core, beside LibTorch's and multiply-adds alone."""
import json
import subprocess

from figures import Row
from jobs import ROOT


def measure(repetitions=3, seconds=0.2):
    rows = {}
    for _ in range(repetitions):
        program = [ROOT / "build/benchmarks/phalanx-gemm-bench", "--seconds", str(seconds)]
        printed = subprocess.run(program, check=True, capture_output=True, text=True).stdout
        for line in map(json.loads, printed.splitlines()):
            heading = f"Matrix products, {line['type']}, one core"
            row = rows.setdefault((heading, line["product"]), Row(heading, line["product"], "GFLOP/s", "higher"))
            for who, gflops in line["gflops"].items():
                row.add(who, gflops)
    return sorted(rows.values(), key=lambda row: row.heading, reverse=True)  # fp32 first, else as they came
