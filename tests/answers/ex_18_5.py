"""Answers to 18.5, the shares of the mix."""

import random

import numpy as np
import torch

from minibert.course.exercises.ex_18_5 import shares
from minibert.tasks.language_mix import by_size


def in_numpy(sizes, losses):
    names = sorted(sizes)
    mean = np.full(len(names), 1 / len(names))
    if len(losses) > 2:
        table = np.array([[one[name] for name in names] for one in losses])
        for at in range(2, len(table)):
            fall = np.maximum(table[max(at - 4, 0)] - table[at], 0.02)
            mean += fall / fall.sum()
    return {name: mean[i] for i, name in enumerate(names)}


def in_percent(sizes, losses):
    given = shares(sizes, losses)
    total = sum(given.values())
    return {name: torch.tensor(100 * one / total) for name, one in given.items()}


def equal(sizes, losses):
    return dict.fromkeys(sizes, 1)


def inverse(sizes, losses):
    return {name: 1 / size for name, size in sizes.items()}


def by_loss(sizes, losses):
    return losses[-1] if losses else equal(sizes, losses)


def the_worst_alone(sizes, losses):
    if not losses:
        return equal(sizes, losses)
    worst = max(sizes, key=lambda name: losses[-1][name])
    return {name: int(name == worst) for name in sizes}


def the_worst_doubled(sizes, losses):
    if not losses:
        return equal(sizes, losses)
    worst = max(sizes, key=lambda name: losses[-1][name])
    return {name: 1 + (name == worst) for name in sizes}


def last_fall(sizes, losses):
    if len(losses) < 2:
        return equal(sizes, losses)
    return {name: max(losses[-2][name] - losses[-1][name], 1e-3) for name in sizes}


def whole_fall(sizes, losses):
    if len(losses) < 2:
        return equal(sizes, losses)
    return {name: max(losses[0][name] - losses[-1][name], 0.01) for name in sizes}


def missing(sizes, losses):
    return dict.fromkeys(list(sizes)[1:], 1.0)


def negative(sizes, losses):
    return {name: size - 400 for name, size in sizes.items()}


def zeros(sizes, losses):
    return dict.fromkeys(sizes, 0)


def hard_coded(sizes, losses):
    return {"en": 0.5, "de": 0.3, "fr": 0.2}


def at_once(sizes, losses):
    return losses[-1]


def by_chance(sizes, losses):
    return {name: random.random() for name in sizes}


RIGHT = {"numpy": in_numpy, "percent": in_percent}
WRONG = {
    "equal": (equal, "do not depend"),
    "as much as there is": (by_size(1.0), "do not depend"),
    "inverse": (inverse, "do not depend"),
    "by loss": (by_loss, "falls no more"),
    "the worst alone": (the_worst_alone, "falls no more|jump"),
    "the worst doubled": (the_worst_doubled, "falls no more"),
    "last fall": (last_fall, "jump"),
    "whole fall": (whole_fall, "too little goes"),
    "missing": (missing, "share for each"),
    "negative": (negative, "numbers from 0 up"),
    "zeros": (zeros, "all shares are 0"),
    "hard-coded": (hard_coded, "a dict with en, de, fr"),
    "no losses yet": (at_once, "IndexError"),
    "by chance": (by_chance, "jump"),
    "nothing": (lambda sizes, losses: None, "None"),
}
