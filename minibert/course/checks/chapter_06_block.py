"""Exercise 6.1: is it BERT's block, and if not, which other block is it?"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from minibert.course.exercise import Wrong
from minibert.course.expect import expect_close, expect_dropout, expect_steady, make_module
from minibert.course.tools import call, expect_tensor

D, H, F = 12, 3, 20  # all sizes differ, so that a transpose cannot hide
SHAPES = {"query": (D, D), "key": (D, D), "value": (D, D), "output": (D, D), "widen": (F, D), "narrow": (D, F)}
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
        q, k, v = split(dense(x, wq)), split(dense(x, wk)), split(dense(x, "value"))
        scale = {"unscaled": 1.0, "width": D**-0.5, "by K": heads / D}.get(style, (heads / D) ** 0.5)
        scores = q @ k.mT * scale
        if style != "no mask":
            keep = ~mask if style == "mask turned" else mask
            scores = scores.masked_fill(~keep[:, None, None], -1e30)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        return mixed if style == "no output" else dense(mixed, "output")

    def feed(x):
        bends = {"tanh": lambda y: functional.gelu(y, approximate="tanh"), "relu": torch.relu, "none": lambda y: y}
        return dense(bends.get(style, functional.gelu)(dense(x, "widen")), "narrow")

    start, names = x, NORMS[::-1] if style == "norms swapped" else NORMS
    for half, name in ((attend, names[0]), (feed, names[1])):
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
    "no mask": "the mask is not used: padding is looked at",
    "mask turned": "the mask is turned round: True marks real tokens",
    "unscaled": "the scores are not divided by sqrt(K)",
    "width": "the scores are divided by sqrt(D); each head is K = D / H wide: sqrt(K)",
    "by K": "the scores are divided by K; divide by its square root, sqrt(K)",
    "one head": "the heads are not split: one head of width D instead of H of width K",
    "mixed heads": "heads are made by view alone, which mixes tokens: split D into (H, K), then transpose T and H",
    "no output": "the matrix `output` behind the heads is not used",
    "q and k": "query and key are swapped",
}


def _weights(module: nn.Module) -> dict[str, nn.Parameter]:
    """The learner's parameters by the names that the exercise prescribes."""
    found = dict(module.named_parameters(remove_duplicate=False))
    wanted = {f"{name}.weight": shape for name, shape in SHAPES.items()}
    wanted |= {f"{name}.bias": shape[:1] for name, shape in SHAPES.items()}
    wanted |= {f"{name}.{part}": (D,) for name in NORMS for part in ("weight", "bias")}
    for name, shape in wanted.items():
        if name not in found:
            have = ", ".join(dict.fromkeys(other.rpartition(".")[0] or other for other in found)) or "none"
            hint = "nn.LayerNorm" if name.startswith(NORMS) else "nn.Linear with a bias"
            raise Wrong(f"the block has no parameter {name}; its parts: {have}", f"{name} {shape}", f"make it a {hint}")
        if tuple(found[name].shape) != shape:
            cause = "a Linear from a to b has a weight of shape (b, a)" if name.endswith("weight") else ""
            raise Wrong(f"{name} has shape {tuple(found[name].shape)}", f"{shape} for D={D}, H={H}, F={F}", cause)
    for one, other in itertools.combinations(wanted, 2):
        if found[one] is found[other]:
            cause = "two names for one module, such as one shared norm: make a module for each name"
            raise Wrong(f"{one} and {other} are the same parameter", "each has weights of its own", cause)
    if surplus := sorted(set(found) - set(wanted)):
        raise Wrong(f"the block has more parameters: {', '.join(surplus[:4])}", "eight parts", "BERT has no others")
    return {name: found[name] for name in wanted}


def _fill(parameters: dict[str, nn.Parameter], rng: torch.Generator) -> dict[str, Tensor]:
    with torch.no_grad():
        for name, parameter in parameters.items():
            gain = 1.0 if name in (f"{norm}.weight" for norm in NORMS) else 0.0
            scale = 0.8 if parameter.dim() == 2 else 0.5
            parameter.copy_(gain + scale * torch.randn(parameter.shape, generator=rng))
        parameters["feed_forward_norm.weight"].mul_(9.0)  # what is printed should not be near 0
    return {name: parameter.detach().clone() for name, parameter in parameters.items()}


def _silence(parameters: dict[str, nn.Parameter], *names: str) -> None:
    with torch.no_grad():
        for name in names:
            parameters[f"{name}.weight"].zero_()
            parameters[f"{name}.bias"].zero_()


