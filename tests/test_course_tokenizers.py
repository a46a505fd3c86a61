"""The solutions of 3.1 and 3.2 beside what the package computes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minibert.course.exercises.ex_3_1 import fewest_pieces
from minibert.course.exercises.ex_3_2 import bpe_dropout, trained
from minibert.course.tools import drawn_word
from minibert.tasks.open_pieces import cut
from minibert.tokenization.merges import merge_by_rank
from minibert.tokenization.wordpiece import greedy_pieces


@given(st.text("abc", min_size=1, max_size=9), st.sets(st.text("abc", min_size=1, max_size=4), max_size=9))
def test_a_cut_has_no_more_pieces_than_the_greedy_one(word, parts):
    vocab = {"[UNK]"} | {piece if place % 2 else "##" + piece for place, piece in enumerate(sorted(parts))}
    names = sorted(vocab)
    ids = {piece: place for place, piece in enumerate(names)}
    greedy, found = [names[i] for i, _, _ in greedy_pieces(word, ids, ids["[UNK]"])], fewest_pieces(word, vocab)
    assert greedy == ["[UNK]"] or len(found) <= len(greedy)
    if found != ["[UNK]"]:
        assert set(found) <= vocab and word == found[0] + "".join(piece.removeprefix("##") for piece in found[1:])


@given(st.text("abc", min_size=1, max_size=9), st.sets(st.text("abc", min_size=2, max_size=4), max_size=9))
def test_the_open_task_cuts_into_as_few_pieces(word, parts):
    marked = {lead + piece for piece in parts | set("abc") for lead in ("", "##")}
    assert len(cut(word, parts)) == len(fewest_pieces(word, marked))


@pytest.mark.parametrize("seed", range(20))
def test_the_merges_without_dropout_are_those_of_the_package(seed):
    rng = torch.Generator().manual_seed(seed)
    merges = trained([drawn_word(rng, "abc", 3, 9) for _ in range(12)])
    names = ["a", "b", "c", *(left + right for left, right in merges)]
    ranks = {(names.index(a), names.index(b)): (rank, rank + 3) for rank, (a, b) in enumerate(merges)}
    assert len(set(names)) == len(names), "each token is made by one merge only"
    for length in range(1, 12):
        word = drawn_word(rng, "abc", length, length)
        found = bpe_dropout(word, merges, 0.0, lambda: 0.0)
        assert found == [names[i] for i in merge_by_rank(["abc".index(c) for c in word], ranks)]
