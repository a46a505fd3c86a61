"""The frame that BertAdam, AdamW and StableAdamW fill in."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer


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
