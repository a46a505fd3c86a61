"""Schedules of equal length, decays branched from one plateau, and averages of checkpoints.

For a total of S steps, all with the same batches in the same order and a linear warm-up:

- `linear to S` and `cosine to S`, for the first and last of `totals`: a run of its own from step 0, which falls to 0 at
  S from the end of the warm-up.
- `branch to S`, for all of `totals`: one run on a plateau, from which the last fifth of S is branched off, a decay with
  1 - sqrt.
- `plateau to S`: the same run without a decay.

At the largest total, with the branch's own checkpoints: the two other shapes of a decay (`linear decay`,
`cosine decay`), the mean of `averaged` checkpoints of the plateau, `apart` steps from each other (`plateau averaged`),
the mean of the branch's last and its three best (`branch averaged`, as ModernBERT-base was made), and of the
last and three before it, on the steep part of the decay (`decay averaged`). The best are found on other held-out rows.

Each schedule's learning rate is the best of `grid` for it with seed 0 and 400 steps: the same one for all three, and
twice as much is far worse. Measures: `bits per byte` and `loss` (nats) on held-out rows, at 15 %. `steps` are those
that the arm alone costs: a branch's plateau is shared.
"""

import json
import math
from functools import cache

from torch import Tensor

from minibert.experiments.record import Experiment
from minibert.experiments.small_encoders import (
    STABLE_ADAMW,
    Run,
    held_out_batches,
    one_thread,
    plateau,
    read,
    small_modernbert,
    with_ids_of,
)
from minibert.model.models import MaskedLanguageModel
from minibert.training.averaging import average_states
from minibert.training.evaluation import evaluate, token_byte_lengths
from minibert.training.schedules import trapezoid

TOTALS = (150, 225, 300)
WHOLE = (150, 300)  # of them, those that linear and cosine are run for
ONE_TOTAL = ("linear decay", "cosine decay", "plateau averaged", "branch averaged", "decay averaged")
ARMS = (
    *(f"{kind} to {total}" for total in WHOLE for kind in ("linear", "cosine")),
    *(f"{kind} to {total}" for total in TOTALS for kind in ("branch", "plateau")),
    *ONE_TOTAL,
)
KEPT = 10  # checkpoints of a decay, evenly apart


def falling(shape: str, total: int, warmup: int):
    """The multiplier of a schedule that warms up and then falls to 0 at `total`; steps count from 0.

    >>> [round(falling("linear", 12, 2)(step), 2) for step in (0, 1, 2, 7, 12)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    decay = total - warmup
    return lambda step: (step + 1) / warmup if step < warmup else trapezoid(step, total, 0, decay, shape)


def branch_of(total: int, share: float) -> tuple[int, int]:
    """Where the decay of a run of `total` steps begins, and how many steps it has.

    >>> branch_of(200, 0.25)
    (150, 50)
    """
    decay = round(total * share)
    return total - decay, decay


def _new(settings: dict, seed: int) -> Run:
    text = read("stories", settings["vocab_size"], settings["documents"])
    return Run(small_modernbert(*settings["model"]), text, STABLE_ADAMW, 64, settings["rows_a_step"], seed)


@cache
def _plateau(key: str, seed: int) -> dict[int, Run]:
    """The run on the plateau, as it was at each step that an arm begins from or ends at."""
    settings = json.loads(key)
    run, rate, totals = _new(settings, seed), settings["rates"]["trapezoid"], settings["totals"]
    starts = {branch_of(total, settings["share"])[0] for total in totals}
    last = branch_of(max(totals), settings["share"])[0]
    starts |= {last - i * settings["apart"] for i in range(settings["averaged"])}
    kept = {}

    def keep(step):
        if step in starts or step in totals:
            kept[step] = run.branch()

    run.go(max(totals), plateau(rate, settings["warmup"]), keep)
    return kept


@cache
def _decay(key: str, seed: int, total: int, shape: str) -> list[dict[str, Tensor]]:
    """The states along a decay, the last one at its end."""
    settings = json.loads(key)
    start, steps = branch_of(total, settings["share"])
    run, rate = _plateau(key, seed)[start].branch(), settings["rates"]["trapezoid"]
    states, apart = [], max(1, steps // KEPT)

    def keep(step):
        if (total - step) % apart == 0:
            states.append({name: tensor.clone() for name, tensor in run.model.state_dict().items()})

    run.go(steps, lambda step: rate * trapezoid(step, total, 0, steps, shape), keep)
    return states


def _states(settings: dict, arm: str, seed: int) -> tuple[dict[str, Tensor], int]:
    """The weights of an arm, and the steps that it alone costs."""
    key, largest = json.dumps(settings), max(settings["totals"])
    kind, _, total = arm.partition(" to ")
    if arm in ("linear decay", "cosine decay"):
        return _decay(key, seed, largest, kind.split()[0])[-1], branch_of(largest, settings["share"])[1]
    if arm == "plateau averaged":
        last = branch_of(largest, settings["share"])[0]
        steps = [last - i * settings["apart"] for i in range(settings["averaged"])]
        return average_states([_plateau(key, seed)[step].model.state_dict() for step in steps]), 0
    if arm in ("branch averaged", "decay averaged"):
        states = _decay(key, seed, largest, "1-sqrt")
        before = states[:-1]
        if arm == "branch averaged":
            before = sorted(before, key=lambda state: _score(settings, state, choose=True)["loss"])[:3]
        return average_states([*before[-3:], states[-1]]), 0
    total = settings["totals"][TOTALS.index(int(total))]
    if kind == "branch":
        return _decay(key, seed, total, "1-sqrt")[-1], branch_of(total, settings["share"])[1]
    if kind == "plateau":
        return _plateau(key, seed)[total].model.state_dict(), 0
    multiplier, rate = falling(kind, total, settings["warmup"]), settings["rates"][kind]
    run = _new(settings, seed).go(total, lambda step: rate * multiplier(step))
    return run.model.state_dict(), total


def _score(settings: dict, state: dict[str, Tensor], choose: bool = False) -> dict[str, float]:
    """Held-out loss; a third of the rows is set aside to choose checkpoints with."""
    text = read("stories", settings["vocab_size"], settings["documents"])
    model = MaskedLanguageModel(with_ids_of(small_modernbert(*settings["model"]), text))
    model.load_state_dict(state)
    batches = held_out_batches(text, 64, settings["held_out_rows"])
    batches = batches[::3] if choose else [b for i, b in enumerate(batches) if i % 3] or batches
    result = evaluate(model, batches, token_byte_lengths(text.tokenizer))
    return {"bits per byte": result["bits_per_byte"], "loss": result["loss"]}


@one_thread()
def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    state, steps = _states(settings, arm, seed)
    scored = _score(settings, state)
    assert math.isfinite(scored["loss"])
    return scored | {"steps": steps}


TRAPEZOID = Experiment(
    name="trapezoid",
    question="Does a plateau with a short decay from anywhere reach what linear and cosine schedules reach?",
    settings=dict(
        vocab_size=160,
        documents=4000,
        model=(2, 64, 4, 96),
        rows_a_step=16,
        warmup=20,
        totals=TOTALS,
        share=0.2,
        grid=(2e-3, 4e-3, 8e-3, 16e-3),
        rates={"linear": 8e-3, "cosine": 8e-3, "trapezoid": 8e-3},
        averaged=5,
        apart=10,
        held_out_rows=384,
    ),
    arms=ARMS,
    measure=_one,
    tiny=dict(
        documents=60, model=(1, 16, 2, 16), rows_a_step=4, warmup=1, totals=(8, 12, 20), apart=1, held_out_rows=64
    ),
)
