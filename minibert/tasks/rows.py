"""Batches by hand: documents cut into rows of one length, texts laid end to end. For experiments and open tasks."""

from collections.abc import Sequence

import torch
from torch import Tensor

from minibert.objectives import IGNORE
from minibert.training.data import PackedBatch
from minibert.varlen import cu_seqlens_of


def rows_of(documents: Sequence[Tensor], length: int) -> Tensor:
    """Cut each document into rows; what is left at its end is dropped. Shape: returns (R, T) int64.

    >>> rows_of([torch.arange(5), torch.arange(3)], 2).tolist()
    [[0, 1], [2, 3], [0, 1]]
    """
    return torch.cat([ids[: len(ids) // length * length].view(-1, length) for ids in documents])


def pack_rows(ids: Tensor) -> PackedBatch:
    """Rows of one length (B, T) laid end to end, nothing masked yet.

    >>> pack_rows(torch.tensor([[7, 8], [9, 7]])).cu_seqlens.tolist()
    [0, 2, 4]
    """
    flat = ids.flatten()
    borders = torch.arange(0, len(flat) + 1, ids.shape[1], dtype=torch.int32)
    return PackedBatch(flat, borders, torch.zeros_like(flat), torch.full_like(flat, IGNORE), None)


def lay_out(ids: Sequence[Tensor], labels: Sequence[Tensor]) -> PackedBatch:
    """Texts of any length laid end to end, with their labels. Shape: for each text (T,) int64 in both.

    >>> texts = [torch.tensor([2, 4, 3]), torch.tensor([2, 3])]
    >>> lay_out(texts, labels=texts).cu_seqlens.tolist()
    [0, 3, 5]
    """
    flat = torch.cat(list(ids))
    return PackedBatch(flat, cu_seqlens_of(map(len, ids)), torch.zeros_like(flat), torch.cat(list(labels)), None)
