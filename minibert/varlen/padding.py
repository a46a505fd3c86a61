"""Padding is removed once, before the embedding, and put back only when the caller asks for padded results.

A padded batch is a rectangle (B, T) in which short texts are filled up with [PAD]. The packed form is one row (N,) of
the real tokens, and `cu_seqlens` (B + 1,), the running sum of the lengths, says where each text begins and ends:

    padded   the cat sat        packed    the cat sat hi
             hi  [PAD] [PAD]    cu_seqlens  0 3 4
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from minibert.compiling import uncompiled


@dataclass(frozen=True)
class Packing:
    """Where the real tokens of a padded batch sit: what `pad` needs to undo `unpad`.

    Shape: indices (N,) int64 into the flattened (B * T), cu_seqlens (B + 1,) int32.

    >>> packing = find_packing(torch.tensor([[1, 1, 1], [1, 0, 0]]))
    >>> packing.cu_seqlens.tolist(), packing.indices.tolist(), packing.max_seqlen
    ([0, 3, 4], [0, 1, 2, 3], 3)
    """

    indices: Tensor
    cu_seqlens: Tensor
    max_seqlen: int
    batch: int
    width: int


def find_packing(attention_mask: Tensor) -> Packing:
    """Read a padding mask: 1 on real tokens, 0 on padding, each row one unbroken run of ones.

    Shape: attention_mask (B, T), bool or integer.

    Raises:
        ValueError: wrong rank or dtype, values other than 0 and 1, a row without a real token, a row with a hole.

    Source: Portes et al. 2023 (MosaicBERT), section 3.1; Warner et al. 2024, section 2.1.2.

    >>> find_packing(torch.tensor([[True, True], [False, False]]))
    Traceback (most recent call last):
    ...
    ValueError: attention_mask: row 1 is all padding; drop it, or give it at least one real token
    """
    if torch.compiler.is_compiling():
        return uncompiled(find_packing)(attention_mask)
    if attention_mask.dim() != 2 or attention_mask.numel() == 0:
        raise ValueError(f"attention_mask: shape {tuple(attention_mask.shape)}, expected (B, T) with B, T >= 1")
    if attention_mask.is_floating_point() or attention_mask.is_complex():
        raise ValueError(f"attention_mask: dtype {attention_mask.dtype}, expected bool or integer (1 = real token)")
    mask = attention_mask.long()
    if int(mask.min()) < 0 or int(mask.max()) > 1:
        raise ValueError(f"attention_mask: values {int(mask.min())}..{int(mask.max())}, expected only 0 and 1")
    lengths = mask.sum(dim=1)  # (B,)
    if int(lengths.min()) == 0:
        row = int((lengths == 0).nonzero()[0])
        raise ValueError(f"attention_mask: row {row} is all padding; drop it, or give it at least one real token")
    runs = mask[:, 0] + (mask.diff(dim=1) == 1).sum(dim=1)  # (B,) how often a row of ones begins
    if int(runs.max()) > 1:
        row = int((runs > 1).nonzero()[0])
        raise ValueError(f"attention_mask: row {row} has a hole; expected one unbroken run of ones, padding outside it")
    indices = mask.flatten().nonzero().flatten()
    cu_seqlens = torch.nn.functional.pad(lengths.cumsum(0), (1, 0)).to(torch.int32)
    return Packing(indices, cu_seqlens, int(lengths.max()), *mask.shape)


def cu_seqlens_of(lengths: Iterable[int]) -> Tensor:
    """Where texts of these lengths begin and end when they lie end to end: B lengths -> (B + 1,) int32, from 0.

    Source: see `find_packing`.

    >>> cu_seqlens_of([3, 2]).tolist()
    [0, 3, 5]
    """
    return torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)


def unpad(padded: Tensor, packing: Packing) -> Tensor:
    """Keep the real tokens only: (B, T, ...) -> (N, ...).

    >>> packing = find_packing(torch.tensor([[1, 1], [1, 0]]))
    >>> unpad(torch.tensor([[5, 6], [7, 0]]), packing).tolist()
    [5, 6, 7]
    """
    if padded.shape[:2] != (packing.batch, packing.width):
        raise ValueError(
            f"unpad: tensor {tuple(padded.shape)} does not match the mask ({packing.batch}, {packing.width})"
        )
    return padded.flatten(0, 1)[packing.indices]


def pad(packed: Tensor, packing: Packing, fill: float = 0) -> Tensor:
    """Put the padding back: (N, ...) -> (B, T, ...), `fill` where no token is (use -100 for labels).

    >>> packing = find_packing(torch.tensor([[1, 1], [1, 0]]))
    >>> pad(torch.tensor([5, 6, 7]), packing).tolist()
    [[5, 6], [7, 0]]
    """
    if packed.shape[0] != len(packing.indices):
        raise ValueError(f"pad: {packed.shape[0]} rows for {len(packing.indices)} real tokens; pass what unpad gave")
    padded = packed.new_full((packing.batch * packing.width, *packed.shape[1:]), fill)
    padded = padded.index_copy(0, packing.indices, packed)
    return padded.view(packing.batch, packing.width, *packed.shape[1:])


def packed_positions(cu_seqlens: Tensor) -> Tensor:
    """Position of each packed token in its own text, from 0: (B + 1,) -> (N,) int64.

    >>> packed_positions(torch.tensor([0, 3, 5])).tolist()
    [0, 1, 2, 0, 1]
    """
    starts = cu_seqlens[:-1].long()
    lengths = cu_seqlens.long().diff()
    return torch.arange(int(cu_seqlens[-1]), device=cu_seqlens.device) - starts.repeat_interleave(lengths)
