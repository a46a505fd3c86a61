"""The packed batch: examples laid end to end, without padding."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from minibert.objectives import IGNORE, Example, mask_tokens


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


def mask_batch(
    batch: PackedBatch,
    tokenizer,
    rate: float,
    split: tuple[float, float, float],
    word_starts: Tensor | None = None,
    *,
    seed: int,
) -> PackedBatch:
    """Return the batch with tokens hidden and labelled; the same `seed` hides the same ones.

    Shape: word_starts (V,) bool, True for the tokens that begin a word, if whole words are to be hidden.

    Raises:
        ValueError: as `mask_tokens`.

    Source: Devlin et al. 2019, section 3.1.

    >>> from types import SimpleNamespace
    >>> tokenizer = SimpleNamespace(special_ids=(1, 2, 3), mask_id=3, vocab_size=9)
    >>> batch = mask_batch(pack([Example([1, 7, 2], [0, 0, 0], None)]), tokenizer, 1.0, (1.0, 0.0, 0.0), seed=0)
    >>> batch.ids.tolist(), batch.labels.tolist()
    ([1, 3, 2], [-100, 7, -100])
    """
    inputs, labels = mask_tokens(
        batch.ids,
        tokenizer.special_ids,
        tokenizer.vocab_size,
        tokenizer.mask_id,
        rate,
        split,
        generator=torch.Generator().manual_seed(seed),
        word_starts=None if word_starts is None else word_starts[batch.ids],
    )
    return replace(batch, ids=inputs, labels=labels)
