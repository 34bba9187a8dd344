"""What a user of torchrun would write for the job of benchmarks/jobs.py, over Gloo.

--mode ddp: DistributedDataParallel; fsdp2: fully_shard of every layer; zero2: DeepSpeed; tensor, pipeline: model_parallel.py.
--precision bf16 is mixed precision for fsdp2 and zero2, weights kept in fp32 and computed with in bf16, else autocast.
Every rank prints "RANK rank restart pid"; rank 0 prints "STEP step restart seconds loss" after each step.
--begin-from names a folder of same_start.py; --save writes a checkpoint after every step, and a restarted worker goes on from
it (ddp).
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

from jobs import LR, MODELS, TRAIN_TOKENS
from model import Transformer

TOKENS_OFFSET = 4096  # docs/data_format.md


def sequences(model, start, micro_batch, ranks, part, parts):
    """Endless micro-batches (inputs, targets): one of `parts` of each step's samples, in Phalanx's order."""
    tokens = np.memmap(TRAIN_TOKENS, dtype="<u2", mode="r", offset=TOKENS_OFFSET)
    length = model.sequence_length
    order = np.load(f"{start}/order.npy") if start else np.arange((len(tokens) - 1) // length)
    own = model.samples_per_step(ranks) // parts
    index = part * own
    while True:
        for i in range(index, index + own, micro_batch):
            rows = [tokens[n * length : n * length + length + 1].astype(np.int64)
                    for n in order.take(range(i, i + micro_batch), mode="wrap")]
            block = torch.from_numpy(np.stack(rows))
            yield block[:, :-1], block[:, 1:]
        index += parts * own


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


def adamw(network):
    """Weight decay for matrices, none for norms."""
    groups = [{"params": [p for p in network.parameters() if (p.dim() > 1) == decayed], "weight_decay": decay}
              for decayed, decay in ((True, 0.1), (False, 0.0))]
    return torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.95), fused=True)


def cross_entropy(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


class Ddp:
    def __init__(self, options, network, micro_batch, accumulation):
        self._optimizer = adamw(network)
        self._checkpoint = f"{options.folder}/checkpoint"
        self.step = restore(self._checkpoint, network, self._optimizer)
        self._ddp = DistributedDataParallel(network, gradient_as_bucket_view=True)
        self._forward = torch.compile(self._ddp) if options.compile else self._ddp
        self._bf16 = options.precision == "bf16"
        self._accumulation = accumulation

    def train(self, batches):
        loss = 0
        for i in range(self._accumulation):
            inputs, targets = next(batches)
            with nullcontext() if i + 1 == self._accumulation else self._ddp.no_sync():
                with torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
                    part = cross_entropy(self._forward(inputs), targets) / self._accumulation
                part.backward()
            loss += part.detach()
        torch.nn.utils.clip_grad_norm_(self._ddp.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step += 1
        return loss

    def save(self):
        save(self._checkpoint, self._ddp.module, self._optimizer, self.step)


class Fsdp2:
    def __init__(self, options, network, micro_batch, accumulation):
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
        policy = MixedPrecisionPolicy()
        if options.precision == "bf16":
            policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
        mesh = dist.init_device_mesh("cpu", (dist.get_world_size(),))
        for layer in network.layers:
            if options.compile:
                layer.compile()
            fully_shard(layer, mesh=mesh, mp_policy=policy)
        self._network = fully_shard(network, mesh=mesh, mp_policy=policy)
        self._optimizer = adamw(network)
        self._accumulation = accumulation
        self.step = 0

    def train(self, batches):
        loss = 0
        for i in range(self._accumulation):
            inputs, targets = next(batches)
            self._network.set_requires_gradient_sync(i + 1 == self._accumulation)
            part = cross_entropy(self._network(inputs), targets) / self._accumulation
            part.backward()
            loss += part.detach()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step += 1
        return loss


class Zero2:
    def __init__(self, options, network, micro_batch, accumulation):
        import deepspeed
        deepspeed.init_distributed(dist_backend="gloo")
        configuration = {
            "train_micro_batch_size_per_gpu": micro_batch, "gradient_accumulation_steps": accumulation,
            "gradient_clipping": 1.0, "zero_optimization": {"stage": 2}, "zero_allow_untested_optimizer": True,
            "bf16": {"enabled": options.precision == "bf16"}, "steps_per_print": 10**9}
        self._engine, *_ = deepspeed.initialize(model=network, optimizer=adamw(network), config=configuration)
        self._accumulation = accumulation
        self.step = 0

    def train(self, batches):
        loss = 0
        for _ in range(self._accumulation):
            inputs, targets = next(batches)
            part = cross_entropy(self._engine(inputs), targets)
            self._engine.backward(part)
            self._engine.step()
            loss += part.detach() / self._accumulation
        self.step += 1
        return loss


def make_trainer(options, network, micro_batch, accumulation):
    if options.mode in ("tensor", "pipeline"):
        import model_parallel
        trainer = {"tensor": model_parallel.TensorParallel, "pipeline": model_parallel.Pipeline}[options.mode]
        return trainer(options, network, accumulation, adamw, cross_entropy)
    return {"ddp": Ddp, "fsdp2": Fsdp2, "zero2": Zero2}[options.mode](options, network, micro_batch, accumulation)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--mode", choices=("ddp", "fsdp2", "zero2", "tensor", "pipeline"), default="ddp")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--micro-batch", type=int, help="sequences; default the model's")
    parser.add_argument("--first-stage-layers", type=int, help="of a pipeline")
    parser.add_argument("--begin-from")
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
    if options.begin_from:
        weights = np.load(f"{options.begin_from}/weights.npz")
        network.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})
    divides_model = options.mode in ("tensor", "pipeline")
    part, parts = (0, 1) if divides_model else (rank, ranks)
    micro_batch = options.micro_batch or model.micro_batch
    accumulation = model.samples_per_step(ranks) // parts // micro_batch
    trainer = make_trainer(options, network, micro_batch, accumulation)
    batches = sequences(model, options.begin_from, micro_batch, ranks, part, parts)
    while trainer.step < options.steps:
        begin = time.perf_counter()
        loss = trainer.train(batches)
        seconds = time.perf_counter() - begin
        dist.all_reduce(loss)  # outside of the time
        if rank == 0:
            tell("STEP", trainer.step, restart, seconds, loss.item() / ranks)
            if options.save:
                trainer.save()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
