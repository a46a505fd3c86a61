"""The models that come with the project: small, open in transformers too, and say how they were made."""

import json

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

import minibert
from minibert.checkpoints import load_config
from minibert.corpora.mixture import GROUPS, SEPARATOR
from minibert.shipped_models import SHIPPED
from minibert.tasks import fill_blanks


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_is_small_and_its_history_is_told(name):
    folder = minibert.shipped(name)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 10_000_000
    history = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert f"--preset {name}" in history["command"] and history["seed"] == 0
    readme = (folder.parent / "README.md").read_text(encoding="utf-8")
    assert f"{100 * history['validation']['accuracy']:.1f} %" in readme
    assert f"{history['validation']['bits_per_byte']:.2f}" in readme


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_gives_the_same_logits_in_transformers(name):
    folder = minibert.shipped(name)
    batch = minibert.load_tokenizer(folder).encode_batch(["The state of the [MASK] is strong", "Keep the peace"])
    ours = minibert.MaskedLanguageModel.from_pretrained(folder)
    theirs = AutoModelForMaskedLM.from_pretrained(folder).eval()
    real = batch.attention_mask.bool()
    with torch.inference_mode():
        expected = theirs(batch.input_ids, attention_mask=batch.attention_mask).logits
        logits = ours(batch.input_ids, batch.attention_mask).logits
    # logits of trained weights reach 15: 2e-5 is float32's rounding at that size
    torch.testing.assert_close(logits[real], expected[real], atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_tokenizer_gives_the_same_ids_in_transformers(name):
    folder = minibert.shipped(name)
    ours, theirs = minibert.load_tokenizer(folder), AutoTokenizer.from_pretrained(folder)
    for text in ("The State of the [MASK] is strong", "Crème brûlée, 1790", "Log in<|parallel_sep|>登录", ""):
        found, expected = ours.encode(text, "Keep the peace"), theirs(text, "Keep the peace")
        assert found.ids == expected["input_ids"]
        assert found.segment_ids == expected.get("token_type_ids", found.segment_ids)
    assert ours.model_max_length == theirs.model_max_length == load_config(folder).max_len


def test_the_nano_modernbert_reads_both_sides():
    folder = minibert.shipped("modernbert-nano")
    model, tok = minibert.MaskedLanguageModel.from_pretrained(folder), minibert.load_tokenizer(folder)

    def best(text: str) -> str:
        return fill_blanks(text, model, tok, top=1)[0][0][0]

    assert best("The Congress of the United [MASK]") == "States"
    assert best("My fellow [MASK], tonight I want to speak of peace") == "Americans"


def test_the_nano_bert_reads_both_sides():
    """It starts from counts (LOG.md); the one before named the commonest word in every blank."""
    folder = minibert.shipped("bert-nano")
    model, tok = minibert.MaskedLanguageModel.from_pretrained(folder), minibert.load_tokenizer(folder)

    def best(text: str) -> str:
        return fill_blanks(text, model, tok, top=1)[0][0][0]

    assert best("The House of [MASK] has passed the bill.") == "representatives"
    assert best("The treaty with Great [MASK] was signed.") == "britain"


def test_the_nano_bert_tells_the_next_sentence_better_than_chance():
    """Over 70 % on held-out speeches, chance 50 %: the history is what pretrain measured and wrote."""
    history = json.loads((minibert.shipped("bert-nano") / "training.json").read_text(encoding="utf-8"))
    assert history["validation"]["next_accuracy"] > 0.70
    model = minibert.PretrainingModel.from_pretrained(minibert.shipped("bert-nano"))
    assert model.nsp.weight.shape == (2, 128)


def test_the_nano_eurobert_has_read_speeches_code_and_other_languages():
    folder = minibert.shipped("eurobert-nano")
    model, tok = minibert.MaskedLanguageModel.from_pretrained(folder), minibert.load_tokenizer(folder)

    def best(text: str) -> str:
        return fill_blanks(text, model, tok, top=1)[0][0][0]

    assert best("The Congress of the United [MASK]") == "States"
    assert best("def __init__([MASK], name):") == "self"
    assert best("Please enter a valid email [MASK].") == "address"
    # from messages that are held out
    assert best("Por [MASK] seleccione un único tipo para clonar.") == "favor"
    assert best("Questo prodotto non può [MASK] disinstallato!") == "essere"
    assert best("Ordner, in denen gesucht [MASK] soll.") == "werden"
    assert best("Thêm portlet có nội [MASK] tĩnh") == "dung"


def test_the_nano_eurobert_was_trained_in_two_phases_and_measured_in_every_language():
    folder = minibert.shipped("eurobert-nano")
    history = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    phases = [(phase["mask_rate"], phase["max_len"], phase["theta"]) for phase in history["phases"]]
    assert phases == [(0.5, 128, 10_000.0), (0.1, 512, 250_000.0)] and history["python"]
    assert list(history["groups"]) == list(GROUPS)
    assert all(numbers["accuracy"] > 0.15 for numbers in history["groups"].values())
    config = load_config(folder)
    assert (config.family, config.rope_theta, config.heads, config.kv_heads) == ("eurobert", 250_000.0, 4, 2)
    assert minibert.load_tokenizer(folder).vocab[SEPARATOR] == 5
