"""A step of one rank with one thread: its parts, where its time goes, and the memory it takes by use."""
import os
import re
import shutil
import subprocess
from pathlib import Path

from figures import Row
from phalanx_job import PhalanxJob
from training import WARM_UP

CASES = [(model, precision) for model in ("S", "M") for precision in ("fp32", "bf16")]
PHASES = ("data", "forward", "backward", "communication", "optimizer")
FUNCTIONS = {  # of `perf report`, the first that is found
    "inner loops of products": r"\b(any_)?tile<",
    "packing for them": r"\bpack<",
    "rounding their results": r"\bround_tile\b",
    "attention's products": r"\bavx512(<|_pairs)",
    "the kernel": r"\[k\]",
    "all else": "",
}


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def profile(pid, seconds, folder):
    """kind of function -> % of the process's time"""
    data = folder / "perf.data"
    record = ["perf", "record", "-e", "cpu-clock", "-F", "499", "-p", pid, "-o", data, "--", "sleep", seconds]
    subprocess.run(list(map(str, record)), check=True, capture_output=True)
    report = ["perf", "report", "-i", data, "--stdio", "--no-children", "-F", "overhead,symbol"]
    lines = subprocess.run(report, check=True, capture_output=True, text=True).stdout.splitlines()
    shares = dict.fromkeys(FUNCTIONS, 0.0)
    for line in lines:
        if found := re.match(r"\s+([\d.]+)%\s+(.*)", line):
            kind = next(kind for kind, pattern in FUNCTIONS.items() if re.search(pattern, found[2]))
            shares[kind] += float(found[1])
    return shares


def memory(output):
    """use -> MiB, from what the worker's log says after its first step"""
    (log,) = output.glob("logs/*/0.log")
    line = next(line for line in log.read_text().splitlines() if "memory at its peak" in line)
    by_use = {use: float(mib) for use, mib in re.findall(r"(\w+) ([\d.]+),", line)}
    return by_use | {"the arena": float(re.search(r"arena of ([\d.]+)", line)[1])}


def measure(cases=CASES, steps=5):
    times, shares, memories = [], [], []
    for model, precision in cases:
        what = f"{model}, {precision}"
        time, share = Row("A step of one rank", what, "s", "lower"), Row("Where a rank's time goes", what, "%", "lower")
        held = Row("Memory of one rank", what, "MiB", "lower", digits=1)
        with PhalanxJob(model, 1, 1000, precision=precision) as job:
            job.wait_for(lambda: len(job.steps) >= WARM_UP)
            (pid,) = job.worker_pids()
            first, cpu = len(job.steps), cpu_seconds(pid)
            job.wait_for(lambda: len(job.steps) >= first + steps)
            cpu = (cpu_seconds(pid) - cpu) / (len(job.steps) - first)
            for line in job.steps[first:]:
                time.add("step", line["seconds"])
                for phase in PHASES:
                    time.add(phase, line[phase + "_seconds"])
            time.add("processor time", cpu)
            if shutil.which("perf"):
                for kind, percent in profile(pid, 8, job.output).items():
                    share.add(kind, percent)
            for use, mib in memory(job.output).items():
                held.add(use, mib)
        times.append(time)
        shares.append(share)
        memories.append(held)
    return [*times, *shares, *memories]
