"""The needle: what a row holds, and how far a word can travel through the layers at all."""

import pytest
import torch

from minibert.experiments.needle import (
    ARMS,
    FIRST_COLOUR,
    FIRST_OTHER,
    MASK_ID,
    NEEDLE,
    WORDS,
    bins,
    needle_rows,
    new_model,
    train,
)
from minibert.objectives import IGNORE

TINY = NEEDLE.settings | NEEDLE.tiny


def test_a_row_has_one_colour_and_asks_for_it():
    ids, labels, place = needle_rows(50, 30, 6, torch.Generator().manual_seed(0))
    is_colour = (ids >= FIRST_COLOUR) & (ids < FIRST_OTHER)
    assert (is_colour.sum(dim=1) == 1).all() and is_colour[torch.arange(50), place].all()
    assert ((labels != IGNORE).sum(dim=1) == 6).all() and (ids[labels != IGNORE] == MASK_ID).all()
    assert ((ids == MASK_ID) == (labels != IGNORE)).all()
    colour = ids[torch.arange(50), place]
    assert (labels == torch.where(labels != IGNORE, colour[:, None], IGNORE)).all()
    assert len(colour.unique()) == 8 and len(set(WORDS)) == len(WORDS)


@pytest.mark.parametrize(("arm", "reach"), [("2 local", 8), ("4 local", 16), ("4 local, wider", 32), ("4 global", 63)])
def test_a_word_moves_what_lies_within_reach_and_nothing_else(arm, reach):
    """The receptive field by experiment: exchange the first word, and see which outputs change."""
    model = new_model(TINY, ARMS[arm], 0).double().eval()  # in float32 what is far is too small to be seen
    ids = torch.full((1, 64), FIRST_OTHER)
    other = ids.clone()
    other[0, 0] = FIRST_OTHER + 1
    with torch.no_grad():
        moved = (model.encoder(ids).hidden - model.encoder(other).hidden).abs().amax(dim=-1)[0]
    assert int(moved.nonzero().max()) == reach


def test_arms_differ_in_windows_only():
    first, second = (new_model(TINY, ARMS[arm], 0) for arm in ("4 local", "4 global"))
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_training_depends_on_the_seed_alone():
    weights = [train(TINY, (4, None), seed).decoder.weight for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_bins_cover_every_distance_once():
    assert [n for first, last in bins(NEEDLE.settings) for n in range(first, last + 1)] == list(range(1, 53))
