"""Tokens per second, losses and peak resident memory of 2 ranks with one thread each, all from the same start."""
import tempfile
from pathlib import Path

import same_start
from figures import Row
from jobs import MODELS, ROOT
from phalanx_job import PhalanxJob
from torchrun_job import TorchrunJob

RANKS = 2
WARM_UP = 2  # steps
PEERS = {
    "torchrun DDP": ("--mode=ddp",),
    "DDP compiled": ("--mode=ddp", "--compile"),
    "FSDP2": ("--mode=fsdp2",),
    "DeepSpeed ZeRO-2": ("--mode=zero2",),
}


def peak_resident_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def run(job, pids_of, steps):
    """(the lines of the timed steps, largest rank's peak resident MiB)"""
    with job:
        job.wait_for(lambda: len(job.steps) >= WARM_UP + steps)
        memory = max(map(peak_resident_mib, pids_of(job)))
        return job.steps[WARM_UP : WARM_UP + steps], memory


def measure(model, precision, steps, repetitions, peers=tuple(PEERS)):
    heading, what = f"Training, {model}, {precision}", f"{RANKS} ranks"
    speed = Row(heading, what, "tokens/s", "higher")
    share = Row(heading, what + ", model FLOPs of the multiply-add peak", "%", "higher")
    memory = Row(heading, what + ", peak resident memory of the largest rank", "MiB", "lower")
    loss = Row(heading, what + f", loss of step {WARM_UP + steps}", "nats", "lower", digits=4)
    shape = MODELS[model]
    more = 1000 + steps  # still running when its memory is read

    with tempfile.TemporaryDirectory(prefix="benchmark-start-", dir=ROOT / "build") as start:
        same_start.write(start, model, RANKS, WARM_UP + steps)
        common = (f"--precision={precision}", f"--begin-from={start}")

        def phalanx():
            job = PhalanxJob(model, RANKS, more, precision=precision)
            return run(job, lambda job: job.worker_pids(), steps)

        def peer(flags):
            return run(TorchrunJob(model, RANKS, more, *flags, *common), lambda job: job.pids.values(), steps)

        if "DDP compiled" in peers:
            with TorchrunJob(model, RANKS, 1, *PEERS["DDP compiled"], *common) as job:  # fills the compiler's cache
                job.wait_for(lambda: job.steps)
        for _ in range(repetitions):
            for who in ("Phalanx", *peers):
                lines, resident = phalanx() if who == "Phalanx" else peer(PEERS[who])
                if who == "Phalanx":
                    peak = lines[-1]["model_flops_per_second"] / lines[-1]["mfu"]
                for line in lines:
                    tokens = shape.tokens_per_step(RANKS) / line["seconds"]
                    speed.add(who, tokens)
                    share.add(who, 100 * tokens / RANKS * shape.flops_per_token() / peak)
                memory.add(who, resident)
                loss.add(who, lines[-1]["loss"])
    return [speed, share, memory, loss]
