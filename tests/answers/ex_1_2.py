"""Answers to 1.2, counting neighbours in a window."""

from collections import Counter
from itertools import permutations

import numpy as np
import torch
from torch.nn import functional

from minibert.word_vectors import WordCorpus, cooccurrence


def by_loops(sentences, vocabulary, before, after, dtype=torch.float32):
    c = torch.zeros(vocabulary, vocabulary, dtype=dtype)
    for s in sentences:
        for i in range(len(s)):
            for j in range(max(0, i - before), min(i + after, len(s) - 1) + 1):
                if i != j:
                    c[s[i], s[j]] += 1
    return c


def by_matrix(sentences, vocabulary, before, after):
    counts = torch.zeros(vocabulary, vocabulary, dtype=torch.int64)
    for sentence in filter(None, sentences):
        hot = functional.one_hot(torch.tensor(sentence), vocabulary)  # (T, V)
        near = torch.ones(len(sentence), len(sentence), dtype=torch.int64).tril(after).triu(-before).fill_diagonal_(0)
        counts += hot.T @ near @ hot
    return counts


def by_steps(sentences, vocabulary, before, after):
    counts = np.zeros((vocabulary, vocabulary))
    for sentence in map(np.array, filter(None, sentences)):
        for step in range(1, max(before, after) + 1):
            one, other = sentence[:-step], sentence[step:]
            if step <= after:
                np.add.at(counts, (one, other), 1)
            if step <= before:
                np.add.at(counts, (other, one), 1)
    return torch.from_numpy(counts)


def by_counter(sentences, V, before, after):
    pairs = Counter()
    for s in sentences:
        for i in range(len(s)):
            pairs.update((s[i], word) for word in s[max(0, i - before) : i] + s[i + 1 : i + 1 + after])
    counts = torch.zeros(V, V)
    for (one, other), times in pairs.items():
        counts[one][other] = times
    return counts


def by_index_put(sentences, V, before, after):
    rows, columns = [], []
    for s in sentences:
        for i, word in enumerate(s):
            around = [j for j in range(i - before, i + after + 1) if j != i and 0 <= j < len(s)]
            rows += [word] * len(around)
            columns += [s[j] for j in around]
    where = torch.tensor(rows, dtype=torch.long), torch.tensor(columns, dtype=torch.long)
    return torch.zeros(V, V).index_put_(where, torch.ones(len(rows)), accumulate=True)


def by_lists(sentences, V, before, after):
    counts = [[0] * V for _ in range(V)]
    for s in sentences:
        for i, j in permutations(range(len(s)), 2):
            counts[s[i]][s[j]] += -before <= j - i <= after
    return counts


def of_the_chapter(sentences, V, before, after):
    """Both counts of the chapter have one reach for both sides."""
    table = torch.zeros(V, V)
    for text in sentences:
        for i, word in enumerate(text):
            for j, other in enumerate(text):
                if i != j and abs(i - j) <= max(before, after):
                    table[word, other] += 1
    return table


def of_the_package(sentences, V, before, after):
    ids = torch.tensor([word for text in sentences for word in text], dtype=torch.long)
    texts = torch.arange(len(sentences)).repeat_interleave(torch.tensor([len(text) for text in sentences]))
    corpus = WordCorpus(tuple(map(str, range(V))), torch.ones(V), ids, texts)
    return cooccurrence(corpus, max(before, after), by_distance=False).dense(torch.arange(V))


def counted(change):
    return lambda s, V, *window: change(by_matrix(s, V, *window).float())


def adds_at_once(sentences, V, before, after):
    c = torch.zeros(V, V)
    for s in sentences:
        for i, word in enumerate(s):
            around = s[max(0, i - before) : i] + s[i + 1 : i + after + 1]
            c[word, torch.tensor(around, dtype=torch.long)] += 1
    return c


def padded(sentences, V, before, after):
    c = torch.zeros(V, V)
    for s in sentences:
        s = [0] * before + s + [0] * after
        for i in range(before, len(s) - after):
            for j in range(i - before, i + after + 1):
                c[s[i], s[j]] += i != j
    return c


def only_words_seen(sentences, V, *window):
    return by_loops(sentences, 1 + max((word for s in sentences for word in s), default=0), *window)


def empties(sentences, V, *window):
    c = by_loops(sentences, V, *window)
    for s in sentences:
        s.clear()
    return c


def zero_left_out(c):
    some = torch.arange(len(c)) > 0
    return c * some * some[:, None]


RIGHT = {
    "matrix": by_matrix,
    "steps": by_steps,
    "counter": by_counter,
    "index_put": by_index_put,
    "lists": by_lists,
    "numpy": lambda *given: by_matrix(*given).numpy(),
    "int16": lambda *given: by_loops(*given, torch.int16),
}
WRONG = {
    "the chapter's loops": (of_the_chapter, "as far as the longer one"),
    "the package's": (of_the_package, "as far as the longer one"),
    "before for both": (lambda s, V, b, a: by_loops(s, V, b, b), "both sides reach `before`"),
    "exchanged": (lambda s, V, b, a: by_loops(s, V, a, b), "are exchanged"),
    "transposed": (counted(lambda c: c.T.clone()), "or rows and columns"),
    "added to its transpose": (counted(lambda c: c + c.T), "to its transpose"),
    "uint8": (lambda *given: by_loops(*given, torch.uint8), "eight bits"),
    "int8": (lambda *given: by_loops(*given, torch.int8), "which dtype|eight bits"),
    "bfloat16": (lambda *given: by_loops(*given, torch.bfloat16), "which dtype"),
    "adds at once": (adds_at_once, "accumulate=True"),
    "half the diagonal": (counted(lambda c: c - c.diag().diag() / 2), "half as often"),
    "padded with 0": (padded, "padded with 0"),
    "rows for the words it has seen": (only_words_seen, r"(?s)shape \(5, 5\).*\(6, 6\)"),
    "empties the sentences": (empties, "your code changes an input"),
    "halved": (counted(lambda c: c / 2), "halved"),
    "logarithms": (counted(lambda c: c.log1p()), "logarithms"),
    "yes and no": (counted(lambda c: c > 0), "how often, not only whether"),
    "sparse": (counted(lambda c: c.to_sparse()), "to_dense"),
    "no diagonal": (counted(lambda c: c.fill_diagonal_(0)), "words are compared"),
    "no word 0": (counted(zero_left_out), "id 0"),
    "the upper half": (counted(lambda c: c.triu(1) + c.diag().diag() / 2), "only one half"),
    "rows divided": (counted(lambda c: c / c.sum(1, True).clamp(min=1)), "divided by their sums"),
    "a row too many": (counted(lambda c: functional.pad(c, (0, 1, 0, 1))), "dimension 0 has 4"),
    "a dictionary": (lambda s, V, b, a: Counter(), "a value of type Counter"),
    "one reach": (lambda s, V, window: by_loops(s, V, window, window), "argument"),
    "one sentence": (lambda s, V, *w: by_loops(s[:1], V, *w), "only the first sentence"),
    "each sentence once": (lambda s, V, *w: by_loops(set(map(tuple, s)), V, *w), "comes twice is counted once"),
    "short sentences": (lambda s, V, *w: by_loops([x for x in s if len(x) > max(w)], V, *w), "are left out"),
    "sorted": (lambda s, V, *w: by_loops([sorted(x) for x in s], V, *w), "expected"),
    "no return": (lambda s, V, b, a: None, "return"),
    "an error on empty sentences": (lambda s, V, *w: [x[0] for x in s] and by_loops(s, V, *w), "IndexError"),
}
