"""Exercise 6.1: BERT's block as it should be, and the other blocks that one may write instead."""

import torch
from torch import Tensor
from torch.nn import functional

D, H, F = 12, 3, 20  # all sizes differ, so that a transpose cannot hide
NORMS = ("attention_norm", "feed_forward_norm")
SUM = "a residual path is missing: x + attention(x), then x + feed_forward(x)"
PRE_NORM = "the norm stands before the sub-layers (pre-norm); BERT adds first and normalises the sum"
INSIDE = "the norm stands inside the sum, x + norm(f(x)); BERT adds first and normalises the sum"


def _norm(x: Tensor, gain: Tensor, offset: Tensor, eps: float) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], gain, offset, eps)


def _block(x: Tensor, mask: Tensor, w: dict[str, Tensor], style: str = "right") -> Tensor:
    """The right block, or with another `style` one of the usual mistakes."""
    wq, wk = ("key", "query") if style == "q and k" else ("query", "key")
    eps = {"eps 1e-5": 1e-5, "eps 1e-6": 1e-6}.get(style, 1e-12)
    heads = 1 if style == "one head" else H

    def dense(x, name):
        return x @ w[f"{name}.weight"].mT + w[f"{name}.bias"]

    def split(x):
        if style == "mixed heads":
            return x.reshape(len(x), heads, x.shape[1], -1)
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, H, T, K)

    def attend(x):
        x = x * mask[..., None] if style == "zeros" else x
        q, k, v = split(dense(x, wq)), split(dense(x, wk)), split(dense(x, "value"))
        scale = {"unscaled": 1.0, "width": D**-0.5, "by K": heads / D}.get(style, (heads / D) ** 0.5)
        scores = q @ k.mT * scale
        if style not in ("no mask", "zeros"):
            keep = ~mask if style == "mask turned" else mask
            scores = scores.masked_fill(~keep[:, None, None], -1e30)
        mixed = scores.softmax(-2 if style == "over queries" else -1) @ v  # (B, H, T, K)
        if style == "interleaved":
            mixed = mixed.permute(0, 2, 3, 1).flatten(2)
        else:
            mixed = mixed.reshape(x.shape) if style == "not merged" else mixed.transpose(1, 2).flatten(2)
        return mixed if style == "no output" else dense(mixed, "output")

    def feed(x):
        bends = {"tanh": lambda y: functional.gelu(y, approximate="tanh"), "relu": torch.relu, "none": lambda y: y}
        return dense(bends.get(style, functional.gelu)(dense(x, "widen")), "narrow")

    start, names = x, NORMS[::-1] if style == "norms swapped" else NORMS
    halves = ((attend, names[0]), (feed, names[1]))
    for half, name in halves[:1] if style == "half" else halves:
        gain, offset = w[f"{name}.weight"], w[f"{name}.bias"]
        if style == "pre-norm":
            x = x + half(_norm(x, gain, offset, eps))
        elif style == "inside":
            x = x + _norm(half(x), gain, offset, eps)
        else:
            forgets = style == "no residual" or style == ("no residual 1" if half is attend else "no residual 2")
            path = start if style == "from the start" and half is feed else x
            y = half(x) if forgets else path + half(x)
            bare = style == "no norm" or style == ("no norm 1" if half is attend else "no norm 2")
            x = y if bare else _norm(y, gain, offset, eps)
    return x


MISTAKES = {
    "tanh": "GELU in its tanh form; BERT's weights were made with the exact one, by erf",
    "relu": "ReLU between widen and narrow; BERT has GELU",
    "none": "no activation between widen and narrow: two linear maps in a row are one; BERT has GELU",
    "pre-norm": PRE_NORM,
    "inside": INSIDE,
    "no residual": SUM,
    "no residual 1": "the residual path around attention is missing: x + attention(x)",
    "no residual 2": "the residual path around the feed-forward layer is missing: x + feed_forward(x)",
    "from the start": "the second sum adds the block's input; it should add what left the first norm",
    "no norm 1": "the first sum, x + attention(x), is not normalised",
    "no norm 2": "the second sum, x + feed_forward(x), is not normalised",
    "no norm": "neither sum is normalised",
    "norms swapped": "the two norms are swapped: attention_norm normalises the first sum",
    "no mask": "the mask is not used, or hides queries instead of keys: padding is looked at",
    "mask turned": "the mask is turned round: True marks real tokens",
    "unscaled": "the scores are not divided by sqrt(K)",
    "width": "the scores are divided by sqrt(D); each head is K = D / H wide: sqrt(K)",
    "by K": "the scores are divided by K; divide by its square root, sqrt(K)",
    "one head": "the heads are not split: one head of width D instead of H of width K",
    "mixed heads": "heads are made by view alone, which mixes tokens: split D into (H, K), then transpose T and H",
    "no output": "the matrix `output` behind the heads is not used",
    "q and k": "query and key are swapped",
    "over queries": "softmax over the queries (dim -2): each query shares its attention among the keys, dim=-1",
    "not merged": "the heads are not swapped back before they are laid side by side: transpose H and T first",
    "interleaved": "the heads are merged entry by entry; the K entries of one head stay side by side",
    "zeros": "padding is set to zero instead of hidden: its key is the bias then, and it still gets a share",
    "half": "the feed-forward half is missing",
}
