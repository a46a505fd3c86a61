"""Attentions for exercise 5.3: correct ones, which a test of padding must pass, and broken ones, which it must fail."""

import torch
from torch import Tensor

NEVER = float("-inf")


def attend(x: Tensor, hidden: Tensor, fill: float = NEVER) -> Tensor:
    """Self-attention with fixed weights of its own: x (B, T, D), hidden (B, T, T) -> (B, T, D).

    >>> attend(torch.ones(1, 2, 3), torch.zeros(1, 2, 2, dtype=torch.bool)).shape
    torch.Size([1, 2, 3])
    """
    return _shares(x, hidden, fill) @ _project(x, 2)


def _shares(x: Tensor, hidden: Tensor, fill: float = NEVER) -> Tensor:
    scores = _project(x, 0) @ _project(x, 1).mT * x.shape[-1] ** -0.5  # (B, T, T)
    return scores.masked_fill(hidden, fill).softmax(dim=-1)


def _project(x: Tensor, which: int) -> Tensor:
    generator = torch.Generator().manual_seed(which)
    width = x.shape[-1]
    return x @ (torch.randn(width, width, generator=generator, dtype=torch.float64) * width**-0.5).to(x)


def _keys(mask: Tensor) -> Tensor:
    """What each query may not see: the padding (B, T) as columns of (B, T, T)."""
    return ~mask[:, None, :].expand(-1, mask.shape[1], -1)


def _one_by_one(x, mask):
    """Correct: each text by itself, zeros at its padding."""
    output = torch.zeros_like(x)
    for row, real in enumerate(mask):
        if real.any():
            text = x[row, real][None]
            output[row, real] = attend(text, torch.zeros(1, text.shape[1], text.shape[1], dtype=torch.bool))[0]
    return output


def _garbage_at_padding(x, mask):
    """Correct: what stands at the padding is nobody's business."""
    garbage = 50.0 + torch.arange(x.shape[1], device=x.device)[None, :, None] + x
    return torch.where(mask[..., None], _one_by_one(x, mask), garbage)


def _other_rounding(x, mask):
    """Correct: the sixth decimal depends on how much padding there is, as it does in fast kernels."""
    return _one_by_one(x, mask) + 5e-7 * (x.shape[1] % 8)


def _only_first_mask(x, mask):
    return attend(x, _keys(mask[:1].expand_as(mask)))


def _neighbours_only(x, mask):
    near = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(-1).tril(1)
    return attend(x, ~near[None])


def _nan_with_padding(x, mask):
    return _one_by_one(x, mask) * (1.0 if mask.all() else float("nan"))


def _cut_to_longest(x, mask):
    longest = int(mask.sum(dim=1).max())
    output = torch.zeros_like(x)
    short = x[:, :longest]
    output[:, :longest] = attend(short, torch.zeros(len(x), longest, longest, dtype=torch.bool))
    return output


CORRECT = (
    (
        _one_by_one,
        "does your test compare attention with itself? Read a text alone, read it again with padding behind it, and "
        "compare these two; any other oracle, such as attention written by you, has other weights",
    ),
    (
        _garbage_at_padding,
        "the output at the padding is nobody's business and may be anything: compare the real positions only",
    ),
    (
        _other_rounding,
        "numbers computed in another order differ in the sixth decimal: compare with an absolute tolerance, such as "
        "torch.allclose(a, b, atol=1e-4)",
    ),
)
BROKEN = (
    (
        "ignores its mask altogether",
        lambda x, mask: attend(x, ~torch.ones_like(_keys(mask))),
        "compare a text alone with the same text in a batch where padding stands behind it, and assert that they agree",
    ),
    (
        "hides the rows of the padding and not its columns",
        lambda x, mask: attend(x, ~mask[:, :, None].expand(-1, -1, x.shape[1]), -1e30),
        "compare the vectors of the real tokens, not those at the padding",
    ),
    (
        "sets the scores of the padding to 0, which is not -inf",
        lambda x, mask: attend(x, _keys(mask), 0.0),
        "the padding still gets a share: is your tolerance too large, or the padding too much like the text?",
    ),
    (
        "sets the shares of the padding to 0 after the softmax",
        lambda x, mask: (_shares(x, torch.zeros_like(_keys(mask))) * ~_keys(mask)) @ _project(x, 2),
        "the outputs shrink as padding grows: compare numbers, not directions or signs",
    ),
    (
        "turns its mask round and sees nothing but the padding",
        lambda x, mask: attend(x, ~_keys(mask) & ~mask.all(dim=1)[:, None, None], -1e30),
        "compare the numbers of a text alone with those of the padded text",
    ),
    (
        "hides the padding with a score of -5, so that a little gets through",
        lambda x, mask: attend(x, _keys(mask), -5.0),
        "a leak of a few thousandths is a leak: use a tolerance of 1e-4 or below, and inputs of ordinary size (randn)",
    ),
    (
        "uses the mask of the first text for every text of the batch",
        _only_first_mask,
        "put at least two texts of different lengths into one batch, and compare each of them",
    ),
    (
        "cuts the batch to its longest text and does no masking within",
        _cut_to_longest,
        "put texts of different lengths into one batch, and compare the short one too",
    ),
    (
        "ignores the mask and takes every token that is all zeros for padding",
        lambda x, mask: _one_by_one(x, (x != 0).any(dim=-1)),
        "fill the padding with numbers, not with zeros: the vector of [PAD] is not zero in a real model",
    ),
    (
        "gives NaN as soon as there is any padding",
        _nan_with_padding,
        "comparisons with NaN are always False, so `not (difference > tolerance)` holds for NaN; assert "
        "`difference < tolerance` or torch.allclose",
    ),
    (
        "divides its output by the number of columns, padding included",
        lambda x, mask: _one_by_one(x, mask) / x.shape[1],
        "compare a text alone, without padding, with the same text padded; two padded versions of equal width agree",
    ),
    (
        "lets each token see its neighbours only, and the padding among them",
        _neighbours_only,
        "only the last token of a text stands beside the padding: compare all tokens of the text, not just the first",
    ),
)
