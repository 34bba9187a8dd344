"""How much of the communication of each axis is hidden under compute: 2 ranks on 2 emulated nodes, with a link so slow that
communication takes 30 % of a step on an infinitely fast one."""
import re
import statistics
import subprocess
from dataclasses import dataclass, field

from figures import Row
from phalanx_job import PhalanxJob

RANKS = 2
WARM_UP = 2  # steps
SHARE = 0.3  # of a step on the fast link
ENDLESS = 1_000_000  # steps


@dataclass(frozen=True)
class Axis:
    """What differs from model S with two data ranks."""
    parallel: dict
    global_batch: int  # sequences
    micro_batch: int
    model: dict = field(default_factory=dict)

    def changes(self, bits_per_second=None):
        launch = {"threads_per_rank": 1}
        if bits_per_second:
            launch["emulate_link"] = {"bandwidth": bits_per_second / 1e9}
        return {"model": self.model, "parallel": self.parallel, "launch": launch,
                "train": {"global_batch": self.global_batch, "micro_batch": self.micro_batch}}


MIXTRAL = {"preset": "mixtral", "experts": 4, "experts_per_token": 2, "ffn_width": 704}
LONG, LONGER = {"sequence_length": 1024}, {"sequence_length": 4096}
ULYSSES = {"context": 2, "context_attention": "ulysses"}
AXES = {
    "data": Axis({"data": 2}, 4, 2),
    "ZeRO-3": Axis({"data": 2, "zero_stage": 3}, 4, 2),
    "tensor": Axis({"tensor": 2}, 4, 4),
    "pipeline, 1f1b": Axis({"pipeline": 2}, 8, 1),
    "pipeline, eager_1f1b": Axis({"pipeline": 2, "schedule": "eager_1f1b"}, 8, 1),
    "pipeline, zb_h1": Axis({"pipeline": 2, "schedule": "zb_h1"}, 8, 1),
    "pipeline, zb_h2": Axis({"pipeline": 2, "schedule": "zb_h2"}, 8, 1),
    "context, ring": Axis({"context": 2}, 1, 1, LONG),
    "context, ulysses": Axis(ULYSSES, 1, 1, LONG),
    "expert": Axis({"data": 2, "expert": 2}, 4, 2, MIXTRAL),
}
# With more to hide behind: longer pipelines of micro-batches, longer sequences, more groups of heads.
LARGER_AXES = {
    "pipeline, eager_1f1b, 16 micro-batches": Axis({"pipeline": 2, "schedule": "eager_1f1b"}, 16, 1),
    "pipeline, zb_h2, 16 micro-batches": Axis({"pipeline": 2, "schedule": "zb_h2"}, 16, 1),
    "context, ring, 4096 tokens": Axis({"context": 2}, 1, 1, LONGER),
    "context, ulysses, 4096 tokens": Axis(ULYSSES, 1, 1, LONGER),
    "context, ulysses, 4096 tokens, 8 key heads": Axis(ULYSSES, 1, 1, LONGER | {"kv_heads": 8}),
}


def bytes_sent(pid):
    """By the TCP connections that a process has: what has left its emulated node."""
    listing = subprocess.run(["ss", "-tinpHO"], check=True, capture_output=True, text=True).stdout
    return sum(int(sent) for line in listing.splitlines() if f"pid={pid}," in line
               for sent in re.findall(r"\bbytes_sent:(\d+)", line))


def run(axis, steps, bits_per_second=None):
    """(median seconds of a step, the most bytes that a rank sent in one)"""
    with PhalanxJob("S", RANKS, ENDLESS, nodes=RANKS, changes=axis.changes(bits_per_second)) as job:
        job.wait_for(lambda: len(job.steps) >= WARM_UP)
        pids, first = job.worker_pids(), len(job.steps)
        before = [bytes_sent(pid) for pid in pids]
        job.wait_for(lambda: len(job.steps) >= first + steps)
        passed = len(job.steps) - first
        sent = max(bytes_sent(pid) - earlier for pid, earlier in zip(pids, before))
        return statistics.median(line["seconds"] for line in job.steps[first:]), sent / passed


def measure(repetitions, steps=5, axes=AXES, heading="Communication hidden under compute, S, 2 ranks"):
    rows = []
    for name, axis in axes.items():
        hidden = Row(heading, f"{name}: hidden", "%", "higher", digits=0)
        sent = Row(heading, f"{name}: leaves a rank in a step", "MB", "lower")
        fast = Row(heading, f"{name}: step on a link that is no limit", "s", "lower")
        slow = Row(heading, f"{name}: step with communication of {SHARE:.0%} of that", "s", "lower")
        for _ in range(repetitions):
            alone, moved = run(axis, steps)
            communication = SHARE * alone
            together, _ = run(axis, steps, 8 * moved / communication)
            hidden.add("Phalanx", 100 * (1 - (together - alone) / communication))
            sent.add("Phalanx", moved / 1e6)
            fast.add("Phalanx", alone)
            slow.add("Phalanx", together)
        rows += [hidden, sent, fast, slow]
    return rows
