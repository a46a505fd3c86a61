"""Exercise 6.1: the block, and mistakes that its check must recognise."""

import torch
from torch import nn
from torch.nn import functional

from minibert.course.exercise import Mutant


class _BertBlock(nn.Module):
    def __init__(self, D, H, F, dropout):
        super().__init__()
        self.heads = H
        self.query, self.key, self.value, self.output = (nn.Linear(D, D) for _ in range(4))
        self.widen, self.narrow = nn.Linear(D, F), nn.Linear(F, D)
        self.attention_norm = nn.LayerNorm(D, eps=1e-12)
        self.feed_forward_norm = nn.LayerNorm(D, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, T, D) -> (B, H, T, K)

    def attend(self, x, mask):
        query, key, value = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5  # (B, H, T, T)
        scores = scores.masked_fill(~mask[:, None, None, :], float("-inf"))
        mixed = self.dropout(scores.softmax(dim=-1)) @ value  # (B, H, T, K)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def feed(self, x):
        return self.narrow(functional.gelu(self.widen(x)))

    def forward(self, x, mask):
        x = self.attention_norm(x + self.dropout(self.attend(x, mask)))
        return self.feed_forward_norm(x + self.dropout(self.feed(x)))


class _PreNorm(_BertBlock):
    def forward(self, x, mask):
        x = x + self.dropout(self.attend(self.attention_norm(x), mask))
        return x + self.dropout(self.feed(self.feed_forward_norm(x)))


class _NormInside(_BertBlock):
    def forward(self, x, mask):
        x = x + self.attention_norm(self.dropout(self.attend(x, mask)))
        return x + self.feed_forward_norm(self.dropout(self.feed(x)))


class _NoResidual(_BertBlock):
    def forward(self, x, mask):
        x = self.attention_norm(self.dropout(self.attend(x, mask)))
        return self.feed_forward_norm(self.dropout(self.feed(x)))


class _NoSecondResidual(_BertBlock):
    def forward(self, x, mask):
        x = self.attention_norm(x + self.dropout(self.attend(x, mask)))
        return self.feed_forward_norm(self.dropout(self.feed(x)))


class _ResidualFromTheStart(_BertBlock):
    def forward(self, x, mask):
        y = self.attention_norm(x + self.dropout(self.attend(x, mask)))
        return self.feed_forward_norm(x + self.dropout(self.feed(y)))


class _TanhGelu(_BertBlock):
    def feed(self, x):
        return self.narrow(functional.gelu(self.widen(x), approximate="tanh"))


class _Relu(_BertBlock):
    def feed(self, x):
        return self.narrow(torch.relu(self.widen(x)))


class _NoBend(_BertBlock):
    def feed(self, x):
        return self.narrow(self.widen(x))


class _DefaultEps(_BertBlock):
    def __init__(self, D, H, F, dropout):
        super().__init__(D, H, F, dropout)
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(D), nn.LayerNorm(D)


class _OneNorm(_BertBlock):
    def __init__(self, D, H, F, dropout):
        super().__init__(D, H, F, dropout)
        self.feed_forward_norm = self.attention_norm


class _SwappedNorms(_BertBlock):
    def forward(self, x, mask):
        x = self.feed_forward_norm(x + self.dropout(self.attend(x, mask)))
        return self.attention_norm(x + self.dropout(self.feed(x)))


class _AlwaysDrops(_BertBlock):
    def forward(self, x, mask):
        x = self.attention_norm(x + functional.dropout(self.attend(x, mask), 0.1))
        return self.feed_forward_norm(x + functional.dropout(self.feed(x), 0.1))


class _NeverDrops(_BertBlock):
    def forward(self, x, mask):
        x = self.attention_norm(x + self.attend(x, mask))
        return self.feed_forward_norm(x + self.feed(x))


class _DropsThePath(_BertBlock):
    def forward(self, x, mask):
        x = self.attention_norm(self.dropout(x + self.attend(x, mask)))
        return self.feed_forward_norm(self.dropout(x + self.feed(x)))


class _FixedShare(_BertBlock):
    def __init__(self, D, H, F, dropout):
        super().__init__(D, H, F, 0.1)


