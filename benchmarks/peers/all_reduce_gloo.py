"""all_reduce of torch.distributed over Gloo: a line of JSON per size, times of the slowest rank per repetition.

Usage: all_reduce_gloo.py fp32|bf16|fp16 BYTES...     under torchrun
"""
import json
import sys
import time

import torch
import torch.distributed as dist

WARM_UP = 3


def repetitions(size):
    return max(9, min(1000, (128 << 20) // size))


TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

element = TYPES[sys.argv[1]]
torch.set_num_threads(1)
dist.init_process_group("gloo")
for size in map(int, sys.argv[2:]):
    data = torch.zeros(size // element.itemsize, dtype=element)
    times = torch.zeros(repetitions(size), dtype=torch.float64)
    for i in range(-WARM_UP, len(times)):
        dist.barrier()
        begin = time.perf_counter()
        dist.all_reduce(data)
        if i >= 0:
            times[i] = time.perf_counter() - begin
    dist.all_reduce(times, dist.ReduceOp.MAX)
    if dist.get_rank() == 0:
        print(json.dumps({"bytes": size, "median_us": times.median().item() * 1e6}), flush=True)
dist.destroy_process_group()
