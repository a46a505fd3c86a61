"""18.3 The plan of a run in two phases. What every step is trained with."""

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.tools import call, kind_of

NAMES = ("learning_rate", "mask_rate", "length", "theta", "rows")


def annealing_plan(steps, warmup, annealing, peak, tokens, first, second, K):
    """What each step is trained with: a dict of five lists of `steps` numbers."""
    border = steps - annealing  # the first step of the second phase
    plan = {name: [] for name in ("learning_rate", "mask_rate", "length", "theta", "rows")}
    for step in range(steps):
        mask_rate, length, theta = first
        factor = min(1.0, step / warmup) if warmup else 1.0
        if step >= border:
            factor = (1 + math.cos(math.pi * (step - border) / annealing)) / 2
            mask_rate, length = second
            theta *= (length / first[1]) ** (K / (K - 2))  # the last pair turns by theta ** -((K - 2) / K)
        for name, value in zip(plan, (peak * factor, mask_rate, length, theta, tokens // length), strict=True):
            plan[name].append(value)
    return plan


FIVE = "a dict with the keys " + ", ".join(NAMES)
LENGTHS = "every list has `steps` numbers, one for each of the steps 0 ... steps - 1"


def asked(name, answer, *inputs):
    """One of the lists, step by step, so that a difference is found at the step where it begins."""
    got, steps = call(answer, *inputs), inputs[0]
    if not isinstance(got, dict) or set(got) != set(NAMES):
        has = f"a dict with the keys {', '.join(map(str, got))}" if isinstance(got, dict) else kind_of(got)
        raise Wrong(f"the plan is {has}", FIVE, "is the `return` missing?" if got is None else "")
    values = got[name].tolist() if isinstance(got[name], Tensor | np.ndarray) else got[name]
    if type(values) not in (list, tuple):
        raise Wrong(f"plan[{name!r}] is {kind_of(values)}", f"a list of {steps} numbers", LENGTHS)
    if len(values) != steps:
        raise Wrong(f"plan[{name!r}] has {len(values)} numbers", f"{steps}", LENGTHS)
    return {f"step {step}": number(value, name) for step, value in enumerate(values)}


def number(value, name):
    """A plain number: whole numbers may count as learning rates, but a length is no float."""
    value = value.item() if hasattr(value, "item") and getattr(value, "shape", None) == () else value
    counts = name in ("length", "rows")
    return float(value) if type(value) is int and not counts else value


CAUSES = {
    "learning_rate": "it rises to the peak, stays there, and falls from the first step of the second phase on, as "
    "(1 + cos(pi x)) / 2 with x = 0 at that step",
    "mask_rate": "it is the first phase's before step steps - annealing, and the second phase's from there on",
    "length": "it is the first phase's before step steps - annealing, and the second phase's from there on",
    "theta": "the last pair turns by theta ** -((K - 2) / K) a position, and by as much over a row in both phases",
    "rows": "so many rows of this length as fit whole into `tokens`",
}


def cases(rng):
    def case(steps, warmup, annealing, tokens, first, second, K, peak=1.0):
        inputs = (steps, warmup, annealing, peak, tokens, first, second, K)
        for name, cause in CAUSES.items():
            says = f"{name.replace('_', ' ')} for steps {steps}, warmup {warmup}, annealing {annealing}"
            yield Case(inputs, cause, says, tolerance=1e-6, run=partial(asked, name))

    yield from case(10, 2, 4, 64, (0.5, 16, 10_000.0), (0.1, 32), 4)
    yield from case(12, 4, 0, 96, (0.5, 16, 10_000.0), (0.1, 32), 8)
    yield from case(9, 0, 3, 96, (0.4, 12, 500.0), (0.2, 48), 8, peak=3e-4)
    yield from case(11, 5, 6, 100, (0.5, 16, 10_000.0), (0.1, 24), 16)
    yield from case(6, 0, 6, 100, (0.3, 20, 100.0), (0.1, 10), 6)  # all of it is annealing, and texts get shorter
    yield from case(7, 3, 1, 1000, (0.5, 64, 10_000.0), (0.1, 256), 64)
    yield from case(8, 2, 3, 100, (0.5, 30, 10_000.0), (0.1, 30), 64)
    yield from case(9, 1, 2, 100, (0.5, 30, 10_000.0), (0.1, 50), 12)
    yield from case(5, 1, 2, 100, (0.5, 30, 10_000.0), (0.1, 130), 8)  # no whole row fits in the second phase
    draw = lambda low, high: int(torch.randint(low, high, (), generator=rng))  # noqa: E731
    for _ in range(3):
        annealing, warmup, length = draw(3, 12), draw(3, 12), draw(8, 40)
        sizes = (warmup + annealing + draw(1, 20), warmup, annealing, 4000)
        second = (0.15, length + draw(1, 90))
        yield from case(*sizes, (0.45, length, 10_000.0), second, 2 * draw(2, 40), peak=2e-3)


BORDER, UP, WARM = "border = steps - annealing", "step / warmup", "min(1.0, step / warmup) if warmup else 1.0"
COSINE, PASSED = "(1 + math.cos(math.pi * (step - border) / annealing)) / 2", "(step - border) / annealing"
THETA, POWER = "theta *= (length / first[1]) ** (K / (K - 2))", "(K / (K - 2))"
SECOND, ROWS, LOOP = "mask_rate, length = second", "tokens // length", "for step in range(steps):"
ROUND = "the rows are rounded {}; so many fit whole: tokens // length"
MISTAKES = {
    "the settings change one step after the learning rate begins to fall; all change at the same step": {
        SECOND: "mask_rate, length = second if step > border else first[:2]"
    },
    "the second phase begins a step too late: it has the last `annealing` steps": {BORDER: f"{BORDER} + 1"},
    "the second phase begins a step too early: it has the last `annealing` steps": {
        BORDER: f"{BORDER} - 1 if annealing else steps"
    },
    "the second phase begins at step `annealing`; that is its length": {BORDER: "border = annealing"},
    "the second phase begins `annealing` steps after the warm-up; it has the last `annealing` steps": {
        BORDER: "border = warmup + annealing"
    },
    "the cosine is off by one: at the first step of the annealing the learning rate is still the peak": {
        PASSED: "(step - border + 1) / annealing"
    },
    "the cosine is off by one: it would reach 0 at step `steps`, one after the last": {
        PASSED: "(step - border) / max(annealing - 1, 1)"
    },
    "the cosine is off by one: it begins a step too late": {PASSED: "max(step - border - 1, 0) / annealing"},
    "the cosine is off by one: it divides by annealing + 1": {PASSED: "(step - border) / (annealing + 1)"},
    "the learning rate falls linearly; the annealing is a cosine": {COSINE: f"1 - {PASSED}"},
    "the learning rate falls as 1 - sqrt(x), ModernBERT's decay; EuroBERT's is a cosine": {
        COSINE: f"1 - math.sqrt({PASSED})"
    },
    "this is a quarter of a wave, cos(pi x / 2); half a wave is asked, (1 + cos(pi x)) / 2": {
        COSINE: f"math.cos(math.pi / 2 * {PASSED})"
    },
    "this is cos(pi x), which falls to -1: add 1 and halve it": {COSINE: f"math.cos(math.pi * {PASSED})"},
    "pi is missing in the cosine: half a wave is cos(pi x) for x from 0 to 1": {"math.pi *": "1.0 *"},
    "x is divided by `steps`; it is the share of the annealing that is over": {PASSED: "(step - border) / steps"},
    "the cosine begins at the end of the warm-up; in the first phase the learning rate is constant": {
        "            mask_rate, length": "            pass\n        if step >= warmup:\n"
        "            factor = (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1))) / 2\n"
        "        if step >= border:\n            mask_rate, length"
    },
    "the learning rate stays constant in the second phase; it falls to 0": {COSINE: "1.0"},
    "the warm-up is off by one: step 0 has 0, step `warmup` is the first with the peak": {UP: "(step + 1) / warmup"},
    "the warm-up is off by one: it reaches the peak at step `warmup`": {UP: "step / max(warmup - 1, 1)"},
    "the warm-up is off by one: it divides by warmup + 1": {UP: "(step + 1) / (warmup + 1)"},
    "there is no warm-up": {WARM: "1.0"},
    "with warmup 0 this divides by 0; there is no warm-up then": {WARM: "min(1.0, step / warmup)"},
    "with warmup 0 step 0 has the learning rate 0; there is no warm-up then": {WARM: "min(1.0, step / max(warmup, 1))"},
    "with annealing 0 this divides by 0; there is no second phase then": {
        f"{LOOP}\n": f"{LOOP}\n        (step - border) / annealing\n"
    },
    "peak is not used: the learning rates are factors of it": {"(peak * factor,": "(factor,"},
    "the mask rate does not change at the border": {SECOND: "length = second[1]"},
    "the mask rate falls little by little; it changes at the border": {
        SECOND: f"length = second[1]\n            mask_rate += (second[0] - first[0]) * {PASSED}"
    },
    "the length does not change at the border": {
        SECOND: "mask_rate = second[0]",
        "(length / first[1])": "(second[1] / length)",
    },
    "length and theta do not change at the border": {SECOND: "mask_rate = second[0]"},
    "the phases are exchanged": {
        "= first\n": "= *second, first[2] * (second[1] / first[1]) ** (K / (K - 2))\n",
        SECOND: "mask_rate, length, theta = first",
        THETA: "pass",
    },
    "theta is not raised with the length: the last pair must turn more slowly by as much as rows are longer": {
        THETA: "pass"
    },
    "theta grows as the length; the last pair turns by theta ** -((K - 2) / K), so theta must grow a little more": {
        POWER: "1"
    },
    "the exponent is turned round: K / (K - 2), a little more than 1": {POWER: "((K - 2) / K)"},
    "theta is raised to a power; it is multiplied by one": {THETA: "theta **= length / first[1]"},
    "theta is rounded; it may be any number": {THETA: f"theta = round({THETA[9:]} * theta)"},
    "theta is cut to a whole number; it may be any number": {THETA: f"theta = int({THETA[9:]} * theta)"},
    "theta starts from 10,000; it starts from the one of the first phase": {THETA: f"theta = 10_000.0 * {THETA[9:]}"},
    "theta is four times as large, as in the example; it follows from the lengths and from K": {THETA: "theta *= 4"},
    "theta is raised for longer rows alone; shorter ones lower it": {
        "(length / first[1])": "max(length / first[1], 1)"
    },
    "the lengths are divided as whole numbers (//)": {"(length / first[1])": "(length // first[1])"},
    "the angle over a row is position (its length) times frequency; one less is not meant": {
        "(length / first[1])": "((length - 1) / (first[1] - 1))"
    },
    "the exponent is K / (K - 1); the slowest pair has theta ** -(2 k / K) with k = K / 2 - 1": {
        POWER: "(K / (K - 1))"
    },
    "the exponent is K / 2; the slowest pair has theta ** -(2 k / K) with k = K / 2 - 1": {POWER: "(K / 2)"},
    "the exponent is 2, as for K = 4; it is K / (K - 2)": {POWER: "2"},
    "theta falls; longer rows need slower rotations, so a larger theta": {"(length / first[1])": "(first[1] / length)"},
    "theta is EuroBERT's 250,000; it follows from the lengths here": {THETA: "theta = 250_000.0"},
    "theta is raised from step 0 on; it changes at the border": {
        THETA: "pass",
        "(peak * factor, mask_rate, length, theta": "(peak * factor, mask_rate, length, "
        "theta * (second[1] / first[1]) ** (K / (K - 2)) if annealing else theta",
    },
    "the rows stay as they were while the texts grow, and a step has more tokens: tokens // length": {
        ROWS: "tokens // first[1]"
    },
    "the rows come from the whole rows of the first phase; count anew from tokens": {
        ROWS: "tokens // first[1] * first[1] // length"
    },
    ROUND.format("up"): {ROWS: "-(-tokens // length)"},
    ROUND.format("to the nearest number"): {ROWS: "round(tokens / length)"},
    "a number of rows is an int: //, not /": {ROWS: "tokens / length"},
    "these are tokens, not rows: tokens // length": {ROWS: "tokens // length * length"},
    LENGTHS: {LOOP: "for step in range(steps + 1):", COSINE: "0.5"},
    FIVE: {"return plan": "return list(plan.values())"},
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="annealing_plan(steps, warmup, annealing, peak, tokens, first: (mask rate, length, theta), second: "
    "(mask rate, length), K) -> a dict of five lists of `steps` numbers",
    hints=(
        "Write down for ten steps, of which the last four belong to the second phase, which step is the first and\n"
        "which is the last of each phase, and how much of the annealing is over before it. For theta: the slowest\n"
        "pair shall turn by the same angle over a whole row before and after, and its speed is a power of theta.",
        "five lists of `steps` numbers. Step s of the annealing has passed x = 0 at its first step, and x = 1 would\n"
        "come one step after the last. Pair number K / 2 - 1 turns by theta to the power -(K - 2) / K a position.",
        "for each step:\n"
        "    in the first phase: its settings; the peak times the share of the warm-up that is over, one at most\n"
        "    in the second: its mask rate and length; half of one plus cosine of pi times x\n"
        "                   theta times (ratio of the lengths) to the power that undoes the pair's own exponent\n"
        "    rows: how often the length fits into the tokens",
    ),
    parts=(Lab(annealing_plan, cases, MISTAKES, in_pairs=False),),
)
