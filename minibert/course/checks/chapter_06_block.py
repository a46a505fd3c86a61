"""Exercise 6.1: is it BERT's block, and if not, which other block is it?"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from minibert.course.checks.chapter_06_variants import MISTAKES, NORMS, SUM, D, F, H, _block
from minibert.course.exercise import Wrong
from minibert.course.expect import expect_close, expect_dropout, expect_steady, make_module
from minibert.course.tools import call, expect_tensor

SHAPES = {"query": (D, D), "key": (D, D), "value": (D, D), "output": (D, D), "widen": (F, D), "narrow": (D, F)}


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


class _Dropouts(TorchFunctionMode):
    """Records the shapes on which dropout falls while the block runs."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is functional.dropout or function is torch.dropout:
            self.shapes.append(tuple((args[0] if args else kwargs["input"]).shape))
        if function is functional.scaled_dot_product_attention:
            self.shapes.append(("shares",) if kwargs.get("dropout_p") else ())
        return function(*args, **kwargs)


def _expect_places(answer, x: Tensor, mask: Tensor) -> None:
    """Dropout on the shares, none inside the feed-forward layer; says nothing of dropout made by hand."""
    with _Dropouts() as seen:
        call(make_module(answer, D, H, F, 0.5).train(), x, mask)
    shapes = [shape for shape in seen.shapes if shape]
    if any(shape[-1] == F for shape in shapes):
        cause = "BERT drops nothing between widen and narrow, only what narrow gives back"
        raise Wrong(f"dropout falls on F={F} inner numbers", "none there", cause)
    if shapes and not any(shape == ("shares",) or shape[-2:] == (x.shape[1],) * 2 for shape in shapes):
        cause = "the shares of attention, behind the softmax, are dropped out as well, before they mix the values"
        raise Wrong(f"dropout falls on {', '.join(map(str, shapes))} only", "also on (B, H, T, T)", cause)


def _silence(parameters: dict[str, nn.Parameter], *names: str) -> None:
    with torch.no_grad():
        for name in names:
            parameters[f"{name}.weight"].zero_()
            parameters[f"{name}.bias"].zero_()


def _check_block(answer, rng: torch.Generator) -> None:
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
    generic = "random weights: check scale, mask, split and merge of the heads, order of sums and norms, in this order"
    expect_close("output", call(block, x, mask) * real, right, generic, suspects, 2e-5)

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
    _expect_places(answer, x, mask)
