"""Answers to 14.1, GeGLU and its width."""

import torch
from torch import nn
from torch.nn import functional


class ByWeights(nn.Module):
    def __init__(self, D, F, dropout):
        super().__init__()
        self.gate_up, self.output = nn.Linear(D, 2 * F, bias=False), nn.Linear(F, D, bias=False)
        self.F, self.p = F, dropout

    def forward(self, x):
        gate, up = self.gate_up.weight.split(self.F)
        y = functional.gelu(x @ gate.T) * (x @ up.T)
        return functional.linear(functional.dropout(y, self.p, self.training), self.output.weight)


class BySlices(ByWeights):
    def forward(self, x):
        y = self.gate_up(x)
        y = y[..., : self.F].mul(0.5 * (1 + torch.erf(y[..., : self.F] / 2**0.5))).mul(y[..., self.F :])
        return self.output(nn.Dropout(self.p).train(self.training)(y))


class WithBiases(ByWeights):
    def __init__(self, D, F, dropout):
        super().__init__(D, F, dropout)
        self.gate_up, self.output = nn.Linear(D, 2 * F), nn.Linear(F, D)


class TwoMatrices(ByWeights):
    def __init__(self, D, F, dropout):
        super().__init__(D, F, dropout)
        self.gate, self.up = nn.Linear(D, F, bias=False), nn.Linear(D, F, bias=False)


class OneAxis(ByWeights):
    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, dim=2)
        return self.output(functional.gelu(gate) * up)


class UpFirst(ByWeights):
    def forward(self, x):
        up, gate = self.gate_up.weight.split(self.F)
        return self.output(functional.dropout(functional.gelu(x @ gate.T) * (x @ up.T), self.p, self.training))


class Detached(ByWeights):
    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, -1)
        return self.output(functional.dropout(functional.gelu(gate).detach() * up, self.p, self.training))


class AlwaysDrops(ByWeights):
    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, -1)
        return self.output(functional.dropout(functional.gelu(gate) * up, self.p))


class Normed(ByWeights):
    def forward(self, x):
        return super().forward(functional.layer_norm(x, x.shape[-1:]))


def counted(D, F, multiple):
    budget, width = 2 * D * F + F + D, 0
    while 3 * D * (width + multiple) <= budget:
        width += multiple
    return width


def closed(D, F, multiple):
    return (F * (2 * D + 1) + D) // (3 * D * multiple) * multiple


def two_thirds(D, F, multiple):
    return int(F * 2 / 3) // multiple * multiple


def exact(D, F, multiple):
    return (2 * D * F + F + D) / (3 * D)


def at_least_one(D, F, multiple):
    return max(multiple, closed(D, F, multiple))


def closest(D, F, multiple):
    return round((2 * D * F + F + D) / (3 * D * multiple)) * multiple


def demands_fewer(D, F, multiple):
    return (2 * D * F + F + D - 1) // (3 * D) // multiple * multiple


class DropsAtTheEnd(ByWeights):
    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, -1)
        return functional.dropout(self.output(functional.gelu(gate) * up), self.p, self.training)


RIGHT = {"by weights": (ByWeights, closed), "by slices": [BySlices, closed]}
WRONG = {
    "biases": ((WithBiases, closed), "GeGLU: (?s:.)*more parameters"),
    "two matrices": ((TwoMatrices, closed), "more parameters: gate.weight"),
    "one axis": ((OneAxis, closed), "any number of axes|dim|Dimension"),
    "up first": ((UpFirst, closed), "the halves are swapped"),
    "detached": ((Detached, closed), "gradient"),
    "always drops": ((AlwaysDrops, closed), "training=self.training"),
    "normed": ((Normed, closed), "GeGLU"),
    "two thirds": ((ByWeights, two_thirds), "gated_width(?s:.)*biases"),
    "not rounded": ((ByWeights, exact), "gated_width(?s:.)*int"),
    "at least one": ((ByWeights, at_least_one), "no multiple but 0 fits"),
    "closest": ((ByWeights, closest), "nearest multiple"),
    "one thing": (ByWeights, "all in parentheses"),
    "demands fewer": ((ByWeights, demands_fewer), "as many parameters as BERT's layer are allowed"),
    "drops at the end": ((DropsAtTheEnd, closed), "dropout falls behind `output`"),
}
