"""Answers to 6.2, the number of parameters."""

import torch
from torch import nn


def on_the_meta_device(V, D, L, F, E=None, shared=False, positions=512, segments=2, pooler=True, mlm=False):
    wide = E or D
    with torch.device("meta"):
        parts = [nn.Embedding(V, wide), nn.Embedding(positions, wide), nn.Embedding(segments, wide), nn.LayerNorm(wide)]
        parts += [nn.Linear(E, D)] if E else []
        for _ in range(1 if shared else L):
            parts += [nn.Linear(D, D) for _ in range(4)] + [nn.Linear(D, F), nn.Linear(F, D)]
            parts += [nn.LayerNorm(D), nn.LayerNorm(D)]
        parts += [nn.Linear(D, D)] if pooler else []
        parts += [nn.Linear(D, wide), nn.LayerNorm(wide)] if mlm else []
    return sum(p.numel() for part in parts for p in part.parameters()) + (V if mlm else 0)


def expanded(V, D, L, F, E=None, shared=False, positions=512, segments=2, pooler=True, mlm=False):
    wide = E or D
    n = V * wide + positions * wide + segments * wide + 2 * wide + (E or 0) * D + (D if E else 0)
    n += (L, 1)[shared] * (4 * D * D + 9 * D + 2 * D * F + F)
    n += int(pooler) * D * (D + 1)
    return n + int(mlm) * (D * wide + 3 * wide + V)


def chapters_count(V, D, L, F, E=None, shared=False, positions=512, segments=2, pooler=True, mlm=False):
    """The chapter's formula with a wrapper: it knows BERT only."""
    parts = {
        "embeddings": (V + positions + segments) * D + 2 * D,
        "attention": L * 4 * (D * D + D),
        "feed-forward": L * (D * F + F + F * D + D),
        "norms": L * 4 * D,
        "pooler": D * D + D if pooler else 0,
    }
    return sum(parts.values()) + (D * D + 3 * D + V if mlm else 0)


def without_attention_biases(V, D, L, F, mlm=False, **more):
    return expanded(V, D, L, F, mlm=mlm, **more) - 4 * D * (1 if more.get("shared") else L)


def without_output_matrix(V, D, L, F, mlm=False, **more):
    return expanded(V, D, L, F, mlm=mlm, **more) - D * D * (1 if more.get("shared") else L)


def without_the_heads_norm(V, D, L, F, mlm=False, **more):
    return expanded(V, D, L, F, mlm=mlm, **more) - 2 * (more.get("E") or D) * mlm


def as_float(V, D, L, F, **more):
    return expanded(V, D, L, F, **more) / 1


def as_tensor(V, D, L, F, **more):
    return torch.tensor(expanded(V, D, L, F, **more))


def one_layer_for_the_head(V, D, L, F, mlm=False, **more):
    return expanded(V, D, L, F, **more) + mlm * ((more.get("E") or D) * V + V)


def either_pooler_or_head(V, D, L, F, pooler=True, mlm=False, **more):
    return expanded(V, D, L, F, pooler=pooler and not mlm, mlm=mlm, **more)


RIGHT = {"meta device": on_the_meta_device, "expanded": expanded}
WRONG = {
    "the chapter's formula": (chapters_count, "this is BERT, whatever E"),
    "no biases of attention": (without_attention_biases, "four biases of attention"),
    "no output matrix": (without_output_matrix, "output matrix|list every tensor"),
    "no norm in the head": (without_the_heads_norm, "norm of the prediction head is forgotten"),
    "one layer for the head": (one_layer_for_the_head, "one layer D to V"),
    "pooler or head": (either_pooler_or_head, "leaves the pooler out"),
    "a float": (as_float, "type int"),
    "a tensor": (as_tensor, "type int"),
}
