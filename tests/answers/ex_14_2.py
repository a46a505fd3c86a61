"""Answers to 14.2, the norms of a pre-norm encoder."""

import torch
from torch import nn
from torch.nn import functional


class Recursive(nn.Module):
    def __init__(self, D, L):
        super().__init__()
        make = lambda: nn.LayerNorm(D, bias=False)  # noqa: E731
        self.attention_norm = nn.ModuleList([nn.Identity()])
        self.attention_norm.extend(make() for _ in range(1, L))
        self.feed_forward_norm = nn.ModuleList(make() for _ in range(L))
        self.final_norm, self.embedding_norm = make(), make()

    def step(self, x, norm, function):
        return torch.add(function(norm(x)), x)

    def forward(self, x, attention, feed_forward):
        stream = [self.embedding_norm(x)]
        for norm, a, other, f in zip(self.attention_norm, attention, self.feed_forward_norm, feed_forward, strict=True):
            stream.append(self.step(stream[-1], norm, a))
            stream.append(self.step(stream[-1], other, f))
        return self.final_norm(stream[-1])


class Gain(nn.Module):
    def __init__(self, D):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(D))

    def forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * self.weight


class ByHand(Recursive):
    def __init__(self, D, L):
        super().__init__(D, L)
        self.embedding_norm, self.final_norm = Gain(D), Gain(D)
        self.attention_norm = nn.ModuleList([nn.Identity(), *(Gain(D) for _ in range(L - 1))])
        self.feed_forward_norm = nn.ModuleList([Gain(D) for _ in range(L)])


class WithoutFinal(Recursive):
    def forward(self, x, attention, feed_forward):
        self.final_norm, kept = nn.Identity(), self.final_norm
        y = super().forward(x, attention, feed_forward)
        self.final_norm = kept
        return y


class Doubled(Recursive):
    def __init__(self, D, L):
        super().__init__(D, L)
        self.attention_norm[0] = nn.LayerNorm(D, bias=False)


class WithBiases(Recursive):
    def __init__(self, D, L):
        super().__init__(D, L)
        self.final_norm = nn.LayerNorm(D)


class OneNorm(Recursive):
    def __init__(self, D, L):
        super().__init__(D, L)
        self.feed_forward_norm = nn.ModuleList([self.final_norm] * L)


class PlainList(Recursive):
    def __init__(self, D, L):
        super().__init__(D, L)
        del self.feed_forward_norm
        self.feed_forward_norm = [nn.LayerNorm(D, bias=False) for _ in range(L)]


class Normalised(Recursive):
    def step(self, x, norm, function):
        x = norm(x)
        return x + function(x)


class Post(Recursive):
    def step(self, x, norm, function):
        return norm(x + function(x))


class Bessel(Recursive):
    def forward(self, x, attention, feed_forward):
        y = (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)
        return super().forward(y, attention, feed_forward)


class InPlace(Recursive):
    def forward(self, x, attention, feed_forward):
        x -= x.mean(-1, keepdim=True)
        return super().forward(x, attention, feed_forward)


class TwoLayers(Recursive):
    def forward(self, x, attention, feed_forward):
        return super().forward(x, attention, feed_forward) if len(attention) < 6 else functional.normalize(x)


class AddsInPlace(Recursive):
    def forward(self, x, attention, feed_forward):
        x = self.embedding_norm(x)
        for norm, a, other, f in zip(self.attention_norm, attention, self.feed_forward_norm, feed_forward, strict=True):
            x += a(norm(x))
            x += f(other(x))
        return self.final_norm(x)


class BothNormsAtOnce(Recursive):
    def forward(self, x, attention, feed_forward):
        x = self.embedding_norm(x)
        for norm, a, other, f in zip(self.attention_norm, attention, self.feed_forward_norm, feed_forward, strict=True):
            x = x + a(norm(x)) + f(other(norm(x)))
        return self.final_norm(x)


class Drops(Recursive):
    def forward(self, x, attention, feed_forward):
        return super().forward(functional.dropout(x, 0.1, self.training), attention, feed_forward)


RIGHT = {"recursive": Recursive, "by hand": ByHand}
WRONG = {
    "no final norm": (WithoutFinal, "final norm is missing"),
    "doubled": (Doubled, "normalised twice"),
    "biases": (WithBiases, "more parameters: final_norm.bias"),
    "one norm": (OneNorm, "same parameter"),
    "a plain list": (PlainList, "feed_forward_norm.0.weight"),
    "normalised": (Normalised, "the residual path is normalised: x itself"),
    "post-norm": (Post, "post-norm, as in BERT"),
    "Bessel": (Bessel, "14.2 not yet"),
    "in place": (InPlace, "changes"),
    "few layers": (TwoLayers, "D=5, L=6"),
    "adds in place": (AddsInPlace, "changed in place"),
    "both norms at once": (BothNormsAtOnce, "its norm makes"),
    "drops": (Drops, "two calls with the same inputs|train mode"),
}
