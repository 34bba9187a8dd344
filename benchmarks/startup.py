"""From the launch to the first finished step of the tiny model."""
from figures import Row
from phalanx_job import PhalanxJob
from torchrun_job import TorchrunJob


def measure(ranks_of_interest=(2, 4, 8), repetitions=3):
    rows = []
    for ranks in ranks_of_interest:
        row = Row("Launch to first finished step", f"{ranks} ranks", "s", "lower")
        for _ in range(repetitions):
            for who, start in (("Phalanx", PhalanxJob), ("torchrun DDP", TorchrunJob)):
                with start("tiny", ranks, 3) as job:
                    first = job.wait_for(lambda: job.steps and job.steps[0])
                    row.add(who, first["seen"] - job.began)
        rows.append(row)
    return rows
