"""Answers to 2.1, the scalar mix of a padded batch."""

import torch
from torch import nn
from torch.nn import functional


def normal(states, mask):
    """The layers, divided by their root mean square on real tokens; 0 on padding."""
    kept = torch.where(mask.bool()[None, :, :, None], states, states.new_zeros(()))
    real = torch.stack([layer[mask.bool()] for layer in states])  # (L, N, D)
    return kept / real.square().mean(dim=(1, 2)).sqrt()[:, None, None, None]


class Mix(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.gamma = nn.Parameter(torch.tensor(1.0))
        self.scores = nn.Parameter(torch.zeros(layers))

    def forward(self, states, mask):
        return self.gamma * torch.tensordot(self.scores.softmax(0), normal(states, mask), dims=1)


class ByLoop(Mix):
    def __init__(self, layers):
        super().__init__(layers)
        self.softmax = nn.Softmax(dim=0)

    def forward(self, hidden, mask):
        mixture = 0
        for weight, layer in zip(self.softmax(self.scores), hidden, strict=True):
            numbers = layer[mask == 1].flatten()
            size = numbers.norm() / len(numbers) ** 0.5
            mixture = mixture + weight * layer * mask[:, :, None] / size
        return mixture * self.gamma


class ByProduct(Mix):
    def forward(self, states, mask):
        weights = functional.softmax(self.scores.view(-1, 1, 1, 1), dim=0)
        return torch.mul(weights, normal(states, mask)).mul(self.gamma).sum(0)


class ByExp(Mix):
    def forward(self, states, mask):
        states = normal(states, mask)
        weights = (self.scores - self.scores.max()).exp()
        flat = (weights / weights.sum()) @ states.reshape(len(states), -1)
        return self.gamma * flat.view(*states.shape[1:])


class ByMovedAxis(Mix):
    def forward(self, states, mask):
        return self.gamma * (normal(states, mask).movedim(0, -1) @ self.scores.log_softmax(0).exp())


def mix(function):
    """A class whose forward is function(scores, gamma, normalised states)."""

    def forward(self, states, mask):
        return function(self.scores, self.gamma, normal(states, mask))

    return type("Mix", (Mix,), {"forward": forward})


def raw(function):
    """A class whose forward is function(scores, gamma, states, mask)."""
    forward = {"forward": lambda self, states, mask: function(self.scores, self.gamma, states, mask)}
    return type("Mix", (Mix,), forward)


def made(change):
    """A class whose __init__ ends with change(self, layers)."""

    def __init__(self, layers):
        Mix.__init__(self, layers)
        change(self, layers)

    return type("Mix", (Mix,), {"__init__": __init__})


def replaced(name, make):
    def change(self, layers):
        delattr(self, name)
        setattr(self, name, make(layers))

    return made(change)


def weighted(weights, states):
    return torch.tensordot(weights, states, dims=1)


class Once(Mix):
    def __init__(self, layers):
        super().__init__(layers)
        self.kept = torch.softmax(self.scores, dim=0)

    def forward(self, states, mask):
        return self.gamma * weighted(self.kept, normal(states, mask))


def as_in_the_chapter(s, g, x, mask):
    """The mix of chapter 2, and the division of its probe, which knows no padding."""
    size = x.square().mean((1, 2, 3), keepdim=True).sqrt()
    return g * sum(weight * layer for weight, layer in zip(s.softmax(0), x / size, strict=True))


def layer_norm(s, g, x, mask):
    return g * weighted(s.softmax(0), functional.layer_norm(x, x.shape[-1:]) * mask[..., None])


wide = (..., None, None, None)
RIGHT = {"loop": ByLoop, "product": ByProduct, "exp": ByExp, "moved axis": ByMovedAxis}
WRONG = {
    "scores begin with ones": (made(lambda self, n: nn.init.ones_(self.scores)), "equal numbers, zeros"),
    "scores at random": (made(lambda self, n: nn.init.normal_(self.scores)), "equal numbers, zeros"),
    "gamma (1,)": (replaced("gamma", lambda n: nn.Parameter(torch.ones(1))), r"gamma has shape \(1,\)"),
    "gamma begins as 0": (made(lambda self, n: nn.init.zeros_(self.gamma)), "gamma as 1"),
    "a gamma for each layer": (replaced("gamma", lambda n: nn.Parameter(torch.ones(n))), r"gamma has shape \(5,\)"),
    "(L, 1, 1, 1)": (replaced("scores", lambda n: nn.Parameter(torch.zeros(n, 1, 1, 1))), r"shape \(5, 1, 1, 1\)"),
    "three layers always": (replaced("scores", lambda n: nn.Parameter(torch.zeros(3))), r"(?s)shape \(3,\).*\(5,\)"),
    "frozen gamma": (replaced("gamma", lambda n: nn.Parameter(torch.ones(()), False)), "gamma does not learn"),
    "scores are a tensor": (replaced("scores", torch.zeros), "no optimizer will find"),
    "a list of scores": (
        replaced("scores", lambda n: nn.ParameterList([nn.Parameter(torch.zeros(1)) for _ in range(n)])),
        "(?s)no parameter scores.*wrap it",
    ),
    "one parameter more": (made(lambda self, n: setattr(self, "bias", nn.Parameter(torch.zeros(4)))), "bias"),
    "a buffer more": (made(lambda self, n: self.register_buffer("uniform", torch.ones(n))), "state_dict"),
    "the package's": (raw(lambda s, g, x, mask: g * weighted(s.softmax(0), x)), "root mean square"),
    "the chapter's": (raw(as_in_the_chapter), "the mask is not used"),
    "a layer norm": (raw(layer_norm), "root mean square"),
    "padding is left": (
        raw(lambda s, g, x, mask: g * weighted(s.softmax(0), x / normal(x, mask).norm())),
        "root mean square",
    ),
    "computed once": (Once, "in __init__"),
    "abs of gamma": (mix(lambda s, g, x: g.abs() * weighted(s.softmax(0), x)), "sign of gamma is lost"),
    "softplus of gamma": (mix(lambda s, g, x: functional.softplus(g) * weighted(s.softmax(0), x)), "made positive"),
    "without the first": (mix(lambda s, g, x: g * weighted(s.softmax(0)[1:], x[1:])), "first layer"),
    "a norm behind it": (
        mix(lambda s, g, x: functional.layer_norm(g * weighted(s.softmax(0), x), x.shape[-1:])),
        "root mean square",
    ),
    "gamma with the scores": (mix(lambda s, g, x: weighted((g + s).softmax(0), x)), "softmax does not notice"),
    "gamma inside": (mix(lambda s, g, x: weighted((g * s).softmax(0), x)), "gamma stands inside"),
    "inside and outside": (mix(lambda s, g, x: g * weighted((g * s).softmax(0), x)), "inside the softmax as well"),
    "softmax too late": (mix(lambda s, g, x: g * (s[wide].softmax(-1) * x).sum(0)), "axis of length 1"),
    "divides by the sum": (mix(lambda s, g, x: g * weighted(s / s.sum(), x)), "division by their sum"),
    "exp overflows": (mix(lambda s, g, x: g * weighted(s.exp() / s.exp().sum(), x)), "exp of a large score"),
    "the last layer": (mix(lambda s, g, x: g * x[-1] + 0 * s.sum()), "last layer"),
    "over tokens": (mix(lambda s, g, x: g * ((s[wide] * x).softmax(2) * x).sum(0)), "softmax over the tokens"),
    "attention over layers": (
        mix(lambda s, g, x: g * ((x * x[-1]).sum(-1, True).softmax(0) * x).sum(0) + 0 * s.sum()),
        "root mean square",
    ),
    "averages the batch": (
        mix(lambda s, g, x: g * weighted(s.softmax(0), x).mean(0, True).expand_as(x[0])),
        "texts of the batch",
    ),
    "every token the average": (
        mix(lambda s, g, x: g * weighted(s.softmax(0), x).mean(1, True).expand_as(x[0])),
        "tokens of a text are averaged",
    ),
    "not summed": (mix(lambda s, g, x: g * s.softmax(0)[wide] * x), "not added up"),
    "a residual": (mix(lambda s, g, x: g * weighted(s.softmax(0), x) + x[0]), "expected"),
    "gelu": (mix(lambda s, g, x: functional.gelu(g * weighted(s.softmax(0), x))), "root mean square"),
    "dropout": (
        type("C", (Mix,), {"forward": lambda m, x, k: functional.dropout(Mix.forward(m, x, k), 0.1, m.training)}),
        "no dropout",
    ),
    "in place": (raw(lambda s, g, x, mask: x.mul_(g * s.softmax(0)[wide]).sum(0)), "changes an input"),
    "gamma as a number": (mix(lambda s, g, x: g.item() * weighted(s.softmax(0), x)), "no gradient reaches gamma"),
    "detached weights": (mix(lambda s, g, x: g * weighted(s.softmax(0).detach(), x)), "no gradient reaches scores"),
    "without states": (mix(lambda s, g, x: g * weighted(s.softmax(0), x.detach())), "no gradient reaches the input"),
    "float32": (mix(lambda s, g, x: (g * weighted(s.softmax(0), x)).float()), "float64"),
    "not a module": (type("Mix", (), {"__init__": lambda self, layers: None}), "nn.Module"),
    "no super": (type("Mix", (nn.Module,), {"__init__": lambda s, n: setattr(s, "scores", nn.Parameter())}), "super"),
    "an instance": (Mix(3), "the class itself"),
    "no return": (mix(lambda s, g, x: None), "return"),
}
