"""What a fine-tuned classifier loses when its matrices are rounded to int8.

MiniLM is tuned on film snippets without those that SST-2 holds, once for each seed, and judges SST-2 twice: as it is,
and after `minibert.quantize`. `error` is the root-mean-square difference of the hidden states, in units of their own
root mean square; `agreement` the share of texts with the same answer; `megabytes` all weights. How fast both are is a
benchmark of its own (`python -m minibert bench int8`).
"""

from functools import lru_cache

import torch
from torch import Tensor

from minibert import corpora
from minibert.bench.int8 import weight_bytes
from minibert.experiments.minilm import LABELS, tokenizer, with_new_head
from minibert.experiments.record import Experiment
from minibert.model.encoder import Encoder
from minibert.model.task_models import SequenceClassifier
from minibert.tasks.classification import classify, examples, features
from minibert.tasks.quantize import quantize
from minibert.training.fine_tuning import fine_tune, tuning_recipe

NOT_TUNED = "int8, not tuned"
QUARTILES = {"lower quartile": 0.25, "median": 0.5, "upper quartile": 0.75}


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    if arm == NOT_TUNED:
        return _published(settings["states"], seed)
    model, tok = _tuned(tuple(settings.items()), seed), tokenizer()
    rows = corpora.load("sst2")[: settings["test"]]
    texts, labels = [row.text for row in rows], torch.tensor([LABELS.index(row.label) for row in rows])
    plain = model
    if arm == "int8":
        model = quantize(plain)
    answers = classify(texts, model, tok).argmax(-1)
    some = texts[: settings["states"]]
    states, expected = (features(some, one.encoder, tok, pool="cls") for one in (model, plain))
    return {
        "accuracy": (answers == labels).double().mean().item(),
        "agreement": (answers == classify(texts, plain, tok).argmax(-1)).double().mean().item(),
        "error": _error(states, expected).item(),
        "megabytes": weight_bytes(model) / 1e6,
    }


def _error(states: Tensor, expected: Tensor, dim: int | None = None) -> Tensor:
    """Root mean squares, of the difference over the expected: of all numbers, or of each row with dim=1."""
    difference, whole = ((x.double().square().mean(dim)).sqrt() for x in (states - expected, expected))
    return difference / whole


def _published(texts: int, seed: int) -> dict[str, float]:
    """The error of MiniLM's own states of [CLS] on texts of SST-2."""
    rows = corpora.load("sst2")
    chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:texts].tolist()
    model = Encoder.from_pretrained(corpora.path("minilm"))
    states, expected = (
        features([rows[i].text for i in chosen], one, tokenizer(), pool="cls") for one in (quantize(model), model)
    )
    errors = _error(states, expected, dim=1)  # (texts,)
    quartiles = {f"error, {name}": errors.quantile(share).item() for name, share in QUARTILES.items()}
    return {"error": _error(states, expected).item(), **quartiles}


@lru_cache(maxsize=1)
def _tuned(items: tuple, seed: int) -> SequenceClassifier:
    """MiniLM tuned with this seed; both arms take the same one."""
    settings = dict(items)
    rows = corpora.load("sentiment", "train")
    chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[: settings["snippets"]].tolist()
    made = examples([rows[i] for i in chosen], tokenizer(), LABELS, settings["longest"])
    model = with_new_head(SequenceClassifier, seed, labels=2)
    steps = settings["epochs"] * len(made) // settings["batch"]
    fine_tune(model, made, tuning_recipe(steps, settings["rate"], seed=seed), batch_size=settings["batch"])
    return model


INT8 = Experiment(
    name="int8",
    question="What does a fine-tuned classifier lose when its matrices are rounded to int8?",
    settings=dict(snippets=2000, epochs=1, batch=16, longest=64, rate=1e-4, test=872, states=200),
    arms=("float32", "int8", NOT_TUNED),
    measure=_one,
    tiny=dict(snippets=16, test=16, states=4),
)
