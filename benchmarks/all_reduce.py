"""all_reduce between the ranks of one node, beside Gloo, Open MPI itself, and what memory alone allows."""
import json
import shutil
import subprocess

from figures import Row
from jobs import ROOT
from torchrun_job import PEERS, environment, torchrun

BYTES = (4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20)
CASES = [(ranks, "fp32", BYTES) for ranks in (2, 4, 8)]
CASES += [(2, element, (4 << 10, 1 << 20, 64 << 20)) for element in ("bf16", "fp16")]
PROGRAMS = ROOT / "build/benchmarks/programs"


def compile_c(compiler, source):
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    program = PROGRAMS / source.stem
    subprocess.run([compiler, "-O3", "-march=native", "-o", program, source], check=True)
    return program


def medians(command):
    """bytes -> median seconds, of a program that prints a line of JSON per size."""
    printed = subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True, env=environment(), timeout=300).stdout
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return {line["bytes"]: line["median_us"] / 1e6 for line in lines}


def commands(ranks, element, sizes):
    ours = [ROOT / "build/benchmarks/phalanx-all-reduce-bench", "--ranks", ranks, "--type", element, "--bytes", *sizes]
    mpirun = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-np", ranks]
    yield "Phalanx", ours
    yield "Phalanx, backend mpi", [*mpirun, *ours, "--backend", "mpi"]
    yield "Gloo", torchrun(ranks, PEERS / "all_reduce_gloo.py", element, *sizes)
    if element == "fp32" and shutil.which("mpicc") and shutil.which("mpirun"):  # it has no other float that fits
        yield "Open MPI", [*mpirun, compile_c("mpicc", PEERS / "all_reduce_mpi.c"), *sizes]
    yield "the loads and stores alone", [compile_c("cc", ROOT / "benchmarks/memory_limit.c"), "sum", ranks, *sizes]


def size_name(size):
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def row_of(ranks, element, size):
    what = f"{size_name(size)} of {element}, {ranks} ranks"
    unit, better = ("µs", "lower") if size == BYTES[0] else ("GB/s", "higher")
    return Row("All-reduce, one node", what, unit, better)


def figure(row, ranks, size, seconds):
    """Bus bandwidth, as nccl-tests define it, but for the smallest size."""
    return seconds * 1e6 if row.unit == "µs" else 2 * (ranks - 1) / ranks * size / seconds / 1e9


def measure(cases=CASES, repetitions=3):
    rows = []
    for ranks, element, sizes in cases:
        by_size = {size: row_of(ranks, element, size) for size in sizes}
        for _ in range(repetitions):
            for who, command in commands(ranks, element, sizes):
                for size, seconds in medians(command).items():
                    by_size[size].add(who, figure(by_size[size], ranks, size, seconds))
        rows += by_size.values()
    return rows
