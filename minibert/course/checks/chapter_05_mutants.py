"""Chapter 5, attention: the solutions of its exercises, and mistakes that their checks must recognise."""

import torch
from torch.nn import functional

from minibert.course.exercise import Mutant


def _attention(query, key, value, mask):
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5  # (..., T, S)
    weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)  # (..., T, S)
    return weights.masked_fill(~mask, 0.0) @ value  # (..., T, K); a row that sees nothing is NaN until here


def _divides_by_width(query, key, value, mask):
    scores = (query @ key.mT / query.shape[-1]).masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-1).masked_fill(~mask, 0.0) @ value


def _does_not_scale(query, key, value, mask):
    scores = (query @ key.mT).masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-1).masked_fill(~mask, 0.0) @ value


def _softmax_over_queries(query, key, value, mask):
    scores = (query @ key.mT / query.shape[-1] ** 0.5).masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-2).masked_fill(~mask, 0.0) @ value


def _masks_after_softmax(query, key, value, mask):
    return (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1).masked_fill(~mask, 0.0) @ value


def _leaves_nan(query, key, value, mask):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    return scores.masked_fill(~mask, float("-inf")).softmax(dim=-1) @ value


def _spreads_empty_rows(query, key, value, mask):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    return scores.masked_fill(~mask, -1e9).softmax(dim=-1) @ value


def _turns_the_mask_round(query, key, value, mask):
    return _attention(query, key, value, ~mask)


def _ignores_the_mask(query, key, value, mask):
    return _attention(query, key, value, torch.ones_like(mask))


def _changes_its_input(query, key, value, mask):
    query /= query.shape[-1] ** 0.5
    scores = (query @ key.mT).masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-1).masked_fill(~mask, 0.0) @ value


def _drops_always(query, key, value, mask):
    scores = (query @ key.mT / query.shape[-1] ** 0.5).masked_fill(~mask, float("-inf"))
    return functional.dropout(scores.softmax(dim=-1).masked_fill(~mask, 0.0), 0.1) @ value


def _exponentials_overflow(query, key, value, mask):
    weights = (query @ key.mT / query.shape[-1] ** 0.5).exp() * mask
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-9) @ value


def _forgets_the_transpose(query, key, value, mask):
    return (query @ key).softmax(dim=-1) @ value


def _returns_the_weights_too(query, key, value, mask):
    return _attention(query, key, value, mask), mask


SOLUTIONS = {"5.1": _attention}

MUTANTS = {
    "5.1": [
        Mutant("divides by K instead of sqrt(K)", _divides_by_width, r"divided by K.*sqrt\(K\)"),
        Mutant("does not scale", _does_not_scale, r"not divided by sqrt\(K\)"),
        Mutant("softmax over the queries", _softmax_over_queries, "softmax over the queries"),
        Mutant("mask after the softmax", _masks_after_softmax, "applied after the softmax"),
        Mutant("NaN on a row that is all padding", _leaves_nan, r"NaN where a query may see no key"),
        Mutant("the mean on a row that is all padding", _spreads_empty_rows, "may see no key at all gets zeros"),
        Mutant("mask turned round", _turns_the_mask_round, "turned round"),
        Mutant("no mask", _ignores_the_mask, "mask is not used"),
        Mutant("changes its input", _changes_its_input, "your code changes an input"),
        Mutant("dropout in evaluation", _drops_always, "dropout or other randomness"),
        Mutant("exp overflows", _exponentials_overflow, "exp of a huge number"),
        Mutant("forgets the transpose", _forgets_the_transpose, r"line \d+.*(?s:.)*transpose"),
        Mutant("returns a tuple", _returns_the_weights_too, "a tuple of 2"),
    ],
}
