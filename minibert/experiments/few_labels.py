"""What pre-training is worth when labels are few: is a piece of a speech from before 1900, or after?

Five ways to learn it from the same n labelled rows of training speeches, tested on the same rows of held-out speeches
(whole presidents are held out, from the tokenizer and the masked words too). `tuned`: every weight is trained. `probe`:
the encoder stays as it is, a logistic regression reads the mean of its last states. Each once with the weights of
masked language modelling and once with random ones. `bag of words`: a logistic regression on which tokens occur.
"""

from functools import lru_cache

import torch
from torch import Tensor

from minibert.experiments.record import Experiment
from minibert.experiments.small_bert import (
    BERT_SPLIT,
    SETTINGS,
    TINY,
    Rows,
    config_of,
    fine_tune,
    new_model,
    pretrain,
    states,
    texts_of,
)
from minibert.model.models import MaskedLanguageModel
from minibert.model.task_models import SequenceClassifier
from minibert.tasks.probe import best_probe
from minibert.tasks.rows import pack_rows

ARMS = ("tuned from masked words", "tuned from random", "probe on masked words", "probe on random", "bag of words")


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """`accuracy at n` for every n, on balanced test rows (chance 0.5)."""
    texts = texts_of(settings)
    ids, labels = balanced(texts.train, max(settings["label_counts"]), seed + 1)
    test_ids, test_labels = balanced(texts.held_out, settings["test_rows"], 0)
    if arm.startswith("tuned"):
        return {
            f"accuracy at {n}": _tuned(settings, arm, seed, ids[:n], labels[:n], test_ids, test_labels)
            for n in settings["label_counts"]
        }
    if arm == "bag of words":
        features, test_features = (_bag(rows, settings["vocab_size"]) for rows in (ids, test_ids))
    else:
        encoder = _start(settings, arm, seed).encoder
        features, test_features = (states(encoder, rows).mean(1) for rows in (ids, test_ids))
    return {
        f"accuracy at {n}": best_probe(features[:n], labels[:n], settings["penalties"]).accuracy(
            test_features, test_labels
        )
        for n in settings["label_counts"]
    }


def balanced(rows: Rows, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """As many rows from before 1900 (label 0) as from after (label 1), in turns: each even beginning is balanced.

    Shape: ids (count, T), labels (count,).

    >>> rows = Rows(torch.arange(8).view(4, 2), torch.tensor([1800, 1850, 1900, 2000]))
    >>> balanced(rows, 4, seed=0)[1].tolist()
    [0, 1, 0, 1]
    """
    generator = torch.Generator().manual_seed(seed)
    picks = []
    for is_late in (False, True):
        there = ((rows.year >= 1900) == is_late).nonzero().squeeze(1)
        if len(there) < count // 2:
            raise ValueError(f"{count} rows are wanted, half of each side of 1900; there are {len(there)} of one")
        picks.append(there[torch.randperm(len(there), generator=generator)[: count // 2]])
    return rows.ids[torch.stack(picks, 1).flatten()], torch.tensor([0, 1]).repeat(count // 2)


def _start(settings: dict, arm: str, seed: int) -> MaskedLanguageModel:
    """The weights to begin with: pre-trained, once for both arms that need them, or as they were drawn."""
    if arm.endswith("random"):
        return new_model(settings, seed).eval()
    return _pretrain_once(tuple(settings.items()), seed)


@lru_cache(maxsize=1)
def _pretrain_once(items: tuple, seed: int) -> MaskedLanguageModel:
    settings = dict(items)
    return pretrain(settings, settings["rate"], settings["split"], seed)


def _tuned(settings, arm, seed, ids, labels, test_ids, test_labels) -> float:
    generator = torch.Generator().manual_seed(seed)
    classifier = SequenceClassifier(config_of(settings), labels=2, generator=generator)
    classifier.encoder.load_state_dict(_start(settings, arm, seed).encoder.state_dict())
    fine_tune(classifier, ids, labels, settings["tuning_steps"], settings["tuning_rate"], seed)
    with torch.no_grad():
        batch = pack_rows(test_ids)
        logits = classifier.packed(batch.ids, batch.cu_seqlens).logits
    return (logits.argmax(-1) == test_labels).double().mean().item()


def _bag(ids: Tensor, vocab_size: int) -> Tensor:
    """Which tokens a row has: (R, T) -> (R, V) of 0 and 1."""
    return torch.zeros(len(ids), vocab_size).scatter_(1, ids, 1.0)


FEW_LABELS = Experiment(
    name="few_labels",
    question="How much is masked language modelling worth, with 50 to 2,000 labels?",
    settings=SETTINGS
    | {
        "row": 32,
        "rows_a_step": 32,
        "rate": 0.15,
        "split": BERT_SPLIT,
        "penalties": (1.0, 10.0, 100.0, 1000.0),
        "label_counts": (50, 100, 200, 500, 1000, 2000),
        "test_rows": 4000,
        "tuning_steps": 150,
        "tuning_rate": 1e-3,
    },
    arms=ARMS,
    measure=_one,
    tiny=TINY | {"speeches": 60, "label_counts": (50,), "test_rows": 20, "tuning_steps": 2},
)
