"""The learning rate of fine-tuning: MiniLM on film snippets, the same steps at rates from too low to too high.

Everything else is as in section 4 of chapter 10: a head on the mean at 100 times the rate, no dropout, 400 labels,
batches of 8, warm-up for a tenth of the steps, then a linear decay. The test snippets are others of the same corpus;
SST-2 is not touched, since a learning rate is chosen here.
"""

import torch

from minibert import corpora
from minibert.corpora.rows import LabelledText
from minibert.experiments.minilm import LABELS, judge, tokenizer
from minibert.experiments.record import Experiment
from minibert.tasks.classification import accuracy, examples
from minibert.training.fine_tuning import fine_tune, tuning_recipe

RATES = {"1e-5": 1e-5, "3e-5": 3e-5, "1e-4": 1e-4, "3e-4": 3e-4, "1e-3": 1e-3}


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """`accuracy at STEP` on other snippets, and `loss at STEP`: the mean of the last `losses` training losses."""
    every, few = settings["every"], settings["losses"]
    train, test = snippets(settings["labels"], settings["test"], seed)
    model, found = judge(seed), {}
    steps = settings["steps"]
    recipe = tuning_recipe(steps, RATES[arm], seed=seed, clip=None)
    seen = []

    def validation(net) -> float:
        seen.append(accuracy(test, net, tokenizer(), LABELS, max_length=128))
        return float(len(seen))  # the last is the best: no weights are put back

    rows = examples(train, tokenizer(), LABELS, settings["longest"])
    losses = fine_tune(
        model, rows, recipe, batch_size=settings["batch"], validation=validation, validate_every=every
    ).losses
    found |= {f"accuracy at {number * every}": share for number, share in enumerate(seen, start=1)}
    return found | {f"loss at {end}": sum(losses[end - few : end]) / few for end in range(few, steps + 1, few)}


def snippets(labels: int, test: int, seed: int) -> tuple[list[LabelledText], list[LabelledText]]:
    """Rows to train on, drawn by the seed, and rows to test on, the same for every seed; half of each is positive."""
    sides = {name: [] for name in LABELS}
    for row in dict.fromkeys(corpora.load("sentiment")):
        sides[row.label].append(row)
    fixed, drawn = torch.Generator().manual_seed(123), torch.Generator().manual_seed(seed)
    held, rest = [], []
    for rows in sides.values():
        order = torch.randperm(len(rows), generator=fixed).tolist()
        held.append([rows[i] for i in order[: test // 2]])
        others = [rows[i] for i in order[test // 2 :]]
        rest.append([others[i] for i in torch.randperm(len(others), generator=drawn)[: labels // 2].tolist()])
    return tuple([row for turn in zip(*part, strict=True) for row in turn] for part in (rest, held))


LEARNING_RATES = Experiment(
    name="learning_rates",
    question="Which learning rate does fine-tuning want, and how far do seeds lie apart?",
    settings=dict(labels=400, test=160, longest=32, steps=48, batch=8, every=24, losses=8),
    arms=tuple(RATES),
    measure=_one,
    tiny=dict(labels=4, test=4, steps=24, batch=2),
)
