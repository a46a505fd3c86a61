"""Chapter 4's checks accept what is right in another way, and never pass what a stranger may think of."""

import re

import pytest
import torch
from torch import nn
from torch.nn import functional

from minibert.course import examine
from minibert.course.checks.chapter_04_mutants import SOLUTIONS

Right, right_pad = SOLUTIONS["4.1"], SOLUTIONS["4.2"]


class Tables(nn.Module):
    """A table that is no nn.Embedding."""

    def __init__(self, rows, width):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(rows, width))

    def forward(self, index):
        return self.weight[index]


class ByHand(nn.Module):
    def __init__(self, V, D, P, dropout):
        super().__init__()
        self.P, self.p = P, dropout
        self.token, self.position, self.segment = Tables(V, D), Tables(P, D), Tables(2, D)
        self.norm = nn.LayerNorm(D)
        self.register_buffer("places", torch.arange(P))

    def forward(self, input_ids, token_type_ids=None):
        T = input_ids.shape[-1]
        if T > self.P:
            raise ValueError(f"sequence of {T} exceeds max_len={self.P}")
        x = self.token.weight[input_ids] + self.position(self.places[:T])[None]
        x = x + (self.segment.weight[0] if token_type_ids is None else self.segment(token_type_ids))
        x = x - x.mean(-1, keepdim=True)
        x = self.norm.weight * x / (x.square().mean(-1, keepdim=True) + 1e-12) ** 0.5 + self.norm.bias
        return functional.dropout(x, self.p, self.training)


class WithPaddingIndex(Right):
    def __init__(self, V, D, P, dropout):
        super().__init__(V, D, P, dropout)
        self.token = nn.Embedding(V, D, padding_idx=0)


@pytest.mark.parametrize("answer", [ByHand, WithPaddingIndex])
@pytest.mark.parametrize("seed", range(3))
def test_embeddings_may_be_written_in_other_ways(answer, seed):
    assert examine("4.1", answer, seed).message == "4.1 passed"


class Variant(Right):
    """The right answer but for what a subclass changes."""

    def forward(self, ids, segment_ids=None):
        return self.dropout(self.norm(self.total(ids, segment_ids)))


def variant(name, **members):
    return type(name, (Variant,), members)


def initialised(change):
    def __init__(self, V, D, P, dropout):
        Right.__init__(self, V, D, P, dropout)
        change(self, V, D, P, dropout)

    return __init__


def clamped(self, ids):
    return torch.arange(ids.shape[1]).clamp(max=self.position.num_embeddings - 1)


def refuses_silently(self, ids):
    if ids.shape[1] > self.position.num_embeddings:
        raise ValueError("too long")


def asserts(self, ids):
    assert ids.shape[1] <= self.position.num_embeddings, "8 > 7"


def scaled(self, ids, segment_ids):
    return Right.total(self, ids, segment_ids) + self.token(ids) * (self.token.weight.shape[1] ** 0.5 - 1)


def cut(self, ids, segment_ids=None):
    keep = self.position.num_embeddings
    return self.dropout(self.norm(self.total(ids[:, :keep], None if segment_ids is None else segment_ids[:, :keep])))


