"""Tokens per second and peak resident memory of 2 ranks with one thread each."""
from pathlib import Path

from figures import Row
from jobs import MODELS
from phalanx_job import PhalanxJob
from torchrun_job import TorchrunJob

RANKS = 2
WARM_UP = 2  # steps


def peak_resident_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def run(job, pids_of, steps):
    """(seconds of each timed step, largest rank's peak resident MiB)"""
    with job:
        job.wait_for(lambda: len(job.steps) >= WARM_UP + steps)
        memory = max(map(peak_resident_mib, pids_of(job)))
        return [step["seconds"] for step in job.steps[WARM_UP : WARM_UP + steps]], memory


def contenders(model, steps, compiled):
    more = 1000 + steps  # still running when its memory is read
    yield "Phalanx", lambda: run(PhalanxJob(model, RANKS, more), lambda job: job.worker_pids(), steps)
    yield "torchrun DDP", lambda: run(TorchrunJob(model, RANKS, more), lambda job: job.pids.values(), steps)
    if compiled:
        yield "DDP compiled", lambda: run(
            TorchrunJob(model, RANKS, more, "--compile"), lambda job: job.pids.values(), steps)


def measure(model, steps, repetitions, compiled):
    speed = Row("Training, fp32", f"{model}, 2 ranks", "tokens/s", "higher")
    memory = Row("Peak resident memory of the largest rank", f"{model}, 2 ranks", "MiB", "lower")
    tokens = MODELS[model].tokens_per_step(RANKS)
    if compiled:
        with TorchrunJob(model, RANKS, 1, "--compile") as job:  # fills the compiler's cache
            job.wait_for(lambda: job.steps)
    for _ in range(repetitions):
        for who, measured in contenders(model, steps, compiled):
            seconds, resident = measured()
            for value in seconds:
                speed.add(who, tokens / value)
            memory.add(who, resident)
    return [speed, memory]
