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
    articles = {}
    for row in corpora.load("boolq"):
        articles.setdefault(" ".join(row.passage.split()[:24]), set()).add(contrastive.part_of(row.title))
    parts = {part: {passage for _, passage in contrastive.passages(part, 24)} for part in contrastive.PARTS}
    assert len(parts["train"]) > 1000 and len(parts["validation"]) > 200 and len(parts["test"]) > 300
    assert sum(map(len, parts.values())) == len(set().union(*parts.values()))
    assert all(part in articles[passage] for part, there in parts.items() for passage in there)
    for batch in itertools.islice(contrastive.batches(24, 16, seed=0), 3):
        assert len({passage for _, passage in batch}) == 16
        assert {passage for _, passage in batch} <= parts["train"]


@with_data
def test_the_answer_stands_in_what_is_left_of_a_paragraph():
    answers = {row.question: row.answer for row in corpora.load("squad")}
    for question, paragraph in poolings.questions(80):
        assert " ".join(answers[question].split()) in paragraph
    own, other = poolings.drawn_questions(50, 80, seed=0)
    assert not set(own[1]) & set(other[1]) and len(set(own[1])) == 50


@with_data
@pytest.mark.parametrize("kind", late_interaction.KINDS)
def test_longer_documents_hold_the_sentence_with_the_answer(kind):
    articles, asked = late_interaction._articles()
    assert len(asked) == len({(title, number) for _, title, number in asked})
    own = {question: articles[title][number] for question, title, number in asked}
    titles = {}
    for title, sentences in articles.items():
        for sentence in sentences:
            titles.setdefault(sentence, set()).add(title)
    questions, found = late_interaction.documents(30, (1, 3, 8), seed=1)
    places, seen = set(), set()
    for question, *documents in zip(questions, *(found[kind, n] for n in (1, 3, 8)), strict=True):
        (short,), middle, long = documents
        assert short == own[question] and len(middle) == 3 and len(long) == 8
        assert {short} < set(middle) < set(long)
        of_one = [bool(titles[sentence] & titles[short]) for sentence in long if sentence != short]
        assert all(of_one) if kind == "of one" else not any(of_one)
        if kind == "of one":
            text = " ".join(articles[next(iter(titles[short]))])
            assert " ".join(middle) in text and " ".join(long) in text
            assert not seen & set(long)
            seen |= set(long)
        places.add(long.index(short))
    assert len(places) > 4


@with_data
def test_more_documents_than_there_are_without_an_overlap_are_refused():
    with pytest.raises(ValueError, match="600 documents of 8 sentences that do not overlap: there are"):
        late_interaction.documents(600, (1, 8), seed=0)


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
