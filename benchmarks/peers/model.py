"""The transformer of `model.preset: llama` in plain PyTorch: RMSNorm, rotary positions, grouped-query attention, SwiGLU.

Its parameters have the names that Phalanx gives them.
"""
import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.head = model.width // model.heads
        self.query = nn.Linear(model.width, model.width, bias=False)
        self.key = nn.Linear(model.width, model.kv_heads * self.head, bias=False)
        self.value = nn.Linear(model.width, model.kv_heads * self.head, bias=False)
        self.output = nn.Linear(model.width, model.width, bias=False)

    def forward(self, x, cos, sin):
        def heads(projected):
            return projected.unflatten(-1, (-1, self.head)).transpose(1, 2)

        def rotate(y):
            first, second = y.chunk(2, -1)
            return torch.cat([first * cos - second * sin, second * cos + first * sin], -1).to(y.dtype)

        q, k, v = rotate(heads(self.query(x))), rotate(heads(self.key(x))), heads(self.value(x))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.output(y.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.gate = nn.Linear(model.width, model.ffn_width, bias=False)
        self.up = nn.Linear(model.width, model.ffn_width, bias=False)
        self.down = nn.Linear(model.ffn_width, model.width, bias=False)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Layer(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.attention_norm = nn.RMSNorm(model.width, eps=1e-5)
        self.attention = Attention(model)
        self.ffn_norm = nn.RMSNorm(model.width, eps=1e-5)
        self.ffn = FeedForward(model)

    def forward(self, x, cos, sin):
        x = x + self.attention(self.attention_norm(x), cos, sin)
        return x + self.ffn(self.ffn_norm(x))


class Transformer(nn.Module):
    """Token ids (batch, sequence) -> logits (batch, sequence, vocabulary)."""

    def __init__(self, model):
        super().__init__()
        self.embedding = nn.Embedding(model.vocab_size, model.width)
        self.layers = nn.ModuleList(Layer(model) for _ in range(model.layers))
        self.norm = nn.RMSNorm(model.width, eps=1e-5)
        self.head = nn.Linear(model.width, model.vocab_size, bias=False)
        half = model.width // model.heads // 2
        angles = torch.outer(torch.arange(model.sequence_length), 10000 ** (-torch.arange(half) / half))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        return self.head(self.norm(x))
