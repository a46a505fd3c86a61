"""Experiments across languages and from words to code: nothing that is tested has been trained on."""

import itertools

import pytest
import torch

from minibert import corpora
from minibert.corpora.mixture import SEPARATOR, is_near_copy, messages, mixture, words
from minibert.experiments import code_search, transfer
from minibert.experiments.across_languages import SHARES, pairs_of, sides, translations_to_train_on
from minibert.experiments.many_languages import FOREIGN
from minibert.experiments.transfer import PARTS, TRANSFER, labelled, without_words_of

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (corpora.is_cached("multilingual") and corpora.is_cached("sotu")),
        reason="needs python -m minibert data fetch",
    ),
]


@pytest.mark.parametrize("percent", [10, 30])
def test_no_tested_message_has_a_near_copy_among_those_that_are_trained_on(percent):
    train, tested = sides(percent)
    assert len(tested) > 20 * percent and not any(m.held_out for m in train) and all(m.held_out for m in tested)
    for language in ("en", *FOREIGN):
        seen = {" ".join(words(m.texts[language])) for m in train if language in m.texts} - {""}
        assert not seen & {" ".join(words(m.texts[language])) for m in tested if language in m.texts}, language
    english = [m.texts["en"] for m in train]
    for message in tested[:: len(tested) // 15]:
        assert not any(is_near_copy(message.texts["en"], other) for other in english)
    assert not any("${" in text or "</" in text for m in tested for text in m.texts.values())
    texts = [" ".join(words(m.texts["en"])) for m in tested]
    assert len(set(texts)) == len(texts), "each candidate once"


def test_the_mixtures_hold_no_tested_message():
    tested = {(language, text) for m in messages(30) if m.held_out for language, text in m.texts.items()}
    for shares in SHARES.values():
        lines = set()
        for passage in mixture(shares, 300_000, seed=0, percent=30):
            language = "en" if passage.group == "parallel" else passage.group  # English stands first in a parallel line
            lines |= {(language, line.split(SEPARATOR)[0]) for line in passage.text.split("\n")}
        assert len(lines) > 1000 and not lines & tested


def test_queries_are_of_one_language_and_know_their_message():
    tested = sides(10)[1]
    for language in FOREIGN:
        texts, numbers = pairs_of(tested, language)
        assert len(texts) == len(set(texts)) > 60
        assert all(tested[number].texts[language] == text for text, number in zip(texts, numbers, strict=True))


def test_pairs_to_tune_on_are_training_messages_each_once_in_a_batch():
    english = {m.texts["en"]: m for m in sides(10)[0]}
    for batch in itertools.islice(translations_to_train_on(10, 32, seed=0), 5):
        assert len({one for one, _ in batch}) == len(batch) == 32
        assert all(other in english[one].texts.values() and other != one for one, other in batch)
    first, again, other = (next(iter(translations_to_train_on(10, 8, seed))) for seed in (0, 0, 1))
    assert first == again != other


def test_labels_are_the_same_in_all_languages_and_every_language_has_them():
    counts = {language: torch.zeros(len(PARTS)) for language in ("en", *FOREIGN)}
    for texts, label in (*labelled(30, False), *labelled(30, True)):
        for language in texts:
            counts[language][label] += 1
    assert min(int(count.min()) for count in counts.values()) >= 30, counts
    held_out = {texts["en"] for texts, _ in labelled(30, True)}
    assert not held_out & {texts["en"] for texts, _ in labelled(30, False)}


def test_masking_takes_out_what_the_english_text_has():
    assert without_words_of("Das PORTLET, im Kalender-Ordner", "Portlet in a folder") == "Das , im Kalender-Ordner"
    tests = transfer._tests(labelled(30, True))
    for language in FOREIGN:
        assert len(tests[language][0]) == len(tests[f"{language}, masked"][0]) > 100
        assert tests[language][1].equal(tests[f"{language}, masked"][1])


def test_the_commonest_part_is_right_as_often_as_it_occurs():
    found = TRANSFER.measure(TRANSFER.settings, "commonest part", 0)
    labels = torch.tensor([label for _, label in labelled(30, True)])
    assert found["en"] == pytest.approx((labels == PARTS.index("base")).double().mean().item())
    assert found["balanced, en"] == pytest.approx(1 / len(PARTS)) == found["balanced"]


def test_no_tested_function_stands_in_a_training_file_and_names_are_hidden():
    train, tested = code_search.sides(300)
    assert len(tested) > 300
    seen = {" ".join(code_search.code_words(pair.docstring)) for pair in train}
    assert not seen & {" ".join(code_search.code_words(pair.docstring)) for pair in tested}
    assert not any(f"def {pair.name}(" in pair.hidden for pair in tested)
    repeated = [pair for pair in tested if pair.docstring in pair.code]
    assert len(repeated) <= 1, "doctest.testmod's first paragraph is its own signature"
    held_out = {row.name for row in corpora.load("code-pairs") if corpora.is_held_out(row.name.split(":")[0], 10)}
    assert {pair.name for pair in tested} <= {name.split(":")[1] for name in held_out}
