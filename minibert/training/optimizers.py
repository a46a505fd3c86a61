"""The optimisers, BERT's Adam, AdamW, ModernBERT's StableAdamW and Muon, and which parameters are decayed."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

from minibert.training.distributed import whole


class AdamFamily(Optimizer):
    """What the Adam family shares: two running averages for each parameter, and a loop over the tensors.

    A member says in `_update` how one tensor changes, with its gradient, its state (`step`, `mean`, `square`)
    and its group.

    Raises:
        ValueError: for settings out of range.

    Source: Kingma and Ba 2015, algorithm 1.

    >>> class Still(AdamFamily):
    ...     def _update(self, parameter, gradient, state, group): pass
    >>> Still([torch.nn.Parameter(torch.ones(1))], {"lr": 0.1, "betas": (0.9, 2.0), "eps": 1e-8, "weight_decay": 0.0})
    Traceback (most recent call last):
    ...
    ValueError: betas must be two numbers from 0 up to but not including 1, got (0.9, 2.0)
    """

    def __init__(self, params, defaults: dict):
        lr, betas, eps, decay = (defaults[name] for name in ("lr", "betas", "eps", "weight_decay"))
        if not 0 <= lr < math.inf:
            raise ValueError(f"lr must be 0 or more and finite, got {lr}")
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be two numbers from 0 up to but not including 1, got {betas}")
        if not eps > 0:
            raise ValueError(f"eps must be more than 0, got {eps}; 1e-8 to 1e-5 are usual")
        if not 0 <= decay < math.inf:
            raise ValueError(f"weight_decay must be 0 or more and finite, got {decay}")
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update every parameter that has a gradient, and return the closure's loss if one was given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.grad.is_sparse:
                    raise ValueError("sparse gradients are not supported; build nn.Embedding with sparse=False")
                state = self.state[parameter]
                if not state:
                    state["step"] = 0
                    state["mean"] = torch.zeros_like(parameter)  # running average of the gradient, m
                    state["square"] = torch.zeros_like(parameter)  # running average of its square, v
                state["step"] += 1
                self._update(parameter, parameter.grad, state, group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, state: dict, group: dict) -> None:
        raise NotImplementedError


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


class Muon(AdamW):
    """AdamW, but the matrices of the blocks take steps of the same size in all directions.

    ::

        m = momentum m + g
        p = p - MATRICES lr orthogonal(g + momentum m)

    `params` are the groups of `muon_groups`; those with `orthogonal` are moved like this, the others by AdamW. A matrix
    with more rows than columns is taken in square blocks: queries, keys and values lie in one.

    Raises:
        ValueError: for settings out of range.

    Source: Jordan 2024 (Muon).

    >>> weight = torch.nn.Parameter(torch.zeros(2, 2))
    >>> optimizer = Muon([{"params": [weight], "orthogonal": True}], lr=0.01)
    >>> weight.grad = torch.tensor([[0.0, 5.0], [-0.1, 0.0]])
    >>> optimizer.step()
    >>> weight.abs().gt(0.03).tolist()  # both directions move, though one gradient is fifty times the other
    [[False, True], [True, False]]
    """

    MATRICES, MOMENTUM = 7.0, 0.95

    def _update(self, parameter, gradient, state, group):
        if not group.get("orthogonal"):
            return super()._update(parameter, gradient, state, group)
        mean = state["mean"].mul_(self.MOMENTUM).add_(gradient)
        update = gradient + self.MOMENTUM * mean
        rate = self.MATRICES * group["lr"]
        parameter *= 1 - rate * group["weight_decay"]
        parameter -= rate * torch.cat([orthogonal(part) for part in update.split(update.shape[1])])


def orthogonal(x: Tensor, steps: int = 5) -> Tensor:
    """All singular values of x brought near 1, by a polynomial of odd powers (Newton and Schulz).

    Shape: (rows, columns), with no more rows than columns -> the same.

    Source: Jordan 2024 (Muon), for the coefficients.

    >>> found = torch.linalg.svdvals(orthogonal(torch.tensor([[3.0, 0.0], [0.0, 0.5]])))
    >>> bool(((0.6 < found) & (found < 1.3)).all())
    True
    """
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x


def muon_groups(model: torch.nn.Module, weight_decay: float) -> list[dict]:
    """The groups of `parameter_groups`, with the matrices of the blocks in one of their own.

    >>> from minibert import Encoder, EncoderConfig
    >>> groups = muon_groups(Encoder(EncoderConfig.preset("bert-nano")), 0.01)
    >>> [len(group["params"]) for group in groups], groups[0]["orthogonal"]
    ([16, 4, 35], True)
    """
    inside = {id(p) for name, p in model.named_parameters() if "blocks." in name and p.ndim == 2}
    groups = parameter_groups(model, weight_decay)
    matrices = [p for group in groups for p in group["params"] if id(p) in inside]
    for group in groups:
        group["params"] = [p for p in group["params"] if id(p) not in inside]
    return [{"params": matrices, "weight_decay": weight_decay, "orthogonal": True}, *groups]


class StableAdamW(AdamFamily):
    """AdamW that shortens the step of a tensor whose gradient is larger than its running average expects.

    ::

        b = (beta - beta^t) / (1 - beta^t)       for both betas: averages that are corrected from the start
        m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
        rms = sqrt(mean(g^2 / max(v, eps^2)));  eta = lr / max(1, rms)
        p = p - eta weight_decay p               or p - (eta / max_lr) weight_decay p with decoupled_lr
        p = p - eta m / (sqrt(v) + eps)

    `rms` is one number for each tensor, not for each element and not for the whole model. It is exactly 1 at the
    first step and at most sqrt(1 / (1 - beta2)), so the learning rate of a bad batch falls by at most that factor,
    and gradient clipping is not needed.

    ModernBERT trains with lr 8e-4, betas (0.9, 0.98), eps 1e-6 and decay 1e-5. `decoupled_lr` divides the decay by
    `max_lr`, the highest learning rate of the schedule (the group's initial `lr` if None), so that the decay follows
    the schedule but not the learning rate itself.

    Raises:
        ValueError: for settings out of range.

    Source: Wortsman et al. 2023, section 3; Warner et al. 2024, section 2.2.1.

    >>> import torch
    >>> weight = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = StableAdamW([weight], lr=0.1, weight_decay=0.0)
    >>> weight.grad = torch.tensor([7.0])
    >>> optimizer.step()
    >>> round(weight.item(), 3), round(optimizer.state[weight]["rms"].item(), 3)
    (0.9, 1.0)
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-6,
        weight_decay: float = 0.01,
        decoupled_lr: bool = False,
        max_lr: float | None = None,
    ):
        if max_lr is not None and not max_lr > 0:
            raise ValueError(f"max_lr must be more than 0, got {max_lr}; leave it None to take the initial lr")
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "decoupled_lr": decoupled_lr}
        super().__init__(params, {**defaults, "max_lr": max_lr})
        for group in self.param_groups:
            if group["max_lr"] is None:
                group["max_lr"] = group["lr"]
            if group["decoupled_lr"] and not group["max_lr"] > 0:
                raise ValueError("decoupled_lr divides by max_lr, but lr is 0; give max_lr, the peak of the schedule")

    def _update(self, parameter, gradient, state, group):
        step, eps = state["step"], group["eps"]
        beta1, beta2 = ((beta - beta**step) / (1 - beta**step) for beta in group["betas"])
        mean = state["mean"].mul_(beta1).add_(gradient, alpha=1 - beta1)
        square = state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        # Under FSDP these are slices: their sum is that of all of them, but a mean of unequal slices' means is wrong.
        rms = whole(((gradient.square() / square.clamp(min=eps**2)).sum() / parameter.numel()).sqrt())
        state["rms"] = rms  # kept so that a training log can show which tensors were held back
        lr = group["lr"] / rms.clamp(min=1.0)  # a tensor: to read the number would wait for the GPU
        parameter *= 1 - (lr / group["max_lr"] if group["decoupled_lr"] else lr) * group["weight_decay"]
        parameter -= lr * (mean / (square.sqrt() + eps))
