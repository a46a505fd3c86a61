"""Chapter 5, attention: the solutions of its exercises, and mistakes that their checks must recognise."""

import torch
from torch.nn import functional

from minibert.course.checks.chapter_05_wrong_tests import PADDING_TESTS, _padding_test
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


def _divides_by_root_of_keys(query, key, value, mask):
    scores = (query @ key.mT / key.shape[-2] ** 0.5).masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-1).masked_fill(~mask, 0.0) @ value


def _softmax_over_queries(query, key, value, mask):
    scores = (query @ key.mT / query.shape[-1] ** 0.5).masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-2).masked_fill(~mask, 0.0) @ value


def _masks_after_softmax(query, key, value, mask):
    return (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1).masked_fill(~mask, 0.0) @ value


def _repairs_the_shares(query, key, value, mask):
    shares = (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1) * mask
    return shares / shares.sum(dim=-1, keepdim=True).clamp(min=1e-9) @ value


def _sets_scores_to_zero(query, key, value, mask):
    return (query @ key.mT / query.shape[-1] ** 0.5 * mask).softmax(dim=-1) @ value


def _leaves_nan(query, key, value, mask):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    return scores.masked_fill(~mask, float("-inf")).softmax(dim=-1) @ value


def _spreads_empty_rows(query, key, value, mask):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    return scores.masked_fill(~mask, -1e9).softmax(dim=-1) @ value


def _hides_with_a_small_number(query, key, value, mask):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    return scores.masked_fill(~mask, -1e4).softmax(dim=-1).masked_fill(~mask, 0.0) @ value


def _divides_by_two(query, key, value, mask):
    return (query @ key.mT / 2).masked_fill(~mask, float("-inf")).softmax(dim=-1).masked_fill(~mask, 0.0) @ value


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


def _split(x, heads):
    batch, tokens, width = x.shape
    return x.view(batch, tokens, heads, width // heads).transpose(1, 2)  # (B, H, T, K)


def _merge(x):
    batch, heads, tokens, size = x.shape
    return x.transpose(1, 2).reshape(batch, tokens, heads * size)  # (B, T, D)


def _splits_by_view(x, heads):
    return x.view(x.shape[0], heads, x.shape[1], -1)


def _splits_interleaved(x, heads):
    return x.view(*x.shape[:2], -1, heads).permute(0, 3, 1, 2)


def _splits_into_columns(x, heads):
    return _split(x, heads).transpose(2, 3)


def _splits_a_copy(x, heads):
    return _split(x.detach().clone(), heads)


def _splits_into_fours(x, heads):
    return _split(x, x.shape[-1] // 4)


def _merges_by_view(x):
    return x.reshape(x.shape[0], x.shape[2], -1)


def _merges_without_copy(x):
    return x.transpose(1, 2).view(x.shape[0], x.shape[2], -1)


def _merges_interleaved(x):
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], x.shape[2], -1)


def _merges_into_rows(x):
    return x.transpose(1, 2).flatten(1, 2)


def _adds_the_heads(x):
    return x.sum(dim=1).repeat(1, 1, x.shape[1])


def _not_written(*arguments):
    raise NotImplementedError("write your answer here")


SOLUTIONS = {"5.1": _attention, "5.2": (_split, _merge), "5.3": _padding_test}

MUTANTS = {
    "5.1": [
        Mutant("divides by K instead of sqrt(K)", _divides_by_width, r"divided by K.*sqrt\(K\)"),
        Mutant("does not scale", _does_not_scale, r"not divided by sqrt\(K\)"),
        Mutant("divides by the root of S", _divides_by_root_of_keys, "root of the number of keys"),
        Mutant("softmax over the queries", _softmax_over_queries, "softmax over the queries"),
        Mutant("mask after the softmax", _masks_after_softmax, "applied after the softmax"),
        Mutant("shares repaired after the softmax", _repairs_the_shares, "come too late"),
        Mutant("scores of hidden keys set to 0", _sets_scores_to_zero, r"exp\(0\) is 1"),
        Mutant("NaN on a row that is all padding", _leaves_nan, r"NaN where a query may see no key"),
        Mutant("the mean on a row that is all padding", _spreads_empty_rows, "may see no key at all gets zeros"),
        Mutant("hidden scores of -1e4", _hides_with_a_small_number, "such as -1e4"),
        Mutant("divides by 2", _divides_by_two, "divided by 2"),
        Mutant("mask turned round", _turns_the_mask_round, "turned round"),
        Mutant("no mask", _ignores_the_mask, "mask is not used"),
        Mutant("changes its input", _changes_its_input, "your code changes an input"),
        Mutant("dropout in evaluation", _drops_always, "dropout or other randomness"),
        Mutant("exp overflows", _exponentials_overflow, "exp overflows"),
        Mutant("forgets the transpose", _forgets_the_transpose, r"line \d+.*(?s:.)*transpose"),
        Mutant("returns a tuple", _returns_the_weights_too, "a tuple of 2"),
    ],
    "5.2": [
        Mutant("view without transpose", (_splits_by_view, _merges_by_view), "a head mixes tokens"),
        Mutant("heads interleaved", (_splits_interleaved, _merges_interleaved), "heads are interleaved"),
        Mutant("(B, H, K, T)", (_splits_into_columns, _merge), "same sizes in another order"),
        Mutant("cuts the gradient", (_splits_a_copy, _merge), "split_heads cuts the gradient"),
        Mutant("a head size that is written down", (_splits_into_fours, _merge), r"(?s)split_heads.*(heads|entries)"),
        Mutant("merges without transpose", (_split, _merges_by_view), "tokens of one head side by side"),
        Mutant("merges with view", (_split, _merges_without_copy), "use reshape, or contiguous"),
        Mutant("merges interleaved", (_split, _merges_interleaved), "heads are interleaved"),
        Mutant("merges heads with tokens", (_split, _merges_into_rows), "merge_heads.*shape"),
        Mutant("adds the heads", (_split, _adds_the_heads), "merge_heads"),
        Mutant("merge not written", (_split, _not_written), "merge_heads is not written yet"),
        Mutant("split not written", (_not_written, _merge), "merge_heads is written and split_heads is not"),
        Mutant("one function only", (_split,), "both functions"),
    ],
    "5.3": PADDING_TESTS,
}
