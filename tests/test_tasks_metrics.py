"""Answers and tags are scored as the official metrics do: torchmetrics and seqeval are the oracles."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support
from torchmetrics.functional.text import squad

import minibert
from minibert.tasks import entities, entity_scores, squad_score

WORDS = st.sampled_from(
    [
        *(
            "a",
            "The",
            "an",
            "cat",
            "Cat",
            "'cat'",
            "theory",
            "co-op",
            "coop",
            "10,5",
            "$10",
            "a.",
            ".the",
            "a-b",
            "the_",
            "_",
        ),
        *("–", "—", "«é»", "É", "ß", "ẞ", "İ", "ﬁ", "日本", "ａ", "\u0301", "n't"),
        *("", " ", "\t", "\u00a0", "\u3000", "..."),
    ]
)
TEXTS = st.lists(WORDS, max_size=5).flatmap(
    lambda words: st.sampled_from([" ", "", "-"]).map(lambda gap: gap.join(words))
)


def official(prediction, answers):
    scores = squad(
        [{"prediction_text": prediction, "id": "0"}],
        [{"answers": {"text": answers, "answer_start": [0] * len(answers)}, "id": "0"}],
    )
    return scores["exact_match"].item() / 100, scores["f1"].item() / 100


@settings(max_examples=120, deadline=None)
@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_answers_are_scored_as_the_official_metric_does(prediction, answers):
    assert squad_score(prediction, answers) == pytest.approx(official(prediction, answers), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=12), st.text(max_size=12))
def test_so_is_any_text_at_all(prediction, answer):
    assert squad_score(prediction, answer) == pytest.approx(official(prediction, [answer]), abs=1e-6)


@pytest.mark.parametrize(
    ("prediction", "answers", "expected"),
    [
        ("", [], (1.0, 1.0)),
        ("", "", (1.0, 1.0)),
        ("the", [], (1.0, 1.0)),  # nothing is left of it
        ("cat", [], (0.0, 0.0)),
        ("", ["cat"], (0.0, 0.0)),
        ("", ["cat", ""], (1.0, 1.0)),
        ("cat cat", ["cat"], (0.0, 2 / 3)),  # the second cat is one too many
        ("big cat", ["small cat", "big dog cat"], (0.0, 0.8)),  # the best answer counts
    ],
)
def test_answers_by_hand(prediction, answers, expected):
    assert squad_score(prediction, answers) == pytest.approx(expected)
    assert minibert.tasks.squad_score is squad_score


@pytest.mark.parametrize(
    ("prediction", "answers", "message"), [(None, ["a"], "prediction is a NoneType"), ("a", [3], "list of texts")]
)
def test_what_is_no_answer_is_refused(prediction, answers, message):
    with pytest.raises(ValueError, match=message):
        squad_score(prediction, answers)


TAGS = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-X-Y", "I-X-Y"])  # in any order: broken ones too
PAIRS = st.lists(st.lists(st.tuples(TAGS, TAGS), max_size=9), min_size=1, max_size=4)


@pytest.mark.filterwarnings("ignore")  # seqeval warns of 0/0
@settings(max_examples=120, deadline=None)
@given(PAIRS)
def test_entities_are_scored_as_seqeval_does(texts):
    gold, predicted = ([[pair[side] for pair in text] for text in texts] for side in (0, 1))
    *expected, _ = precision_recall_fscore_support(gold, predicted, average="micro")
    assert entity_scores(gold, predicted) == pytest.approx(tuple(expected), abs=1e-12)
    for tags in gold:
        assert [(name, first, last - 1) for name, first, last in entities(tags)] == get_entities(tags)


def test_no_entity_anywhere_scores_nothing():
    assert entity_scores([["O"], []], [["O"], []]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [
        ([["O"]], [], "1 texts, predicted 0"),
        ([["O"]], [["O", "O"]], "text 0 has 1 gold tags and 2"),
        ([["B"]], [["O"]], "tag 0 is 'B'"),
        ([["O", "E-PER"]], [["O", "O"]], "tag 1 is 'E-PER'"),
        ([["I-"]], [["O"]], "tag 0 is 'I-'"),
        ([[3]], [["O"]], "tag 0 is 3"),
        (["O"], ["O"], r"\[tags\]"),
    ],
)
def test_what_is_no_tagging_is_refused(gold, predicted, message):
    with pytest.raises(ValueError, match=message):
        entity_scores(gold, predicted)
