"""Steps of every pipeline schedule: the executor with passes that only wait, and the simulator. Not a measure of speed."""
import json
import subprocess

from figures import Row
from jobs import ROOT


def measure(repetitions=5):
    program = [ROOT / "build/benchmarks/phalanx-schedule-bench", "--repetitions", str(repetitions)]
    printed = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    rows = []
    for line in map(json.loads, printed.splitlines()):
        stages = "the last stage half as long again" if line["heavy"] else "even stages"
        row = Row("Schedules: executor against simulator", f"{line['schedule']}, {line['ranks']} ranks, {stages}", "ms", "lower")
        row.add("simulator", line["simulated_ms"])
        for each in line["executed_ms"]:
            row.add("executor, passes that wait", each)
        row.add("difference of the medians, %", 100 * (row.median("executor, passes that wait") / line["simulated_ms"] - 1))
        rows.append(row)
    return rows
