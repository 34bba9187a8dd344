"""The models that both sides train, and the job file that `phalanx run` gets for each."""
import json
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TRAIN_TOKENS = ROOT / "runs/corpus/train.tokens"
LR = 3e-4  # in every step


@dataclass(frozen=True)
class Model:
    layers: int
    width: int
    heads: int
    kv_heads: int
    ffn_width: int
    sequence_length: int
    vocab_size: int
    micro_batch: int  # sequences
    accumulation: int  # micro-batches per rank and step

    def parameters(self):
        head = self.width // self.heads
        attention = 2 * self.width * self.width + 2 * self.width * self.kv_heads * head
        layer = attention + 3 * self.width * self.ffn_width + 2 * self.width
        return self.layers * layer + 2 * self.vocab_size * self.width + self.width

    def flops_per_token(self):
        """Forward and backward (PaLM, appendix B): multiply-adds count twice, the embedding's table does not."""
        multiplied = self.parameters() - self.vocab_size * self.width
        return 6 * multiplied + 12 * self.layers * self.width * self.sequence_length

    def samples_per_step(self, ranks):
        return ranks * self.accumulation * self.micro_batch

    def tokens_per_step(self, ranks):
        return self.samples_per_step(ranks) * self.sequence_length


MODELS = {
    "tiny": Model(2, 64, 4, 2, 128, 32, 512, 2, 1),
    "S": Model(8, 512, 8, 4, 1408, 256, 8192, 4, 1),
    "M": Model(12, 768, 12, 12, 2048, 512, 32000, 1, 2),
}


def write_job(folder, name, ranks, steps, checkpoint_every=0, precision="fp32", lr=LR, nodes=1, changes=None):
    """The job file of model `name` in `folder`; its output is `folder`/output. `changes`: section -> keys that differ."""
    model = MODELS[name]
    shape = {key: value for key, value in vars(model).items() if key not in ("micro_batch", "accumulation")}
    job = {
        "name": f"benchmark-{name}",
        "model": shape,
        "data": {"train": [{"path": str(TRAIN_TOKENS)}]},
        "train": {
            "steps": steps,
            "global_batch": model.samples_per_step(ranks),
            "micro_batch": model.micro_batch,
            "precision": precision,
            "optimizer": {"lr": lr},
            "lr_schedule": {"min_lr": lr},
        },
        "checkpoint": {"every": checkpoint_every, "keep": 1},
        "launch": {"ranks_per_node": ranks // nodes, "emulate_nodes": nodes},
        "output": str(folder / "output"),
    }
    for section, keys in (changes or {}).items():
        job[section] = job.get(section, {}) | keys
    path = folder / "job.yaml"
    path.write_text(json.dumps(job, indent=1))  # JSON is YAML
    return path
