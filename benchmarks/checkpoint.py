"""How long training waits for a checkpoint, beside memcpy of the same bytes by as many processes."""
from all_reduce import compile_c, medians
from figures import Row
from jobs import MODELS, ROOT
from phalanx_job import PhalanxJob

RANKS = 2
EVERY = 1  # steps


def measure(model="S", checkpoints=3, repetitions=2):
    state_bytes = MODELS[model].parameters() * 3 * 4  # parameters and two moments, fp32
    shard = state_bytes // RANKS
    program = compile_c("cc", ROOT / "benchmarks/memory_limit.c")
    what = f"{model}, {RANKS} ranks, {shard / 1e6:.0f} MB each"
    row = Row("Stall of training by a checkpoint", what, "ms", "lower")
    first = Row("Stall of training by a checkpoint", what + ", the first of a run", "ms", "lower")
    for _ in range(repetitions):
        with PhalanxJob(model, RANKS, EVERY * (checkpoints + 1), EVERY) as job:
            job.wait_for_end()
            stalls = [event["stall_seconds"] * 1e3 for event in job.events("checkpoint_committed")]
        first.add("Phalanx", stalls[0])
        for stall in stalls[1:]:
            row.add("Phalanx", stall)
        copied = medians([program, "copy", RANKS, shard])[shard] * 1e3
        row.add("memcpy", copied)
        first.add("memcpy", copied)
    return [row, first]
