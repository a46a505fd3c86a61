"""What does each part of chapter 10's fine-tuning do? One change at a time, three seeds each, tested on SST-2.

The recipe of its section 4: 400 film snippets, a linear layer on the mean of MiniLM's last states at 100 times the rate
of the encoder, no dropout, 48 steps of 8 with AdamW, the rate warms up over five of them. The changes: no warm-up,
dropout, [CLS] through the pooler instead of the mean, one rate for all weights. A seed draws the snippets, the head and
the order. Nothing is chosen on SST-2: rates and steps were chosen on other snippets.
"""

import torch

from minibert import corpora
from minibert.experiments.minilm import LABELS, judge, tokenizer
from minibert.experiments.record import Experiment
from minibert.tasks.classification import classify, examples, text_of
from minibert.training.fine_tuning import fine_tune, tuning_recipe
from minibert.training.recipe import Recipe

CHANGES = {
    "as in section 4": {},
    "no warm-up": {},
    "with dropout": dict(with_dropout=True),
    "[CLS] and pooler": dict(reads="[CLS]"),
    "one rate for all": dict(is_fast=False),
}


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """`accuracy`, the share of texts called negative, and `loss at STEP`: the mean of the last `losses` batches."""
    rows = list(dict.fromkeys(corpora.load("sentiment", "train")))
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[: settings["labels"]].tolist()
    model, steps, few = judge(seed, **CHANGES[arm]), settings["steps"], settings["losses"]
    recipe = tuning_recipe(steps, settings["rate"], seed=seed, clip=None)
    if arm == "no warm-up":
        recipe = Recipe(steps, settings["rate"], "adamw", seed=seed, clip=None)
    train = examples([rows[place] for place in order], tokenizer(), LABELS)
    losses = fine_tune(model, train, recipe, batch_size=settings["batch"]).losses
    test = corpora.load("sst2")[:: settings["every"]]
    found = classify([text_of(row) for row in test], model, tokenizer()).argmax(-1)
    right = torch.tensor([LABELS.index(row.label) for row in test])
    measures = {
        "accuracy": (found == right).double().mean().item(),
        "called negative": 1 - found.double().mean().item(),
    }
    return measures | {f"loss at {end}": sum(losses[end - few : end]) / few for end in range(few, steps + 1, few)}


TUNING_PARTS = Experiment(
    name="tuning_parts",
    question="What do warm-up, dropout, the pooled vector and the head's rate do to 48 steps of fine-tuning?",
    settings=dict(labels=400, every=3, steps=48, batch=8, rate=1e-4, losses=4),
    arms=tuple(CHANGES),
    measure=_one,
    tiny=dict(labels=4, every=300, steps=4, batch=2),
)
