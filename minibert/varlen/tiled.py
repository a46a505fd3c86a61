"""FlashAttention's idea in plain PyTorch: attention tile by tile, so that no (T, T) matrix ever exists.

A softmax needs the sum over a whole row of scores. Yet a row can be read piece by piece with three running numbers: the
largest score so far, the sum of exp(score - largest), and the sum of exp(score - largest) · value. When a piece brings
a larger score, both sums are multiplied by exp(old largest - new largest), which makes them what they would be had the
new one been known from the beginning ("online softmax"). The result is exact. The backward pass computes each tile's
probabilities again, from the row's log-sum: only that, the inputs and the output are kept.

               keys 0..255   keys 256..511   ...
    queries    [ tile ]  ->  [ tile ]    ->         one row of tiles: its output is ready at the end
    0..255

The GPU kernels are fast because a tile stays in the chip's own memory. This file shows what they compute; it is slow.
"""

from collections.abc import Iterator
from itertools import groupby

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from minibert.varlen.per_document import repeat_groups
from minibert.varlen.reference import PackedContext

TILE = 256  # queries, and keys, in a tile


def tiled_attention(query: Tensor, key: Tensor, value: Tensor, context: PackedContext) -> Tensor:
    """The same numbers as `reference_attention`, in memory proportional to N · TILE, forward and backward.

    Shape: query (N, H, K), key and value (N, G, K) -> (N, H, K).

    Source: Milakov and Gimelshein 2018 (online softmax); Dao et al. 2022 (FlashAttention), algorithms 1 and 4.

    >>> from minibert.varlen.reference import reference_attention
    >>> x = torch.randn(600, 2, 4, generator=torch.Generator().manual_seed(0))
    >>> context = PackedContext(torch.tensor([0, 2, 600]), 598, window=300)
    >>> torch.allclose(tiled_attention(x, x, x, context), reference_attention(x, x, x, context)[0], atol=1e-6)
    True
    """
    key, value = repeat_groups(query, key, value)
    lengths = context.once("lengths", lambda: context.cu_seqlens.diff().tolist())
    scale = query.shape[-1] ** -0.5 if context.scale is None else context.scale
    outputs, start = [], 0
    for length, run in groupby(lengths):  # neighbours of one length are a batch, as in `per_document_attention`
        end = start + length * len(list(run))
        texts = (x[start:end].unflatten(0, (-1, length)).transpose(1, 2) for x in (query, key, value))  # (n, H, T, K)
        output = _Tiles.apply(*texts, context.window, context.dropout, scale)
        outputs.append(output.transpose(1, 2).flatten(0, 1))  # (n, H, T, K) -> (n · T, H, K)
        start = end
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


class _Tiles(torch.autograd.Function):
    """Attention of a batch of texts of one length: query, key, value (n, H, T, K) -> (n, H, T, K)."""

    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, value: Tensor, window: int | None, dropout: float, scale: float):
        seed = int(torch.randint(2**31, ())) if dropout else 0  # the backward pass has to drop the same again
        output, log_sum = attend_in_tiles(query, key, value, window, dropout, scale, seed)
        ctx.save_for_backward(query, key, value, output, log_sum)
        ctx.options = window, dropout, scale, seed
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor):
        return *gradients_in_tiles(*ctx.saved_tensors, gradient, *ctx.options), None, None, None


