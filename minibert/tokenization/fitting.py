"""Cutting one or two encoded texts so that they fit into a template of a given length."""

from collections.abc import Sequence

import torch

from minibert.tokenization.encoding import Encoding
from minibert.tokenization.template import Slot
from minibert.tokenization.truncation import Span, truncate_pair


def fitting_spans(
    special: int,
    lengths: Sequence[int],
    max_length: int,
    policy: str = "longest_first",
    generator: torch.Generator | None = None,
) -> tuple[Span, Span]:
    """The (start, stop) slices of one or two texts that, with `special` template tokens, make `max_length` tokens.

    lengths: of the texts, in tokens. A single text has no use for the second slice. policy: as in truncation.py.

    Raises:
        ValueError: max_length leaves no room for a token of the text, or the policy cannot meet it.

    >>> fitting_spans(3, [5, 4], max_length=9)
    ((0, 3), (0, 3))
    """
    if max_length - special < 1:
        raise ValueError(
            f"max_length={max_length} leaves no room for text: the template alone takes "
            f"{special} tokens; use at least {special + 1}"
        )
    return truncate_pair(*lengths, *[0] * (2 - len(lengths)), max_length - special, policy, generator)


def fit(
    slots: Sequence[Slot],
    texts: Sequence[Encoding],
    max_length: int,
    policy: str = "longest_first",
    generator: torch.Generator | None = None,
) -> list[Encoding]:
    """The texts, cut so that the filled template has at most `max_length` tokens; `policy` as in truncation.py.

    Raises:
        ValueError: max_length leaves no room for a token of the text, or the policy cannot meet it.

    >>> cats = Encoding([7, 8], ["cat", "##s"], [(0, 3), (3, 4)], [0, 0], [0, 0], [0, 0])
    >>> fit([("[CLS]", 0), ("$A", 0)], [cats], max_length=2)[0].tokens
    ['cat']
    """
    spans = fitting_spans(len(slots) - len(texts), [len(text) for text in texts], max_length, policy, generator)
    return [text.cut(*span) for text, span in zip(texts, spans, strict=False)]
