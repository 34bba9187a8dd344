"""Tokens per second, losses and memory of 2 ranks that divide state, matrices or layers, beside PyTorch's eager ways to do it."""
import json
import subprocess
import tempfile

import same_start
from figures import Row
from jobs import MODELS, ROOT, write_job
from phalanx_job import PHALANX, PhalanxJob
from torchrun_job import TorchrunJob
from training import RANKS, WARM_UP, run

AXES = {
    "ZeRO-3, FSDP2": ({"zero_stage": 3}, "--mode=fsdp2"),
    "tensor parallel, DTensor": ({"tensor": 2}, "--mode=tensor"),
    "pipeline 1F1B, torch.distributed.pipelining": ({"pipeline": 2, "schedule": "1f1b"}, "--mode=pipeline"),
}


def changes(parallel, micro_batch):
    """What differs in a job file."""
    return {"parallel": parallel, "train": {"micro_batch": micro_batch}}


def first_stage_layers(model):
    """Where `phalanx run` would cut the pipeline: the peer cuts there too."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        job = write_job(ROOT / folder, model, RANKS, 1, changes=changes({"pipeline": 2}, 1))
        answer = subprocess.run([PHALANX, "plan", job, "--json"], check=True, capture_output=True, text=True)
        return json.loads(answer.stdout)["stages"][0]["layers"]


def measure(model, precision, steps, repetitions):
    shape, rows = MODELS[model], []
    more = 1000 + steps  # still running when its memory is read
    heading = f"Training over other axes, {model}, {precision}"
    with tempfile.TemporaryDirectory(prefix="benchmark-start-", dir=ROOT / "build") as start:
        same_start.write(start, model, RANKS, WARM_UP + steps)
        for axis, (parallel, mode) in AXES.items():
            what = axis
            speed = Row(heading, what, "tokens/s", "higher")
            memory = Row(heading, what + ", peak resident memory of the largest rank", "MiB", "lower")
            loss = Row(heading, what + f", loss of step {WARM_UP + steps}", "nats", "lower", digits=4)
            micro_batch = 1 if "pipeline" in parallel else shape.micro_batch
            flags = [mode, f"--micro-batch={micro_batch}", f"--precision={precision}", f"--begin-from={start}"]
            if "pipeline" in parallel:
                flags.append(f"--first-stage-layers={first_stage_layers(model)}")
            sides = {
                "Phalanx": lambda: run(PhalanxJob(model, RANKS, more, precision=precision,
                                                  changes=changes(parallel, micro_batch)),
                                       lambda job: job.worker_pids(), steps),
                "PyTorch eager": lambda: run(TorchrunJob(model, RANKS, more, *flags), lambda job: job.pids.values(), steps),
            }
            for _ in range(repetitions):
                for who, side in sides.items():
                    lines, resident = side()
                    for line in lines:
                        speed.add(who, shape.tokens_per_step(RANKS) / line["seconds"])
                    memory.add(who, resident)
                    loss.add(who, lines[-1]["loss"])
            rows += [speed, memory, loss]
    return rows
