"""Chapter 2, ELMo: the solutions of its exercises, and mistakes that their checks must recognise."""

import torch
from torch import nn
from torch.nn import functional

from minibert.course.checks.chapter_02_wrong_states import LEAKS, _closed_states, _sees
from minibert.course.exercise import Mutant


class _ScalarMix(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(layers))
        self.gamma = nn.Parameter(torch.ones(()))

    def shares(self):
        return torch.softmax(self.scores, dim=0)  # (L,)

    def forward(self, states):
        return self.gamma * (self.shares()[:, None, None, None] * states).sum(dim=0)  # (B, T, D)


class _NoSoftmax(_ScalarMix):
    def shares(self):
        return self.scores


class _SoftmaxTooLate(_ScalarMix):
    def forward(self, states):
        shares = torch.softmax(self.scores.view(-1, 1, 1, 1), dim=-1)
        return self.gamma * (shares * states).sum(dim=0)


class _DividesByTheSum(_ScalarMix):
    def shares(self):
        return self.scores / self.scores.sum()


class _ExpOverflows(_ScalarMix):
    def shares(self):
        return self.scores.exp() / self.scores.exp().sum()


class _Sigmoids(_ScalarMix):
    def shares(self):
        return torch.sigmoid(self.scores)


class _NoGamma(_ScalarMix):
    def __init__(self, layers):
        super().__init__(layers)
        del self.gamma


class _IgnoresGamma(_ScalarMix):
    def forward(self, states):
        return (self.shares()[:, None, None, None] * states).sum(dim=0)


class _GammaInside(_ScalarMix):
    def forward(self, states):
        shares = torch.softmax(self.gamma * self.scores, dim=0)
        return torch.einsum("l,lbtd->btd", shares, states)


class _Averages(_ScalarMix):
    def forward(self, states):
        return super().forward(states) / len(states)


class _AveragesTokens(_ScalarMix):
    def forward(self, states):
        return super().forward(states).mean(dim=1)


class _SpreadsTheAverage(_ScalarMix):
    def forward(self, states):
        return super().forward(states).mean(dim=1, keepdim=True).expand(states.shape[1:])


class _SharesOfTokens(_ScalarMix):
    def forward(self, states):
        shares = torch.softmax(self.scores[:, None, None, None] * states, dim=0)
        return self.gamma * (shares * states).sum(dim=0)


class _AsksTheStates(_ScalarMix):
    def forward(self, states):
        shares = torch.softmax(self.scores[:, None, None] + states.mean(dim=-1), dim=0)  # (L, B, T)
        return self.gamma * (shares[..., None] * states).sum(dim=0)


class _SoftmaxOverEntries(_ScalarMix):
    def forward(self, states):
        return self.gamma * (torch.softmax(self.scores[:, None, None, None] * states, dim=-1) * states).sum(dim=0)


class _ScoresOfEntries(_ScalarMix):
    def __init__(self, layers):
        super().__init__(layers)
        self.scores = nn.Parameter(torch.zeros(layers, 4))


class _NotAParameter(_ScalarMix):
    def __init__(self, layers):
        super().__init__(layers)
        del self.scores
        self.scores = torch.zeros(layers)


class _ABuffer(_ScalarMix):
    def __init__(self, layers):
        super().__init__(layers)
        del self.gamma
        self.register_buffer("gamma", torch.ones(()))


class _Normalises(_ScalarMix):
    def forward(self, states):
        return super().forward(functional.layer_norm(states, states.shape[-1:]))


class _StartsWithZero(_ScalarMix):
    def __init__(self, layers):
        super().__init__(layers)
        self.gamma = nn.Parameter(torch.zeros(()))


class _StartsAtRandom(_ScalarMix):
    def __init__(self, layers):
        super().__init__(layers)
        self.scores = nn.Parameter(torch.randn(layers))


class _CutsTheGradient(_ScalarMix):
    def shares(self):
        return torch.softmax(self.scores, dim=0).detach()


class _DropsOut(_ScalarMix):
    def forward(self, states):
        return functional.dropout(super().forward(states), 0.1, self.training)


SOLUTIONS = {"2.1": _ScalarMix, "2.2": (_sees, _closed_states)}

MUTANTS = {
    "2.1": [
        Mutant("no softmax", _NoSoftmax, "no softmax"),
        Mutant("softmax over an axis of length 1", _SoftmaxTooLate, "axis of length 1"),
        Mutant("divides by the sum", _DividesByTheSum, "division by their sum"),
        Mutant("exp overflows", _ExpOverflows, "exp of a large score"),
        Mutant("sigmoids", _Sigmoids, "sigmoids"),
        Mutant("no gamma", _NoGamma, "(?s)no parameter gamma.*nn.Parameter"),
        Mutant("gamma not used", _IgnoresGamma, "gamma is not used"),
        Mutant("gamma inside the softmax", _GammaInside, "gamma stands inside"),
        Mutant("mean over the layers", _Averages, "divided by the number of layers"),
        Mutant("averages over the tokens", _AveragesTokens, r"(?s)shape \(2, 4\).*\(2, 3, 4\)"),
        Mutant("every token gets the average", _SpreadsTheAverage, "tokens of a text are averaged"),
        Mutant("shares for each token", _SharesOfTokens, "every token gets its own"),
        Mutant("shares that ask the states", _AsksTheStates, "made from the states"),
        Mutant("softmax over the entries", _SoftmaxOverEntries, "softmax over the entries"),
        Mutant("scores for each entry", _ScoresOfEntries, r"(?s)scores has shape \(5, 4\).*one number for each layer"),
        Mutant("scores are a plain tensor", _NotAParameter, "(?s)no parameter scores.*no optimizer will find"),
        Mutant("gamma is a buffer", _ABuffer, "(?s)no parameter gamma.*no optimizer will find"),
        Mutant("layers normalised", _Normalises, "normalised first"),
        Mutant("gamma begins as 0", _StartsWithZero, "gamma as 1"),
        Mutant("scores begin at random", _StartsAtRandom, "begin as equal numbers"),
        Mutant("cuts the gradient", _CutsTheGradient, "no gradient reaches scores"),
        Mutant("dropout", _DropsOut, "no dropout"),
    ],
    "2.2": LEAKS,
}
