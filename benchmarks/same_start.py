"""What a peer needs to begin where Phalanx begins: the same weights, the same sequences in the same order."""
import glob
import subprocess
from pathlib import Path

import h5py
import numpy

from jobs import MODELS, ROOT, TRAIN_TOKENS
from phalanx_job import PhalanxJob

SAMPLE_ORDER = ROOT / "build/benchmarks/phalanx-sample-order"


def parameters(checkpoint):
    """name -> whole tensor, as docs/checkpoint_format.md says."""
    whole = {}
    for path in glob.glob(f"{checkpoint}/shards/*/*.h5"):
        with h5py.File(path, "r") as shard:
            for name, regions in shard["parameter"].items():
                for part in regions.values():
                    shape = part.attrs["global_shape"]
                    box = tuple(slice(o, o + n) for o, n in zip(part.attrs["offset"], part.shape))
                    whole.setdefault(name, numpy.empty(shape, numpy.float32))[box] = part[()]
    return whole


def write(folder, model, ranks, steps):
    """weights.npz, and order.npy: the sequence that each sample of `steps` steps is."""
    # A step too small to move any parameter: its checkpoint holds what the job began with.
    with PhalanxJob(model, ranks, 1, checkpoint_every=1, lr=1e-30) as job:
        job.wait_for_end()
        (checkpoint,) = (job.output / "checkpoints").iterdir()
        numpy.savez(Path(folder) / "weights.npz", **parameters(checkpoint))
    shape = MODELS[model]
    samples = steps * shape.samples_per_step(ranks)
    order = subprocess.run([SAMPLE_ORDER, TRAIN_TOKENS, str(shape.sequence_length), str(samples)], check=True,
                           capture_output=True, text=True)
    numpy.save(Path(folder) / "order.npy", numpy.array(order.stdout.split(), dtype=numpy.int64))
