"""Answers to 4.1, BERT's embeddings."""

import torch
from torch import nn
from torch.nn import functional as F


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
        self.register_buffer("places", torch.arange(P), persistent=False)

    def forward(self, input_ids, token_type_ids=None):
        T = input_ids.shape[-1]
        if T > self.P:
            raise ValueError(f"sequence of {T} exceeds max_len={self.P}")
        x = self.token.weight[input_ids] + self.position(self.places[:T])[None]
        x = x + (self.segment.weight[0] if token_type_ids is None else self.segment(token_type_ids))
        x = x - x.mean(-1, keepdim=True)
        x = self.norm.weight * x / (x.square().mean(-1, keepdim=True) + 1e-12) ** 0.5 + self.norm.bias
        return F.dropout(x, self.p, self.training)


class Base(nn.Module):
    def __init__(self, V, D, P, dropout):
        super().__init__()
        self.token, self.position, self.segment = (nn.Embedding(n, D) for n in (V, P, 2))
        self.norm, self.dropout, self.P = nn.LayerNorm(D, eps=1e-12), nn.Dropout(dropout), P

    def places(self, ids):
        return torch.arange(ids.shape[1])

    def forward(self, ids, segment_ids=None):
        if ids.shape[1] > self.P:
            raise ValueError(f"{ids.shape[1]} tokens, {self.P} positions")
        seg = torch.zeros_like(ids) if segment_ids is None else segment_ids
        return self.dropout(self.norm(self.token(ids) + self.position(self.places(ids)) + self.segment(seg)))


class PaddingIndex(Base):
    def __init__(self, V, D, P, dropout):
        super().__init__(V, D, P, dropout)
        self.token = nn.Embedding(V, D, padding_idx=0)


class DropsByHand(Base):
    def __init__(self, V, D, P, dropout):
        super().__init__(V, D, P, 0.0)
        self.p = dropout

    def forward(self, ids, segment_ids=None):
        x = super().forward(ids, segment_ids)
        return x * (torch.rand_like(x) >= self.p) / (1 - self.p) if self.training else x


class DropsWithoutScaling(DropsByHand):
    def forward(self, ids, segment_ids=None):
        x = super().forward(ids, segment_ids)
        return x * (1 - self.p) if self.training else x


class SavedBuffer(Base):
    def __init__(self, V, D, P, dropout):
        super().__init__(V, D, P, dropout)
        self.register_buffer("position_ids", torch.arange(P))


class NoSegments(Base):
    def forward(self, ids, segment_ids=None):
        return super().forward(ids, None)


class SegmentsTurned(Base):
    def forward(self, ids, segment_ids=None):
        return super().forward(ids, segment_ids if segment_ids is None else 1 - segment_ids)


class PositionOfIds(Base):
    def places(self, ids):
        return ids.clamp(max=self.P - 1)


class NoGain(Base):
    def __init__(self, V, D, P, dropout):
        super().__init__(V, D, P, dropout)
        self.norm = nn.LayerNorm(D, 1e-12, elementwise_affine=False)


class APoolerTooMany(Base):
    def __init__(self, V, D, P, dropout):
        super().__init__(V, D, P, dropout)
        self.pooler = nn.Linear(D, D)


class OneSegment(Base):
    def __init__(self, V, D, P, dropout):
        super().__init__(V, D, P, dropout)
        self.segment = nn.Embedding(1, D)


class Tied(Base):
    def __init__(self, V, D, P, dropout):
        super().__init__(V, D, P, dropout)
        self.position = self.token


class BiasFree(Base):
    def __init__(self, V, D, P, dropout):
        super().__init__(V, D, P, dropout)
        self.norm = nn.LayerNorm(D, eps=1e-12, bias=False)


class CountsTexts(nn.Module):
    def __init__(self, V, D, P, dropout):
        super().__init__()
        self.token, self.position, self.segment = nn.Embedding(V, D), nn.Embedding(P, D), nn.Embedding(2, D)
        self.norm, self.dropout, self.P = nn.LayerNorm(D, eps=1e-12), nn.Dropout(dropout), P

    def forward(self, ids, segment_ids=None):
        if len(ids) > self.P:
            raise ValueError(f"{len(ids)} texts, {self.P} positions")
        segments = self.segment(ids * 0 if segment_ids is None else segment_ids)
        return self.dropout(self.norm(self.token(ids) + segments + self.position.weight[: ids.shape[1]]))


class KeepsInsteadOfDrops(Base):
    def __init__(self, V, D, P, dropout):
        super().__init__(V, D, P, 1 - dropout)


class CutsTheGradient(Base):
    def forward(self, ids, segment_ids=None):
        return super().forward(ids, segment_ids).detach()


RIGHT = {"by hand": ByHand, "plain": Base, "padding_idx": PaddingIndex, "dropout by hand": DropsByHand}
WRONG = {
    "a buffer that is saved": (SavedBuffer, "state_dict.. holds position_ids"),
    "segments are not used": (NoSegments, "read as if none had come"),
    "segments turned": (SegmentsTurned, "the segments are exchanged: 0"),
    "positions are ids": (PositionOfIds, "looked up with the ids"),
    "no gain": (NoGain, "no parameter norm.weight"),
    "a pooler too many": (APoolerTooMany, "more parameters: pooler"),
    "one segment": (OneSegment, "segment.weight has shape"),
    "positions and tokens share a table": (Tied, "position.weight has shape"),
    "no bias": (BiasFree, "made without it"),
    "counts the texts": (CountsTexts, "the number of texts is compared|only the length of a text is limited"),
    "keeps with the probability": (KeepsInsteadOfDrops, "1 - dropout"),
    "detached": (CutsTheGradient, "no gradient reaches"),
    "dropout without scaling": (DropsWithoutScaling, "where it is not zero"),
    "an instance": (Base(11, 6, 7, 0.0), "pass the class itself"),
    "not a module": (type("C", (), {"__init__": lambda self, V, D, P, dropout: None}), "nn.Module"),
}
