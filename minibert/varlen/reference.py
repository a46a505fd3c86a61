"""Attention as one reads it on paper, for each document, for each head; and what every back-end is told.

Slow, and the specification of all other back-ends: each takes (query, key, value, context) and gives the same numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
from torch import Tensor


@dataclass
class PackedContext:
    """What attention has to know besides queries, keys and values: where each text begins, and what a token may see.

    Shape: cu_seqlens (B + 1,) int32, positions (N,) int64.

    All layers of one forward pass share one object; each takes a copy with its own window and dropout. `window` is W:
    token i sees the tokens j with |i - j| <= W, or its whole text with None. `scale` multiplies the scores, None stands
    for 1 / sqrt(K). `shared` keeps what follows from the borders, such as masks, for the layers that come later; so it
    must not outlive them.

    >>> context = PackedContext(torch.tensor([0, 2]), 2)
    >>> context.for_layer(window=64, dropout=0.1).shared is context.shared
    True
    """

    cu_seqlens: Tensor
    max_seqlen: int
    positions: Tensor | None = None
    backend: str = "auto"
    need_probabilities: bool = False
    shared: dict = field(default_factory=dict)
    window: int | None = None
    dropout: float = 0.0
    scale: float | None = None

    def for_layer(self, window: int | None, dropout: float) -> "PackedContext":
        """A copy for one layer; `shared` stays one and the same."""
        return replace(self, window=window, dropout=dropout)

    def once(self, name, make: Callable):
        """The value of `make()`, computed on first use and kept under `name` for the layers that follow."""
        if name not in self.shared:
            self.shared[name] = make()
        return self.shared[name]


def reference_attention(
    query: Tensor, key: Tensor, value: Tensor, context: PackedContext
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Attention within each document of a packed batch, and its probabilities.

    Shape: query (N, H, K), key and value (N, G, K) -> output (N, H, K) and, for each document, probabilities (H, T, T).
    Query head h reads key/value head h // (H / G): neighbouring heads share one.

    Source: Vaswani et al. 2017, section 3.2; Ainslie et al. 2023 (grouped queries).

    >>> x = torch.ones(3, 2, 4)
    >>> output, probabilities = reference_attention(x, x, x, PackedContext(torch.tensor([0, 1, 3]), 2))
    >>> output.shape, probabilities[1][0].tolist()
    (torch.Size([3, 2, 4]), [[0.5, 0.5], [0.5, 0.5]])
    """
    heads, groups = query.shape[1], key.shape[1]
    outputs, maps = [], []
    for start, end in pairwise(context.cu_seqlens.tolist()):
        head_outputs, head_maps = [], []
        for head in range(heads):
            group = head // (heads // groups)
            of_head = (query[start:end, head], key[start:end, group], value[start:end, group])  # (T, K) each
            output, probabilities = attend_one_head(*of_head, context.scale, context.window, context.dropout)
            head_outputs.append(output)
            head_maps.append(probabilities)
        outputs.append(torch.stack(head_outputs, dim=1))  # (T, H, K)
        maps.append(torch.stack(head_maps))  # (H, T, T)
    return torch.cat(outputs), tuple(maps)


def attend_one_head(
    query: Tensor, key: Tensor, value: Tensor, scale: float | None, window: int | None, dropout: float = 0.0
) -> tuple[Tensor, Tensor]:
    """One head, one document: softmax(query keyᵀ · scale) value.

    Shape: query, key, value (T, K) -> output (T, K), probabilities (T, T), each row summing to 1.

    With a `window`, token i sees the tokens j with |i - j| <= window, both ends included.

    Source: Vaswani et al. 2017, section 3.2.1; Beltagy et al. 2020 (sliding window).

    >>> eye = torch.eye(2)
    >>> attend_one_head(eye, eye, torch.tensor([[1.0, 0.0], [0.0, 3.0]]), scale=0.0, window=None)[0].tolist()
    [[0.5, 1.5], [0.5, 1.5]]
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = query @ key.transpose(0, 1) * scale  # (T, T): row i holds the scores of query i
    if window is not None:
        index = torch.arange(len(query), device=query.device)
        too_far = (index[:, None] - index[None, :]).abs() > window  # (T, T)
        scores = scores.masked_fill(too_far, float("-inf"))  # no row is empty: a token always sees itself
    probabilities = torch.softmax(scores, dim=-1)  # (T, T), over the keys
    return torch.dropout(probabilities, dropout, train=dropout > 0) @ value, probabilities
