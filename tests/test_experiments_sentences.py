"""Experiments of chapter 12: nothing tested is trained on, documents hold their sentence, cosines are what they say."""

import itertools

import pytest
import torch

from minibert import corpora
from minibert.experiments import contrastive, late_interaction, poolings
from minibert.experiments.across_languages import gain
from minibert.objectives import info_nce
from minibert.tasks.metrics import spearman
from minibert.tasks.retrieval import ranks_of

needs_data = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (corpora.is_cached("squad") and corpora.is_cached("minilm")), reason="needs python -m minibert data fetch"
    ),
]


def with_data(test):
    for mark in needs_data:
        test = mark(test)
    return test


@with_data
def test_no_article_is_trained_on_and_tested():
    rows = corpora.load("boolq")
    article = {" ".join(row.passage.split()[:24]): row.title.casefold() for row in rows}
    train, tested = ({article[passage] for _, passage in contrastive.passages(held_out, 24)} for held_out in (0, 1))
    assert len(train) > 1000 and len(tested) > 300 and not train & tested
    for batch in itertools.islice(contrastive.batches(24, 16, seed=0), 3):
        assert len({passage for _, passage in batch}) == 16


@with_data
def test_the_answer_stands_in_what_is_left_of_a_paragraph():
    answers = {row.question: row.answer for row in corpora.load("squad")}
    for question, paragraph in poolings.questions(80):
        assert " ".join(answers[question].split()) in paragraph
    own, other = poolings.drawn_questions(50, 80, seed=0)
    assert not set(own[1]) & set(other[1]) and len(set(own[1])) == 50


@with_data
def test_longer_documents_hold_the_sentence_and_those_of_other_articles():
    asked, rest = late_interaction._sentences()
    title = {sentence: of for _, sentence, of in asked} | dict(rest)
    questions, found = late_interaction.documents(30, (1, 3, 8), seed=1)
    sentence_of = {question: sentence for question, sentence, _ in asked}
    places = set()
    for question, short, middle, long in zip(questions, *found.values(), strict=True):
        own = sentence_of[question]
        assert short == (own,) and len(middle) == 3 and len(long) == 8 and set(short) < set(middle) < set(long)
        assert all(title[sentence] != title[own] for sentence in long if sentence != own)
        places.add(long.index(own))
    assert len(places) > 4


def test_the_mean_cosine_is_that_of_all_pairs_of_different_vectors():
    vectors = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    pairs = [torch.cosine_similarity(vectors[a], vectors[b], dim=0) for a in range(6) for b in range(6) if a != b]
    assert poolings.mean_cosine(vectors) == pytest.approx(float(sum(pairs) / 30), abs=1e-6)


def test_weights_of_layers_find_the_layer_that_knows():
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(3, 40, 8, generator=generator) for _ in range(2))
    gold = torch.cosine_similarity(one[1], other[1])
    weights = poolings.fit_weights(one, other, gold.tolist(), 60)
    assert weights.sum() == pytest.approx(1.0, abs=1e-5) and weights.argmax() == 1 and weights[1] > 0.8


def test_scores_are_those_of_the_test():
    one = torch.eye(3)
    other = torch.tensor([[1.0, 0, 0], [0, 1.0, 1.0], [0, 1.0, 0.5]])
    cosines = torch.cosine_similarity(one, other).tolist()
    assert poolings.score("sts", one, other, [5.0, 1.0, 0.0]) == pytest.approx(spearman(cosines, [5.0, 1.0, 0.0]))
    assert poolings.score("squad", one, other, []) == gain([1, 2, 2])


def test_groups_are_batches_of_their_own():
    queries, documents = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    by_hand = [info_nce(queries[i : i + 2], documents[i : i + 2], 0.1) for i in (0, 2, 4)]
    assert contrastive.loss_in_groups(2)(queries, documents, 0.1) == pytest.approx(float(sum(by_hand) / 3), abs=1e-6)
    assert contrastive.loss_in_groups(6)(queries, documents, 0.1) == info_nce(queries, documents, 0.1)


def test_what_scores_the_same_counts_as_found_before():
    assert ranks_of(torch.zeros(3, 3), torch.arange(3)).tolist() == [3, 3, 3]
    assert ranks_of(torch.eye(3), torch.arange(3)).tolist() == [1, 1, 1]
