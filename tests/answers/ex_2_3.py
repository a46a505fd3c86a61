"""Answers to 2.3, a reader of both sides that finds the duty."""

import torch
from torch import nn
from torch.nn import functional as F

from minibert.tasks.open_reader import own_rota
from minibert.word_vectors.elmo import BidirectionalLM
from minibert.word_vectors.elmo_training import train_bilm


class Product(nn.Module):
    """The two states are brought to 64 numbers each, multiplied, and read off."""

    def __init__(self, D, V):
        super().__init__()
        self.left, self.right, self.out = nn.Linear(D, 64), nn.Linear(D, 64), nn.Linear(64, V)

    def forward(self, before, after):
        return self.out(self.left(before) * self.right(after))


class Joined(nn.Module):
    def __init__(self, D, V):
        super().__init__()
        self.inner = nn.Sequential(nn.LayerNorm(2 * D), nn.Linear(2 * D, 96), nn.GELU(), nn.Linear(96, V))

    def forward(self, before, after):
        return self.inner(torch.cat([before, after], dim=-1))


class Added(nn.Module):
    def __init__(self, D, V):
        super().__init__()
        self.left, self.right = nn.Linear(D, V), nn.Linear(D, V)

    def forward(self, before, after):
        return self.left(before) + self.right(after)


def trained(join, cell, rows, places, V, D=32, steps=300, rate=2e-2, size=64, shift=1):
    torch.manual_seed(1)
    table, ahead, back, join = (
        nn.Embedding(V, D),
        cell(D, D, batch_first=True),
        cell(D, D, batch_first=True),
        join(D, V),
    )

    def find(rows, places):
        x, each = table(rows), torch.arange(len(rows))
        after = back(x.flip(1))[0].flip(1)[each, places + shift]
        return join(ahead(x)[0][each, places - shift], after)

    optimizer = torch.optim.AdamW(nn.ModuleList([table, ahead, back, join]).parameters(), lr=rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, steps)
    for _ in range(steps):
        some = torch.randperm(len(rows))[:size]
        optimizer.zero_grad()
        F.cross_entropy(find(rows[some], places[some]), rows[some, places[some]]).backward()
        optimizer.step()
        schedule.step()
    return find


def as_in_the_chapter(rows, places, vocabulary):
    """ELMo's two readers, trained to guess every word, and the logits of both added."""
    model = BidirectionalLM(vocabulary, 32, generator=torch.Generator().manual_seed(0))
    lengths = (rows > 0).sum(1).tolist()
    sentences = [row[:n].tolist() for row, n in zip(rows, lengths, strict=True)]
    train_bilm(model, sentences, 60, lr=2e-2, generator=torch.Generator().manual_seed(0))

    def find(rows, places):
        ahead, back = model.logits(model(rows, (rows > 0).long()))
        each = torch.arange(len(rows))
        return ahead[each, places - 1] + back[each, places + 1]

    return find


def bag(rows, places, vocabulary):
    """The duties of the training sentences that share most words."""
    words = F.one_hot(rows, vocabulary).sum(1).clamp(max=1).float()

    def find(asked, where):
        near = F.one_hot(asked, vocabulary).sum(1).clamp(max=1).float() @ words.T  # (B, R)
        votes = torch.zeros(len(asked), vocabulary)
        best = near.topk(5, dim=1).indices
        return votes.scatter_add(1, rows[best, places[best]], torch.ones(len(asked), 5))

    return find


def neighbours(rows, places, vocabulary):
    """Counts of the word before and the word after, added as logarithms."""
    each, left, right = torch.arange(len(rows)), torch.ones(vocabulary, vocabulary), torch.ones(vocabulary, vocabulary)
    for side, shift in ((left, -1), (right, 1)):
        side.index_put_((rows[each, places + shift], rows[each, places]), torch.ones(len(rows)), accumulate=True)

    def find(rows, places):
        each = torch.arange(len(rows))
        return left[rows[each, places - 1]].log() + right[rows[each, places + 1]].log()

    return find


def another_rota(rows, places, vocabulary):
    """Answers that were looked up in a rota of another seed."""
    answers = own_rota(5).answers
    return lambda rows, places: torch.eye(vocabulary)[answers[: len(rows)]]


def reads_the_place(rows, places, vocabulary):
    """The word that stands in the place."""
    return lambda rows, places: torch.eye(vocabulary)[rows[torch.arange(len(rows)), places]]


def constant(rows, places, vocabulary):
    duty = int(rows[torch.arange(len(rows)), places].mode().values)
    return lambda rows, places: torch.eye(vocabulary)[duty].expand(len(rows), -1)


RIGHT = {
    "a product": lambda *given: trained(Product, nn.LSTM, *given),
    "GRUs and a hidden layer": lambda *given: trained(Joined, nn.GRU, *given),
}
WRONG = {
    "the chapter's": (as_in_the_chapter, "only added up"),
    "two linear layers, added": (lambda *given: trained(Added, nn.LSTM, *given, steps=60), "only added up"),
    "states of the place itself": (lambda *given: trained(Joined, nn.LSTM, *given, steps=60, shift=0), "copy"),
    "few steps": (lambda *given: trained(Joined, nn.LSTM, *given, steps=10), "not yet well"),
    "sentences with the same words": (bag, "of the hidden duties"),
    "counts of both neighbours": (neighbours, "only added up"),
    "another rota's answers": (another_rota, "of the hidden duties"),
    "reads the place": (reads_the_place, "repeats it"),
    "always the same duty": (constant, "do not change with the sentence"),
    "no function": (lambda rows, places, V: torch.zeros(len(rows), V), "find"),
    "nothing": (lambda rows, places, V: None, "train_reader returns None"),
    "ids": (lambda rows, places, V: lambda r, p: torch.zeros(len(r), dtype=torch.int64), "a tensor of floats"),
    "NaN": (lambda rows, places, V: lambda r, p: torch.full((len(r), V), torch.nan), "NaN"),
}
