"""What the open task of chapter 5 measures: one attention head that shall copy a token from some places back.

A token's vector is the sum of a vector for the word and one for its position, as in BERT. Both tables are drawn by a
seed, so that each learner has others.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

Head = tuple[Tensor, Tensor, Tensor, Tensor]


def two_tables(seed: int, words: int = 20, places: int = 30, width: int = 64) -> tuple[Tensor, Tensor]:
    """A vector for each word and one for each position, about as long as 1. Shape: (V, D), (T, D).

    >>> tokens, positions = two_tables(0)
    >>> tokens.shape, positions.shape
    (torch.Size([20, 64]), torch.Size([30, 64]))
    """
    rng = torch.Generator().manual_seed(seed)
    tokens, positions = (torch.randn(rows, width, generator=rng) / math.sqrt(width) for rows in (words, places))
    return tokens, positions


def run_head(head: Head, x: Tensor) -> tuple[Tensor, Tensor]:
    """One head over texts, without a mask: output and attention weights. Shape: (B, T, D) -> (B, T, D), (B, T, T).

    `head` is W_query, W_key and W_value, each (D, K), and W_out (K, D).

    >>> head = (torch.zeros(4, 2),) * 3 + (torch.zeros(2, 4),)
    >>> run_head(head, torch.ones(1, 2, 4))[1]
    tensor([[[0.5000, 0.5000],
             [0.5000, 0.5000]]])
    """
    query, key, value, out = head
    weights = torch.softmax((x @ query) @ (x @ key).mT / math.sqrt(query.shape[1]), dim=-1)  # (B, T, T)
    return weights @ (x @ value) @ out, weights


def copied(head: Head, tokens: Tensor, positions: Tensor, back: int, seed: int) -> tuple[float, Tensor]:
    """How often the head copies the token `back` places before, and its mean weights by distance, -T + 1 to T - 1.

    100 texts are drawn. The word that an output names is the row of `tokens` with the largest dot product. Only
    positions that have a token so far back count. Shape: tokens (V, D), positions (T, D) -> a share, (2 T - 1,).

    >>> tokens, positions = two_tables(0)
    >>> nothing = (torch.zeros(64, 8),) * 3 + (torch.zeros(8, 64),)
    >>> copied(nothing, tokens, positions, 3, seed=0)[0] < 0.1
    True
    """
    (words, _), (places, _) = tokens.shape, positions.shape
    ids = torch.randint(words, (100, places), generator=torch.Generator().manual_seed(seed))  # (B, T)
    output, weights = run_head(head, functional.embedding(ids, tokens) + positions)
    named = (output @ tokens.mT).argmax(dim=-1)  # (B, T)
    right = (named[:, back:] == ids[:, :-back]).float().mean().item()
    mean = weights.mean(dim=0)[back:]  # (T - back, T)
    far = torch.arange(places) - torch.arange(back, places)[:, None]  # how far the key is from the query
    by_distance = torch.zeros(2 * places - 1).index_add(0, (far + places - 1).flatten(), mean.flatten())
    return right, by_distance / (places - back)
