"""Answers to 17.2, a schedule whose end is not known."""

import math

import torch

from minibert.training.schedules import trapezoid


def with_clamp(step, warmup, start, decay, floor, power):
    rise = min(step / warmup, 1) if warmup else 1
    if start is None:
        return rise
    x = min(max((step - start) / decay, 0), 1)
    return rise * (1 - (1 - floor) * math.pow(x, power))


def package(step, warmup, start, decay, floor, power):
    if start is None:
        return trapezoid(step, max(step + 1, warmup), warmup)
    return trapezoid(step, start + decay, warmup, decay, floor=floor)


def with_torch(step, warmup, start, decay, floor, power):
    if step < warmup:
        return torch.tensor(step / warmup)
    if start is None:
        return torch.tensor(1.0)
    x = torch.tensor((step - start) / decay, dtype=torch.float64).clamp(0, 1)
    return torch.lerp(torch.tensor(1.0, dtype=torch.float64), torch.tensor(floor, dtype=torch.float64), x**power)


def whole_numbers(step, warmup, start, decay, floor, power):
    if step < warmup:
        return step // warmup
    return with_clamp(step, warmup, start, decay, floor, power)


def start_zero(step, warmup, start, decay, floor, power):
    return with_clamp(step, warmup, start or 0, decay, floor)


def in_percent(*settings):
    return 100 * with_clamp(*settings)


def of_the_rest(step, warmup, start, decay, floor, power):
    """The decay begins one step after the plateau."""
    return with_clamp(step, warmup, None if start is None else start + 1, decay, floor, power)


def start_or_none(step, warmup, start, decay, floor, power):
    return with_clamp(step, warmup, start or None, decay, floor, power)


def divides_at_zero(step, warmup, start, decay, floor, power):
    return step / warmup if step <= warmup else with_clamp(step, warmup, start, decay, floor, power)


RIGHT = {"clamp": with_clamp, "torch": with_torch}
WRONG = {
    "the package": (package, "always 1 - sqrt"),
    "whole numbers": (whole_numbers, "at step 1"),
    "start 0": (start_zero, "(?s:.)*step"),
    "in percent": (in_percent, "at step 1"),
    "one late": (of_the_rest, "a step too late"),
    "nothing": (lambda *settings: None, "None|return"),
    "all steps": (lambda step, *settings: [with_clamp(step, *settings)], "a list of 1"),
    "start or None": (start_or_none, "0 is a step"),
    "divides at zero": (divides_at_zero, "divides by 0"),
}
