"""Answers to 16.3, a softmax in pieces."""

import torch


def with_where(scores, value):
    largest = scores.max(dim=-1).values
    safe = torch.where(largest.isinf(), torch.zeros_like(largest), largest)
    weights = torch.exp(scores - safe.unsqueeze(-1))
    return largest, weights.sum(-1), torch.einsum("...ts,...sk->...tk", weights, value)


def by_nan(scores, value):
    largest = scores.amax(-1)
    weights = (scores - largest.unsqueeze(-1)).exp().nan_to_num(0.0)
    return [largest, weights.sum(-1), weights.matmul(value)]


def merge_with_where(a, b):
    largest = torch.where(a[0] > b[0], a[0], b[0])
    fa, fb = (torch.where(p[0].isinf(), torch.zeros_like(p[0]), (p[0] - largest).exp()) for p in (a, b))
    return largest, a[1] * fa + b[1] * fb, a[2] * fa.unsqueeze(-1) + b[2] * fb.unsqueeze(-1)


def merge_stacked(a, b):
    tops = torch.stack([a[0], b[0]])
    largest = tops.amax(0)
    factors = (tops - largest).exp().nan_to_num(0.0)
    mixed = (factors[..., None] * torch.stack([a[2], b[2]])).sum(0)
    return largest, (factors * torch.stack([a[1], b[1]])).sum(0), mixed


def by_log_sum(scores, value):
    total = scores.logsumexp(-1)
    return scores.amax(-1), (total - scores.amax(-1)).exp(), (scores - total[..., None]).softmax(-1) @ value


def empty_pieces_in_one_only(a, b):
    largest = torch.maximum(a[0], b[0])
    fa, fb = (a[0] - largest).exp(), (b[0] - largest).exp()
    return largest, fa * a[1] + fb * b[1], fa[..., None] * a[2] + fb[..., None] * b[2]


def averages(a, b):
    total = a[1] + b[1]
    return torch.maximum(a[0], b[0]), total, (a[2] * a[1][..., None] + b[2] * b[1][..., None]) / total[..., None]


def keeps_the_first(a, b):
    factor = (b[0] - a[0]).exp()
    return a[0], a[1] + factor * b[1], a[2] + factor[..., None] * b[2]


def small_inputs(scores, value):
    return torch.zeros_like(scores[..., 0]), scores.exp().sum(-1), scores.exp() @ value


def four_axes(scores, value):
    largest = scores.amax(3)
    weights = (scores - largest[:, :, :, None]).exp().nan_to_num(0.0)
    return largest, weights.sum(3), weights @ value


def answer(piece=with_where, both=merge_with_where):
    return piece, both


def never_zero(scores, value):
    largest, total, mixed = with_where(scores, value)
    return largest, total + 1e-9, mixed


def in_another_order(scores, value):
    largest, total, mixed = with_where(scores, value)
    return largest, mixed, total


def a_low_number(scores, value):
    largest, total, mixed = with_where(scores, value)
    return largest.clamp(min=-1e30), total, mixed


RIGHT = {
    "where": answer(),
    "nan_to_num and stacks": answer(by_nan, merge_stacked),
    "a list": [by_nan, merge_with_where],
}
WRONG = {
    "log-sum, normalised": (answer(by_log_sum), "summarize: mixed"),
    "empty in one only": (answer(both=empty_pieces_in_one_only), "merge: (?s:.)*either piece"),
    "averages": (answer(both=averages), "merge: "),
    "keeps the first": (answer(both=keeps_the_first), "merge: (?s:.)*first piece"),
    "no largest": (answer(small_inputs), "summarize: largest"),
    "two axes only": (answer(lambda s, v: four_axes(s[None, None], v[None, None])), "summarize: largest"),
    "four axes": (answer(four_axes), "summarize: IndexError"),
    "two things": (answer(lambda s, v: with_where(s, v)[:2]), "tuple of 2"),
    "numpy": (answer(lambda s, v: tuple(x.numpy() for x in with_where(s, v))), "numpy"),
    "float32": (answer(lambda s, v: with_where(s.float(), v.float())), "float32"),
    "merge in float32": (
        answer(both=lambda a, b: merge_with_where([x.float() for x in a], [x.float() for x in b])),
        "dtype",
    ),
    "changes its input": (answer(both=lambda a, b: (a[1].add_(b[1]), a[1], a[2])), "changes an input"),
    "never zero": (answer(never_zero), "0 exactly"),
    "in another order": (answer(in_another_order), "total and mixed are exchanged"),
    "a low number": (answer(a_low_number), "largest is -inf, and not a finite number"),
}
