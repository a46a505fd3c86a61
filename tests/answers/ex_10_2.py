"""Answers to 10.2, a head with dropout."""

import torch
from torch import nn
from torch.nn import functional as F


class ByHand(nn.Module):
    """Dropout with numbers of its own, a mean of weights."""

    def __init__(self, D, C, dropout):
        super().__init__()
        self.dense, self.scores, self.p = nn.Linear(D, D), nn.Linear(D, C), dropout

    def forward(self, hidden, mask):
        share = mask.to(hidden) / mask.sum(-1, keepdim=True)
        x = torch.tanh(self.dense(torch.einsum("bt,btd->bd", share, hidden)))
        if self.training:
            x = torch.where(torch.rand(x.shape) < self.p, 0.0, x / (1 - self.p))
        return self.scores(x)


class InALoop(nn.Module):
    """Text after text, and everything else in a Sequential beside the two matrices."""

    def __init__(self, D, C, dropout):
        super().__init__()
        self.dense = nn.Linear(D, D)
        self.scores = nn.Linear(D, C)
        self.dropout_p = dropout

    def forward(self, hidden, mask):
        means = torch.stack([states[keep].mean(dim=0) for states, keep in zip(hidden, mask, strict=True)])
        return self.scores(F.dropout(self.dense(means).tanh(), self.dropout_p, self.training))


class Changed(ByHand):
    """What the wrong ones have in common: one step is another."""

    def pool(self, hidden, mask):
        return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)

    def drop(self, x):
        return F.dropout(x, self.p, self.training)

    def forward(self, hidden, mask):
        return self.scores(self.drop(torch.tanh(self.dense(self.pool(hidden, mask)))))


class PoolsPad(Changed):
    def pool(self, hidden, mask):
        return hidden.mean(1)


class FirstToken(Changed):
    def pool(self, hidden, mask):
        return hidden[:, 0]


class HugeMinus(Changed):
    """A maximum, with padding at -1e9."""

    def pool(self, hidden, mask):
        return hidden.masked_fill(~mask[..., None], -1e9).max(1).values


class Always(Changed):
    def drop(self, x):
        return F.dropout(x, self.p)


class Never(Changed):
    def drop(self, x):
        return x


class Gaussian(Changed):
    """Noise with the variance of dropout, and no zeros."""

    def drop(self, x):
        noise = 1 + torch.randn_like(x) * (self.p / (1 - self.p)) ** 0.5
        return x * noise if self.training else x


class OneMask(Changed):
    """A mask drawn once, when the head is made."""

    def __init__(self, D, C, dropout):
        super().__init__(D, C, dropout)
        self.keep = (torch.rand(600, D) >= dropout) / (1 - dropout if dropout < 1 else 1)

    def drop(self, x):
        return x * self.keep[: len(x)] if self.training else x


class Unscaled(Changed):
    def drop(self, x):
        return x * (torch.rand_like(x) > self.p) if self.training else x


class AlphaDropout(Changed):
    def drop(self, x):
        return F.alpha_dropout(x, self.p, self.training)


class Detached(Changed):
    def pool(self, hidden, mask):
        return super().pool(hidden.detach(), mask)


class OneLayer(nn.Module):
    def __init__(self, D, C, dropout):
        super().__init__()
        self.scores, self.dropout = nn.Linear(D, C), nn.Dropout(dropout)

    def forward(self, hidden, mask):
        return self.scores(self.dropout((hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)))


class WithoutBias(Changed):
    def __init__(self, D, C, dropout):
        super().__init__(D, C, dropout)
        self.scores = nn.Linear(D, C, bias=False)


class Clamped(Changed):
    """Divides by T where a text has more than half of T."""

    def pool(self, hidden, mask):
        count = mask.sum(1, keepdim=True).clamp(min=3)
        return (hidden * mask[..., None]).sum(1) / count


def a_function(D, C, dropout):
    return lambda hidden, mask: hidden.mean(1)


RIGHT = {"by hand": ByHand, "in a loop": InALoop, "F.dropout": Changed}
WRONG = {
    "pools pad": (PoolsPad, "padding is in the mean"),
    "first token": (FirstToken, "first token"),
    "a maximum": (HugeMinus, "maximum"),
    "always drops": (Always, "F.dropout needs training"),
    "never drops": (Never, "nothing is dropped"),
    "noise": (Gaussian, "single numbers"),
    "one mask for ever": (OneMask, "drops others|the next call"),
    "not scaled": (Unscaled, "not scaled"),
    "alpha dropout": (AlphaDropout, "share of zeros"),
    "detached": (Detached, "no gradient reaches the input"),
    "one layer": (OneLayer, "no parameter dense.weight"),
    "without bias": (WithoutBias, "scores.bias"),
    "a count of three": (Clamped, "mean|one token"),
    "a function": (a_function, "the class Head"),
}
