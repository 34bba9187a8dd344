"""DistributedDataParallel over Gloo on the job of benchmarks/jobs.py: what a user of torchrun would write.

Every rank prints "RANK rank restart pid"; rank 0 prints "STEP step restart seconds" after each step.
--save writes a checkpoint after every step, and a restarted worker goes on from it.
"""
import argparse
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
import torch.distributed as dist
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from jobs import MODELS, TRAIN_TOKENS
from model import Transformer

TOKENS_OFFSET = 4096  # docs/data_format.md


def sequences(model, rank, ranks):
    """Endless micro-batches (inputs, targets) of this rank, from the file that Phalanx reads."""
    tokens = np.memmap(TRAIN_TOKENS, dtype="<u2", mode="r", offset=TOKENS_OFFSET)
    length, batch = model.sequence_length, model.micro_batch
    index = rank * batch
    while True:
        rows = [tokens[i * length : i * length + length + 1].astype(np.int64) for i in range(index, index + batch)]
        block = torch.from_numpy(np.stack(rows))
        yield block[:, :-1], block[:, 1:]
        index += ranks * batch


def tell(*words):
    """A line in one write: ranks share the pipe, and print() under PYTHONUNBUFFERED writes word by word."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def save(path, network, optimizer, step):
    torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, f"{path}.new")
    descriptor = os.open(f"{path}.new", os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    os.rename(f"{path}.new", path)


def restore(path, network, optimizer):
    if not os.path.exists(path):
        return 0
    state = torch.load(path)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"]


def run_step(model, ddp, forward, optimizer, batches):
    for i in range(model.accumulation):
        last = i + 1 == model.accumulation
        inputs, targets = next(batches)
        with nullcontext() if last else ddp.no_sync():
            logits = forward(inputs)
            (F.cross_entropy(logits.flatten(0, 1), targets.flatten()) / model.accumulation).backward()
    torch.nn.utils.clip_grad_norm_(ddp.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    model = MODELS[options.model]
    torch.set_num_threads(1)
    torch.manual_seed(1)
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    restart = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
    tell("RANK", rank, restart, os.getpid())

    network = Transformer(model)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    checkpoint = f"{options.folder}/checkpoint"
    step = restore(checkpoint, network, optimizer)
    ddp = DistributedDataParallel(network, gradient_as_bucket_view=True)
    forward = torch.compile(ddp) if options.compile else ddp
    batches = sequences(model, rank, ranks)
    while step < options.steps:
        begin = time.perf_counter()
        run_step(model, ddp, forward, optimizer, batches)
        step += 1
        if rank == 0:
            tell("STEP", step, restart, time.perf_counter() - begin)
            if options.save:
                save(checkpoint, network, optimizer, step)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