def check_block(answer, rng: torch.Generator) -> None:
    """Parts and their shapes, a case by hand, the batch at random, small inputs, padding, dropout."""
    block = make_module(answer, D, H, F, 0.5)
    parameters = _weights(block)
    x = torch.randn(2, 5, D, generator=rng)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    w = _fill(parameters, rng)
    turned = "softmax over nothing, as when the mask is turned round: True marks the real tokens"
    expect_tensor("output", expect_steady(block, x, mask), (2, 5, D), if_nan=turned)

    # By hand: with both sub-layers silent only path and norm are left. (1, 2, 3, 1, 2, 3, ...) has mean 2 and variance
    # 2/3, so 1, 2 and 3 become -1.2247, 0 and 1.2247, and a second norm leaves them so.
    quiet = make_module(answer, D, H, F, 0.5)
    parts = _weights(quiet)
    _silence(parts, "output", "narrow", "value")
    with torch.no_grad():
        parts["value.bias"][1::3] = 3.0  # (0, 3, 0, ...): seen by whoever leaves out `output`
        for name in NORMS:
            parts[f"{name}.weight"].fill_(1.0)
            parts[f"{name}.bias"].zero_()
    plain = torch.tensor([1.0, 2.0, 3.0]).repeat(4)[None, None]  # (1, 1, D)
    seen = torch.ones(1, 1, dtype=torch.bool)
    silent = call(quiet, plain, seen)[0, 0, :3]
    want = torch.tensor([-(1.5**0.5), 0.0, 1.5**0.5])
    bessel = want * (11 / 12)  # twice: each norm divides by 11 instead of 12
    untouched_x = "x comes back as it was: the norm stands before the sub-layers (pre-norm), or inside the sum, as in "
    untouched_x += "x + norm(f(x)); BERT adds first and normalises the sum"
    suspects = {SUM: torch.zeros(3), untouched_x: plain[0, 0, :3], "the variance divides by D - 1, not D": bessel}
    name = "with attention and feed-forward silenced, the first three numbers of the output"
    cause = "attention must pass through `output`, feed-forward through `narrow`; here both of these are zero"
    expect_close(name, silent, want, cause, suspects, 1e-4)

    real = mask[..., None]
    right = _block(x, mask, w) * real
    suspects = {cause: _block(x, mask, w, style) * real for style, cause in MISTAKES.items()}
    expect_close("output", call(block, x, mask) * real, right, "random weights and inputs", suspects, 2e-5)

    # eps shows only where the variance is small: before the first norm, then before the second.
    text = "the norms' eps is {}, BERT's is 1e-12; nn.LayerNorm has 1e-5 unless told otherwise"
    with torch.no_grad():
        parts["narrow.bias"].copy_(torch.arange(D) % 2)
    for size, gain in ((1e-3, 1.0), (1.0, 1e-3)):
        with torch.no_grad():
            parts["attention_norm.weight"].fill_(gain)
            parts["narrow.bias"].mul_(gain)
        now = {name: parameter.detach() for name, parameter in parts.items()}
        small, want = call(quiet, size * plain, seen), _block(size * plain, seen, now)
        suspects = {
            text.format(style[4:]): _block(size * plain, seen, now, style) for style in ("eps 1e-5", "eps 1e-6")
        }
        expect_close("output where the variance is small", small, want, "is the norms' eps 1e-12?", suspects, 1e-4)

    alone = call(block, x[1:, :3], mask[1:, :3])
    cause = "a text gives other numbers beside padding than alone: hide the keys that are padding"
    expect_close("output", alone, right[1:, :3], cause, None, 2e-5)

    # Dropout: none of it on the residual path, some on each sub-layer.
    expect_dropout(make_module(answer, D, H, F, 0.0), 0.0, x, mask)
    try:
        _silence(parts, "narrow")
        expect_dropout(quiet, 0.0, x, mask)
    except Wrong:
        cause = "it falls on the sum or on the result; drop out the sub-layer's output, before x is added"
        raise Wrong("dropout touches the residual path", "x itself is never dropped", cause) from None
    for part, silent_part, name in (("output", "narrow", "attention"), ("narrow", "output", "feed-forward layer")):
        half = make_module(answer, D, H, F, 0.5)
        parts = _weights(half)
        _fill(parts, rng)
        _silence(parts, silent_part)
        with torch.no_grad():
            parts[f"{part}.weight"].zero_()  # only the bias is left, which dropout on the shares cannot touch
        try:
            expect_dropout(half, 0.5, x, mask)
        except Wrong as finding:
            cause = f"no dropout on what the {name} gives back: is nn.Dropout made and called there?"
            raise Wrong(finding.seen, finding.expected, cause) from None
