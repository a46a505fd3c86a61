"""GloVe: co-occurrence against naive loops, the loss against its formula, and factors that are found again."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert.word_vectors import (
    Cooccurrence,
    cooccurrence,
    count_corpus,
    glove_loss,
    glove_weights,
    train_glove,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def counted_by_loops(texts, words, half_window, by_distance=True):
    """The specification: walk over every place, and over every other place near it."""
    table = torch.zeros(len(words), len(words), dtype=torch.float64)
    for text in texts:
        for i, word in enumerate(text):
            for j, other in enumerate(text):
                if i != j and abs(i - j) <= half_window:
                    table[words.index(word), words.index(other)] += 1 / abs(i - j) if by_distance else 1
    return table


TEXTS = st.lists(st.lists(st.sampled_from("abcd"), max_size=9), min_size=1, max_size=4).filter(any)


@given(TEXTS, st.integers(1, 12), st.booleans())
@settings(max_examples=80, deadline=None)
def test_the_table_is_that_of_the_loops(texts, half_window, by_distance):
    corpus = count_corpus(texts, min_count=1)
    table = cooccurrence(corpus, half_window, by_distance)
    dense = table.dense(torch.arange(table.size))
    want = counted_by_loops(texts, corpus.words, half_window, by_distance)
    assert torch.allclose(dense.double(), want, rtol=1e-6)
    assert torch.equal(dense, dense.T), "symmetric to the last bit"
    assert len(table.value) == int((want > 0).sum()), "cells that are 0 are not kept, and none is kept twice"
    some = torch.randint(table.size, (5,), generator=generator())
    assert torch.equal(table.dense(some), dense[some]), "rows in any order, also twice"


def check_table(function):
    texts = [list("abcab"), list("ba"), list("aacd")]
    corpus = count_corpus(texts, min_count=1)
    got = function(corpus)
    assert torch.allclose(got.double(), counted_by_loops(texts, corpus.words, 2), rtol=1e-6)


def test_planted_mistakes_of_the_table_are_seen():
    def table(corpus, *arguments):
        return cooccurrence(corpus, *arguments).dense(torch.arange(len(corpus.words)))

    check_table(lambda corpus: table(corpus, 2))
    mutants = {
        "one-sided": lambda corpus: table(corpus, 2).triu(),
        "counts itself": lambda corpus: table(corpus, 2) + torch.diag(corpus.counts),
        "no weight by distance": lambda corpus: table(corpus, 2, False),
        "window too small": lambda corpus: table(corpus, 1),
        "diagonal once": lambda corpus: table(corpus, 2) - torch.diag(table(corpus, 2).diag()) / 2,
        "across texts": lambda corpus: table(corpus._replace(texts=torch.zeros_like(corpus.texts)), 2),
    }
    for name, mutant in mutants.items():
        with pytest.raises(AssertionError):
            check_table(mutant)
            pytest.fail(f"not seen: {name}")


def loss_by_loops(predicted, counts, x_max):
    total, cells = 0.0, 0
    for guess, count in zip(predicted.flatten().tolist(), counts.flatten().tolist(), strict=True):
        if count > 0:
            weight = (count / x_max) ** 0.75 if count < x_max else 1.0
            total += weight * (guess - math.log(count)) ** 2
            cells += 1
    return total / cells


def check_loss(function):
    for seed in range(3):
        predicted = torch.randn(4, 6, generator=generator(seed))
        counts = (torch.rand(4, 6, generator=generator(seed + 9)) * 40 - 10).clamp(min=0)  # a quarter is 0
        got = function(predicted, counts, 20.0).item()
        assert math.isclose(got, loss_by_loops(predicted, counts, 20.0), rel_tol=1e-5)


def test_the_loss_is_that_of_the_loops_and_mistakes_are_seen():
    check_loss(glove_loss)

    def mutant(power=0.75, cap=1.0, log=torch.log, over_all=False):
        def loss(predicted, counts, x_max):
            weights = (counts / x_max).clamp(max=cap) ** power
            error = (predicted - log(counts.clamp(min=1e-30))) ** 2
            return (weights * error).sum() / (counts.numel() if over_all else (counts > 0).sum())

        return loss

    check_loss(mutant())
    for wrong in (dict(power=1.0), dict(cap=9.0), dict(log=lambda x: x), dict(log=torch.log1p), dict(over_all=True)):
        with pytest.raises(AssertionError):
            check_loss(mutant(**wrong))
            pytest.fail(f"not seen: {wrong}")


def test_cells_without_a_count_do_not_matter_and_leave_no_nan():
    counts = torch.tensor([[3.0, 0.0]])
    predicted = torch.tensor([[1.0, 2.0]], requires_grad=True)
    glove_loss(predicted, counts).backward()
    assert predicted.grad.isfinite().all() and predicted.grad[0, 1] == 0 and predicted.grad[0, 0] != 0
    assert glove_loss(torch.ones(2, 2), torch.zeros(2, 2)).item() == 0.0


def test_the_weight_is_capped_and_monotone():
    weights = glove_weights(torch.linspace(0, 300, 301))
    assert weights[0] == 0 and weights[100] == 1 and (weights[100:] == 1).all()
    assert (weights[1:101] > weights[:100]).all()


def test_factors_of_a_table_of_low_rank_are_found_again(monkeypatch):
    """Where log counts are exactly w . w~ + b + b~, the fit must find a table that predicts them."""
    from minibert.word_vectors import glove

    V, D = 30, 3
    left, right = (torch.randn(V, D, generator=generator(i)) for i in range(2))
    bias = torch.randn(V, generator=generator(2))
    logs = left @ right.T + bias[:, None] + 1
    row, column = (axis.flatten() for axis in torch.meshgrid(torch.arange(V), torch.arange(V), indexing="ij"))
    table = Cooccurrence(row, column, logs.exp().flatten(), V)
    monkeypatch.setattr(glove, "cooccurrence", lambda corpus, half_window: table)
    corpus = count_corpus([[f"w{i:02}" for i in range(V)]], min_count=1)
    settings = dict(x_max=1e-3, learning_rate=0.3, epochs=800)  # so small an x_max gives every cell the weight 1
    fitted = train_glove(corpus, width=D, **settings, generator=generator())
    assert fitted.losses[-1] < 1e-3 * fitted.losses[0]
    too_narrow = train_glove(corpus, width=1, **settings, generator=generator())
    assert too_narrow.losses[-1] > 100 * fitted.losses[-1], "one dimension cannot hold a table of rank three"


def corpus_of_two_worlds():
    worlds = [[f"{name}{i}" for i in range(8)] for name in ("sea", "sky")]
    picks = torch.randint(8, (300, 6), generator=generator(5)).tolist()
    return count_corpus([[worlds[n % 2][i] for i in row] for n, row in enumerate(picks)], min_count=1)


def test_training_finds_which_words_go_together_and_depends_on_the_seed_alone():
    corpus = corpus_of_two_worlds()
    # Words that never meet have no cell, so the worlds are told apart by what each word does meet.
    settings = dict(width=4, x_max=10.0, epochs=30)
    torch.manual_seed(1)
    one = train_glove(corpus, **settings, generator=generator())
    torch.manual_seed(2)
    again = train_glove(corpus, **settings, generator=generator())
    assert torch.equal(one.vectors.matrix, again.vectors.matrix) and one.losses == again.losses
    assert one.losses[-1] < 0.3 * one.losses[0]
    assert torch.allclose(one.vectors.matrix, one.first.matrix + one.second.matrix)
    assert train_glove(corpus, epochs=0, generator=generator()).losses == []


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: cooccurrence(corpus_of_two_worlds(), half_window=0), "half_window"),
        (lambda: glove_weights(torch.ones(2), x_max=0.0), "x_max"),
        (lambda: glove_loss(torch.ones(2), torch.ones(3)), r"\(3,\)"),
        (lambda: train_glove(corpus_of_two_worlds(), width=0, generator=generator()), "width"),
        (lambda: train_glove(corpus_of_two_worlds(), x_max=-1.0, generator=generator()), "x_max"),
        (lambda: train_glove(corpus_of_two_worlds(), generator=None), "Generator"),
    ],
)
def test_bad_input_is_refused_with_a_reason(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
