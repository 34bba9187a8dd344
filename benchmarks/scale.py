"""How the cost of starting and of recovering grows with real processes, many more than cores, on several emulated nodes."""
from figures import Row
from phalanx_job import PhalanxJob
from recovery import phalanx_recovery

RANKS_OF_A_NODE = 64


def measure(ranks_of_interest=(2, 64, 512), repetitions=3):
    rows = []
    for ranks in ranks_of_interest:
        nodes = max(1, ranks // RANKS_OF_A_NODE)
        on = f"{ranks} ranks on {nodes} emulated node{'s' if nodes > 1 else ''}"
        launch = Row("Many processes", f"{on}: launch to first finished step", "s", "lower")
        recover = Row("Many processes", f"{on}: SIGKILL of a worker to the next finished step", "s", "lower")
        for _ in range(repetitions):
            with PhalanxJob("tiny", ranks, 3, nodes=nodes) as job:
                first = job.wait_for(lambda: job.steps and job.steps[0])
                launch.add("Phalanx", first["seen"] - job.began)
            recover.add("Phalanx", phalanx_recovery(ranks, nodes=nodes, warm_up=3))
        rows += [launch, recover]
    return rows
