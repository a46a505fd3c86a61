"""17.4 Go on after the decay, without a bump. From which checkpoint, and with which schedule?

The run is a model of 32 weights whose loss is quadratic in each: half of it noisy and fast, the rest slow. Stochastic
gradient descent with momentum on it has a mean loss that can be computed exactly, without drawing a batch (the noisy
quadratic model, Zhang et al. 2019), so that chance decides nothing here.
"""

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.tools import call, kind_of, show


def resume(saved, multipliers, last):
    """The checkpoint to go on from, and the multipliers of the steps from there up to, without, `last`."""
    falls = max(step for step, one in enumerate(multipliers) if one == 1.0) + 1  # the first step with less than 1
    start = max(step for step in saved if step <= falls)
    decay = last // 5
    begin = last - decay
    return start, [1.0 - max(0.0, (step - begin) / decay) ** 0.5 for step in range(start, last)]


RATE, MOMENTUM = 0.3, 0.9
BUMP, BAR = 1.05, 1.35  # times the loss at the checkpoint; times that of a run planned so long from its beginning


def train(world, state, multipliers):
    """The state after these steps, and the mean loss after each; state: mean squares of e and v, and mean of e v."""
    curvature, noise = world
    e2, ev, v2 = state
    losses = []
    for multiplier in multipliers:
        rate = RATE * multiplier
        v2 = MOMENTUM**2 * v2 + 2 * MOMENTUM * (1 - MOMENTUM) * curvature * ev
        v2 = v2 + (1 - MOMENTUM) ** 2 * (curvature**2 * e2 + noise)  # v = m v + (1 - m) (curvature e + noise)
        both = MOMENTUM * ev + (1 - MOMENTUM) * curvature * e2
        e2, ev = e2 - 2 * rate * both + rate**2 * v2, both - rate * v2  # e = e - rate v
        losses.append(float(curvature @ e2) / 2)
    return (e2, ev, v2), losses


def trapezoid(total, warmup):
    """The multipliers of a run: warm-up, plateau, and a fifth of it decay with 1 - sqrt."""
    decay = total // 5
    falls = [(step - total + decay) / decay for step in range(total)]
    return [min(step / warmup, 1.0) - max(0.0, x) ** 0.5 for step, x in enumerate(falls)]


@lru_cache(8)
def draw(seed, total, warmup, every):
    """A run: its model, checkpoints, multipliers, and the loss of a run that was planned three times as long."""
    rng = torch.Generator().manual_seed(seed)
    many, few = (torch.rand(2, size, generator=rng, dtype=torch.float64).numpy() for size in (24, 8))
    curvature = np.concatenate([10 ** -many[0], 4 / total * (0.7 + 0.6 * few[0])])
    noise = 0.5 * curvature * np.concatenate([0.5 + many[1], 0.1 * (0.5 + few[1])])
    e2 = np.concatenate([1 + many[1], (1 + few[1]) / 4 / curvature[24:]])
    states, multipliers = {0: (e2, 0 * e2, 0 * e2)}, trapezoid(total, warmup)
    saved = [*range(0, total, every), total]
    for before, step in pairwise(saved):
        states[step] = train((curvature, noise), states[before], multipliers[before:step])[0]
    planned = train((curvature, noise), states[0], trapezoid(3 * total, warmup))[1][-1]
    return (curvature, noise), states, multipliers, planned


SHAKEN = (
    "the weights of this checkpoint come from the decay: at a high learning rate they move away again and the loss "
)
SHAKEN += "rises; take a checkpoint from before the decay"
REWARM = "a new warm-up only puts the bump off; take a checkpoint from before the decay, which needs no warm-up"
LOW = "the learning rate is low from here on: there is no bump and hardly any progress; take a checkpoint from before "
LOW += "the decay and go on at the full rate"
AGAIN = "steps are computed once more that a later checkpoint has already; take the latest one from before the decay"
NOISY = "there is no decay at the end: the noise of the batches keeps the loss high"
SHORT = "the decay at the end is too short, or does not end near 0"
EARLY = "the learning rate falls too early, and the slow weights get nowhere; stay at 1 until about the last fifth"
LENGTH = "one multiplier for each step from the checkpoint up to, but not including, `last`"
RANGE = "a multiplier is a finite number from 0 to 1; above 1 the run was never tried"
STEP = "go on from one of the steps in `saved`"


