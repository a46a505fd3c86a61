"""Answers to 10.1, a step of AdamW."""

import torch

from minibert.training.optimizers import AdamW

torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))])  # the first one takes seconds: torch imports its compiler


def with_torch(weights, gradients, means, squares, step, lr, betas, eps, decay, kind=torch.optim.AdamW, least=2):
    """PyTorch's optimiser, put into this state."""
    parameters = [torch.nn.Parameter(weight.clone()) for weight in weights]
    groups = [
        {"params": [p for p in parameters if p.dim() >= least], "weight_decay": decay},
        {"params": [p for p in parameters if p.dim() < least], "weight_decay": 0.0},
    ]
    optimizer = kind(groups, lr=lr, betas=betas, eps=eps)
    for parameter, gradient, mean, square in zip(parameters, gradients, means, squares, strict=True):
        parameter.grad = None if gradient is None else gradient.clone()
        state = {"step": torch.tensor(step - 1.0), "exp_avg": mean.clone(), "exp_avg_sq": square.clone()}
        optimizer.state[parameter] = state
    optimizer.step()
    states = [optimizer.state[parameter] for parameter in parameters]
    new = [parameter.detach() for parameter in parameters]
    return new, [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states]


def the_package(weights, gradients, means, squares, step, lr, betas, eps, decay):
    parameters = [torch.nn.Parameter(weight.clone()) for weight in weights]
    matrices, vectors = ([p for p in parameters if (p.dim() > 1) is many] for many in (True, False))
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = AdamW([group for group in groups if group["params"]], lr=lr, betas=betas, eps=eps)
    for parameter, gradient, mean, square in zip(parameters, gradients, means, squares, strict=True):
        parameter.grad = None if gradient is None else gradient.clone()
        optimizer.state[parameter].update(step=step - 1, mean=mean.clone(), square=square.clone())
    optimizer.step()
    states = [optimizer.state[parameter] for parameter in parameters]
    return (
        tuple(parameter.detach() for parameter in parameters),
        tuple(state["mean"] for state in states),
        tuple(state["square"] for state in states),
    )


def in_another_order(weights, gradients, means, squares, step, lr, betas, eps, decay):
    """The old weight decays beside the step; lr is corrected for the root, and eps with it."""
    (b1, b2), out = betas, ([], [], [])
    for w, g, m, v in zip(weights, gradients, means, squares, strict=True):
        if g is None:
            new = w.clone(), m.clone(), v.clone()
        else:
            m, v = torch.lerp(m, g, 1 - b1), b2 * v + (1 - b2) * g * g
            c = (1 - b2**step) ** 0.5
            move = -lr * c / (1 - b1**step) * m / (v.sqrt() + c * eps)
            new = w + move - (lr * decay * w if w.ndim >= 2 else 0), m, v
        for one, many in zip(new, out, strict=True):
            many.append(one)
    return out


def l2(*inputs):
    return with_torch(*inputs, kind=torch.optim.Adam)


def all_decay(*inputs):
    return with_torch(*inputs, least=0)


def changes_its_inputs(weights, *rest):
    found = in_another_order(weights, *rest)
    for old, new in zip(weights, found[0], strict=True):
        old.copy_(new)
    return found


def zeros_for_none(weights, gradients, *rest):
    return in_another_order(
        weights, [torch.zeros(w.shape) if g is None else g for w, g in zip(weights, gradients, strict=True)], *rest
    )


def eps_uncorrected(weights, gradients, means, squares, step, lr, betas, eps, decay):
    return in_another_order(
        weights, gradients, means, squares, step, lr, betas, eps / (1 - betas[1] ** step) ** 0.5, decay
    )


def first_tensor_only(weights, gradients, means, squares, *rest):
    found = in_another_order(weights[:1], gradients[:1], means[:1], squares[:1], *rest)
    return found[0] + weights[1:], found[1] + means[1:], found[2] + squares[1:]


def schedule_inside(weights, gradients, means, squares, step, lr, *rest):
    return in_another_order(weights, gradients, means, squares, step, lr * min(1.0, step / 10), *rest)


def corrects_a_thousand_steps(weights, gradients, means, squares, step, *rest):
    return in_another_order(weights, gradients, means, squares, min(step, 1000), *rest)


def clips(weights, gradients, *rest):
    return in_another_order(weights, [g if g is None else g / max(1.0, g.norm().item()) for g in gradients], *rest)


RIGHT = {"torch.optim": with_torch, "the package": the_package, "in another order": in_another_order}
WRONG = {
    "Adam with L2": (l2, "L2"),
    "everything decays": (all_decay, "biases and norms decay"),
    "changes its inputs": (changes_its_inputs, "changes an input"),
    "zeros for None": (zeros_for_none, "frozen"),
    "eps before the correction": (eps_uncorrected, "eps is added before"),
    "the first tensor only": (first_tensor_only, r"weights\[1\]|weights\[2\]"),
    "a warm-up of its own": (schedule_inside, r"weights\[0\]"),
    "a correction that ends": (corrects_a_thousand_steps, "step 100,000"),
    "clips": (clips, "the gradient is clipped"),
    "weights only": (lambda *inputs: in_another_order(*inputs)[0], "a list of 6|a list of 1"),
    "nothing": (lambda *inputs: None, "return"),
    "squares first": (lambda *inputs: in_another_order(*inputs)[::-1], r"weights\[0\]"),
}
