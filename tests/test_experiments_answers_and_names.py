"""The experiments of chapter 11: what is learned, what stays unseen, and the taggers and answers without a network."""

import pytest

from minibert import corpora
from minibert.corpora.rows import TaggedTokens
from minibert.experiments import answers, names, stored
from minibert.tasks import entity_scores, squad_score
from minibert.tasks.span_qa import windows

TINY = answers.ANSWERS.settings | dict(examples=40)


def needs(*sets: str):
    missing = [name for name in sets if not corpora.is_cached(name)]
    return pytest.mark.skipif(bool(missing), reason="needs python -m minibert data fetch")


@pytest.mark.data
@needs("coqa", "minilm")
def test_examples_point_at_their_answers_and_come_from_the_training_side():
    examples = answers.training_examples(TINY, seed=0)
    assert examples == answers.training_examples(TINY, seed=0) != answers.training_examples(TINY, seed=1)
    tok, learned = answers.tokenizer(), [row for rows in answers._rows("train") for row in rows]
    right = {" ".join(tok.decode(tok.ids(row.answer)).split()) for row in learned}
    pointed = [tok.decode(list(e.ids[e.label[0] : e.label[1] + 1])) for e in examples if e.label != (0, 0)]
    found = [any(answer in text or text in answer for answer in right) for text in pointed]
    assert len(examples) == 40 and sum(found) == len(found) > 25
    held_out = {row.context for rows in answers._rows("test") for row in rows}
    assert not held_out & {row.context for row in learned}
    assert max(len(example.ids) for example in examples) <= TINY["room"] + answers.ASKED + 3


@pytest.mark.data
@needs("squad", "minilm")
def test_a_sentence_is_found_and_the_one_measure_that_is_fair_to_all_sees_it():
    rows = answers.tested(20)
    spans = [(row.start, row.end) for row in rows]
    scores = answers._scores(rows, spans)
    assert scores == {"exact match": 1.0, "f1": 1.0, "right sentence": 1.0}
    for row in rows:
        sentences = answers.sentence_spans(row.context)
        assert all(row.context[start:end].strip() == row.context[start:end] for start, end in sentences)


@pytest.mark.data
@needs("squad", "minilm")
def test_parts_of_the_input_can_be_taken_away():
    row = answers.tested(20)[3]
    window = windows(row.question, row.context, answers.tokenizer())[0]
    assert set(answers.one_segment(window).segment_ids) == {0} and answers.one_segment(window).ids == window.ids
    shorter = answers.without_middle_sep(window)
    assert len(shorter.ids) == len(window.ids) - 1 and shorter.ids.count(102) == 1
    assert [span for span in shorter.spans if span] == [span for span in window.spans if span]


@pytest.mark.data
@needs("squad")
def test_the_stored_answers_score_as_the_report_says():
    result = stored("answers")
    rows = answers.tested(result.settings["tested"], "")
    assert not {row.question for row in rows} & {row.question for row in answers.tested(result.settings["tested"])}
    for report in (row["measures"] for row in result.report["results"] if row["arm"] == answers.TUNED[-1]):
        texts = [row.context[report[f"{n} start"] : report[f"{n} end"]] for n, row in enumerate(rows)]
        f1 = [squad_score(text, row.answer)[1] for text, row in zip(texts, rows, strict=True)]
        assert sum(f1) / len(f1) == pytest.approx(report["f1"])


def test_the_reader_beats_the_sentence_and_the_encoder_the_dictionary():
    for f1 in (stored("answers").mean(f"{part}f1") for part in answers.PARTS):
        assert f1["tuned from MiniLM"] > max(f1[arm] for arm in answers.SENTENCES)
    f1 = stored("names").mean("f1")
    assert max(f1["tuned from MiniLM"], f1["probe on MiniLM"]) > f1["dictionary"]


def test_new_words_are_the_longest_run_that_the_question_does_not_have(monkeypatch):
    monkeypatch.setattr(answers, "_common", lambda: frozenset({"the", "in"}))
    text = "Anna Lee painted the old mill in 1902."
    assert text[slice(*answers.new_words("Who painted the mill?", text, (0, len(text))))] == "Anna Lee"
    assert answers.new_words(text, text, (0, 8)) == (0, 8)


def test_a_dictionary_finds_what_it_holds_and_nothing_else():
    rows = [TaggedTokens(("New", "York", "met", "Anna"), ("B-place", "I-place", "O", "B-person"))]
    known = names.dictionary_of(rows)
    assert names.look_up([rows[0].tokens], known) == [list(rows[0].tags)]
    assert names.look_up([("new", "york", "Bob")], known) == [["O", "O", "O"]]
    guess = names.by_capitals(("Then", "Anna", "Lee", "left", ".", "I", "saw", "Bob"))
    assert guess == ["O", "B-person", "I-person", "O", "O", "O", "O", "B-person"]
    assert entity_scores(names.any_kind([rows[0].tags]), [["B-name", "I-name", "O", "B-name"]])[2] == 1.0


@pytest.mark.parametrize(
    ("question", "alone"),
    [
        ("Where did she live then?", False),
        ("Where did Dorothy live?", False),
        ("Where did Dorothy live in Kansas?", True),
    ],
)
def test_a_question_that_points_back_is_left_out(question, alone):
    assert answers.stands_alone(question) is alone
