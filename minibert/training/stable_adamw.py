"""ModernBERT's optimiser: AdamW that holds back a tensor whose gradient jumps."""

from collections.abc import Iterable

from minibert.training.adam import AdamFamily
from minibert.training.distributed import whole


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