WRONG = {
    "clamped": (variant("C", places=clamped, limit=lambda self, ids: None), "clamped"),
    "cut": (variant("C", forward=cut), "(?s)8 tokens with 7 positions gives numbers.*cut"),
    "no numbers in the message": (variant("C", limit=refuses_silently), "(?s)too long.*names 8 and 7"),
    "an assert": (variant("C", limit=asserts), "(?s)AssertionError.*ValueError"),
    "times sqrt(D)": (variant("C", total=scaled), r"multiplied by sqrt\(D\)"),
    "eps 1e-6": (
        variant("C", __init__=initialised(lambda s, V, D, P, d: setattr(s.norm, "eps", 1e-6))),
        "eps is 1e-06",
    ),
    "eps 1e-7": (
        variant("C", __init__=initialised(lambda s, V, D, P, d: setattr(s.norm, "eps", 1e-7))),
        "eps is 1e-07",
    ),
    "eps 0": (variant("C", __init__=initialised(lambda s, V, D, P, d: setattr(s.norm, "eps", 0))), "no eps"),
    "no gain": (
        variant("C", __init__=initialised(lambda s, V, D, P, d: setattr(s, "norm", nn.LayerNorm(D, 1e-12, False)))),
        "no parameter norm.weight",
    ),
    "no bias": (
        variant(
            "C", __init__=initialised(lambda s, V, D, P, d: setattr(s, "norm", nn.LayerNorm(D, 1e-12, bias=False)))
        ),
        "no parameter norm.bias",
    ),
    "gain not used": (
        variant(
            "C",
            forward=lambda s, ids, sides=None: s.dropout(functional.layer_norm(s.total(ids, sides), (6,), eps=1e-12)),
        ),
        r"gain and offset|line \d+",
    ),
    "a pooler too many": (
        variant("C", __init__=initialised(lambda s, V, D, P, d: setattr(s, "pooler", nn.Linear(D, D)))),
        "more parameters: pooler",
    ),
    "other names": (
        variant("C", __init__=initialised(lambda s, V, D, P, d: s.__delattr__("token"))),
        "(?s)no parameter token.weight.*make self.token an nn.Embedding",
    ),
    "segments turned": (variant("C", total=lambda s, i, g: Right.total(s, i, g if g is None else 1 - g)), "exchanged"),
    "None is B": (variant("C", total=lambda s, i, g: Right.total(s, i, 0 * i + 1 if g is None else g)), "row 1 is"),
    "segments must be given": (
        variant("C", forward=lambda self, ids, segment_ids: Right.forward(self, ids, segment_ids)),
        "may be left out",
    ),
    "dropped twice": (
        variant("C", forward=lambda s, i, g=None: s.dropout(s.dropout(s.norm(s.total(i, g))))),
        "use it once",
    ),
    "an instance": (Right(11, 6, 7, 0.0), "pass the class itself"),
    "not a module": (type("C", (), {"__init__": lambda self, V, D, P, dropout: None}), "nn.Module"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("seed", [0, 5])
def test_a_strangers_embeddings_get_a_helpful_no(name, seed):
    answer, says = WRONG[name]
    outcome = examine("4.1", answer, seed)
    assert outcome.status in ("wrong", "error") and re.search(says, outcome.message), outcome.message


def with_tensors(texts, pad_id):
    ids = nn.utils.rnn.pad_sequence([torch.tensor(t) for t in texts], batch_first=True, padding_value=pad_id)
    mask = nn.utils.rnn.pad_sequence([torch.ones(len(t), dtype=torch.bool) for t in texts], batch_first=True)
    return [ids, mask]


def with_loops(texts, pad_id):
    width = max(map(len, texts))
    ids = torch.full((len(texts), width), pad_id)
    mask = torch.zeros(len(texts), width, dtype=torch.bool)
    for row, text in enumerate(texts):
        for place, word in enumerate(text):
            ids[row, place], mask[row, place] = word, True
    return ids, mask


@pytest.mark.parametrize("answer", [with_tensors, with_loops])
@pytest.mark.parametrize("seed", range(3))
def test_padding_may_be_written_in_other_ways(answer, seed):
    assert examine("4.2", answer, seed).message == "4.2 passed"


def masked(make):
    return lambda texts, pad_id: (right_pad(texts, pad_id)[0], make(*right_pad(texts, pad_id), texts, pad_id))


PADDED_WRONG = {
    "from the right, while it is pad": (
        masked(lambda ids, m, t, p: (ids != p).flip(1).cumsum(1).flip(1) > 0),
        "guessed|real tokens|lengths",
    ),
    "keeps one pad": (masked(lambda ids, m, t, p: (ids == p).cumsum(1) <= 1), "lengths|place < n"),
    "a list": (lambda t, p: (right_pad(t, p)[0].tolist(), right_pad(t, p)[1]), "ids is a list"),
    "float mask": (masked(lambda ids, m, t, p: m.float()), "dtype float32"),
    "additive mask": (masked(lambda ids, m, t, p: torch.where(m, 0.0, -1e4)), "dtype float32"),
    "float ids": (lambda t, p: (right_pad(t, p)[0].float(), right_pad(t, p)[1]), "ids have dtype float32"),
    "int32 ids": (lambda t, p: (right_pad(t, p)[0].int(), right_pad(t, p)[1]), "ids has dtype int32"),
    "one text after the other": (
        lambda t, p: (torch.tensor([w for x in t for w in x]), torch.tensor([True])),
        r"shape \(4,\)",
    ),
    "cut to the shortest": (
        lambda t, p: right_pad([text[: min(map(len, t))] for text in t], p),
        "T is the length of the longest text",
    ),
    "no second text": (lambda t, p: right_pad(t[:1], p), "dimension 0 has 1 entries where 2"),
    "sorted by length": (lambda t, p: right_pad(sorted(t, key=len), p), "each row is the text as it came"),
    "one mask for all": (masked(lambda ids, m, t, p: m[:1].expand_as(m)), "mask"),
}


@pytest.mark.parametrize("name", PADDED_WRONG)
@pytest.mark.parametrize("seed", [0, 5])
def test_a_strangers_padding_gets_a_helpful_no(name, seed):
    answer, says = PADDED_WRONG[name]
    outcome = examine("4.2", answer, seed)
    assert outcome.status in ("wrong", "error") and re.search(says, outcome.message), outcome.message
