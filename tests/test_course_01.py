"""Chapter 1's checks accept what is right in another way, and never pass what a stranger may think of."""

import re
from collections import Counter, defaultdict
from itertools import groupby, pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional

from minibert.course import examine
from minibert.course.checks.chapter_01_mutants import SOLUTIONS
from minibert.course.exercise import STUB

right_counts, (twins, ceiling) = SOLUTIONS["1.2"], SOLUTIONS["1.3"]


def stub(*arguments):
    raise NotImplementedError(STUB)


def scores(c, p, n):
    return torch.einsum("nd,nd->n", c, p), torch.einsum("nd,nkd->nk", c, n)


def by_loops(centre, positive, negatives):
    total = 0
    for c, p, drawn in zip(centre, positive, negatives, strict=True):
        total = total + functional.softplus(-(c @ p))
        for n in drawn:
            total = total + functional.softplus(c @ n)
    return total / len(centre)


def by_cross_entropy(c, p, n):
    both = torch.cat([p[:, None], n], dim=1) @ c[:, :, None]  # (N, n + 1, 1)
    answers = torch.zeros_like(both)
    answers[:, 0] = 1
    return functional.binary_cross_entropy_with_logits(both, answers, reduction="sum") / len(c)


def by_bmm(c, p, n):
    yes, no = torch.bmm(p[:, None], c[:, :, None]).reshape(-1), torch.bmm(n, c.unsqueeze(2)).squeeze(2)
    log = torch.nn.LogSigmoid()
    return -torch.mean(log(yes) + torch.sum(log(no.neg()), 1))


def by_logaddexp(c, p, n):
    yes, no = scores(c, p, n)
    return torch.logaddexp(-yes, yes * 0).mean() + torch.logaddexp(no, no * 0).sum(1).mean()


def by_log1p(c, p, n):
    yes, no = scores(c, p, n)
    signed = torch.cat([yes[:, None], -no], dim=1)
    return (torch.log1p(torch.exp(-signed.abs())) + torch.relu(-signed)).sum(1).mean()


def by_two_classes(c, p, n):
    yes, no = scores(c, p, n)
    signed = torch.cat([yes[:, None], -no], dim=1)
    return -torch.stack([signed, torch.zeros_like(signed)]).log_softmax(0)[0].sum() / c.size(0)


@pytest.mark.parametrize("answer", [by_loops, by_cross_entropy, by_bmm, by_logaddexp, by_log1p, by_two_classes])
@pytest.mark.parametrize("seed", range(4))
def test_the_loss_may_be_written_in_other_ways(answer, seed):
    assert examine("1.1", answer, seed).message == "1.1 passed"


def loss(change):
    """The right loss of scores that went wrong, or another sum of the right scores."""
    return lambda c, p, n: change(*scores(c, p, n))


