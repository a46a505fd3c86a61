"""Answers to 6.4, the vectors of a batch for a quarter of the work."""

from concurrent.futures import ThreadPoolExecutor

import torch
from torch.nn import functional

from minibert import Encoder, one_page
from minibert.tasks.open_batch import CONFIG, padded_vectors


def config_of(weights, heads):
    layers = sum(name.endswith("attention.output.weight") for name in weights)
    return CONFIG.replace(layers=layers, heads=heads)


def last_block(weights, config, x, mask, prefix):
    """The last block for the first row of each text alone, on a padded batch."""
    D, H = config.hidden, config.heads
    own = {name.removeprefix(prefix): one for name, one in weights.items() if name.startswith(prefix)}
    matrix, bias = own["attention.query_key_value.weight"], own["attention.query_key_value.bias"]
    query = functional.linear(x[:, :1], matrix[:D], bias[:D])  # (B, 1, D)
    key, value = functional.linear(x, matrix[D:], bias[D:]).chunk(2, dim=-1)  # (B, T, D)
    query, key, value = (one.unflatten(-1, (H, -1)).transpose(1, 2) for one in (query, key, value))
    mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
    mixed = one_page.linear(mixed.transpose(1, 2).flatten(2)[:, 0], own, "attention.output")
    first = one_page.norm(x[:, 0] + mixed, own, "attention_norm", config)
    return one_page.norm(first + one_page.feed_forward(first, own, config), own, "feed_forward_norm", config)


def short_groups(weights, heads, ids, mask, size=2):
    """Texts sorted by length, a few at a time; all blocks but the last by one_page."""
    config = config_of(weights, heads)
    pooled = torch.empty(len(ids), config.hidden)
    prefix = f"blocks.{config.layers - 1}."
    for some in mask.sum(dim=1).argsort().split(size):
        longest = int(mask[some].sum(dim=1).max())
        there = mask[some, :longest]
        x = one_page.encode(weights, config.replace(layers=config.layers - 1), ids[some, :longest], there)
        pooled[some] = torch.tanh(
            one_page.linear(last_block(weights, config, x, there, prefix), weights, "pooler.dense")
        )
    return pooled


def one_by_one(weights, heads, ids, mask):
    return short_groups(weights, heads, ids, mask, size=1)


def short_and_padded(weights, heads, ids, mask):
    return short_groups(weights, heads, ids, mask, size=len(ids))


def chapters_own(weights, heads, ids, mask):
    """The forward pass of the chapter, text by text."""
    return torch.cat(
        [
            padded_vectors(weights, heads, row[there][None], there[there][None])
            for row, there in zip(ids, mask, strict=True)
        ]
    )


def all_pairs(weights, heads, ids, mask):
    """No padding, and a mask (N, N) that keeps the texts apart."""
    config, W = config_of(weights, heads), weights
    owner = torch.arange(len(ids))[:, None].expand_as(ids)[mask]
    own = torch.where(owner[:, None] == owner, 0.0, -torch.inf)
    place = (mask.cumsum(dim=1) - 1)[mask]
    x = W["embeddings.token.weight"][ids[mask]] + W["embeddings.position.weight"][place]
    x = one_page.norm(x + W["embeddings.segment.weight"][0], W, "embeddings.norm", config)
    for i in range(config.layers):
        mine = {name.removeprefix(f"blocks.{i}."): one for name, one in W.items() if name.startswith(f"blocks.{i}.")}
        parts = one_page.linear(x, mine, "attention.query_key_value").chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (heads, -1)).transpose(0, 1) for part in parts)  # (H, N, K)
        scores = query @ key.mT / query.shape[-1] ** 0.5 + own
        mixed = one_page.linear((scores.softmax(-1) @ value).transpose(0, 1).flatten(1), mine, "attention.output")
        x = one_page.norm(x + mixed, mine, "attention_norm", config)
        x = one_page.norm(x + one_page.feed_forward(x, mine, config), mine, "feed_forward_norm", config)
    return torch.tanh(one_page.linear(x[place == 0], weights, "pooler.dense"))


def in_a_thread(weights, heads, ids, mask):
    """Where the meter does not look."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(padded_vectors, weights, heads, ids, mask).result()


def the_packages(weights, heads, ids, mask):
    model = Encoder(config_of(weights, heads)).eval()
    model.load_state_dict(weights)
    with torch.no_grad():
        return model(ids, mask).pooled


def lower_precision(weights, heads, ids, mask):
    return one_by_one({name: one.bfloat16().float() for name, one in weights.items()}, heads, ids, mask)


def constant(weights, heads, ids, mask):
    return torch.zeros(len(ids), len(weights["pooler.dense.bias"]))


def fewer_blocks(weights, heads, ids, mask):
    kept = {name: one for name, one in weights.items() if not name.startswith("blocks.1.")}
    kept = {name.replace("blocks.2.", "blocks.1."): one for name, one in kept.items()}
    return one_by_one(kept, heads, ids, mask)


RIGHT = {"one by one": one_by_one, "in twos": short_groups}
WRONG = {
    "the padded batch": (padded_vectors, "the padding is computed, too"),
    "a short last block, with padding": (short_and_padded, "the padding is computed, too"),
    "the chapter's own, text by text": (chapters_own, "whose row is read after it"),
    "all pairs": (all_pairs, "scores between tokens of different texts"),
    "in a thread": (in_a_thread, "in one thread"),
    "the package's own": (the_packages, "whose row is read after it"),
    "bfloat16": (lower_precision, "numbers differ"),
    "zeros": (constant, "numbers differ"),
    "a block less": (fewer_blocks, "numbers differ"),
    "nothing": (lambda weights, heads, ids, mask: None, "is None"),
    "the weights changed": (
        lambda weights, heads, ids, mask: (weights["pooler.dense.bias"].zero_(), one_by_one(weights, heads, ids, mask))[
            1
        ],
        "your code changes",
    ),
}
