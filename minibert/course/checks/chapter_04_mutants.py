"""Chapter 4, inputs: the solutions of its exercises, and mistakes that their checks must recognise."""

import torch
from torch import nn
from torch.nn import functional

from minibert.course.exercise import Mutant


class _BertEmbeddings(nn.Module):
    def __init__(self, V, D, P, dropout):
        super().__init__()
        self.token, self.position, self.segment = nn.Embedding(V, D), nn.Embedding(P, D), nn.Embedding(2, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def places(self, ids):
        return torch.arange(ids.shape[1])

    def limit(self, ids):
        if ids.shape[1] > self.position.num_embeddings:
            raise ValueError(f"{ids.shape[1]} tokens, but only {self.position.num_embeddings} positions")

    def total(self, ids, segment_ids):
        self.limit(ids)
        segment_ids = torch.zeros_like(ids) if segment_ids is None else segment_ids
        return self.token(ids) + self.segment(segment_ids) + self.position(self.places(ids))  # (B, T, D)

    def forward(self, ids, segment_ids=None):
        return self.dropout(self.norm(self.total(ids, segment_ids)))


class _NoNorm(_BertEmbeddings):
    def forward(self, ids, segment_ids=None):
        return self.dropout(self.total(ids, segment_ids))


class _DefaultEps(_BertEmbeddings):
    def __init__(self, V, D, P, dropout):
        super().__init__(V, D, P, dropout)
        self.norm = nn.LayerNorm(D)


class _NormByHand(_BertEmbeddings):
    def scale(self, x):
        return torch.sqrt(x.var(dim=-1, keepdim=True, correction=0) + 1e-12)

    def forward(self, ids, segment_ids=None):
        x = self.total(ids, segment_ids)
        x = (x - x.mean(dim=-1, keepdim=True)) / self.scale(x)
        return self.dropout(x * self.norm.weight + self.norm.bias)


class _Bessel(_NormByHand):
    def scale(self, x):
        return torch.sqrt(x.var(dim=-1, keepdim=True) + 1e-12)


class _EpsOutside(_NormByHand):
    def scale(self, x):
        return x.std(dim=-1, keepdim=True, correction=0) + 1e-12


class _PositionsFromOne(_BertEmbeddings):
    def places(self, ids):
        return torch.arange(1, ids.shape[1] + 1)


class _PositionsOfTexts(_BertEmbeddings):
    def places(self, ids):
        return torch.arange(len(ids))[:, None]


class _LooksPastTheTable(_BertEmbeddings):
    def limit(self, ids):
        pass


class _WrapsRound(_LooksPastTheTable):
    def places(self, ids):
        return torch.arange(ids.shape[1]) % self.position.num_embeddings


class _LimitTooLow(_BertEmbeddings):
    def limit(self, ids):
        if ids.shape[1] >= self.position.num_embeddings:
            raise ValueError(f"{ids.shape[1]} tokens are too many")


class _ForgetsSegments(_BertEmbeddings):
    def total(self, ids, segment_ids):
        self.limit(ids)
        return self.token(ids) + self.position(self.places(ids))


class _SkipsSegmentA(_BertEmbeddings):
    def total(self, ids, segment_ids):
        if segment_ids is not None:
            return super().total(ids, segment_ids)
        self.limit(ids)
        return self.token(ids) + self.position(self.places(ids))


class _NormOfTheToken(_BertEmbeddings):
    def forward(self, ids, segment_ids=None):
        rest = self.total(ids, segment_ids) - self.token(ids)
        return self.dropout(self.norm(self.token(ids)) + rest)


class _DropsAlways(_BertEmbeddings):
    def forward(self, ids, segment_ids=None):
        return functional.dropout(self.norm(self.total(ids, segment_ids)), self.dropout.p)


class _NeverDrops(_BertEmbeddings):
    def forward(self, ids, segment_ids=None):
        return self.norm(self.total(ids, segment_ids))


class _DropsBeforeTheNorm(_BertEmbeddings):
    def forward(self, ids, segment_ids=None):
        return self.norm(self.dropout(self.total(ids, segment_ids)))


class _OwnDropout(_BertEmbeddings):
    def __init__(self, V, D, P, dropout):
        super().__init__(V, D, P, 0.1)


class _OneSegment(_BertEmbeddings):
    def __init__(self, V, D, P, dropout):
        super().__init__(V, D, P, dropout)
        self.segment = nn.Embedding(1, D)


class _CutsTheGradient(_BertEmbeddings):
    def forward(self, ids, segment_ids=None):
        return self.dropout(self.norm(self.total(ids, segment_ids).detach()))


def _pad(texts, pad_id):
    width = max(len(text) for text in texts)
    return torch.tensor([text + [pad_id] * (width - len(text)) for text in texts])


def _lengths(texts):
    return torch.tensor([len(text) for text in texts])[:, None]  # (B, 1)


def _pad_and_mask(texts, pad_id):
    ids = _pad(texts, pad_id)
    return ids, torch.arange(ids.shape[1]) < _lengths(texts)


def _by_mask(make):
    """An answer whose ids are right; `make(ids, texts, pad_id)` gives its mask."""
    return lambda texts, pad_id: (_pad(texts, pad_id), make(_pad(texts, pad_id), texts, pad_id))


def _up_to_the_first_pad(ids, texts, pad_id):
    return (ids == pad_id).cumsum(1) - (ids == pad_id).long() == 0


def _right_mask(texts):
    return _pad_and_mask(texts, 0)[1]


def _pads_on_the_left(texts, pad_id):
    return _pad([text[::-1] for text in texts], pad_id).flip(1), _right_mask(texts).flip(1)


def _changes_the_lists(texts, pad_id):
    lengths, width = _lengths(texts), max(len(text) for text in texts)
    for text in texts:
        text += [pad_id] * (width - len(text))
    return torch.tensor(texts), torch.arange(width) < lengths


SOLUTIONS = {"4.1": _BertEmbeddings, "4.2": _pad_and_mask}

MUTANTS = {
    "4.1": [
        Mutant("no LayerNorm", _NoNorm, "sum is not normalised"),
        Mutant("eps 1e-5", _DefaultEps, "eps is 1e-05, BERT's is 1e-12"),
        Mutant("eps outside the root", _EpsOutside, "outside the root"),
        Mutant("Bessel's variance", _Bessel, r"divides by D - 1 \(Bessel"),
        Mutant("positions from 1", _PositionsFromOne, "positions count from 1"),
        Mutant("positions count the texts", _PositionsOfTexts, "count the texts of the batch"),
        Mutant("positions wrap round", _WrapsRound, "(?s)8 tokens with 7 positions.*wrapped round"),
        Mutant("no limit of its own", _LooksPastTheTable, "(?s)IndexError.*compare T with P first"),
        Mutant("the limit is one too low", _LimitTooLow, "T = P = 7 tokens are allowed"),
        Mutant("forgets segments", _ForgetsSegments, "segment_ids are not used"),
        Mutant("no segment row without segment_ids", _SkipsSegmentA, "None means sentence A, which is row 0"),
        Mutant("normalises the token only", _NormOfTheToken, "norm acts on the token's row alone"),
        Mutant("dropout in evaluation", _DropsAlways, "dropout or other randomness runs outside training"),
        Mutant("no dropout in training", _NeverDrops, "no dropout runs in train mode"),
        Mutant("dropout before the norm", _DropsBeforeTheNorm, "dropout stands before the norm"),
        Mutant("dropout of its own", _OwnDropout, "share of its own"),
        Mutant("one segment row", _OneSegment, r"segment.weight has shape \(1, 6\)"),
        Mutant("cuts the gradient", _CutsTheGradient, "no gradient reaches"),
    ],
    "4.2": [
        Mutant("id > 0", _by_mask(lambda ids, texts, pad_id: ids > 0), "`ids > 0`"),
        Mutant("id != pad", _by_mask(lambda ids, texts, pad_id: ids != pad_id), "`ids != pad_id`"),
        Mutant("up to the first pad", _by_mask(_up_to_the_first_pad), "up to the first pad_id.*mask from the lengths"),
        Mutant("one place too many", _by_mask(lambda i, t, p: torch.arange(i.shape[1]) <= _lengths(t)), "not <= n"),
        Mutant("one too few", _by_mask(lambda i, t, p: torch.arange(i.shape[1]) < _lengths(t) - 1), "not < n - 1"),
        Mutant("all True", _by_mask(lambda i, t, p: torch.ones_like(i).bool()), "calls padding real"),
        Mutant("turned round", _by_mask(lambda i, t, p: ~_right_mask(t)), "turned round"),
        Mutant("whole numbers", _by_mask(lambda i, t, p: _right_mask(t).long()), "(?s)dtype int64.*bool"),
        Mutant("(B, 1, 1, T)", _by_mask(lambda i, t, p: _right_mask(t)[:, None, None]), r"shape \(2, 1, 1, 3\)"),
        Mutant("pads with 0", lambda t, p: (_pad(t, 0), _right_mask(t)), "pads with 0"),
        Mutant("pads on the left", _pads_on_the_left, "padding stands on the left"),
        Mutant("a fixed length", lambda t, p: [x[:-1] for x in _pad_and_mask([*t, [0] * 9], p)], "(?s)T = 9.*longest"),
        Mutant("ids only", _pad, r"two tensors: \(ids, mask\)"),
        Mutant("exchanged", lambda t, p: _pad_and_mask(t, p)[::-1], "exchanged"),
        Mutant("changes the lists", _changes_the_lists, "your code changes an input"),
    ],
}