def attend_in_tiles(
    query: Tensor, key: Tensor, value: Tensor, window: int | None, dropout: float, scale: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Output, and for each row of scores the logarithm of its sum of exponentials; sums are float32 or better.

    Shape: query, key, value (n, H, T, K) -> output (n, H, T, K), log_sum (n, H, T).

    Source: Dao 2023 (FlashAttention-2), algorithm 1.

    >>> x = torch.zeros(1, 1, 3, 2)
    >>> output, log_sum = attend_in_tiles(x, x, x + 1, None, 0.0, 1.0, 0)
    >>> output[0, 0, 0].tolist(), round(log_sum[0, 0, 0].exp().item(), 4)
    ([1.0, 1.0], 3.0)
    """
    wide = torch.promote_types(query.dtype, torch.float32)
    output = query.new_empty(*query.shape[:-1], value.shape[-1])
    log_sum = torch.empty(query.shape[:-1], dtype=wide, device=query.device)
    for rows in tiles(0, query.shape[-2]):
        queries = query[..., rows, :].to(wide) * scale  # (n, H, R, K)
        # (n, H, R, 1); not -inf, because a row may see nothing of its first tile, and -inf - (-inf) is NaN
        largest = torch.full_like(queries[..., :1], torch.finfo(wide).min)
        total = torch.zeros_like(largest)  # (n, H, R, 1), sum of exp(score - largest)
        mixed = torch.zeros_like(output[..., rows, :], dtype=wide)  # (n, H, R, K), sum of exp(score - largest) · value
        for columns in seen_by(rows, query.shape[-2], window):
            scores = score(queries, key[..., columns, :].to(wide), rows, columns, window)  # (n, H, R, C)
            new_largest = torch.maximum(largest, scores.amax(-1, keepdim=True))
            correction = (largest - new_largest).exp()  # 1 where the largest stays
            weights = (scores - new_largest).exp()  # (n, H, R, C)
            total = total * correction + weights.sum(-1, keepdim=True)
            weights = weights * kept(weights, dropout, seed, rows, columns) if dropout else weights
            mixed = mixed * correction + weights @ value[..., columns, :].to(wide)
            largest = new_largest
        output[..., rows, :] = mixed / total
        log_sum[..., rows] = (largest + total.log()).squeeze(-1)
    return output, log_sum


def gradients_in_tiles(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
    log_sum: Tensor,
    gradient: Tensor,
    window: int | None,
    dropout: float,
    scale: float,
    seed: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of query, key and value, from that of the output; each tile's probabilities are computed again.

    Shape: all (n, H, T, K), log_sum (n, H, T) -> three of (n, H, T, K).

    Source: Dao 2023 (FlashAttention-2), algorithm 2.

    >>> x = torch.zeros(1, 1, 3, 2)
    >>> output, log_sum = attend_in_tiles(x, x, x, None, 0.0, 1.0, 0)
    >>> _, _, of_value = gradients_in_tiles(x, x, x, output, log_sum, x + 3, None, 0.0, 1.0, 0)
    >>> of_value[0, 0, 0].round(decimals=4).tolist()  # three queries, each with a third of its weight here
    [3.0, 3.0]
    """
    wide = log_sum.dtype
    of_query, of_key, of_value = (torch.zeros_like(x, dtype=wide) for x in (query, key, value))
    for rows in tiles(0, query.shape[-2]):
        queries, upstream = query[..., rows, :].to(wide) * scale, gradient[..., rows, :].to(wide)  # (n, H, R, K)
        mean = (upstream * output[..., rows, :].to(wide)).sum(-1, keepdim=True)  # (n, H, R, 1): what softmax takes off
        for columns in seen_by(rows, query.shape[-2], window):
            keys, values = key[..., columns, :].to(wide), value[..., columns, :].to(wide)  # (n, H, C, K)
            scores = score(queries, keys, rows, columns, window)
            probabilities = (scores - log_sum[..., rows, None]).exp()  # (n, H, R, C)
            of_probabilities = upstream @ values.mT  # (n, H, R, C)
            dropped = probabilities
            if dropout:
                mask = kept(probabilities, dropout, seed, rows, columns)
                dropped, of_probabilities = probabilities * mask, of_probabilities * mask
            of_scores = probabilities * (of_probabilities - mean)  # (n, H, R, C)
            of_value[..., columns, :] += dropped.mT @ upstream
            of_key[..., columns, :] += of_scores.mT @ queries  # the queries carry the scale already
            of_query[..., rows, :] += of_scores @ keys * scale
    return of_query.to(query.dtype), of_key.to(key.dtype), of_value.to(value.dtype)


def tiles(start: int, stop: int) -> Iterator[slice]:
    """Pieces of at most TILE places from start to stop.

    >>> [(piece.start, piece.stop) for piece in tiles(0, 600)]
    [(0, 256), (256, 512), (512, 600)]
    """
    for first in range(start, stop, TILE):
        yield slice(first, min(first + TILE, stop))


def seen_by(rows: slice, length: int, window: int | None) -> Iterator[slice]:
    """The tiles of keys that some query of these rows sees; a window leaves all others out.

    >>> [(piece.start, piece.stop) for piece in seen_by(slice(256, 512), 2000, window=10)]
    [(246, 502), (502, 522)]
    """
    if window is None:
        return tiles(0, length)
    return tiles(max(0, rows.start - window), min(length, rows.stop + window))


def score(queries: Tensor, keys: Tensor, rows: slice, columns: slice, window: int | None) -> Tensor:
    """One tile of scores, -inf where the key lies outside the query's window.

    Shape: queries (n, H, R, K), scaled already, keys (n, H, C, K) -> (n, H, R, C).

    >>> score(torch.ones(1, 1, 1, 2), torch.ones(1, 1, 3, 2), slice(4, 5), slice(2, 5), window=1).flatten().tolist()
    [-inf, 2.0, 2.0]
    """
    scores = queries @ keys.mT
    if window is None:
        return scores
    query_index = torch.arange(rows.start, rows.stop, device=queries.device)
    key_index = torch.arange(columns.start, columns.stop, device=queries.device)
    return scores.masked_fill_((query_index[:, None] - key_index).abs() > window, -torch.inf)


def kept(tile: Tensor, dropout: float, seed: int, rows: slice, columns: slice) -> Tensor:
    """What dropout multiplies a tile by: 0 where it drops, 1 / (1 - dropout) where not; the same for the same tile.

    Shape: tile (n, H, R, C) -> (n, H, R, C).

    >>> sorted(set(kept(torch.ones(1, 1, 9, 9), 0.5, 0, slice(0, 9), slice(0, 9)).flatten().tolist()))
    [0.0, 2.0]
    """
    generator = torch.Generator(tile.device).manual_seed(seed + 1_000_003 * rows.start + columns.start)
    drawn = torch.rand(tile.shape, generator=generator, device=tile.device, dtype=tile.dtype)
    return (drawn >= dropout) / (1 - dropout)
