"""Experiments of chapter 10: what their arms are like before anything is measured."""

import pytest
import torch

from minibert import corpora
from minibert.corpora.synthetic.world import ACTIONS, KINDS
from minibert.experiments.minilm import judge, tokenizer
from minibert.experiments.segments import NEW_KINDS, _example, pairs
from minibert.training.fine_tuning import Example, fine_tune, tuning_recipe

needs_minilm = pytest.mark.skipif(not corpora.is_cached("minilm"), reason="needs python -m minibert data fetch minilm")


def test_new_pairs_share_no_kind_thing_or_verb_with_those_of_training():
    used = [{word for pair in pairs(split) for text in pair for word in text.split()} for split in ("train", "test")]
    assert used[0] & used[1] == {"they"} and len(NEW_KINDS) == len(KINDS) == 8
    assert not set(ACTIONS["train"]) & set(ACTIONS["test"])


@pytest.mark.data
@needs_minilm
def test_in_a_drawn_order_only_segments_tell_a_pair_from_its_mirror_image():
    pair, mirrored = ("they saw roses", "they saw flowers"), ("they saw flowers", "they saw roses")
    for turned in (False, True):
        plain, other = _example("drawn order", pair, turned, 1), _example("drawn order", mirrored, not turned, 1)
        assert plain.ids == other.ids
        assert sum(a == b for a, b in zip(plain.segment_ids, other.segment_ids, strict=True)) == 0
    words = tokenizer().encode("they saw roses").ids[1:-1]
    for turned in (False, True):  # segment 0 marks the first text, wherever it stands
        row = _example("drawn order", pair, turned, 1)
        start = next(place for place in range(len(row.ids)) if list(row.ids[place : place + len(words)]) == words)
        assert set(row.segment_ids[start : start + len(words)]) == {0}


@pytest.mark.data
@needs_minilm
def test_the_fast_head_takes_the_steps_of_a_hundredfold_rate():
    rows = [Example((101, 2204, 102), (0, 0, 0), 1), Example((101, 2919, 102), (0, 0, 0), 0)]
    fast, slow = judge(0), judge(0, is_fast=False)
    start = slow.head.classifier.weight.clone()
    assert torch.allclose(100 * fast.head.classifier.weight, start)
    for model in (fast, slow):
        fine_tune(model, rows, tuning_recipe(1, 1e-4, clip=None, weight_decay=0.0), batch_size=2)
    moved = [(slow.head.classifier.weight - start), 100 * fast.head.classifier.weight - start]
    assert torch.allclose(100 * moved[0].abs().median(), moved[1].abs().median(), rtol=0.02)
