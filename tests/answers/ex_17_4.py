"""Answers to 17.4, going on after the decay."""

import math

import torch


def plateau_of(saved, multipliers):
    first = multipliers.index(1.0)
    return max(step for step in saved if all(one == 1.0 for one in multipliers[first:step]))


def linear(saved, multipliers, last):
    start, begin = plateau_of(saved, multipliers), int(0.75 * last)
    return [start, [min(1.0, (last - step) / (last - begin)) for step in range(start, last)]]


def cosine(saved, multipliers, last):
    start, begin = plateau_of(saved, multipliers), 2 * last // 3
    x = ((torch.arange(start, last) - begin) / (last - begin)).clamp(0, 1)
    return start, (1 + torch.cos(math.pi * x)) / 2


def as_the_first_run(saved, multipliers, last):
    """The same share of decay as in the run that is given; it has a warm-up in front, which no longer matters."""
    total = len(multipliers)
    start = plateau_of(saved, multipliers)
    decay = round(last * (total - 1 - max(i for i, one in enumerate(multipliers) if one == 1)) / total)
    return start, [1 - math.sqrt(max(0, 1 - (last - step) / decay)) for step in range(start, last)]


def earlier_plateau(saved, multipliers, last):
    start = sorted(step for step in saved if step <= plateau_of(saved, multipliers))[-2]
    return start, as_from(start, last)


def as_from(start, last, peak=1.0):
    decay = last // 5
    return [peak * (1 - max(0.0, (step - last + decay) / decay) ** 0.5) for step in range(start, last)]


def rewarmed(saved, multipliers, last):
    start = saved[-1]
    return start, [
        min(1.0, (step - start) / 300) * one for step, one in zip(range(start, last), as_from(start, last), strict=True)
    ]


def the_same_run_again(saved, multipliers, last):
    return saved[-1], (list(multipliers) * 3)[: last - saved[-1]]


def decays_at_once(saved, multipliers, last):
    start = plateau_of(saved, multipliers)
    return start, [max(0.0, 1 - (step - start) / 200) for step in range(start, last)]


def high_to_the_end(saved, multipliers, last):
    start = plateau_of(saved, multipliers)
    return start, [0.3 + 0.7 * one for one in as_from(start, last)]


RIGHT = {"linear": linear, "cosine, a tensor": cosine, "as the first run": as_the_first_run}
WRONG = {
    "from the end": (lambda s, m, n: (s[-1], as_from(s[-1], n)), "before the decay"),
    "half the rate from the end": (lambda s, m, n: (s[-1], as_from(s[-1], n, 0.5)), "before the decay"),
    "a tenth of the rate": (lambda s, m, n: (s[-1], as_from(s[-1], n, 0.1)), "hardly any progress"),
    "no rate at all": (lambda s, m, n: (s[-1], [0.0] * (n - s[-1])), "hardly any progress"),
    "warmed up again": (rewarmed, "puts the bump off"),
    "the same run again": (the_same_run_again, "puts the bump off"),
    "from the beginning": (lambda s, m, n: (0, as_from(0, n)), "computed once more"),
    "one checkpoint earlier": (earlier_plateau, "computed once more"),
    "decays at once": (decays_at_once, "falls too early"),
    "never decays": (lambda s, m, n: (plateau_of(s, m), [1.0] * (n - plateau_of(s, m))), "no decay at the end"),
    "steps only": (lambda s, m, n: s[-1], "two things"),
    "a function": (lambda s, m, n: (s[-1], lambda step: 1.0), "one multiplier for each step"),
    "NaN": (lambda s, m, n: (plateau_of(s, m), [float("nan")] * (n - plateau_of(s, m))), "finite number"),
    "whole numbers": (lambda s, m, n: (s[-1] - 1, as_from(s[-1] - 1, n)), "steps in `saved`"),
    "high to the end": (high_to_the_end, "does not end near 0"),
    "one too many": (lambda s, m, n: (plateau_of(s, m), [*as_from(plateau_of(s, m), n), 0.0]), "not including, `last`"),
    "a float": (lambda s, m, n: (float(plateau_of(s, m)), as_from(plateau_of(s, m), n)), "a value of type float"),
}