def measured(answer, seed, total, warmup, every):
    """ "no bump, and as good as planned", or what is wrong with a plan."""
    world, states, multipliers, planned = draw(seed, total, warmup, every)
    last, falls = 3 * total, total - total // 5 + 1
    start, further = read(call(answer, list(states), multipliers, last), states, last)
    at_start = float(world[0] @ states[start][0]) / 2
    losses = train(world, states[start], further)[1]
    latest = max(step for step in states if step <= falls)
    if max(losses) > BUMP * at_start:
        seen = f"from step {start} on the loss rises from {show(at_start)} to {show(max(losses))}"
        cause = REWARM if further[0] < 0.5 * max(further) else SHAKEN
        raise Wrong(seen, f"at most {show(BUMP * at_start)}: no bump", cause)
    if start < latest:
        raise Wrong(f"the run goes on from step {start}", f"a later step of {show(sorted(states)[-8:])}", AGAIN)
    if losses[-1] > BAR * planned:
        seen = f"at step {last} the loss is {show(losses[-1])}"
        early = sum(further[: len(further) // 2]) < 0.8 * (len(further) // 2)
        cause = LOW if start > latest else EARLY if early else NOISY if further[-1] > 0.5 else SHORT
        raise Wrong(seen, f"at most {show(BAR * planned)}, 35 % more than in a run planned for {last} steps", cause)
    return "no bump, and as good as planned"


def read(got, states, last):
    """The two parts of a plan: a step, and numbers."""
    if type(got) not in (tuple, list) or len(got) != 2:
        raise Wrong(f"the answer is {kind_of(got)}", "two things: the step of a checkpoint, and a list of multipliers")
    start, further = got
    if isinstance(start, bool) or not isinstance(start, int) or start not in states:
        start = kind_of(start) if isinstance(start, float) and start in states else show(start)
        raise Wrong(f"the run goes on from {start}", f"one of the saved steps, such as {max(states)}", STEP)
    try:
        further = [float(one) for one in further]
    except (TypeError, ValueError):
        raise Wrong(f"the multipliers are {kind_of(got[1])}", "a list of numbers", LENGTH) from None
    if len(further) != last - start:
        raise Wrong(f"there are {len(further)} multipliers from step {start} on", f"{last - start}", LENGTH)
    for place, one in enumerate(further):
        if not (math.isfinite(one) and 0.0 <= one <= 1.0):
            raise Wrong(f"the multiplier of step {start + place} is {show(one)}", "0 to 1", RANGE)
    return start, further


def cases(rng):
    for total, warmup, every in ((500, 30, 50), (600, 40, 70), (400, 20, 30)):
        seed = int(torch.randint(2**40, (), generator=rng))
        yield Case((seed, total, warmup, every), "", f"a run of {total} steps, saved every {every}")


START, DECAY = "max(step for step in saved if step <= falls)", "last // 5"
PLAN = "[1.0 - max(0.0, (step - begin) / decay) ** 0.5 for step in range(start, last)]"
LATEST = {START: "max(saved)"}
MISTAKES = {
    SHAKEN: LATEST,
    REWARM: LATEST
    | {PLAN: PLAN.replace("[1.0", "[min(1.0, (step - start) / 100) * (1.0").replace("0.5 for", "0.5) for")},
    LOW: LATEST | {PLAN: "[0.1] * (last - start)"},
    AGAIN: {START: "min(step for step in saved if step > falls / 2)"},
    NOISY: {PLAN: "[1.0] * (last - start)"},
    SHORT: {DECAY: "30"},
    EARLY: {
        DECAY: "(last - start) // 2",
        PLAN: "[max(0.0, 1.0 - (step - start) / decay) for step in range(start, last)]",
    },
    LENGTH: {"range(start, last)": "range(last)"},
    RANGE: {"[1.0 -": "[1.5 -"},
    STEP: {START: "falls + 3"},
}

EXERCISE = Exercise(
    minutes=40,
    difficulty=4,
    signature="resume(saved: list of steps, multipliers: list of numbers, last) -> (a step of saved, multipliers)",
    hints=(
        "The last checkpoint has the lowest loss, and it is the wrong one: its weights are calm because the learning\n"
        "rate was low. Which checkpoint was made at the learning rate at which you want to go on?",
        "one step out of `saved`; after it a list of last - step numbers from 0 to 1, the first for that step itself.\n"
        "A checkpoint saved at step s was made by the multipliers 0 ... s - 1.",
        "find the last step at which the multiplier was still one\n"
        "take the latest checkpoint that was made by no lower multiplier after the warm-up\n"
        "go on at one, as if nothing had happened\n"
        "let the last fifth of the whole run fall to zero",
    ),
    parts=(Lab(resume, cases, MISTAKES, run=measured, in_pairs=False),),
)
