"""The packed batch: examples laid end to end, without padding."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minibert.objectives import IGNORE, Example


@dataclass(frozen=True)
class PackedBatch:
    """Several examples laid end to end, masked and labelled; nothing is padded.

    Shape: ids, segment_ids, labels (N,) int64; cu_seqlens (B + 1,) int32, where each example starts and the last one
    ends; next_labels (B,) int64 with 0 = is next, or None without pairs. `labels` is -100 where nothing is
    predicted.

    >>> batch = pack([Example([1, 7, 2], [0, 0, 0], None), Example([1, 2], [0, 0], None)])
    >>> batch.ids.tolist(), batch.cu_seqlens.tolist(), batch.labels.tolist()
    ([1, 7, 2, 1, 2], [0, 3, 5], [-100, -100, -100, -100, -100])
    """

    ids: Tensor
    cu_seqlens: Tensor
    segment_ids: Tensor
    labels: Tensor
    next_labels: Tensor | None

    def to(self, device: torch.device) -> "PackedBatch":
        """Return the same batch on `device`."""
        tensors = (self.ids, self.cu_seqlens, self.segment_ids, self.labels, self.next_labels)
        return PackedBatch(*(None if tensor is None else tensor.to(device) for tensor in tensors))


def pack(examples: Sequence[Example]) -> PackedBatch:
    """Lay examples end to end, unmasked: all labels are -100.

    Raises:
        ValueError: if there are no examples, or only some of them are pairs.

    >>> pack([Example([1, 7, 2, 8, 2], [0, 0, 0, 1, 1], 1)]).next_labels.tolist()
    [1]
    """
    if not examples:
        raise ValueError("there are no examples to pack; a batch needs at least one")
    ids = torch.tensor([i for example in examples for i in example.ids])  # (N,)
    segments = torch.tensor([s for example in examples for s in example.segment_ids])  # (N,)
    lengths = torch.tensor([0] + [len(example.ids) for example in examples])
    next_labels = [example.next_label for example in examples]
    if None in next_labels and any(label is not None for label in next_labels):
        raise ValueError("some examples are pairs and some are not; a batch is one or the other")
    return PackedBatch(
        ids=ids,
        cu_seqlens=lengths.cumsum(0).to(torch.int32),  # (B + 1,)
        segment_ids=segments,
        labels=torch.full_like(ids, IGNORE),
        next_labels=None if None in next_labels else torch.tensor(next_labels),
    )
