"""The experiment `languages`: the controls count what they say, and every arm is asked for the same tokens."""

import math

import pytest
import torch

from minibert import corpora, load_tokenizer
from minibert.corpora.mixture import messages, passages
from minibert.experiments import languages, stored
from minibert.experiments.languages import ARMS, LANGUAGES, NANO, Counts, fertility
from minibert.shipped_models import shipped

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not corpora.is_cached("multilingual"), reason="needs python -m minibert data fetch"),
]
TINY = LANGUAGES.settings | LANGUAGES.tiny


def test_every_arm_names_the_same_hidden_tokens(monkeypatch):
    asked = []

    def spy(model, batches, sizes):
        asked.append([(batch.ids.tolist(), batch.labels.tolist()) for batch in batches])
        return {"bits_per_byte": 1.0, "accuracy": 0.0, "loss": math.log(2)}

    monkeypatch.setattr(languages, "evaluate", spy)
    monkeypatch.setattr(languages, "translations", lambda *_: {})  # asks the nano alone
    for arm in ARMS:
        LANGUAGES.measure(TINY, arm, 1)
    groups = len(TINY["groups"])
    assert len(asked) == groups * len(ARMS)
    assert all(asked[number] == asked[number % groups] for number in range(len(asked)))
    assert asked[0] != asked[1]


def test_counts_predict_the_share_of_a_token_and_nothing_is_impossible():
    model = Counts(torch.tensor([3.0, 0.0, 1.0]))
    logits = model.packed(torch.tensor([0, 1, 2]), None, predict_at=torch.tensor([0, 2])).logits
    assert logits.shape == (2, 3)
    torch.testing.assert_close(logits[0].exp(), torch.tensor([3.5, 0.5, 1.5]) / 5.5)


def test_counts_are_those_of_the_training_part():
    tokenizer = load_tokenizer(shipped(NANO))
    counted = languages._counts("vi")
    assert counted.sum() == sum(len(tokenizer.ids(passage.text)) for passage in passages("vi"))


def test_fertility_compares_the_same_messages():
    tokenizer = load_tokenizer(shipped(NANO))
    found = fertility(tokenizer, "ar")
    pairs = [m.texts for m in messages() if m.held_out and "ar" in m.texts]
    assert found["messages"] == len(pairs) < sum(m.held_out for m in messages())
    english = sum(len(tokenizer.ids(texts["en"])) for texts in pairs)
    assert found["ratio to English"] == pytest.approx(found["tokens a message"] * len(pairs) / english)
    assert fertility(tokenizer, "en")["ratio to English"] == 1.0


def test_the_nano_beats_the_counts_of_each_language():
    """What is stored says so: what stands around a hidden token helps in every language."""
    result = stored("languages")
    for group in LANGUAGES.settings["groups"]:
        means = result.mean(f"{group}: bits per byte")
        assert means[NANO] < means["counts of the language"] < means["counts of all"] < means["untrained"], group


def test_what_is_hidden_does_not_depend_on_the_english_text_before_it():
    tokenizer = load_tokenizer(shipped(NANO))
    texts = ["Anmelden", "Bitte geben Sie einen Namen ein."]
    [one] = languages.beside(tokenizer, [("Log in", texts[0]), ("Please enter a name.", texts[1])], 0.5, 3)
    [other] = languages.beside(tokenizer, [("Please enter a name.", texts[0]), ("Log in", texts[1])], 0.5, 3)
    hidden = [batch.labels[batch.labels >= 0].tolist() for batch in (one, other)]
    assert hidden[0] == hidden[1] and hidden[0]
    separator = tokenizer.vocab["<|parallel_sep|>"]
    for start, end in zip(one.cu_seqlens[:-1].tolist(), one.cu_seqlens[1:].tolist(), strict=True):
        place = one.ids[start:end].tolist().index(separator)
        assert (one.labels[start : start + place + 1] == -100).all(), "English is read, not asked for"
