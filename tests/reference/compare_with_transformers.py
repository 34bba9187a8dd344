#!/usr/bin/env python3
"""Compares small models with Hugging Face transformers on the same random weights and tokens, in fp32: logits, loss and
every gradient, by the norm of the difference over the norm. Prints a table; exits with 8 where more than 1e-5 differs.

Usage: compare_with_transformers.py MODEL_DUMP [MODEL...] [--every-tensor]
MODEL_DUMP is build/tests/reference/phalanx-model-dump; scripts/setup.sh --reference installs transformers."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".deps/reference"), str(ROOT / ".deps/python")]
os.environ["HF_HUB_OFFLINE"] = "1"
try:
    import torch
    import transformers
    from safetensors.torch import load_file, save_file
except ImportError as error:
    sys.exit(f"error: compare with transformers: {error}\nhelp: run scripts/setup.sh --reference")

from tensor_names import ours

transformers.logging.set_verbosity_error()
TOLERANCE = 1e-5
DIFFERS = 8  # protocol/exit_code.h

# Grouped-query attention, an odd vocabulary, a rope_theta that is not the default.
SHAPE = {"layers": 3, "width": 64, "heads": 4, "ffn_width": 96, "sequence_length": 48, "vocab_size": 257}
LLAMA = {**SHAPE, "kv_heads": 2, "rope_theta": 500000.0}
EXPERTS = {**LLAMA, "experts": 6, "experts_per_token": 2, "router": {"balance_loss": 0}}

# As the job file has them. Our balancing loss is one of each layer and sequence, theirs of all that a batch has, so the
# case that compares it has one of both.
MODELS = {
    "llama": {**LLAMA, "preset": "llama"},
    "gpt2": {**SHAPE, "preset": "gpt2", "kv_heads": 4},
    "mixtral": {**EXPERTS, "preset": "mixtral"},
    "mixtral_balanced": {**EXPERTS, "preset": "mixtral", "layers": 1, "router": {"balance_loss": 0.5}},
    "qwen_moe": {**EXPERTS, "preset": "qwen_moe", "expert_width": 56},
}


def transformers_model(model, tokens):
    """The same model there; its losses are means over `tokens` tokens, ours sums."""
    common = {"vocab_size": model["vocab_size"], "attn_implementation": "eager", "use_cache": False,
              "bos_token_id": None, "eos_token_id": None}
    if model["preset"] == "gpt2":
        config = transformers.GPT2Config(
            **common, n_positions=model["sequence_length"], n_embd=model["width"], n_layer=model["layers"],
            n_head=model["heads"], n_inner=model["ffn_width"], layer_norm_epsilon=1e-5, resid_pdrop=0, embd_pdrop=0,
            attn_pdrop=0)
        return transformers.GPT2LMHeadModel(config)
    common |= {
        "hidden_size": model["width"], "num_hidden_layers": model["layers"], "num_attention_heads": model["heads"],
        "num_key_value_heads": model["kv_heads"], "max_position_embeddings": model["sequence_length"],
        "rms_norm_eps": 1e-5, "rope_parameters": {"rope_type": "default", "rope_theta": model["rope_theta"]}}
    if model["preset"] == "llama":
        return transformers.LlamaForCausalLM(
            transformers.LlamaConfig(**common, intermediate_size=model["ffn_width"]))
    balance_loss = model["router"]["balance_loss"]
    common |= {"num_experts_per_tok": model["experts_per_token"], "output_router_logits": True,
               "router_aux_loss_coef": float(balance_loss * tokens)}
    if model["preset"] == "mixtral":
        return transformers.MixtralForCausalLM(transformers.MixtralConfig(
            **common, intermediate_size=model["ffn_width"], num_local_experts=model["experts"]))
    return transformers.Qwen2MoeForCausalLM(transformers.Qwen2MoeConfig(
        **common, num_experts=model["experts"], moe_intermediate_size=model["expert_width"],
        shared_expert_intermediate_size=model["ffn_width"], norm_topk_prob=False))


def make_every_weight_count(network):
    """Norms not one, biases not zero, and matrices that keep the size of what they multiply."""
    for name, weight in network.named_parameters():
        if weight.ndim > 1:
            looked_up = name.endswith(("embed_tokens.weight", "wpe.weight"))
            torch.nn.init.normal_(weight, std=1 if looked_up else weight.shape[-1] ** -0.5)
        else:
            torch.nn.init.normal_(weight, mean=0 if name.endswith("bias") else 1, std=0.3)


def expert_loads(model, router_logits):
    """The place of a balancing bias's gradient counts the tokens that chose each expert."""
    def load(logits):
        chosen = logits.topk(model["experts_per_token"]).indices
        return torch.bincount(chosen.flatten(), minlength=model["experts"]).float()

    return {f"layers.{i}.ffn.router.bias": load(logits) for i, logits in enumerate(router_logits)}


