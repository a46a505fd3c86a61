"""Answers to 15.1, rotary positions of packed texts."""

import torch

from minibert.model.rotary import rotary_tables, rotate


def with_the_package(query, key, value, lengths, theta):
    positions = torch.cat([torch.arange(length) for length in lengths])
    cos, sin = rotary_tables(positions, query.shape[-1], theta, query.dtype)
    return rotate(query, cos, sin), rotate(key, cos, sin), value


def complex_numbers(query, key, value, lengths, theta):
    K = query.shape[-1]
    speed = torch.tensor([theta ** (-2 * k / K) for k in range(K // 2)], dtype=query.dtype)
    position = torch.tensor([float(p) for length in lengths for p in range(length)], dtype=query.dtype)
    turn = torch.polar(torch.ones((), dtype=query.dtype), position[:, None] * speed)[:, None]
    out = []
    for x in (query, key):
        y = torch.complex(x[..., : K // 2], x[..., K // 2 :]) * turn
        out.append(torch.cat([y.real, y.imag], -1))
    return *out, value.clone()


def rotate_half(query, key, value, lengths, theta):
    K = query.size(-1)
    inverse = 1.0 / theta ** (torch.arange(0, K, 2).to(query.dtype) / K)
    angles = torch.cat([torch.outer(torch.arange(n).to(query.dtype), inverse) for n in lengths])
    angles = torch.cat([angles, angles], -1)[:, None]
    half = lambda x: torch.cat([-x[..., K // 2 :], x[..., : K // 2]], -1)  # noqa: E731
    return *(x * angles.cos() + half(x) * angles.sin() for x in (query, key)), value


def half_with_the_wrong_sign(query, key, value, lengths, theta):
    q, k, v = rotate_half(query, key, value, lengths, theta)
    return 2 * query - q, k, v


def two_only(query, key, value, lengths, theta):
    return rotate_half(query, key, value, lengths, theta)[:2]


def in_float32(query, key, value, lengths, theta):
    return rotate_half(query.float(), key.float(), value.float(), lengths, theta)


def one_text(query, key, value, lengths, theta):
    return rotate_half(query, key, value, [sum(lengths)], theta)


def from_one(query, key, value, lengths, theta):
    one = [torch.cat([x[:1], x[:1], x], 0)[1:] for x in (query, key)]
    turned = rotate_half(*one, value, [len(query) + 1], theta)
    return turned[0][1:], turned[1][1:], value


def detached(query, key, value, lengths, theta):
    q, k, v = rotate_half(query, key, value, lengths, theta)
    return q, k.detach(), v


def in_place(query, key, value, lengths, theta):
    query[:], key[:], _ = rotate_half(query.clone(), key.clone(), value, lengths, theta)
    return query, key, value


def scaled(query, key, value, lengths, theta):
    q, k, v = rotate_half(query, key, value, lengths, theta)
    return q / query.shape[-1] ** 0.5, k, v


def value_too(query, key, value, lengths, theta):
    return *rotate_half(query, key, value, lengths, theta)[:2], rotate_half(value, value, value, lengths, theta)[0]


def key_runs_on(query, key, value, lengths, theta):
    return (
        rotate_half(query, key, value, lengths, theta)[0],
        rotate_half(query, key, value, [len(key)], theta)[1],
        value,
    )


def overwrites_the_first_half(query, key, value, lengths, theta):
    half = query.shape[-1] // 2
    turned = rotate_half(query, key, value, lengths, theta)[0]
    speed = torch.tensor([theta ** (-k / half) for k in range(half)], dtype=query.dtype)
    angles = torch.cat([torch.arange(n) for n in lengths])[:, None, None] * speed
    second = query[..., half:] * angles.cos() + turned[..., :half] * angles.sin()
    return torch.cat([turned[..., :half], second], -1), key, value


RIGHT = {"the package": with_the_package, "rotate half": rotate_half, "complex": complex_numbers}
WRONG = {
    "a number": (lambda *given: 3, "15.1 not yet"),
    "wrong sign": (half_with_the_wrong_sign, "15.1 not yet"),
    "two only": (two_only, "a tuple of 2"),
    "float32": (in_float32, "dtype"),
    "one text": (one_text, "run on from text to text; each"),
    "from one": (from_one, "position 0; here it has 1|from 1"),
    "detached": (detached, "no gradient leads back(?s:.)*key"),
    "in place": (in_place, "changes"),
    "scaled": (scaled, "15.1 not yet"),
    "value too": (value_too, "the value is rotated too"),
    "nothing": (lambda query, key, value, lengths, theta: (query, key, value), "15.1 not yet"),
    "the key runs on": (key_runs_on, "the key of three texts(?s:.)*position 0 again"),
    "overwrites the first half": (overwrites_the_first_half, "15.1 not yet"),
}
