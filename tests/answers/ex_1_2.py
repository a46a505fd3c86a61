"""Answers to 1.2, counting neighbours in a window."""

from collections import Counter

import numpy as np
import torch
from torch.nn import functional


def by_loops(sentences, vocabulary, window, dtype=torch.float32):
    c = torch.zeros(vocabulary, vocabulary, dtype=dtype)
    for s in sentences:
        for i in range(len(s)):
            for j in range(max(0, i - window), min(len(s), i + window + 1)):
                if i != j:
                    c[s[i], s[j]] += 1
    return c


def by_matrix(sentences, vocabulary, window):
    counts = torch.zeros(vocabulary, vocabulary, dtype=torch.int64)
    for sentence in filter(None, sentences):
        hot = functional.one_hot(torch.tensor(sentence), vocabulary)  # (T, V)
        near = torch.ones(len(sentence), len(sentence), dtype=torch.int64).tril(window).triu(-window).fill_diagonal_(0)
        counts += hot.T @ near @ hot
    return counts


def by_both_directions(sentences, vocabulary, window):
    counts = np.zeros((vocabulary, vocabulary))
    for sentence in sentences:
        for step in range(1, window + 1):
            np.add.at(counts, (sentence[:-step], sentence[step:]), 1)
    return torch.from_numpy(counts + counts.T)


def by_counter(sentences, V, window):
    pairs = Counter()
    for s in sentences:
        for i in range(len(s)):
            pairs.update((s[i], word) for word in s[max(0, i - window) : i] + s[i + 1 : i + 1 + window])
    counts = torch.zeros(V, V)
    for (one, other), times in pairs.items():
        counts[one][other] = times
    return counts


def by_index_put(sentences, V, window):
    rows, columns = [], []
    for s in sentences:
        for i, word in enumerate(s):
            around = [j for j in range(i - window, i + window + 1) if j != i and 0 <= j < len(s)]
            rows += [word] * len(around)
            columns += [s[j] for j in around]
    where = torch.tensor(rows, dtype=torch.long), torch.tensor(columns, dtype=torch.long)
    return torch.zeros(V, V).index_put_(where, torch.ones(len(rows)), accumulate=True)


def by_lists(sentences, V, window):
    counts = [[0] * V for _ in range(V)]
    for s in sentences:
        for i in range(len(s)):
            for step in range(1, min(window, len(s) - 1 - i) + 1):
                counts[s[i]][s[i + step]] += 1
                counts[s[i + step]][s[i]] += 1
    return counts


def counted(change):
    return lambda s, V, w: change(by_matrix(s, V, w).float())


def adds_at_once(sentences, V, window):
    c = torch.zeros(V, V)
    for s in sentences:
        for i, word in enumerate(s):
            around = s[max(0, i - window) : i] + s[i + 1 : i + window + 1]
            c[word, torch.tensor(around, dtype=torch.long)] += 1
    return c


def one_side_and_diagonal(sentences, V, window):
    c = torch.zeros(V, V)
    for s in sentences:
        for i in range(len(s)):
            for j in range(i + 1, min(i + window, len(s) - 1) + 1):
                c[s[i], s[j]] += 1
                if s[i] != s[j]:
                    c[s[j], s[i]] += 1
    return c


def padded(sentences, V, window):
    c = torch.zeros(V, V)
    for s in sentences:
        s = [0] * window + s + [0] * window
        for i in range(window, len(s) - window):
            for j in range(i - window, i + window + 1):
                c[s[i], s[j]] += i != j
    return c


def only_words_seen(sentences, V, window):
    return by_loops(sentences, 1 + max((word for s in sentences for word in s), default=0), window)


def empties(sentences, V, window):
    c = by_loops(sentences, V, window)
    for s in sentences:
        s.clear()
    return c


def zero_left_out(c):
    some = torch.arange(len(c)) > 0
    return c * some * some[:, None]


RIGHT = {
    "matrix": by_matrix,
    "both directions": by_both_directions,
    "counter": by_counter,
    "index_put": by_index_put,
    "lists": by_lists,
    "numpy": lambda *given: by_matrix(*given).numpy(),
    "int16": lambda *given: by_loops(*given, torch.int16),
}
WRONG = {
    "uint8": (lambda *given: by_loops(*given, torch.uint8), "eight bits"),
    "int8": (lambda *given: by_loops(*given, torch.int8), "which dtype|eight bits"),
    "bfloat16": (lambda *given: by_loops(*given, torch.bfloat16), "which dtype"),
    "adds at once": (adds_at_once, "accumulate=True"),
    "the diagonal once": (one_side_and_diagonal, "near itself is counted once"),
    "padded with 0": (padded, "padded with 0"),
    "rows for the words it has seen": (only_words_seen, r"(?s)shape \(5, 5\).*\(6, 6\)"),
    "empties the sentences": (empties, "your code changes an input"),
    "halved": (counted(lambda c: c / 2), "halved"),
    "logarithms": (counted(lambda c: c.log1p()), "logarithms"),
    "yes and no": (counted(lambda c: c > 0), "how often, not only whether"),
    "sparse": (counted(lambda c: c.to_sparse()), "to_dense"),
    "no diagonal": (counted(lambda c: c.fill_diagonal_(0)), "words are compared"),
    "no word 0": (counted(zero_left_out), "id 0"),
    "the upper half": (counted(lambda c: c.triu(1) + c.diag().diag() / 2), "not symmetric"),
    "rows divided": (counted(lambda c: c / c.sum(1, True).clamp(min=1)), "divided by their sums"),
    "a row too many": (counted(lambda c: functional.pad(c, (0, 1, 0, 1))), "dimension 0 has 4"),
    "a dictionary": (lambda s, V, w: Counter(), "a value of type Counter"),
    "window 2 always": (lambda s, V, w: by_loops(s, V, 2), "window 1"),
    "half the window": (lambda s, V, w: by_loops(s, V, w // 2), "the reach to each side"),
    "one sentence": (lambda s, V, w: by_loops(s[:1], V, w), "only the first sentence"),
    "each sentence once": (lambda s, V, w: by_loops(set(map(tuple, s)), V, w), "comes twice is counted once"),
    "short sentences left out": (lambda s, V, w: by_loops([x for x in s if len(x) > w], V, w), "are left out"),
    "sorted": (lambda s, V, w: by_loops([sorted(x) for x in s], V, w), "expected"),
    "no return": (lambda s, V, w: None, "return"),
    "an error on empty sentences": (lambda s, V, w: [x[0] for x in s] and by_loops(s, V, w), "IndexError"),
}
