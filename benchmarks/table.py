"""The rows of a run as Markdown, between the markers of docs/benchmarks.md."""
import os
import platform
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
            f"Python {platform.python_version()}, {mpi}, {output_of('g++', '--version').splitlines()[0]}.")


def circumstances(load_before, load_after, seconds):
    date = time.strftime("%Y-%m-%d", time.gmtime())
    commit = output_of("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    return f"{date}, commit {commit}, {seconds:.0f} s; load average before {load_before}, after {load_after}."


def section(name, rows):
    contenders = list(dict.fromkeys(who for row in rows for who in row.figures))
    lines = [f"### {name}", "", "| | " + " | ".join(contenders) + " |", "|---" * (len(contenders) + 1) + "|"]
    for row in rows:
        cells = [row.cell(who) if who in row.figures else "" for who in contenders]
        lines.append(f"| {row.what}, {row.unit} | " + " | ".join(cells) + " |")
    return lines + [""]


def markdown(sections):
    """`sections`: a list of (circumstances, rows), as run.py keeps them."""
    lines = [machine(), ""]
    for told, rows in sections:
        for name in dict.fromkeys(row.section for row in rows):
            heading, *table = section(name, [row for row in rows if row.section == name])
            lines += [heading, "", told, *table]
    return "\n".join(lines)


def write_page(text):
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")
