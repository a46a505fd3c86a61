"""Attention maps made small enough to travel in a page: checked, rounded to one byte, and thinned out when long."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LEVELS = 240  # the square root of a probability in 240 steps: uniform attention over 4, 9, 16 or 25 tokens is exact
MOST_TOKENS = 512
DENSE_TOKENS = 64  # up to here every link is kept
MOST_LINKS = 1_000_000  # beyond, as many of the strongest per token as fit
FEWEST_KEPT = 4  # fewer links per token would show nothing
POOLED = 24  # the side of the overview's small maps when a text is longer


@dataclass(frozen=True)
class Links:
    """What is kept of all heads: for each query its `kept` strongest keys, and a small map for the overview.

    Shape: values (L, H, T, kept) uint8 levels, keys (L, H, T, kept) or None where every key is kept in its order,
    maps (L, H, P, P) uint8 levels for the overview: the maps, or of more than 24 tokens the strongest link in a field.

    >>> links = pack_links(["a", "b"], [torch.eye(2)[None]])
    >>> links.kept, links.keys, links.values.flatten().tolist()
    (2, None, [240, 0, 0, 240])
    """

    values: Tensor
    keys: Tensor | None
    maps: Tensor

    @property
    def kept(self) -> int:
        """How many keys each query keeps."""
        return self.values.shape[-1]

    def probabilities(self, layer: int, head: int) -> Tensor:
        """One head as a (T, T) map again, 0 where nothing was kept."""
        levels = self.values[layer, head].double()  # (T, kept)
        values = (levels / LEVELS) ** 2
        if self.keys is None:
            return values
        full = torch.zeros(len(levels), len(levels), dtype=torch.float64)
        return full.scatter(1, self.keys[layer, head].long(), values)


def levels_of(probabilities: Tensor) -> Tensor:
    """Probabilities as levels 0 to 240 of their square root, so that small ones keep their differences.

    The way back, (level / 240) ** 2, is off by at most (sqrt(p) + 1/960) / 240: 0.0042 at p = 1, 0.0005 at p = 0.01.

    >>> levels_of(torch.tensor([1.0, 0.25, 0.01])).tolist()
    [240, 120, 24]
    """
    return (probabilities.detach().double().clamp(0, 1).sqrt() * LEVELS).round().to(torch.uint8)


def check_tokens(tokens: Sequence[str]) -> list[str]:
    """The tokens as a list of texts.

    Raises:
        ValueError: one text instead of a list, an entry that is not a text, an empty list, or too many tokens.

    >>> check_tokens("the cat")
    Traceback (most recent call last):
    ...
    ValueError: tokens: got the one text 'the cat', expected a list of tokens (tokenizer.encode(text).tokens)
    """
    if isinstance(tokens, str):
        raise ValueError(
            f"tokens: got the one text {tokens!r}, expected a list of tokens (tokenizer.encode(text).tokens)"
        )
    if not isinstance(tokens, Sequence) or not all(isinstance(token, str) for token in tokens):
        raise ValueError(f"tokens: got {type(tokens).__name__}, expected a list of texts")
    if not 1 <= len(tokens) <= MOST_TOKENS:
        raise ValueError(f"{len(tokens)} tokens: a view holds 1 to {MOST_TOKENS}; cut out a stretch of tokens and maps")
    return list(tokens)


def read_layers(attentions, size: int) -> list[Tensor]:
    """The maps of one text, layer by layer (H, T, T), from any of the forms that models return.

    Shape: L tensors (1, H, T, T) or (H, T, T), or one tensor (L, H, T, T) -> L tensors (H, T, T).

    Raises:
        ValueError: something else, several texts, padding, values that are no probabilities.

    >>> len(read_layers(torch.ones(2, 3, 1, 1), 1))
    2
    """
    if isinstance(attentions, Tensor):
        if attentions.dim() != 4:
            raise ValueError(f"attentions: shape {tuple(attentions.shape)}, expected (L, H, T, T)")
    elif not isinstance(attentions, Sequence) or isinstance(attentions, str):
        raise ValueError(
            f"attentions: got {type(attentions).__name__}, expected the tensors of all layers: "
            "model(ids, output_attentions=True).attentions"
        )
    if len(attentions) == 0:
        raise ValueError("attentions: no layer; expected at least one")
    layers = [_one_layer(maps, number, size) for number, maps in enumerate(attentions)]
    heads = {len(maps) for maps in layers}
    if len(heads) > 1:
        raise ValueError(f"attentions: layers with {sorted(heads)} heads; expected the same number in every layer")
    return layers


def _one_layer(maps, number: int, size: int) -> Tensor:
    if isinstance(maps, Sequence) and len(maps) == 1:  # a packed call gives one tensor for each document
        maps = maps[0]
    if not isinstance(maps, Tensor):
        raise ValueError(
            f"attentions: layer {number} is a {type(maps).__name__}, expected a tensor (H, T, T) of one text"
        )
    if maps.dim() == 4 and len(maps) == 1:
        maps = maps[0]
    if maps.dim() == 4:
        raise ValueError(
            f"attentions: layer {number} holds {len(maps)} texts; pick one: [maps[i] for maps in output.attentions]"
        )
    if maps.dim() != 3 or not len(maps) or maps.shape[1:] != (size, size):
        raise ValueError(
            f"attentions: layer {number} has shape {tuple(maps.shape)} for {size} tokens, expected "
            f"(H, {size}, {size}); cut padding off: [maps[i, :, :n, :n] for maps in output.attentions]"
        )
    check_probabilities(maps, f"attentions: layer {number}")
    return maps.detach()


def check_probabilities(maps: Tensor, name: str) -> None:
    """Refuse what attention probabilities cannot be.

    Raises:
        ValueError: not floating point, not finite, below 0, or rows that sum to more than 1.

    >>> check_probabilities(torch.tensor([[0.8, 0.8]]), "map")
    Traceback (most recent call last):
    ...
    ValueError: map: a row sums to 1.6, expected at most 1; pass probabilities (after softmax), of a model in eval mode
    """
    maps = maps.detach()
    if not maps.is_floating_point():
        raise ValueError(f"{name}: dtype {maps.dtype}, expected floating point probabilities")
    if not bool(maps.isfinite().all()):
        raise ValueError(f"{name}: holds NaN or infinity; was a whole row masked before the softmax?")
    if maps.min() < 0:
        raise ValueError(f"{name}: holds {maps.min():.3g}; pass probabilities (after softmax), not scores")
    largest = float(maps.float().sum(-1).max())
    if largest > 1.02:  # bfloat16 rows may miss 1 by some thousandths
        raise ValueError(
            f"{name}: a row sums to {largest:.3g}, expected at most 1; pass probabilities (after softmax), "
            "of a model in eval mode"
        )


def pack_links(tokens: list[str], layers: list[Tensor]) -> Links:
    """Round the maps, and keep the strongest links when all of them would be too many.

    Shape: L tensors (H, T, T) -> Links.

    Raises:
        ValueError: so many layers, heads and tokens that not even four links a token would fit.

    >>> maps = torch.softmax(torch.randn(12, 80, 80, generator=torch.Generator().manual_seed(0)), -1)
    >>> pack_links(["a"] * 80, [maps] * 22).kept
    47
    """
    size, rows = len(tokens), len(layers) * len(layers[0]) * len(tokens)
    kept = size if size <= DENSE_TOKENS else min(size, MOST_LINKS // rows)
    if kept < FEWEST_KEPT < size or rows * kept > MOST_LINKS * 4:
        raise ValueError(
            f"{len(layers)} layers x {len(layers[0])} heads x {size} tokens: more than a page can hold; pass fewer "
            "layers (attentions[:12]), fewer heads, or a shorter text"
        )
    values, keys, maps = [], [], []
    for layer in layers:  # one at a time: all of them at once can be hundreds of megabytes
        levels = levels_of(layer.cpu())  # (H, T, T)
        small = size > POOLED
        maps.append(
            torch.nn.functional.adaptive_max_pool2d(levels.float(), POOLED).to(torch.uint8) if small else levels
        )
        if size <= DENSE_TOKENS:
            values.append(levels)
            continue
        order = levels.int() * size + torch.arange(size - 1, -1, -1, dtype=torch.int32)  # ties: the left key first
        best = order.topk(kept, dim=-1).values  # (H, T, kept)
        values.append((best // size).to(torch.uint8))
        keys.append((size - 1 - best % size).to(torch.int16))
    return Links(torch.stack(values), torch.stack(keys) if keys else None, torch.stack(maps))
