"""Two ranks that divide the model: DTensor's tensor and sequence parallelism, and torch.distributed.pipelining."""

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import pipelining
from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel, PrepareModuleInput, RowwiseParallel, SequenceParallel, loss_parallel, parallelize_module)


def autocast(options):
    return torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16")


class TensorParallel:
    def __init__(self, options, network, accumulation, adamw, cross_entropy):
        mesh = dist.init_device_mesh("cpu", (dist.get_world_size(),))
        whole = PrepareModuleInput(input_layouts=(Shard(1),), desired_input_layouts=(Replicate(),))
        whole_of_three = PrepareModuleInput(
            input_layouts=(Shard(1), None, None), desired_input_layouts=(Replicate(), None, None))
        parallelize_module(network, mesh, {
            "embedding": RowwiseParallel(input_layouts=Replicate(), output_layouts=Shard(1)),
            "norm": SequenceParallel(),
            "head": ColwiseParallel(input_layouts=Shard(1), output_layouts=Shard(-1), use_local_output=False)})
        for layer in network.layers:
            parallelize_module(layer, mesh, {
                "attention_norm": SequenceParallel(), "attention": whole_of_three,
                "attention.query": ColwiseParallel(), "attention.key": ColwiseParallel(),
                "attention.value": ColwiseParallel(), "attention.output": RowwiseParallel(output_layouts=Shard(1)),
                "ffn_norm": SequenceParallel(), "ffn": whole,
                "ffn.gate": ColwiseParallel(), "ffn.up": ColwiseParallel(),
                "ffn.down": RowwiseParallel(output_layouts=Shard(1))})
        self._network, self._options, self._accumulation = network, options, accumulation
        self._optimizer, self._cross_entropy = adamw(network), cross_entropy
        self.step = 0

    def train(self, batches):
        loss = 0
        for _ in range(self._accumulation):
            inputs, targets = next(batches)
            with loss_parallel():
                with autocast(self._options):
                    part = self._cross_entropy(self._network(inputs), targets) / self._accumulation
                part.backward()
            loss += part.detach().full_tensor()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step += 1
        return loss


class Stage(nn.Module):
    """The layers [first, end) of the network, with its embedding before the first and its head after the last."""

    def __init__(self, options, network, first, end):
        super().__init__()
        self.embedding = network.embedding if first == 0 else None
        self.layers = network.layers[first:end]
        last = end == len(network.layers)
        self.norm, self.head = (network.norm, network.head) if last else (None, None)
        self.register_buffer("cos", network.cos, persistent=False)
        self.register_buffer("sin", network.sin, persistent=False)
        self._options = options

    def forward(self, x):
        with autocast(self._options):
            if self.embedding is not None:
                x = self.embedding(x)
            for layer in self.layers:
                x = layer(x, self.cos, self.sin)
            return x if self.head is None else self.head(self.norm(x))


class Pipeline:
    """1F1B; the stage of rank 0 has `options.first_stage_layers`."""

    def __init__(self, options, network, accumulation, adamw, cross_entropy):
        rank, ranks = dist.get_rank(), dist.get_world_size()
        edges = [0, options.first_stage_layers, len(network.layers)]
        self._part = Stage(options, network, edges[rank], edges[rank + 1])
        stage = pipelining.PipelineStage(self._part, rank, ranks, torch.device("cpu"))
        self._schedule = pipelining.Schedule1F1B(stage, accumulation, loss_fn=cross_entropy)
        self._optimizer = adamw(self._part)
        self._accumulation, self._first, self._last = accumulation, rank == 0, rank == ranks - 1
        self.step = 0

    def train(self, batches):
        inputs, targets = map(torch.cat, zip(*(next(batches) for _ in range(self._accumulation))))
        losses = []
        if self._last:
            self._schedule.step(target=targets, losses=losses)
        else:
            self._schedule.step(inputs)
        self._clip()
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step += 1
        mean = torch.stack(losses).mean() if losses else torch.zeros(())
        return mean.detach() * dist.get_world_size()  # as if every rank had it

    def _clip(self):
        gradients = [p.grad for p in self._part.parameters()]
        squared = torch.nn.utils.get_total_norm(gradients) ** 2
        dist.all_reduce(squared)
        torch.nn.utils.clip_grads_with_norm_(self._part.parameters(), 1.0, squared.sqrt())