def of_transformers(model, sequences):
    """(what our side is given, what it has to come to)"""
    tokens = torch.randint(model["vocab_size"], (sequences, model["sequence_length"] + 1))
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    network = transformers_model(model, inputs.numel())
    make_every_weight_count(network)
    # Divided by num_items_in_batch: the sum of the tokens' losses.
    output = network(input_ids=inputs, labels=targets, shift_labels=targets, num_items_in_batch=1)
    output.loss.backward()
    loads = expert_loads(model, output.router_logits) if "experts" in model else {}
    weights = ours(model, {name: weight.detach() for name, weight in network.named_parameters()})
    weights |= {name: torch.zeros_like(load) for name, load in loads.items()}
    gradients = ours(model, {name: weight.grad for name, weight in network.named_parameters()}) | loads
    expected = {"logits": output.logits.detach(), "loss": output.loss.detach().reshape(1)}
    expected |= {f"gradient.{name}": gradient for name, gradient in gradients.items()}
    return {**weights, "inputs": inputs, "targets": targets}, expected


def of_phalanx(model_dump, model, given):
    job = {"name": "reference", "model": model, "data": {"train": [{"path": "none"}]}, "output": "none",
           "train": {"steps": 1, "global_batch": 1, "micro_batch": 1, "optimizer": {"lr": 1e-3}}}
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/{name}" for name in ("job.yaml", "given.safetensors", "results.safetensors")]
        Path(paths[0]).write_text(json.dumps(job))
        alone = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in given.items()}
        save_file(alone, paths[1])
        if subprocess.run([model_dump, *paths]).returncode != 0:
            sys.exit(f"error: compare with transformers: {model_dump} failed on {model}")
        return load_file(paths[2])


def differences(found, expected, preset):
    """name -> |found - expected| / |expected|"""
    if found.keys() != expected.keys():
        sys.exit(f"error: expected the tensors {sorted(expected)}, found {sorted(found)}")

    def yardstick(name):
        # What is added to all keys alike changes no softmax: without rotary positions this gradient is rounding alone.
        return name.replace(".bias", ".weight") if preset == "gpt2" and name.endswith("key.bias") else name

    return {name: ((found[name].double() - expected[name].double()).norm()
                   / expected[yardstick(name)].double().norm()).item() for name in expected}


def compare(model_dump, name, every_tensor):
    """Prints a row; whether all is equal."""
    model = MODELS[name]
    torch.manual_seed(1)
    given, expected = of_transformers(model, sequences=1 if name == "mixtral_balanced" else 3)
    found = differences(of_phalanx(model_dump, model, given), expected, model["preset"])
    # A NaN is no small difference.
    too_much = {tensor: error for tensor, error in found.items() if not error <= TOLERANCE}
    gradients = {tensor: error for tensor, error in found.items() if tensor.startswith("gradient.")}
    worst = max(gradients, key=gradients.get)
    print(f"| {name} | {len(gradients)} | {found['logits']:.1e} | {found['loss']:.1e} | {gradients[worst]:.1e} | "
          f"{worst.removeprefix('gradient.')} |", flush=True)
    for tensor, error in (found if every_tensor else too_much).items():
        print(f"  {error:.1e}  {tensor}{'   differs' if tensor in too_much else ''}")
    return not too_much


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("model_dump")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--every-tensor", action="store_true")
    options = parser.parse_args()
    print("| model | tensors | logits | loss | worst gradient | of |\n|---|---|---|---|---|---|")
    equal = [compare(options.model_dump, name, options.every_tensor) for name in options.models or MODELS]
    sys.exit(0 if all(equal) else DIFFERS)


if __name__ == "__main__":
    main()
