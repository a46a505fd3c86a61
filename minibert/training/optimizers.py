"""BERT's Adam and AdamW, and which parameters are decayed. StableAdamW has a file of its own."""

from collections.abc import Iterable

import torch

from minibert.training.adam import AdamFamily


class BertAdam(AdamFamily):
    """Adam as BERT was trained with: no bias correction, decoupled weight decay that is multiplied by lr.

    ::

        m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
        p = p - lr (m / (sqrt(v) + eps) + weight_decay p)

    Both averages start at 0 and nothing corrects for it: the first update is 0.1 / sqrt(0.001) = 3.16 times as large
    as with bias correction, which BERT's warm-up hides. Give it `parameter_groups(model, 0.01)`, so that biases and
    norms are not decayed, and clip the gradient to a global norm of 1 before each step.

    The defaults are BERT's for pre-training; `params` are parameters or parameter groups.

    Raises:
        ValueError: for settings out of range.

    Source: Devlin et al. 2019, appendix A.2, and released code (the optimizer).

    >>> weight = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = BertAdam([weight], lr=0.1, weight_decay=0.0)
    >>> weight.grad = torch.tensor([7.0])
    >>> optimizer.step()
    >>> round(weight.item(), 3)  # 1 - 0.1 * 3.16, whatever the size of the gradient
    0.684
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.01,
    ):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def _update(self, parameter, gradient, state, group):
        beta1, beta2 = group["betas"]
        mean = state["mean"].mul_(beta1).add_(gradient, alpha=1 - beta1)
        square = state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        update = mean / (square.sqrt() + group["eps"])
        update += group["weight_decay"] * parameter
        parameter -= group["lr"] * update


class AdamW(AdamFamily):
    """Adam with bias correction and decoupled weight decay; equal to `torch.optim.AdamW`.

    ::

        m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2      at step t = 1, 2, ...
        p = p - lr weight_decay p
        p = p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    Decay acts on the weight itself. Added to the gradient instead (L2 regularisation), it would be divided by sqrt(v),
    and weights with large gradients would hardly decay.

    The defaults are torch's; `params` are parameters or parameter groups.

    Raises:
        ValueError: for settings out of range.

    Source: Loshchilov and Hutter 2019, algorithm 2; Boizard et al. 2025 train with it.

    >>> weight = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = AdamW([weight], lr=0.1, weight_decay=0.0)
    >>> weight.grad = torch.tensor([7.0])
    >>> optimizer.step()
    >>> round(weight.item(), 3)  # the first step is lr long
    0.9
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def _update(self, parameter, gradient, state, group):
        (beta1, beta2), step = group["betas"], state["step"]
        mean = state["mean"].mul_(beta1).add_(gradient, alpha=1 - beta1)
        square = state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        parameter *= 1 - group["lr"] * group["weight_decay"]
        corrected = (square / (1 - beta2**step)).sqrt_().add_(group["eps"])
        parameter.addcdiv_(mean, corrected, value=-group["lr"] / (1 - beta1**step))


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict]:
    """Split a model's parameters into those that are decayed and those that are not.

    Matrices and embeddings are decayed; biases and norm gains are not: they have one axis, or are named `bias`. In
    our models this is BERT's rule (names with LayerNorm or bias) and ModernBERT's (`ndim <= 1` or `.bias`) at once.
    EuroBERT decays everything: give its optimiser `model.parameters()`. A tied matrix is listed once.

    Raises:
        ValueError: if no parameter asks for a gradient.

    Source: Devlin et al. 2019 and Warner et al. 2024, released code of both.

    >>> decayed, spared = parameter_groups(torch.nn.Linear(3, 2), 0.01)
    >>> [tuple(p.shape) for p in decayed["params"]], decayed["weight_decay"]
    ([(2, 3)], 0.01)
    >>> [tuple(p.shape) for p in spared["params"]], spared["weight_decay"]
    ([(2,)], 0.0)
    """
    decayed, spared = [], []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            spare = parameter.ndim <= 1 or name.split(".")[-1] == "bias"
            (spared if spare else decayed).append(parameter)
    if not decayed and not spared:
        raise ValueError("the model has no parameter that requires a gradient; unfreeze some before training")
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
