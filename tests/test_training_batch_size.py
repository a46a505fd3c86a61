"""Batch-size warm-up: thresholds by the formula, and a run that goes on exactly after a break in the middle of it."""

import pytest
import torch

from minibert import EncoderConfig, MaskedLanguageModel, WordPieceTokenizer
from minibert.corpora import synthetic
from minibert.training import PretrainingData, Recipe, batch_size, batch_thresholds, train


@pytest.mark.parametrize(
    ("smallest", "largest", "tokens", "expected"),
    [(1, 5, 1000, [100, 300, 600, 1000]), (2, 4, 10, [4, 10]), (3, 4, 7, [7]), (1, 4, 5, [1, 3, 5])],
)
def test_thresholds_by_hand(smallest, largest, tokens, expected):
    assert batch_thresholds(smallest, largest, tokens) == expected


@pytest.mark.parametrize(("smallest", "largest", "tokens"), [(768, 4608, 50 * 10**9), (448, 4928, 10**10)])
def test_each_size_gets_equally_many_steps(smallest, largest, tokens):
    """ModernBERT's own sizes, in sequences of 1,024 tokens: equal steps, up to the one that crosses a threshold."""
    ends = [0, *batch_thresholds(smallest, largest, tokens)]
    assert ends[-1] == tokens and len(ends) == largest - smallest + 1
    steps = [
        (after - before) / size
        for size, before, after in zip(range(smallest, largest), ends[:-1], ends[1:], strict=True)
    ]
    assert max(steps) - min(steps) < 0.01


def test_the_size_follows_the_thresholds():
    ends = batch_thresholds(2, 6, 997)
    for seen in range(1100):
        assert batch_size(seen, 2, 6, 997) == 2 + sum(seen >= end for end in ends)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((0, 5, 10), "smallest must be a whole number of at least 1, got 0"),
        ((5, 5, 10), "largest must be a whole number of at least 6, got 5"),
        ((1, 5, 0), "tokens must be a whole number of at least 1, got 0"),
        ((1, 5.0, 10), "got 5.0"),
        ((True, 5, 10), "got True"),
    ],
)
def test_sizes_that_make_no_warm_up(given, message):
    with pytest.raises(ValueError, match=message):
        batch_thresholds(*given)
    with pytest.raises(ValueError, match="count from 0"):
        batch_size(-1, 1, 2, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(accumulate_start=1), "needs both"),
        (dict(batch_warmup=100), "needs both"),
        (dict(accumulate_start=4, batch_warmup=100), r"accumulate_start \(4\) must be under accumulate \(4\)"),
        (dict(accumulate_start=0, batch_warmup=100), "accumulate_start must be a whole number of at least 1"),
        (dict(accumulate_start=1, batch_warmup=-5), "batch_warmup must be a whole number of at least 0"),
    ],
)
def test_a_recipe_refuses_half_a_warm_up(given, message):
    with pytest.raises(ValueError, match=message):
        Recipe(steps=5, accumulate=4, **given)


def run(folder, monkeypatch, stop_at=None):
    """The number of batches of each step, in a run that may be stopped."""
    documents = synthetic.documents(14, seed=0)
    tokenizer = WordPieceTokenizer.train([s for d in documents for s in d], vocab_size=200)
    data = PretrainingData(documents, tokenizer, pairs=False, max_len=32, batch_tokens=100)
    config = EncoderConfig.preset("modernbert-nano").replace(
        vocab_size=200, hidden=16, intermediate=24, layers=1, heads=2, dropout_attn_out=0.2
    )
    model = MaskedLanguageModel(config, torch.Generator().manual_seed(0))
    recipe = Recipe(steps=12, accumulate=4, accumulate_start=1, batch_warmup=1000, checkpoint_every=1, log_every=1)
    taken = []
    real = MaskedLanguageModel.packed

    def counting(self, ids, *rest, **named):
        taken.append(len(ids)) if self.training else None
        return real(self, ids, *rest, **named)

    def on_step(step):
        if step == stop_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(MaskedLanguageModel, "packed", counting)
    try:
        train(model, data, recipe, folder, progress=False, on_step=on_step)
    except KeyboardInterrupt:
        pass
    monkeypatch.setattr(MaskedLanguageModel, "packed", real)
    return taken, [p.detach().clone() for p in model.parameters()], (folder / "log.jsonl").read_text(encoding="utf-8")


def test_a_run_grows_its_steps_and_goes_on_exactly(tmp_path, monkeypatch):
    whole, weights, log = run(tmp_path / "whole", monkeypatch)
    sizes, seen, left = [], 0, list(whole)
    while left:
        size = batch_size(seen, 1, 4, 1000)
        seen, left = seen + sum(left[:size]), left[size:]
        sizes.append(size)
    assert len(sizes) == 12 and sizes == sorted(sizes) and set(sizes) == {1, 2, 3, 4}, sizes
    for stop in (2, 5):
        run(tmp_path / "broken", monkeypatch, stop_at=stop)
    _, resumed, log_resumed = run(tmp_path / "broken", monkeypatch)
    assert all(torch.equal(a, b) for a, b in zip(weights, resumed, strict=True)) and log == log_resumed


def test_without_it_every_step_has_all_batches():
    assert Recipe(steps=3, accumulate=4).batches(0) == 4
