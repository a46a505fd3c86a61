"""Answers to 6.2, the number of parameters."""

import torch
from torch import nn


def on_the_meta_device(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    with torch.device("meta"):
        parts = [nn.Embedding(V, D), nn.Embedding(positions, D), nn.Embedding(segments, D), nn.LayerNorm(D)]
        for _ in range(L):
            parts += [nn.Linear(D, D) for _ in range(4)] + [nn.Linear(D, F), nn.Linear(F, D)]
            parts += [nn.LayerNorm(D), nn.LayerNorm(D)]
        parts += [nn.Linear(D, D)] if pooler else []
        parts += [nn.Linear(D, D), nn.LayerNorm(D)] if mlm else []
    return sum(p.numel() for part in parts for p in part.parameters()) + (V if mlm else 0)


def expanded(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    n = V * D + positions * D + segments * D + 2 * D
    n += L * (4 * D * D + 9 * D + 2 * D * F + F)
    n += int(pooler) * D * (D + 1)
    return n + int(mlm) * (D * D + 3 * D + V)


def without_attention_biases(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return expanded(V, D, L, F, positions, segments, pooler, mlm) - 4 * D * L


def without_output_matrix(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return expanded(V, D, L, F, positions, segments, pooler, mlm) - D * D * L


def without_the_heads_norm(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return expanded(V, D, L, F, positions, segments, pooler, mlm) - 2 * D * mlm


def as_float(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return expanded(V, D, L, F, positions, segments, pooler, mlm) / 1


def as_tensor(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return torch.tensor(expanded(V, D, L, F, positions, segments, pooler, mlm))


def one_layer_for_the_head(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return expanded(V, D, L, F, positions, segments, pooler) + mlm * (D * V + V)


def either_pooler_or_head(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return expanded(V, D, L, F, positions, segments, pooler and not mlm, mlm)


RIGHT = {"meta device": on_the_meta_device, "expanded": expanded}
WRONG = {
    "no biases of attention": (without_attention_biases, "four biases of attention"),
    "no output matrix": (without_output_matrix, "output matrix|list every tensor"),
    "no norm in the head": (without_the_heads_norm, "norm of the prediction head is forgotten"),
    "one layer for the head": (one_layer_for_the_head, "one layer D to V"),
    "pooler or head": (either_pooler_or_head, "leaves the pooler out"),
    "a float": (as_float, "type int"),
    "a tensor": (as_tensor, "type int"),
}
