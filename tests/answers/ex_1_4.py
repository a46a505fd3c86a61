"""Answers to 1.4, a CBOW that tells left from right."""

import torch
from torch.nn import functional as F

from minibert.tasks.open_gaps import count_tables, dominoes, gaps
from minibert.word_vectors import count_corpus, train_word_vectors


def with_a_penalty(sentences, vocabulary):
    """A penalty on the squares of the rows in use, in the loss itself."""
    rng = torch.Generator().manual_seed(3)
    tables = [(0.3 * torch.randn(vocabulary, 12, generator=rng)).requires_grad_() for _ in range(3)]
    optimizer = torch.optim.Adam(tables)
    before, hidden, after = gaps(sentences)
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.03 * (1 - step / 200)
        batch = torch.randint(len(hidden), (512,), generator=rng)
        rows = [table[ids[batch]] for table, ids in zip(tables, (before, after, hidden), strict=True)]
        loss = F.cross_entropy((rows[0] + rows[1]) @ tables[2].T, hidden[batch])
        optimizer.zero_grad()
        (loss + 0.1 * sum(row.square().sum(1).mean() for row in rows)).backward()
        optimizer.step()
    return [table.detach().double() for table in tables]


def with_drawn_words(sentences, vocabulary):
    """The chapter's loss: yes for the word that stood there, no for twenty that are drawn."""
    rng = torch.Generator().manual_seed(1)
    left, right, words = ((0.1 * torch.randn(vocabulary, 16, generator=rng)).requires_grad_() for _ in range(3))
    optimizer = torch.optim.AdamW([left, right, words], lr=0.02, weight_decay=1.0)
    before, hidden, after = gaps(sentences)
    for step in range(600):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / 600)
        batch = torch.randint(len(hidden), (256,), generator=rng)
        state = left[before[batch]] + right[after[batch]]  # (256, 16)
        drawn = words[torch.randint(vocabulary, (256, 20), generator=rng)]  # (256, 20, 16)
        yes = F.logsigmoid((state * words[hidden[batch]]).sum(1))
        no = F.logsigmoid(-(drawn @ state[:, :, None])[:, :, 0]).sum(1)
        optimizer.zero_grad()
        (-(yes + no).mean()).backward()
        optimizer.step()
    return left.detach(), right.detach(), words.detach()


def by_linear_algebra(sentences, vocabulary):
    """No training: how much more often than by accident a word follows another, in its five largest directions."""
    follows = torch.zeros(vocabulary, vocabulary)
    follows.index_put_((sentences[:, :-1].flatten(), sentences[:, 1:].flatten()), torch.tensor(1.0), accumulate=True)
    accident = follows.sum(1, True) * follows.sum(0, True) / follows.sum()
    u, s, v = torch.linalg.svd(follows / accident.clamp(min=0.1) - 1)
    one, other = u[:, :5], v.T[:, :5]  # a word as the one before, and as the one after
    return torch.cat([one * s[:5], 0 * one], 1), torch.cat([0 * one, other * s[:5]], 1), torch.cat([other, one], 1)


def as_in_the_package(sentences, vocabulary, **settings):
    """The package's CBOW: one table of contexts for both sides, so the order is lost."""
    corpus = count_corpus([[f"{word:03}" for word in row] for row in sentences.tolist()], min_count=1)
    rng = torch.Generator().manual_seed(0)
    run = train_word_vectors(corpus, "cbow", width=16, generator=rng, **settings)
    order = torch.tensor([run.first.row(f"{word:03}") for word in range(vocabulary)])
    return run.first.matrix[order], run.first.matrix[order], run.second.matrix[order]


def trained_longer(sentences, vocabulary):
    return as_in_the_package(sentences, vocabulary, half_window=1, threshold=1.0, epochs=40)


def of_another_language(sentences, vocabulary):
    """Whoever makes the held-out text with a seed of their own has the wrong numbers."""
    return with_a_penalty(dominoes(0).held_out, vocabulary)


RIGHT = {"a penalty": with_a_penalty, "drawn words": with_drawn_words, "linear algebra": by_linear_algebra}
WRONG = {
    "counts": (count_tables, "with counts(?s:.)*not found|by heart"),
    "the package's CBOW": (as_in_the_package, "same table"),
    "the package's CBOW, longer": (trained_longer, "same table"),
    "another language": (of_another_language, "not found"),
    "zeros": (lambda s, V: (torch.zeros(V, 4),) * 3, "0 of the words(?s:.)*same score"),
    "a constant": (lambda s, V: (torch.ones(V, 1), torch.ones(V, 1), torch.arange(V)[:, None] / V), "same table"),
    "nothing": (lambda s, V: None, "fit_gaps returns None"),
    "two tables": (lambda s, V: (torch.zeros(V, 4),) * 2, "three tensors"),
    "one table": (lambda s, V: torch.zeros(3, V, 4), "three tensors"),
    "whole numbers": (lambda s, V: (torch.zeros(V, 4, dtype=torch.int64),) * 3, "tensors of floats"),
    "rows for some words": (lambda s, V: (torch.zeros(V - 1, 4),) * 3, "three tensors"),
    "two widths": (lambda s, V: (torch.zeros(V, 4), torch.zeros(V, 4), torch.zeros(V, 5)), "three tensors"),
    "NaN": (lambda s, V: (torch.full((V, 4), torch.nan),) * 3, "NaN"),
    "numpy": (lambda s, V: tuple(torch.zeros(3, V, 4).numpy()), "three tensors"),
}
