"""Our tensors and those of Hugging Face transformers 5: per preset, our name, theirs, and the part of theirs that is
ours where it is not all of it. Layers are {i}, experts {e}."""


def third(index):
    """Of GPT-2's joined query, key and value, which lie along the last dimension; its weights are [inputs, outputs]."""
    return lambda joined, _: joined.chunk(3, dim=-1)[index].mT if joined.ndim > 1 else joined.chunk(3)[index]


def transposed(weight, _):
    return weight.mT


def half(index):
    """Of the joined gate and up of expert e, [experts, gate and up, inputs]."""
    return lambda joined, e: joined[e].chunk(2)[index]


def expert(joined, e):
    return joined[e]


ENDS = [("embedding.weight", "model.embed_tokens.weight"),
        ("norm.weight", "model.norm.weight"),
        ("head.weight", "lm_head.weight")]

ATTENTION = [("layers.{i}.attention_norm.weight", "model.layers.{i}.input_layernorm.weight"),
             ("layers.{i}.attention.query.weight", "model.layers.{i}.self_attn.q_proj.weight"),
             ("layers.{i}.attention.key.weight", "model.layers.{i}.self_attn.k_proj.weight"),
             ("layers.{i}.attention.value.weight", "model.layers.{i}.self_attn.v_proj.weight"),
             ("layers.{i}.attention.output.weight", "model.layers.{i}.self_attn.o_proj.weight"),
             ("layers.{i}.ffn_norm.weight", "model.layers.{i}.post_attention_layernorm.weight")]

ATTENTION_BIASES = [("layers.{i}.attention.query.bias", "model.layers.{i}.self_attn.q_proj.bias"),
                    ("layers.{i}.attention.key.bias", "model.layers.{i}.self_attn.k_proj.bias"),
                    ("layers.{i}.attention.value.bias", "model.layers.{i}.self_attn.v_proj.bias")]

FEED_FORWARD = [("layers.{i}.ffn.gate.weight", "model.layers.{i}.mlp.gate_proj.weight"),
                ("layers.{i}.ffn.up.weight", "model.layers.{i}.mlp.up_proj.weight"),
                ("layers.{i}.ffn.down.weight", "model.layers.{i}.mlp.down_proj.weight")]

EXPERTS = [("layers.{i}.ffn.router.weight", "model.layers.{i}.mlp.gate.weight"),
           ("layers.{i}.ffn.experts.{e}.gate.weight", "model.layers.{i}.mlp.experts.gate_up_proj", half(0)),
           ("layers.{i}.ffn.experts.{e}.up.weight", "model.layers.{i}.mlp.experts.gate_up_proj", half(1)),
           ("layers.{i}.ffn.experts.{e}.down.weight", "model.layers.{i}.mlp.experts.down_proj", expert)]

SHARED_EXPERT = [
    ("layers.{i}.ffn.shared_expert.gate.weight", "model.layers.{i}.mlp.shared_expert.gate_proj.weight"),
    ("layers.{i}.ffn.shared_expert.up.weight", "model.layers.{i}.mlp.shared_expert.up_proj.weight"),
    ("layers.{i}.ffn.shared_expert.down.weight", "model.layers.{i}.mlp.shared_expert.down_proj.weight"),
    ("layers.{i}.ffn.shared_gate.weight", "model.layers.{i}.mlp.shared_expert_gate.weight")]

GPT2 = [("embedding.weight", "transformer.wte.weight"),
        ("position.weight", "transformer.wpe.weight"),
        ("layers.{i}.attention_norm.weight", "transformer.h.{i}.ln_1.weight"),
        ("layers.{i}.attention_norm.bias", "transformer.h.{i}.ln_1.bias"),
        ("layers.{i}.attention.query.weight", "transformer.h.{i}.attn.c_attn.weight", third(0)),
        ("layers.{i}.attention.key.weight", "transformer.h.{i}.attn.c_attn.weight", third(1)),
        ("layers.{i}.attention.value.weight", "transformer.h.{i}.attn.c_attn.weight", third(2)),
        ("layers.{i}.attention.query.bias", "transformer.h.{i}.attn.c_attn.bias", third(0)),
        ("layers.{i}.attention.key.bias", "transformer.h.{i}.attn.c_attn.bias", third(1)),
        ("layers.{i}.attention.value.bias", "transformer.h.{i}.attn.c_attn.bias", third(2)),
        ("layers.{i}.attention.output.weight", "transformer.h.{i}.attn.c_proj.weight", transposed),
        ("layers.{i}.attention.output.bias", "transformer.h.{i}.attn.c_proj.bias"),
        ("layers.{i}.ffn_norm.weight", "transformer.h.{i}.ln_2.weight"),
        ("layers.{i}.ffn_norm.bias", "transformer.h.{i}.ln_2.bias"),
        ("layers.{i}.ffn.up.weight", "transformer.h.{i}.mlp.c_fc.weight", transposed),
        ("layers.{i}.ffn.up.bias", "transformer.h.{i}.mlp.c_fc.bias"),
        ("layers.{i}.ffn.down.weight", "transformer.h.{i}.mlp.c_proj.weight", transposed),
        ("layers.{i}.ffn.down.bias", "transformer.h.{i}.mlp.c_proj.bias"),
        ("norm.weight", "transformer.ln_f.weight"),
        ("norm.bias", "transformer.ln_f.bias")]

PRESETS = {
    "llama": ENDS + ATTENTION + FEED_FORWARD,
    "gpt2": GPT2,
    "mixtral": ENDS + ATTENTION + EXPERTS,
    "qwen_moe": ENDS + ATTENTION + ATTENTION_BIASES + EXPERTS + SHARED_EXPERT,
}


def ours(model, theirs):
    """Their tensors (weights or gradients, by name) under our names, as a job's `model` has them. Each number of theirs
    is in one of ours."""
    found = {}
    for name, their_name, *part in PRESETS[model["preset"]]:
        for i in range(model["layers"] if "{i}" in name else 1):
            for e in range(model["experts"] if "{e}" in name else 1):
                tensor = theirs[their_name.format(i=i)]
                found[name.format(i=i, e=e)] = part[0](tensor, e) if part else tensor
    count = sum(tensor.numel() for tensor in theirs.values())
    if sum(tensor.numel() for tensor in found.values()) != count:
        raise ValueError(f"{model['preset']}: transformers has {count} numbers, not those of tests/reference/tensor_names.py")
    return found
