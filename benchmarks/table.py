"""The rows of a run as Markdown, between the markers of docs/benchmarks.md."""
import os
import platform
import re
import subprocess
import time
from pathlib import Path

from jobs import ROOT

PAGE = ROOT / "docs/benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def output_of(*command):
    try:
        answer = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return f"no {command[0]}"
    return answer.stdout.strip() or f"no {command[0]}"


def machine():
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) >> 20
    torch = next((ROOT / ".deps/python").glob("torch-*.dist-info")).stem.removeprefix("torch-")
    mpi = output_of("mpirun", "--version").splitlines()[0].replace("mpirun (Open MPI)", "Open MPI")
    return (f"{os.cpu_count()} cores of {cpu}, {memory} GiB, Linux {platform.release()}; torch {torch}, "
            f"Python {platform.python_version()}, {mpi}, g++ {output_of('g++', '-dumpfullversion')}.")


def circumstances(load_before, load_after, seconds):
    date = time.strftime("%Y-%m-%d", time.gmtime())
    commit = output_of("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    return f"{date}, commit {commit}, {seconds:.0f} s; load average before {load_before}, after {load_after}.\n{machine()}"


def table(rows):
    contenders = list(dict.fromkeys(who for row in rows for who in row.figures))
    lines = ["| | " + " | ".join(contenders) + " |", "|---" * (len(contenders) + 1) + "|"]
    for row in rows:
        cells = [row.cell(who) if who in row.figures else "" for who in contenders]
        lines.append(f"| {row.what}, {row.unit} | " + " | ".join(cells) + " |")
    return lines


def markdown(told, rows):
    """A table for each heading of `rows`, under what `told` says of their circumstances."""
    lines = []
    for heading in dict.fromkeys(row.heading for row in rows):
        lines += [f"### {heading}", "", told, "", *table([row for row in rows if row.heading == heading]), ""]
    return "\n".join(lines)


def write_page(section, text, order):
    """Puts `text` in the place of what the page has of `section`; of the other sections in `order` it keeps what it has."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    measured, _, after = rest.partition(END)
    parts = re.split(r"<!-- (\S+) -->\n", measured)
    texts = dict(zip(parts[1::2], parts[2::2])) | {section: text + "\n"}
    measured = "".join(f"<!-- {name} -->\n{texts[name]}" for name in order if name in texts)
    PAGE.write_text(f"{before}{BEGIN}\n\n{measured}{END}{after}")
