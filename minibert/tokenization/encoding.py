"""What a tokenizer hands back: `Encoding` for one text (or pair), `Batch` for several, padded into tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minibert.tokenization.template import Slot


@dataclass(frozen=True)
class Encoding:
    """One encoded text or pair. All lists have one entry per token.

    ids: vocabulary ids. tokens: their strings in the vocabulary. offsets: (start, end) in CHARACTERS of the original
    text (of the second text for tokens of the pair's second half); (0, 0) for template tokens. segment_ids: 0 or 1.
    special_mask: 1 where the template put the token ([CLS], [SEP]); a [MASK] that stands in the text is 0.
    word_ids: the number of the word within its text, None for template tokens.

    >>> Encoding([7], ["cat"], [(0, 3)], [0], [0], [0]).tokens
    ['cat']
    """

    ids: list[int]
    tokens: list[str]
    offsets: list[tuple[int, int]]
    segment_ids: list[int]
    special_mask: list[int]
    word_ids: list[int | None]

    def __len__(self) -> int:
        return len(self.ids)

    def cut(self, start: int, stop: int) -> "Encoding":
        """The tokens from `start` to `stop`.

        >>> Encoding([7, 8], ["cat", "##s"], [(0, 3), (3, 4)], [0, 0], [0, 0], [0, 0]).cut(0, 1).tokens
        ['cat']
        """
        return Encoding(**{name: values[start:stop] for name, values in vars(self).items()})


def fill_template(slots: Sequence[Slot], texts: Sequence[Encoding], id_of: Mapping[str, int]) -> Encoding:
    """Put one or two encoded texts into a template's slots.

    >>> cat = Encoding([7], ["cat"], [(0, 3)], [0], [0], [0])
    >>> fill_template([("$A", 0), ("[SEP]", 0)], [cat], {"[SEP]": 3}).ids
    [7, 3]
    """
    out = Encoding([], [], [], [], [], [])
    for name, segment in slots:
        is_text = name in ("$A", "$B")
        part = texts[0 if name == "$A" else 1] if is_text else Encoding([id_of[name]], [name], [(0, 0)], [], [], [None])
        out.ids.extend(part.ids)
        out.tokens.extend(part.tokens)
        out.offsets.extend(part.offsets)
        out.word_ids.extend(part.word_ids)
        out.segment_ids.extend([segment] * len(part))
        out.special_mask.extend([int(not is_text)] * len(part))
    return out


@dataclass(frozen=True)
class Batch:
    """Several encodings padded on the right to one length.

    Shape: input_ids, attention_mask, segment_ids, special_mask: (B, T) int64. attention_mask is 1 on tokens and
    0 on padding; special_mask is 1 on template tokens and on padding. tokens, offsets and word_ids are lists of
    the unpadded lists.

    >>> pad_batch([Encoding([7], ["cat"], [(0, 3)], [0], [0], [0])], pad_id=0).input_ids
    tensor([[7]])
    """

    input_ids: Tensor
    attention_mask: Tensor
    segment_ids: Tensor
    special_mask: Tensor
    tokens: list[list[str]]
    offsets: list[list[tuple[int, int]]]
    word_ids: list[list[int | None]]


def pad_batch(encodings: Sequence[Encoding], pad_id: int | None, pad_to_multiple_of: int | None = None) -> Batch:
    """Pad encodings on the right to the longest one, or to the next multiple of `pad_to_multiple_of`.

    Shape: B encodings in, (B, T) int64 tensors out.

    Raises:
        ValueError: an empty batch, a row without tokens, a multiple below 1, or padding needed and no pad id.

    >>> short = Encoding([7], ["cat"], [(0, 3)], [0], [0], [0])
    >>> long = Encoding([7, 8], ["cat", "##s"], [(0, 3), (3, 4)], [0, 0], [0, 0], [0, 0])
    >>> pad_batch([short, long], pad_id=0).attention_mask.tolist()
    [[1, 0], [1, 1]]
    """
    if not encodings:
        raise ValueError("the batch is empty; give at least one text")
    for row, encoding in enumerate(encodings):
        if not len(encoding):
            raise ValueError(
                f"row {row} of the batch has no tokens, its row would be all padding; drop empty texts, "
                "or encode with add_special_tokens=True and a template"
            )
    if pad_to_multiple_of is not None and pad_to_multiple_of < 1:
        raise ValueError(f"pad_to_multiple_of must be at least 1, not {pad_to_multiple_of}")
    longest = max(len(encoding) for encoding in encodings)
    if pad_to_multiple_of is not None:
        longest = -(-longest // pad_to_multiple_of) * pad_to_multiple_of
    if pad_id is None and any(len(encoding) < longest for encoding in encodings):
        raise ValueError(
            "these texts have different lengths and the tokenizer has no padding token; "
            "give it one (roles={'pad': ...}) or encode the texts one by one"
        )

    def padded(rows: list[list[int]], fill: int) -> Tensor:
        return torch.tensor([row + [fill] * (longest - len(row)) for row in rows], dtype=torch.int64)  # (B, T)

    return Batch(
        input_ids=padded([encoding.ids for encoding in encodings], pad_id or 0),
        attention_mask=padded([[1] * len(encoding) for encoding in encodings], 0),
        segment_ids=padded([encoding.segment_ids for encoding in encodings], 0),
        special_mask=padded([encoding.special_mask for encoding in encodings], 1),
        tokens=[encoding.tokens for encoding in encodings],
        offsets=[encoding.offsets for encoding in encodings],
        word_ids=[encoding.word_ids for encoding in encodings],
    )