soft = functional.softplus
LOSSES = {
    "the neighbour n times": (loss(lambda y, n: (soft(-y)[:, None] + soft(n)).sum(1).mean()), "added n times"),
    "the hardest negative": (loss(lambda y, n: (soft(-y) + soft(n).max(1).values).mean()), "hardest negative"),
    "the first negative": (loss(lambda y, n: (soft(-y) + soft(n[:, 0])).mean()), "only the first negative"),
    "no negatives": (loss(lambda y, n: soft(-y).mean()), "negatives are not there"),
    "no neighbour": (loss(lambda y, n: soft(n).sum(1).mean()), "neighbour is not there"),
    "log of 1 + exp": (loss(lambda y, n: ((1 + (-y).exp()).log() + (1 + n.exp()).log().sum(1)).mean()), "logsigmoid"),
    "clipped scores": (loss(lambda y, n: (soft(-y.clip(-9, 9)) + soft(n.clip(-9, 9)).sum(1)).mean()), "scores that"),
    "nan_to_num": (
        loss(lambda y, n: -(y.sigmoid().log().nan_to_num() + (-n).sigmoid().log().nan_to_num().sum(1)).mean()),
        "scores of about a thousand",
    ),
    "infinity replaced": (
        loss(lambda y, n: -(y.sigmoid().log() + (-n).sigmoid().log().sum(1)).clamp(min=-99).mean()),
        "scores of about a thousand",
    ),
    "half": (loss(lambda y, n: (soft(-y) + soft(n).sum(1)).mean() / 2), "(?s)is 1.04.*2.079"),
    "a median": (loss(lambda y, n: (soft(-y) + soft(n).sum(1)).median()), "three random pairs"),
    "base 2": (loss(lambda y, n: (soft(-y) + soft(n).sum(1)).mean() / np.log(2)), "base 2"),
    "log of scores": (loss(lambda y, n: -(y.log() + n.log().sum(1)).mean()), "finite numbers"),
    "sum of neighbours, mean of negatives": (loss(lambda y, n: soft(-y).sum() + soft(n).sum()), "pairs are added"),
    "negatives of all": (lambda c, p, n: by_loops(c, p, n.flatten(0, 1).expand(len(c), -1, -1)), "negatives of all"),
    "neighbours of all": (
        lambda c, p, n: soft(-(c @ p.T)).mean() + soft(scores(c, p, n)[1]).sum(1).mean(),
        "neighbours of all",
    ),
    "negatives with the neighbour": (
        lambda c, p, n: (soft(-scores(c, p, n)[0]) + soft(scores(p, c, n)[1]).sum(1)).mean(),
        "with the neighbour",
    ),
    "mean of the vectors": (lambda c, p, n: by_loops(c, p, n.mean(1, True)), "vectors are averaged"),
    "sqrt(D)": (lambda c, p, n: by_loops(c / c.shape[1] ** 0.5, p, n), "belongs to attention"),
    "centre detached": (lambda c, p, n: by_loops(c.detach(), p, n), "no gradient reaches centre"),
    "half detached": (lambda c, p, n: (by_loops(c, p, n) + by_loops(c.detach(), p, n)) / 2, "gradient at centre"),
    "nothing learns": (lambda c, p, n: by_loops(c.data, p.data, n.data), "no gradient reaches"),
    "no return": (lambda c, p, n: None, "return"),
    "a list": (lambda c, p, n: [by_loops(c, p, n)], "the loss is a list"),
    "double": (lambda c, p, n: by_loops(c, p, n).double(), "float64"),
    "random negatives": (lambda c, p, n: by_loops(c, p, torch.randn_like(n)), ""),
    "8": (lambda c, p, n: (c.sum() + p.sum() + n.sum()) * 0 + torch.tensor(8.0).log(), "random pairs"),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_strangers_loss_gets_a_helpful_no(name, seed):
    answer, says = LOSSES[name]
    outcome = examine("1.1", answer, seed)
    assert outcome.status in ("wrong", "error") and re.search(says, outcome.message), outcome.message


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


def by_counter(vocabulary_sentences, V, window):
    pairs = Counter()
    for s in vocabulary_sentences:
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


@pytest.mark.parametrize("answer", [by_matrix, by_both_directions, by_counter, by_index_put])
@pytest.mark.parametrize("seed", range(4))
def test_counts_may_be_written_in_other_ways(answer, seed):
    assert examine("1.2", answer, seed).message == "1.2 passed"


def counted(change):
    return lambda s, V, w: change(right_counts(s, V, w))


def padded(sentences, vocabulary, window):
    counts = torch.zeros(vocabulary, vocabulary)
    for s in sentences:
        s = [0] * window + s + [0] * window
        for i in range(window, len(s) - window):
            for j in range(i - window, i + window + 1):
                counts[s[i], s[j]] += i != j
    return counts


def blocks(sentences, V, window):
    cut = [s[i : i + window + 1] for s in sentences for i in range(0, len(s), window + 1)]
    return right_counts(cut, V, window)


COUNTS = {
    "halved": (counted(lambda c: c / 2), ""),
    "logarithms": (counted(lambda c: c.log1p()), ""),
    "yes and no": (counted(lambda c: c > 0), "how often, not only whether"),
    "a list": (counted(lambda c: c.tolist()), "a list of 3"),
    "numpy": (counted(lambda c: c.numpy()), "a numpy array"),
    "sparse": (counted(lambda c: c.to_sparse()), "to_dense"),
    "no diagonal": (counted(lambda c: c.fill_diagonal_(0)), "words are compared"),
    "no word 0": (counted(lambda c: c * (torch.arange(len(c)) > 0) * (torch.arange(len(c)) > 0)[:, None]), "id 0"),
    "the upper half": (counted(lambda c: c.triu(1) + c.diag().diag() / 2), "not symmetric"),
    "shares": (counted(lambda c: c / c.sum(1, True).clamp(min=1)), "divided by their sums"),
    "shares of all": (counted(lambda c: c / c.sum().clamp(min=1)), ""),
    "a row too many": (counted(lambda c: functional.pad(c, (0, 1, 0, 1))), "dimension 0 has 4"),
    "window 1 always": (lambda s, V, w: right_counts(s, V, 1), "window 2"),
    "window 2 always": (lambda s, V, w: right_counts(s, V, 2), "window 1"),
    "no window": (lambda s, V, w: right_counts(s, V, 99), "window is not used"),
    "half the window": (lambda s, V, w: right_counts(s, V, w // 2), "the reach to each side"),
    "padded with 0": (padded, ""),
    "blocks": (blocks, ""),
    "one sentence": (lambda s, V, w: right_counts(s[:1], V, w), "only the first sentence"),
    "the last sentence": (lambda s, V, w: right_counts(s[-1:], V, w), "only the last sentence"),
    "no empty sentences": (lambda s, V, w: right_counts(s, V, w) * (1 if all(s) else float("nan")), "finite"),
    "words once a sentence": (lambda s, V, w: right_counts([sorted(set(x)) for x in s], V, w), ""),
    "sorted": (lambda s, V, w: right_counts([sorted(x) for x in s], V, w), ""),
    "no return": (lambda s, V, w: None, "return"),
    "an error on empty sentences": (lambda s, V, w: [x[0] for x in s] and right_counts(s, V, w), "IndexError"),
}


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_strangers_counts_get_a_helpful_no(name, seed):
    answer, says = COUNTS[name]
    outcome = examine("1.2", answer, seed)
    assert outcome.status in ("wrong", "error") and re.search(says, outcome.message), outcome.message


TWINS = [
    ("Let's eat, grandma!", "Grandma, let's EAT"),
    ["Die Katze jagt den Hund.", "den Hund jagt die Katze"],
    ("We eat to live; we do not live to eat.", "We live to eat. We do not eat to live."),
    ("flights from Rome to Oslo", "flights from Oslo to Rome"),
    ("Only she said that", "She said only that"),
]


@pytest.mark.parametrize("pair", TWINS)
def test_twins_of_many_kinds_pass(pair):
    assert examine("1.3", (lambda: pair, ceiling)).message == "1.3 passed"


NO_TWINS = {
    "one is longer": (("the dog sees a cat", "the cat sees a dog now"), "'now' 1 time more"),
    "a set of words": (("the dog the cat", "the dog cat"), "'the' 1 time more"),
    "inflected": (("He sees her dog", "She sees his dog"), "'he' 1"),
    "commas only": (("Stop, wait, go", "stop wait: go."), "same order"),
    "same length": (("birds eat worms", "cats chase dogs"), "one bag"),
    "lists of words": ((["we", "eat", "now"], ["now", "we", "eat"]), "two texts in quotes"),
    "three": (("a b c", "b c a", "c a b"), "two sentences"),
    "none": (None, "return"),
    "empty": (("", ""), "at least three words"),
    "the example": (("man bites dog", "Dog bites man!"), "of the example"),
    "an ellipsis": ((..., ...), "two sentences"),
}


@pytest.mark.parametrize("name", NO_TWINS)
def test_what_is_no_twin_is_named(name):
    pair, says = NO_TWINS[name]
    outcome = examine("1.3", (lambda: pair, ceiling))
    assert outcome.status in ("wrong", "error") and re.search(says, outcome.message), outcome.message


def by_sorting(texts, labels):
    rows = sorted((sorted(text), label) for text, label in zip(texts, labels, strict=True))
    heaps = [[label for _, label in heap] for _, heap in groupby(rows, key=lambda row: row[0])]
    return np.mean(np.repeat([max(map(h.count, h)) / len(h) for h in heaps], [len(h) for h in heaps]))


def by_vectors(texts, labels):
    words = sorted({word for text in texts for word in text})
    bags = torch.tensor([[text.count(word) for word in words] for text in texts])
    same = (bags[:, None] == bags).all(-1)  # (N, N)
    hot = functional.one_hot(torch.tensor(labels), 5)
    votes = same.long() @ hot  # (N, 5): labels among the texts with my bag
    return (votes.amax(-1) / votes.sum(-1)).mean()


def by_texts(texts, labels):
    heaps = defaultdict(list)
    for text, label in zip(texts, labels, strict=True):
        heaps[" ".join(sorted(text))].append(label)
    best = {bag: Counter(found).most_common(1)[0][0] for bag, found in heaps.items()}
    return sum(best[" ".join(sorted(t))] == y for t, y in zip(texts, labels, strict=True)) / len(labels)


@pytest.mark.parametrize("answer", [by_sorting, by_vectors, by_texts])
@pytest.mark.parametrize("seed", range(4))
def test_the_ceiling_may_be_found_in_other_ways(answer, seed):
    assert examine("1.3", (twins, answer), seed).message == "1.3 passed"
    assert examine("1.3", [twins, answer], seed).message == "1.3 passed"


def heaps_by(bag, right=max, total=None):
    def answer(texts, labels):
        heaps = defaultdict(Counter)
        for text, label in zip(texts, labels, strict=True):
            heaps[bag(text)][label] += 1
        return sum(right(heap.values()) for heap in heaps.values()) / (total(heaps) if total else len(texts))

    return answer


def ordered(text):
    return tuple(sorted(text))


def unsorted_groups(texts, labels):
    runs = groupby(zip(texts, labels, strict=True), key=lambda pair: ordered(pair[0]))
    return sum(max(Counter(y for _, y in run).values()) for _, run in runs) / len(texts)


def left_out(texts, labels):
    """Each text is judged by the others of its bag."""
    right = 0
    for i, (text, label) in enumerate(zip(texts, labels, strict=True)):
        others = [
            y for j, (t, y) in enumerate(zip(texts, labels, strict=True)) if j != i and ordered(t) == ordered(text)
        ]
        right += bool(others) and Counter(others).most_common(1)[0][0] == label
    return right / len(texts)


CEILINGS = {
    "proportions": (heaps_by(lambda t: frozenset((w, t.count(w) / len(t)) for w in t)), "mixture"),
    "counts only": (heaps_by(lambda t: tuple(sorted(Counter(t).values()))), "without the words"),
    "first word": (heaps_by(lambda t: t[0]), "first word"),
    "last word": (heaps_by(lambda t: t[-1]), ""),
    "baseline": (heaps_by(lambda t: 0), "sees nothing"),
    "bigrams": (heaps_by(lambda t: ordered(pairwise(t))), ""),
    "rarest": (heaps_by(ordered, min), "rarest label"),
    "all": (heaps_by(ordered, sum), ""),
    "percent": (lambda t, y: 100 * ceiling(t, y), "percent"),
    "count": (lambda t, y: ceiling(t, y) * len(t), "number of texts"),
    "error": (lambda t, y: 1 - ceiling(t, y), "lost"),
    "rounded": (lambda t, y: round(ceiling(t, y), 1), ""),
    "neighbours only": (unsorted_groups, "groupby"),
    "left out": (left_out, ""),
    "bags": (heaps_by(ordered, lambda counts: 1), "one right answer"),
    "over heaps": (heaps_by(ordered, max, len), ""),
    "alone left out": (heaps_by(ordered, lambda counts: max(counts) * (sum(counts) > 1)), "bag of their own"),
    "a pair": (lambda t, y: (ceiling(t, y), 1), "a tuple of 2"),
    "no return": (lambda t, y: None, ""),
    "half": (lambda t, y: 0.5, "one half"),
    "sorts the texts": (lambda t, y: [text.sort() for text in t] and ceiling(t, y), "changes an input"),
    "binary": (heaps_by(ordered, lambda counts: max(0, *list(counts)[:2]) if len(counts) > 1 else sum(counts)), ""),
}


@pytest.mark.parametrize("name", CEILINGS)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_strangers_ceiling_gets_a_helpful_no(name, seed):
    answer, says = CEILINGS[name]
    outcome = examine("1.3", (twins, answer), seed)
    assert outcome.status in ("wrong", "error") and re.search(says, outcome.message), outcome.message


def test_two_stubs_are_not_attempted_and_one_is_half_an_answer():
    assert examine("1.3", (stub, stub)).status == "not attempted"
    assert "bag_ceiling is not written" in examine("1.3", (twins, stub)).message
    assert "twins is not" in examine("1.3", (stub, ceiling)).message
    for answer in (twins, (twins,), (twins(), ceiling), {}, (twins, ceiling, ceiling)):
        outcome = examine("1.3", answer)
        assert outcome.status == "wrong" and "bag_ceiling" in outcome.message, outcome


@pytest.mark.parametrize("seed", [8, 10, 13, *range(30, 40)])  # with 10 and 13 all large scores are on the right side
def test_no_seed_makes_a_right_answer_wrong(seed):
    for number, answer in SOLUTIONS.items():
        assert examine(number, answer, seed).status == "passed"
    assert examine("1.1", by_log1p, seed).status == "passed"
