"""What the open task of chapter 8 trains and measures: an untrained BERT, stories of one's own, a budget of tokens."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from minibert.model.models import MaskedLanguageModel
from minibert.objectives import IGNORE
from minibert.tasks.neighbour_counts import NeighbourCounts
from minibert.tasks.open_tasks import START, hide, own_stories

ROW, BUDGET = 36, 36_000  # tokens of a row, the beginning of a story; tokens that may go through the model in training
VOCABULARY, MASK = 52, 4
SIZES = dict(layers=1, hidden=64, heads=8, intermediate=128, init_std=0.1)


def untrained(seed: int) -> MaskedLanguageModel:
    """One block of BERT of width 64 with eight heads and a learned table of positions.

    >>> untrained(0).config.position
    'learned'
    """
    config = START.replace(**SIZES, vocab_size=VOCABULARY, max_len=ROW)
    return MaskedLanguageModel(config, torch.Generator().manual_seed(seed))


def training_rows(seed: int) -> Tensor:
    """The beginnings of stories to train on. Shape: (R, 36) int64.

    >>> training_rows(0).shape
    torch.Size([875, 36])
    """
    return _beginnings(own_stories(seed).train)


def _beginnings(stories: Sequence[Tensor]) -> Tensor:
    return torch.stack([story[:ROW] for story in stories if len(story) >= ROW])


@lru_cache(maxsize=4)
def asked(seed: int) -> tuple[Tensor, Tensor]:
    """Held-out rows four times, each with [MASK] at other 15 % of the places, and the labels. Shape: two of (B, 36).

    >>> asked(0)[0].shape == asked(0)[1].shape == (500, 36)
    True
    """
    return hide(_beginnings(own_stories(seed).held_out).repeat(4, 1), 0.15, seed=0)


@torch.no_grad()
def share_named(model: MaskedLanguageModel, seed: int) -> float:
    """The share of hidden words of held-out rows that the model names.

    >>> share_named(untrained(0), seed=0) < 0.2
    True
    """
    inputs, labels = asked(seed)
    there = labels != IGNORE
    return (model.eval()(inputs).logits.argmax(-1)[there] == labels[there]).double().mean().item()


@lru_cache(maxsize=4)
def share_counted(seed: int) -> float:
    """The same share for a count of both neighbours in the training rows.

    >>> 0.4 < share_counted(0) < 0.7
    True
    """
    inputs, labels = asked(seed)
    row, place = (labels != IGNORE).nonzero(as_tuple=True)
    padded = torch.nn.functional.pad(inputs, (1, 1), value=MASK)
    guess = NeighbourCounts(training_rows(seed), VOCABULARY, MASK)
    logits = guess.logits(padded[row, place], padded[row, place + 2], "both neighbours")
    return (logits.argmax(-1) == labels[row, place]).double().mean().item()


@torch.no_grad()
def share_kept(model: MaskedLanguageModel, seed: int) -> float:
    """The share of the words of held-out rows that the model names when it sees them: does it copy?

    >>> share_kept(untrained(0), seed=0) < 0.5
    True
    """
    rows = _beginnings(own_stories(seed).held_out)
    return (model.eval()(rows).logits.argmax(-1) == rows).double().mean().item()
