"""all_reduce of fp32 between the ranks of one node, beside Gloo, Open MPI itself, and memcpy of as many bytes."""
import json
import shutil
import subprocess

from figures import Row
from jobs import ROOT
from torchrun_job import PEERS, environment, torchrun

BYTES = (4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20)
PROGRAMS = ROOT / "build/benchmarks/programs"
MEMCPY = "memcpy by every rank"


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


def commands(ranks):
    ours = [ROOT / "build/benchmarks/phalanx-all-reduce-bench", "--ranks", ranks]
    mpirun = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-np", ranks]
    yield "Phalanx", [*ours, "--bytes", *BYTES]
    yield "Phalanx, backend mpi", [*mpirun, *ours, "--backend", "mpi", "--bytes", *BYTES]
    yield "Gloo", torchrun(ranks, PEERS / "all_reduce_gloo.py", *BYTES)
    if shutil.which("mpicc") and shutil.which("mpirun"):
        program = compile_c("mpicc", PEERS / "all_reduce_mpi.c")
        yield "Open MPI", [*mpirun, program, *BYTES]
    yield MEMCPY, [compile_c("cc", ROOT / "benchmarks/memcpy.c"), ranks, *BYTES]


def size_name(size):
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def row_of(ranks, size):
    if size == BYTES[0]:
        return Row("All-reduce, fp32, one node", f"{size_name(size)}, {ranks} ranks", "µs", "lower")
    return Row("All-reduce, fp32, one node", f"{size_name(size)}, {ranks} ranks", "GB/s", "higher")


def figure(row, who, ranks, size, seconds):
    if row.unit == "µs":
        return seconds * 1e6
    moved = size if who == MEMCPY else 2 * (ranks - 1) / ranks * size  # bus bandwidth, as nccl-tests define it
    return moved / seconds / 1e9


def measure(ranks_of_interest=(2, 4), repetitions=3):
    rows = []
    for ranks in ranks_of_interest:
        by_size = {size: row_of(ranks, size) for size in BYTES}
        for _ in range(repetitions):
            for who, command in commands(ranks):
                for size, seconds in medians(command).items():
                    by_size[size].add(who, figure(by_size[size], who, ranks, size, seconds))
        rows += by_size.values()
    return rows
