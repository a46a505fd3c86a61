"""Answers to 5.1, scaled dot-product attention."""

import math

import torch
from torch.nn import functional as F


def with_sdpa(query, key, value, mask):
    alive = mask.any(-1, keepdim=True)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask | ~alive) * alive


def with_einsum(q, k, v, m):
    s = torch.einsum("...td,...sd->...ts", q, k).div(math.sqrt(q.size(-1)))
    w = torch.where(m, s, torch.full_like(s, -torch.inf)).softmax(-1)
    return torch.einsum("...ts,...sd->...td", torch.where(m, w, torch.zeros_like(w)), v)


def scaled_first(query, key, value, mask):
    bias = torch.zeros(mask.shape).masked_fill(~mask, -1e30).to(query)
    return ((query * query.shape[-1] ** -0.5) @ key.mT + bias).softmax(-1).where(mask, 0.0) @ value


def four_axes_only(query, key, value, mask):
    s = (query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])).masked_fill(~mask, -math.inf)
    w = s.softmax(-1)
    return torch.where(mask, w, torch.zeros_like(w)) @ value


def nan_gradient(query, key, value, mask):
    s = (query @ key.mT / query.shape[-1] ** 0.5).masked_fill(~mask, -math.inf)
    return (s.softmax(-1) @ value).nan_to_num(0.0)


def numpy_in_between(query, key, value, mask):
    return torch.from_numpy(with_einsum(query, key, value, mask).detach().numpy())


def casts(query, key, value, mask):
    return with_einsum(query.float(), key.float(), value.float(), mask)


def mask_of_the_first_text(query, key, value, mask):
    return with_einsum(query, key, value, mask[:1] if mask.dim() == 4 else mask)


def hidden_at_minus_100(query, key, value, mask):
    scores = (query @ key.mT / query.size(-1) ** 0.5).masked_fill(~mask, -100)
    return torch.where(mask.any(-1, keepdim=True), scores.softmax(-1) @ value, 0.0)


def causal(query, key, value, mask):
    order = torch.ones(query.size(-2), key.size(-2)).tril().bool()
    return with_einsum(query, key, value, mask & order)


def turns_square_masks(query, key, value, mask):
    return with_einsum(query, key, value, mask.mT if mask.size(-1) == mask.size(-2) else mask)


def subtracts_the_mask(query, key, value, mask):
    return (query @ key.mT / query.size(-1) ** 0.5 + (1 - mask) * -1e9).softmax(-1) @ value


RIGHT = {"sdpa": with_sdpa, "einsum": with_einsum, "scaled first": scaled_first}
WRONG = {
    "1 - mask": (subtracts_the_mask, "not defined for a boolean mask: ~mask"),
    "four axes only": (four_axes_only, "any number of axes"),
    "NaN gradient": (nan_gradient, "gradient is NaN"),
    "numpy in between": (numpy_in_between, "no gradient leads back"),
    "cast to float32": (casts, "dtype of the inputs"),
    "hidden at -100": (hidden_at_minus_100, "set to -100"),
    "causal": (causal, "a causal mask"),
    "turns square masks": (turns_square_masks, "its rows are queries|T may equal S"),
    "mask of the first text": (mask_of_the_first_text, "random inputs with a mask"),
}
