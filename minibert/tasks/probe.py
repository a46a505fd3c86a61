"""Logistic regression on features that stay as they are: how much of an answer do they hold?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Probe:
    """A fitted logistic regression. It centres and scales features as those that it was fitted on.

    Shape: mean and scale (D,), weight (classes, D), bias (classes,), all float64.

    >>> probe = fit_probe(torch.tensor([[0.0], [1.0], [4.0], [5.0]]), torch.tensor([0, 0, 1, 1]))
    >>> probe.accuracy(torch.tensor([[0.5], [4.5]]), torch.tensor([0, 1]))
    1.0
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """Scores of the classes: (N, D) -> (N, classes), float64.

        >>> fit_probe(torch.eye(2), torch.tensor([0, 1])).logits(torch.zeros(3, 2)).shape
        torch.Size([3, 2])
        """
        return (features.double() - self.mean) / self.scale @ self.weight.T + self.bias

    def right(self, features: Tensor, labels: Tensor) -> Tensor:
        """Which rows get their own label: (N, D) and (N,) -> (N,) bool.

        >>> fit_probe(torch.eye(2), torch.tensor([0, 1])).right(torch.eye(2), torch.tensor([0, 0])).tolist()
        [True, False]
        """
        return self.logits(features).argmax(-1) == labels

    def accuracy(self, features: Tensor, labels: Tensor) -> float:
        """The share of rows that get their own label.

        >>> fit_probe(torch.eye(2), torch.tensor([0, 1])).accuracy(torch.eye(2), torch.tensor([0, 0]))
        0.5
        """
        return self.right(features, labels).double().mean().item()


def fit_probe(features: Tensor, labels: Tensor, penalty: float = 1.0, steps: int = 200) -> Probe:
    """Fit a multinomial logistic regression to features that are not trained themselves.

    Each feature is centred and divided by its standard deviation. What is minimised is the summed cross-entropy (nats)
    plus `penalty` times half the squared weights, scikit-learn's objective with C = 1 / penalty; a larger penalty
    trusts the features less. L-BFGS, at most `steps` steps, in float64, starts from zeros and draws nothing.

    Shape: features (N, D), labels (N,) integers from 0 -> a `Probe`.

    Raises:
        ValueError: shapes that do not fit, labels that are no classes, fewer than two classes, a negative penalty, or
            features that are not finite.

    Source: McCullagh and Nelder 1989, chapter 5; as a probe of features: Alain and Bengio 2016.

    >>> features, labels = torch.tensor([[0.0], [1.0], [2.0], [3.0]]), torch.tensor([0, 0, 1, 1])
    >>> fit_probe(features, labels, penalty=1e6).weight.abs().max().item() < 1e-5
    True
    """
    if features.dim() != 2 or labels.shape != features.shape[:1] or len(features) == 0:
        raise ValueError(f"features must be (N, D), labels (N,), got {tuple(features.shape)}, {tuple(labels.shape)}")
    if labels.dtype not in (torch.int64, torch.int32) or int(labels.min()) < 0 or int(labels.max()) < 1:
        raise ValueError("labels must be integers from 0, with two classes at least; .long() converts")
    if not penalty >= 0:
        raise ValueError(f"penalty is {penalty}; it is 0 or more")
    if not features.isfinite().all():
        raise ValueError("features hold NaN or infinity: look at what made them, a probe cannot mend it")
    x, labels = features.detach().double(), labels.long()
    mean, scale = x.mean(0), x.std(0, correction=0)
    scale = torch.where(scale > 1e-8, scale, 1.0)  # a constant feature says nothing, and is left at 0
    x = (x - mean) / scale
    classes = int(labels.max()) + 1
    weight = torch.zeros(classes, x.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weight, bias], max_iter=steps, tolerance_grad=1e-8, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        solver.zero_grad()
        loss = F.cross_entropy(x @ weight.T + bias, labels, reduction="sum") + penalty / 2 * weight.square().sum()
        loss = loss / len(x)  # the same minimum, and steps that do not depend on N
        loss.backward()
        return loss

    with torch.enable_grad():
        solver.step(objective)
    return Probe(mean, scale, weight.detach(), bias.detach())


def best_probe(features: Tensor, labels: Tensor, penalties: Sequence[float]) -> Probe:
    """Fitted to all labels with the penalty that does best on the last fifth when it is fitted to the rest.

    So the penalty is chosen on training labels, and those who compare features let each choose from the same numbers.

    Shape: as `fit_probe`.

    Raises:
        ValueError: as `fit_probe`.

    Source: Stone 1974 (a choice by data that were left out).

    >>> features, labels = torch.arange(10.0)[:, None] % 4, torch.arange(10) % 4 // 2
    >>> best_probe(features, labels, (1.0, 10.0)).accuracy(features, labels)
    1.0
    """
    fit = len(labels) * 4 // 5 // 2 * 2

    def on_the_rest(penalty: float) -> float:
        probe = fit_probe(features[:fit], labels[:fit], penalty, steps=60)
        return probe.accuracy(features[fit:], labels[fit:])

    return fit_probe(features, labels, max(penalties, key=on_the_rest), steps=60)
