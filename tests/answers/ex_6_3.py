"""Answers to 6.3, the weight table."""

import re
from collections import OrderedDict

import torch

RENAMES = [
    ("encoder.layer.", "blocks."),
    ("attention.output.dense", "attention.output"),
    ("attention.output.LayerNorm", "attention_norm"),
    ("intermediate.dense", "feed_forward.input"),
    (".output.LayerNorm", ".feed_forward_norm"),
    (".output.dense", ".feed_forward.output"),
    ("word_embeddings", "token"),
    ("position_embeddings", "position"),
    ("token_type_embeddings", "segment"),
    ("embeddings.LayerNorm", "embeddings.norm"),
    ("gamma", "weight"),
    ("beta", "bias"),
]


def by_renaming(stored, L, renames=RENAMES):
    ours = {}
    for name, tensor in stored.items():
        if name.endswith("position_ids") or ".attention.self." in name:
            continue
        for old, new in renames:
            name = name.replace(old, new)
        ours[name] = tensor
    for i in range(L):
        for kind in ("weight", "bias"):
            parts = [stored[f"encoder.layer.{i}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            ours[f"blocks.{i}.attention.query_key_value.{kind}"] = (
                torch.vstack(parts) if kind == "weight" else torch.cat(parts)
            )
    return ours


def by_regex(stored, L):
    ours = by_renaming({k: v.clone() for k, v in stored.items()}, L)
    return {re.sub(r"\s", "", name): tensor for name, tensor in ours.items()}


def norms_swapped(stored, L):
    swapped = [
        (old, {"attention_norm": "feed_forward_norm", ".feed_forward_norm": ".attention_norm"}.get(new, new))
        for old, new in RENAMES
    ]
    return by_renaming(stored, L, swapped)


def keeps_gamma(stored, L):
    return by_renaming(stored, L, RENAMES[:-2])


def pops(stored, L):
    stored.pop("embeddings.position_ids")
    return by_renaming(stored, L)


def only_names(stored, L):
    return list(by_renaming(stored, L))


def an_ordered_dict(stored, L):
    return OrderedDict(by_renaming(stored, L))


def key_value_query(stored, L):
    ours = by_renaming(stored, L)
    for i in range(L):
        for kind in ("weight", "bias"):
            parts = [stored[f"encoder.layer.{i}.attention.self.{part}.{kind}"] for part in ("key", "value", "query")]
            ours[f"blocks.{i}.attention.query_key_value.{kind}"] = torch.cat(parts)
    return ours


RIGHT = {"by renaming": by_renaming, "an ordered dict": an_ordered_dict, "clones": by_regex}
WRONG = {
    "norms swapped": (norms_swapped, "two norms of a block are swapped"),
    "key, value, query": (key_value_query, "the order is key, value, query here"),
    "keeps gamma": (keeps_gamma, "keep the names gamma and beta"),
    "pops from the file": (pops, "your code changes"),
    "a list": (only_names, "a list of"),
}
