"""Answers to 14.3, a budget of parameters."""

import torch
from torch import nn


def by_tensors(V, D, L, F):
    with torch.device("meta"):
        parts = [nn.Embedding(V, D), nn.Linear(D, D, bias=False)]
        parts += [nn.LayerNorm(D, bias=False) for _ in range(2 * L - 1 + 3)]  # in the layers; embedding, final, head
        for _ in range(L):
            parts += [nn.Linear(D, 3 * D, bias=False), nn.Linear(D, D, bias=False)]
            parts += [nn.Linear(D, 2 * F, bias=False), nn.Linear(F, D, bias=False)]
    return sum(p.numel() for part in parts for p in part.parameters()) + V


def expanded(V, D, L, F):
    return V * (D + 1) + D * (D + 2) + L * D * (4 * D + 3 * F + 2)


def by_bisection(N, V, L):
    low, high = 0, N  # in steps of 64
    while high - low > 1:
        middle = (low + high) // 2
        D = 64 * middle
        low, high = (middle, high) if expanded(V, D, L, 8 * D // 192 * 64) <= N else (low, middle)
    if low == 0:
        raise ValueError(f"N = {N:d} is too small")
    return 64 * low, 64 * low * 8 // 192 * 64


def downwards(N, V, L):
    for D in range(64 * (int(N**0.5) // 64 + 2), 0, -64):
        F = (8 * D // 3) - (8 * D // 3) % 64
        if expanded(V, D, L, F) <= N:
            return D, F
    raise ValueError(f"nothing fits into N={N}")


def with_biases(V, D, L, F):
    return expanded(V, D, L, F) + L * (4 * D + 2 * F + D)


def both_norms(V, D, L, F):
    return expanded(V, D, L, F) + D


def as_list(N, V, L):
    return list(by_bisection(N, V, L))


def gives_none(N, V, L):
    try:
        return by_bisection(N, V, L)
    except ValueError:
        return None


def closest(N, V, L):
    return min(((D, 8 * D // 192 * 64) for D in range(64, 4096, 64)), key=lambda s: abs(expanded(V, s[0], L, s[1]) - N))


def no_number(N, V, L):
    try:
        return by_bisection(N, V, L)
    except ValueError:
        raise ValueError("too few parameters") from None


def assertion(N, V, L):
    try:
        return by_bisection(N, V, L)
    except ValueError:
        raise AssertionError(f"{N}") from None


def up_to_2048(N, V, L):
    paid = [D for D in range(64, 2049, 64) if expanded(V, D, L, 8 * D // 192 * 64) <= N]
    if not paid:
        raise ValueError(f"{N}")
    return paid[-1], 8 * paid[-1] // 192 * 64


def estimated(N, V, L):
    """The root of 12 L D² + V D = N, which forgets the small terms."""
    D = int(((V * V + 4 * (12 * L + 1) * N) ** 0.5 - V) / (2 * (12 * L + 1))) // 64 * 64
    if D == 0:
        raise ValueError(f"{N}")
    return D, 8 * D // 192 * 64


def named_with_commas(N, V, L):
    try:
        return by_bisection(N, V, L)
    except ValueError:
        raise ValueError(f"{N:,} parameters are too few") from None


def with_a_float(N, V, L):
    D, _ = by_bisection(N, V, L)
    return D, 8 * D / 3 // 64 * 64


RIGHT = {
    "expanded": (expanded, by_bisection),
    "by tensors": [by_tensors, downwards],
    "commas": (expanded, named_with_commas),
}
WRONG = {
    "biases": ((with_biases, by_bisection), "count_parameters: (?s:.)*no biases"),
    "both norms": ((both_norms, by_bisection), "layer 0 has no attention norm"),
    "a float": ((lambda V, D, L, F: float(expanded(V, D, L, F)), by_bisection), "type int"),
    "a list": ((expanded, as_list), "spend: (?s:.)*tuple"),
    "None": ((expanded, gives_none), "raise a ValueError"),
    "closest": ((expanded, closest), "spend: "),
    "no number": ((expanded, no_number), "says how much N was"),
    "assertion": ((expanded, assertion), "raise a ValueError"),
    "one thing": (expanded, "all in parentheses"),
    "up to 2,048": ((expanded, up_to_2048), "no width is the last one"),
    "estimated": ((expanded, estimated), "counted exactly"),
    "with a float": ((expanded, with_a_float), "spend: (?s:.)*holds a value of type float"),
}
