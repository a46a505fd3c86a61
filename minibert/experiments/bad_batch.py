"""One bad batch in a healthy run: what it does to AdamW, to AdamW with clipping, and to StableAdamW.

Each arm trains on a plateau until step `at`. Then the labels of one batch are shuffled among its hidden places, and
its gradient is multiplied by `factor`; afterwards all is as before. A twin, branched off just before, goes on without
it. Every optimiser is run with beta2 = 0.98 (ModernBERT's) and 0.999 (the usual one), all at one learning rate: from
2e-3 to 8e-3 the loss after 300 steps was the same within 0.02 bits per byte.

Measures, losses in nats on held-out rows: `before`; `after N`, N steps later, the bad one counted; `peak`, the highest
of them, looked at after every step up to the 30th, then every fifth; `recovered after`, the first step looked at whose
loss is `before` or less, and `after` + 1 where there is none; `without`, the twin's at the end. `moved at N` is how far
the weights move in step N (1 is the bad one), in units of the step before the bad one. `rms` is what StableAdamW
divides the bad step by, the mean over its tensors.
"""

import math
from dataclasses import replace

import torch

from minibert.experiments.record import Experiment
from minibert.experiments.small_encoders import Run, one_thread, plateau, read, score, small_modernbert
from minibert.objectives import IGNORE
from minibert.training.loop import update
from minibert.training.recipe import Recipe

OPTIMIZERS = {
    "AdamW": dict(optimizer="adamw", clip=None),
    "AdamW, clipped at 1": dict(optimizer="adamw", clip=1.0),
    "StableAdamW": dict(optimizer="stable_adamw", clip=None),
}
BETA2 = (0.98, 0.999)
ARMS = {f"{name}, beta2 {beta2}": {**how, "betas": (0.9, beta2)} for beta2 in BETA2 for name, how in OPTIMIZERS.items()}
SHOWN = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60, 80, 100, 125, 150)


def bad_step(run: Run, lr: float, factor: float) -> None:
    """A step of `run` on a batch whose labels are shuffled and whose gradient is `factor` times as large."""
    batch = run.batch()
    at = (batch.labels != IGNORE).nonzero().squeeze(1)  # (M,)
    labels = batch.labels.clone()
    labels[at] = labels[at[torch.randperm(len(at), generator=torch.Generator().manual_seed(run.seed))]]
    handles = [p.register_hook(lambda gradient: factor * gradient) for p in run.model.parameters()]
    update(run.model, run.optimizer, [replace(batch, labels=labels)], lr, run.recipe.clip, bf16=False)
    for handle in handles:
        handle.remove()
    run.step += 1


def moved(run: Run, act) -> float:
    """How far the weights move while `act` is done, as the norm of the difference."""
    before = [p.detach().clone() for p in run.model.parameters()]
    act()
    after = run.model.parameters()
    return math.sqrt(sum((p - b).square().sum().item() for p, b in zip(after, before, strict=True)))


@one_thread()
def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    text = read("stories", settings["vocab_size"], settings["documents"])
    recipe = Recipe(steps=1, weight_decay=1e-5, **settings["arms"][arm])
    run = Run(small_modernbert(*settings["model"]), text, recipe, 64, settings["rows_a_step"], seed)
    rate = settings["learning_rate"]
    lr = plateau(rate, settings["warmup"])

    def loss(which):
        return score(which.model, text, 64, settings["held_out_rows"])["loss"]

    run.go(settings["at"] - 1, lr)
    usual = moved(run, lambda: run.go(1, lr))
    twin, losses = run.branch(), {0: loss(run)}
    far = {1: moved(run, lambda: bad_step(run, rate, settings["factor"]))}
    rms = [state["rms"].item() for state in run.optimizer.state.values() if "rms" in state]
    losses[1] = loss(run)
    for step in range(2, settings["after"] + 1):
        far[step] = moved(run, lambda: run.go(1, lr))
        if step <= 30 or step % 5 == 0:
            losses[step] = loss(run)
    back = [step for step, value in losses.items() if step and value <= losses[0]]
    twin.go(settings["after"], lr)
    return {
        "before": losses[0],
        "peak": max(losses.values()),
        "recovered after": min(back, default=settings["after"] + 1),
        "without": loss(twin),
        **{f"after {step}": losses[step] for step in SHOWN if step in losses},
        **{f"moved at {step}": far[step] / usual for step in SHOWN if step in far},
        **({"rms": sum(rms) / len(rms)} if rms else {}),
    }


BAD_BATCH = Experiment(
    name="bad_batch",
    question="What does one bad batch do to a run with AdamW, with clipping, with StableAdamW?",
    settings=dict(
        vocab_size=160,
        documents=4000,
        model=(2, 64, 4, 96),
        rows_a_step=16,
        learning_rate=4e-3,
        warmup=20,
        at=200,
        factor=50.0,
        after=150,
        held_out_rows=64,
        arms=ARMS,
    ),
    arms=tuple(ARMS),
    measure=_one,
    tiny=dict(documents=60, model=(1, 16, 2, 16), rows_a_step=4, at=3, after=4, held_out_rows=4),
)
