"""The mixture of languages, speeches and code: its shares, its passages, and that nothing held out is trained on."""

import dataclasses

import pytest

from minibert import corpora
from minibert.corpora.mixture import (
    GROUPS,
    LONGEST,
    SEPARATOR,
    _linked_messages,
    is_near_copy,
    messages,
    mixture,
    passages,
    words,
)

needs_messages = pytest.mark.skipif(
    not (corpora.is_cached("multilingual") and corpora.is_cached("sotu")), reason="needs minibert data fetch"
)


@pytest.mark.data
@needs_messages
def test_a_held_out_message_is_held_out_in_every_language_with_all_that_repeats_it():
    sides = {True: set(), False: set()}
    runs = {True: set(), False: set()}
    for message in messages():
        for language, text in message.texts.items():
            if words(text):
                sides[message.held_out].add((language, " ".join(words(text))))
        english = words(message.texts["en"])
        runs[message.held_out] |= {tuple(english[i : i + 6]) for i in range(len(english) - 5)}
    assert len(sides[True]) > 2000 and not sides[True] & sides[False]
    assert not runs[True] & runs[False]
    held_out = [{m.texts["en"] for m in messages(percent) if m.held_out} for percent in (10, 30)]
    assert 0.07 < len(held_out[0]) / len(messages()) < 0.13 and 0.25 < len(held_out[1]) / len(messages()) < 0.35
    assert held_out[0] < held_out[1]


@pytest.mark.data
@needs_messages
def test_translations_that_were_not_translated_are_left_out():
    pairs = [(m.texts["en"], text) for m in messages() for language, text in m.texts.items() if language != "en"]
    assert len(pairs) > 31_000 and not any(is_near_copy(*pair) for pair in pairs)
    assert is_near_copy("1 minute", "1 Minute") and not is_near_copy("Log in", "Anmelden")


@pytest.mark.data
@needs_messages
@pytest.mark.parametrize("group", GROUPS)
def test_no_line_of_a_group_is_on_both_sides(group):
    if group in ("speeches", "code"):  # other presidents may say the same, other files import the same
        held_out = {passage.text for passage in passages(group, "held-out")}
        assert held_out and not held_out & {passage.text for passage in passages(group)}
        return
    lines = [{line for p in passages(group, part) for line in p.text.split("\n")} for part in ("train", "held-out")]
    assert min(map(len, lines)) > 50 and not lines[0] & lines[1]
    assert {passage.group for passage in passages(group)} == {group}


@pytest.mark.data
@needs_messages
def test_parallel_lines_hold_both_texts_and_the_separator():
    translated = {(m.texts["en"], text) for m in messages() for text in m.texts.values()}
    lines = [line for passage in passages("parallel", "held-out") for line in passage.text.split("\n")]
    assert len(lines) > 2000 and all(tuple(line.split(SEPARATOR)) in translated for line in lines)


@pytest.mark.data
@needs_messages
def test_shares_are_those_of_the_bytes_and_small_groups_are_gone_through_again():
    shares = {"en": 0.3, "hi": 0.3, "speeches": 0.2, "code": 0.1, "parallel": 0.1}
    chosen = mixture(shares, 1_000_000, seed=1)
    for group, share in shares.items():
        size = sum(len(p.text.encode("utf-8")) for p in chosen if p.group == group)
        assert share * 1e6 * 0.99 < size < share * 1e6 + 4000, group
    english = [p.text for p in chosen if p.group == "en"]
    assert len(set(english)) == len(english), "the second time the messages stand in other passages"
    assert len({p.name for p in chosen}) == len(chosen)
    assert chosen == mixture(shares, 1_000_000, seed=1) != mixture(shares, 1_000_000, seed=2)
    assert all(len(p.text.encode("utf-8")) < LONGEST + 2000 for p in chosen if p.group == "hi")


@pytest.mark.parametrize(
    ("shares", "size", "complaint"),
    [
        ({}, 10, "sum to 1"),
        ({"code": 0.5}, 10, "sum to 1"),
        ({"code": 1.5, "en": -0.5}, 10, "at least 0"),
        ({"code": 1.0}, 0, "size_bytes"),
        ({"klingon": 1.0}, 10, "'klingon'"),
    ],
)
def test_wrong_mixtures_are_refused(shares, size, complaint):
    with pytest.raises(ValueError, match=complaint):
        mixture(shares, size, seed=0)
    with pytest.raises(ValueError, match="'test'"):
        passages("code", "test")


def test_messages_that_are_not_there_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path))
    for remembered in (messages, _linked_messages):
        remembered.cache_clear()
    with pytest.raises(corpora.DataUnavailable, match="data fetch"):
        passages("de")


def test_a_passage_is_a_document():
    passage = passages("code", "held-out")[0]
    assert dataclasses.asdict(passage).keys() == {"name", "text", "group"} and passage.paragraphs
