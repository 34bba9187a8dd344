"""From SIGKILL of a worker to the next finished step of the tiny model."""
from figures import Row
from phalanx_job import PhalanxJob, kill
from torchrun_job import TorchrunJob

ENDLESS = 1_000_000  # steps


def phalanx_recovery(ranks, nodes=1, warm_up=20):
    with PhalanxJob("tiny", ranks, ENDLESS, nodes=nodes) as job:
        job.wait_for(lambda: len(job.steps) >= warm_up)
        victim = job.worker_pids()[-1]
        job.poll()
        generation = job.steps[-1]["generation"]
        killed = kill(victim)
        after = job.wait_for(lambda: next((s for s in job.steps if s["generation"] > generation), None))
        return after["seen"] - killed


def torchrun_recovery(ranks):
    with TorchrunJob("tiny", ranks, ENDLESS, "--save", restarts=1) as job:
        job.wait_for(lambda: len(job.steps) >= 20)
        killed = kill(job.pids[0, ranks - 1])
        after = job.wait_for(lambda: next((s for s in job.steps if s["restart"] > 0), None))
        return after["seen"] - killed


def measure(ranks_of_interest=(2, 4, 8), repetitions=3):
    rows = []
    for ranks in ranks_of_interest:
        row = Row("SIGKILL of a worker to the next finished step", f"{ranks} ranks", "s", "lower")
        for _ in range(repetitions):
            row.add("Phalanx", phalanx_recovery(ranks))
            row.add("torchrun DDP", torchrun_recovery(ranks))
        rows.append(row)
    return rows
