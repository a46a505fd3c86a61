"""Answers to 18.3, the plan of a run in two phases."""

import math

import numpy as np
import torch

from minibert.course.exercises.ex_18_3 import annealing_plan
from minibert.training.schedules import trapezoid


def by_numpy(steps, warmup, annealing, peak, tokens, first, second, K):
    step = np.arange(steps)
    late = step >= steps - annealing
    rise = np.minimum(1, step / max(warmup, 1)) if warmup else np.ones(steps)
    fall = 0.5 + 0.5 * np.cos(np.pi * (step - (steps - annealing)) / max(annealing, 1))
    length = np.where(late, second[1], first[1])
    return {
        "rows": tokens // length,
        "theta": first[2] * (length / first[1]) ** (1 / (1 - 2 / K)),
        "length": length,
        "mask_rate": np.where(late, second[0], first[0]),
        "learning_rate": peak * np.where(late, fall, rise),
    }


def package(steps, warmup, annealing, peak, tokens, first, second, K):
    rates = [peak * trapezoid(step, steps, warmup, annealing, "cosine") for step in range(steps)]
    early = steps - annealing
    wave = 2 * math.pi * first[2] ** ((K - 2) / K) * second[1] / first[1]  # tokens a turn of the slowest pair
    theta = (wave / (2 * math.pi)) ** (K / (K - 2))
    return dict(
        learning_rate=torch.tensor(rates, dtype=torch.float64),
        mask_rate=[first[0]] * early + [second[0]] * annealing,
        length=(first[1],) * early + (second[1],) * annealing,
        theta=[first[2]] * early + [theta] * annealing,
        rows=[tokens // first[1]] * early + [tokens // second[1]] * annealing,
    )


def changed(**how):
    """The right plan with some of its lists made in another way."""

    def answer(*inputs):
        plan = annealing_plan(*inputs)
        return plan | {name: make(plan[name], *inputs) for name, make in how.items()}

    return answer


def linear(rates, steps, warmup, annealing, peak, *rest):
    return [rate if s < steps - annealing else peak * (steps - s) / annealing for s, rate in enumerate(rates)]


def to_zero_at_the_last(rates, steps, warmup, annealing, peak, *rest):
    border = steps - annealing
    fall = [peak * (1 + math.cos(math.pi * x / max(annealing - 1, 1))) / 2 for x in range(annealing)]
    return rates[:border] + fall


def in_degrees(rates, steps, warmup, annealing, peak, *rest):
    border = steps - annealing
    return rates[:border] + [peak * (1 + math.cos(180 * x / annealing)) / 2 for x in range(annealing)]


def same_ratio(thetas, steps, warmup, annealing, peak, tokens, first, second, K):
    return [theta if theta == first[2] else first[2] * second[1] / first[1] for theta in thetas]


def for_the_last_k(thetas, steps, warmup, annealing, peak, tokens, first, second, K):
    """As if the last pair were K / 2, not K / 2 - 1."""
    early = steps - annealing
    return thetas[:early] + [first[2] * (second[1] / first[1]) ** (K / (K - 1))] * annealing


def one_at_least(rows, *inputs):
    return [max(1, count) for count in rows]


def one_late(mask_rates, *inputs):
    return [mask_rates[0], *mask_rates[:-1]]


def stays(numbers, *inputs):
    return numbers[:1] * len(numbers)


def zeros_in_front(rates, steps, warmup, *rest):
    return [0.0] * warmup + rates[warmup:]


def rounded(values, *inputs):
    return [float(value) for value in values]


def a_step_alone(*inputs):
    return {name: values[0] for name, values in annealing_plan(*inputs).items()}


def steps_of_dicts(*inputs):
    plan = annealing_plan(*inputs)
    return [dict(zip(plan, one, strict=True)) for one in zip(*plan.values(), strict=True)]


def with_border(*inputs):
    return annealing_plan(*inputs) | {"border": inputs[0] - inputs[2]}


RIGHT = {"numpy": by_numpy, "the package's schedule": package}
WRONG = {
    "linear": (changed(learning_rate=linear), "falls linearly"),
    "0 at the last": (changed(learning_rate=to_zero_at_the_last), "one after the last"),
    "degrees": (changed(learning_rate=in_degrees), "learning rate"),
    "ratio": (changed(theta=same_ratio), "a little more"),
    "K - 1": (changed(theta=for_the_last_k), "theta"),
    "theta stays": (changed(theta=stays), "not raised"),
    "mask rate one late": (changed(mask_rate=one_late), "mask rate"),
    "mask rate stays": (changed(mask_rate=stays), "mask rate does not change"),
    "a row at least": (changed(rows=one_at_least), "fit whole"),
    "rows stay": (changed(rows=stays), "rows stay"),
    "zeros in front": (
        changed(learning_rate=zeros_in_front),
        "learning rate for steps 10, warmup 2, annealing 4, step 1",
    ),
    "floats": (changed(length=rounded), "value of type float|length"),
    "one step": (a_step_alone, "a list of"),
    "steps of dicts": (steps_of_dicts, "a dict with the keys"),
    "one key more": (with_border, "a dict with the keys"),
    "nothing": (lambda *inputs: None, "None"),
}
