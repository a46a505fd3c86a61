"""Cutting one or two encoded texts so that they fit into a template of a given length."""

from collections.abc import Sequence

import torch

from minibert.tokenization.encoding import Encoding
from minibert.tokenization.template import Slot
from minibert.tokenization.truncation import truncate_pair


def fit(
    slots: Sequence[Slot],
    texts: Sequence[Encoding],
    max_length: int,
    policy: str = "longest_first",
    generator: torch.Generator | None = None,
) -> list[Encoding]:
    """The texts, cut so that the filled template has at most `max_length` tokens; `policy` as in truncation.py.

    Raises ValueError when max_length leaves no room for a token of the text, and for what the policy cannot meet.

    >>> cats = Encoding([7, 8], ["cat", "##s"], [(0, 3), (3, 4)], [0, 0], [0, 0], [0, 0])
    >>> fit([("[CLS]", 0), ("$A", 0)], [cats], max_length=2)[0].tokens
    ['cat']
    """
    special = len(slots) - len(texts)
    budget = max_length - special
    if budget < 1:
        raise ValueError(
            f"max_length={max_length} leaves no room for text: the template alone takes "
            f"{special} tokens; use at least {special + 1}"
        )
    second = len(texts[1]) if len(texts) == 2 else 0
    spans = truncate_pair(len(texts[0]), second, budget, policy, generator)
    # truncate_pair always gives two spans; a single text has no use for the second
    return [text.cut(*span) for text, span in zip(texts, spans, strict=False)]
