"""Answers to 17.1, a step of StableAdamW."""

import torch

from minibert.training.optimizers import AdamW, StableAdamW


def step_of(kind, weights, gradients, means, squares, step, lr, betas, eps, decay, clip=None):
    """The package's optimiser, put into this state."""
    parameters = [torch.nn.Parameter(weight.clone()) for weight in weights]
    optimizer = kind(parameters, lr=lr, betas=betas, eps=eps, weight_decay=decay)
    for parameter, gradient, mean, square in zip(parameters, gradients, means, squares, strict=True):
        parameter.grad = gradient.clone()
        optimizer.state[parameter].update(step=step - 1, mean=mean.clone(), square=square.clone())
    if clip:
        torch.nn.utils.clip_grad_norm_(parameters, clip)
    optimizer.step()
    states = [optimizer.state[parameter] for parameter in parameters]
    new = [parameter.detach() for parameter in parameters]
    return new, [state["mean"] for state in states], [state["square"] for state in states]


def package(*inputs):
    return step_of(StableAdamW, *inputs)


def adamw(*inputs):
    return step_of(AdamW, *inputs)


def clipped(*inputs):
    return step_of(StableAdamW, *inputs, clip=1.0)


def by_lerp(weights, gradients, means, squares, step, lr, betas, eps, decay):
    keep = [1 - (b - b**step) / (1 - b**step) for b in betas]
    out = [], [], []
    for w, g, m, v in zip(weights, gradients, means, squares, strict=True):
        m, v = torch.lerp(m, g, keep[0]), torch.lerp(v, g.square(), keep[1])
        ratio = g / v.sqrt().clamp(min=eps)
        eta = lr / max(1.0, ratio.square().mean().sqrt().item())
        out[0].append(w - eta * decay * w - eta * m / (v.sqrt() + eps))
        out[1].append(m)
        out[2].append(v)
    return out


def changes_its_inputs(weights, gradients, means, squares, *rest):
    found = by_lerp(weights, gradients, means, squares, *rest)
    weights[0].copy_(found[0][0])
    return found


def first_tensor_only(weights, gradients, means, squares, *rest):
    found = by_lerp(weights[:1], gradients[:1], means[:1], squares[:1], *rest)
    return found[0] + weights[1:], found[1] + means[1:], found[2] + squares[1:]


def global_norm(weights, gradients, means, squares, step, lr, betas, eps, decay):
    total = sum((g**2).sum() for g in gradients).sqrt()
    scaled = [g / total.clamp(min=1.0) for g in gradients]
    return by_lerp(weights, scaled, means, squares, step, lr, betas, eps, decay)


def weights_only(*inputs):
    return by_lerp(*inputs)[0]


def adds_eps(weights, gradients, means, squares, step, lr, betas, eps, decay):
    """rms with square + eps² in place of the larger of the two."""
    _, means, squares = by_lerp(weights, gradients, means, squares, step, lr, betas, eps, decay)
    rms = [(g**2 / (v + eps**2)).mean().sqrt() for g, v in zip(gradients, squares, strict=True)]
    rates = [lr / max(1.0, one.item()) for one in rms]
    rows = zip(weights, means, squares, rates, strict=True)
    return [w * (1 - r * decay) - r * m / (v.sqrt() + eps) for w, m, v, r in rows], means, squares


def squares_first(*inputs):
    weights, means, squares = by_lerp(*inputs)
    return weights, squares, means


RIGHT = {"the package": package, "lerp": by_lerp, "tuples": lambda *inputs: [tuple(one) for one in by_lerp(*inputs)]}
WRONG = {
    "AdamW": (adamw, "this is AdamW"),
    "clipped": (clipped, "means|clipped|gradient"),
    "a global norm": (global_norm, "means|gradient"),
    "changes its inputs": (changes_its_inputs, "changes an input"),
    "the first tensor only": (first_tensor_only, r"weights\[1\]"),
    "weights only": (weights_only, "a list of 4|a list of 1"),
    "nothing": (lambda *inputs: None, "return"),
    "adds eps": (adds_eps, r"smaller than eps\*\*2"),
    "squares first": (squares_first, r"means\[0\]"),
}