class _NoMask(_BertBlock):
    def attend(self, x, mask):
        return super().attend(x, torch.ones_like(mask))


class _MaskTurned(_BertBlock):
    def attend(self, x, mask):
        return super().attend(x, ~mask)


class _ViewOnly(_BertBlock):
    def split(self, x):
        return x.reshape(len(x), self.heads, x.shape[1], -1)


class _ScalesByWidth(_BertBlock):
    def attend(self, x, mask):
        self_scaled = x.shape[-1] ** 0.5
        query, key, value = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = (query @ key.mT / self_scaled).masked_fill(~mask[:, None, None], float("-inf"))
        return self.output((self.dropout(scores.softmax(-1)) @ value).transpose(1, 2).flatten(2))


class _NoOutput(_BertBlock):
    def attend(self, x, mask):
        query, key, value = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = (query @ key.mT / query.shape[-1] ** 0.5).masked_fill(~mask[:, None, None], float("-inf"))
        return (self.dropout(scores.softmax(-1)) @ value).transpose(1, 2).flatten(2)


class _DropsInside(_BertBlock):
    def feed(self, x):
        return self.narrow(self.dropout(functional.gelu(self.widen(x))))


class _KeepsAllShares(_BertBlock):
    def attend(self, x, mask):
        query, key, value = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        keep = mask[:, None, None]
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=keep)
        return self.output(mixed.transpose(1, 2).flatten(2))


class _OnlyAttention(_BertBlock):
    def forward(self, x, mask):
        return self.attention_norm(x + self.dropout(self.attend(x, mask)))


class _OtherNames(_BertBlock):
    def __init__(self, D, H, F, dropout):
        super().__init__(D, H, F, dropout)
        self.q = self.query
        del self.query


class _NoBias(_BertBlock):
    def __init__(self, D, H, F, dropout):
        super().__init__(D, H, F, dropout)
        self.key = nn.Linear(D, D, bias=False)


class _ZerosPadding(_BertBlock):
    def attend(self, x, mask):
        return super().attend(x * mask[..., None], torch.ones_like(mask))


MUTANTS = [
    Mutant("padding set to zero", _ZerosPadding, "still gets a share"),
    Mutant("pre-norm", _PreNorm, "pre-norm"),
    Mutant("norm inside the sum", _NormInside, "inside the sum"),
    Mutant("no residual path", _NoResidual, "residual path is missing"),
    Mutant("no second residual path", _NoSecondResidual, "residual path is missing"),
    Mutant("second residual path from the start", _ResidualFromTheStart, "second sum adds the block's input"),
    Mutant("tanh GELU", _TanhGelu, "tanh form"),
    Mutant("ReLU", _Relu, "ReLU between"),
    Mutant("no activation", _NoBend, "no activation"),
    Mutant("eps of 1e-5", _DefaultEps, "eps is 1e-5"),
    Mutant("one shared norm", _OneNorm, "shared norm"),
    Mutant("norms swapped", _SwappedNorms, "two norms are swapped"),
    Mutant("dropout in evaluation", _AlwaysDrops, "runs outside training"),
    Mutant("no dropout in training", _NeverDrops, "no dropout on what the attention gives back"),
    Mutant("dropout on the residual path", _DropsThePath, "dropout touches the residual path"),
    Mutant("a share of its own", _FixedShare, "use the one that is passed in"),
    Mutant("no mask", _NoMask, "mask is not used, or hides queries"),
    Mutant("mask turned round", _MaskTurned, "turned round"),
    Mutant("heads by view alone", _ViewOnly, "mixes tokens"),
    Mutant("divides by sqrt(D)", _ScalesByWidth, r"divided by sqrt\(D\)"),
    Mutant("no output matrix", _NoOutput, "must pass through `output`"),
    Mutant("dropout inside the feed-forward layer", _DropsInside, "between widen and narrow"),
    Mutant("no dropout on the shares", _KeepsAllShares, "shares of attention"),
    Mutant("no feed-forward layer", _OnlyAttention, "feed-forward half is missing"),
    Mutant("other names", _OtherNames, "no parameter query.weight; its parts: .*q"),
    Mutant("no bias", _NoBias, "no parameter key.bias"),
]
