"""Answers to 1.3, what no bag of words can see: (twins, bag_ceiling)."""

from collections import Counter, defaultdict
from fractions import Fraction
from itertools import groupby, pairwise

import numpy as np
import torch
from torch.nn import functional

from minibert.course.exercise import STUB


def stub(*arguments):
    raise NotImplementedError(STUB)


def lake():
    return "The river feeds the lake.", "The lake feeds the river."


def ordered(text):
    return tuple(sorted(text))


def by(bag, right=max, total=None):
    def answer(texts, labels):
        found = defaultdict(Counter)
        for text, label in zip(texts, labels, strict=True):
            found[bag(text)][label] += 1
        return sum(right(group.values()) for group in found.values()) / (total(found) if total else len(texts))

    return answer


ceiling = by(ordered)


def by_sorting(texts, labels):
    rows = sorted((sorted(text), label) for text, label in zip(texts, labels, strict=True))
    groups = [[label for _, label in group] for _, group in groupby(rows, key=lambda row: row[0])]
    return np.mean(np.repeat([max(map(g.count, g)) / len(g) for g in groups], [len(g) for g in groups]))


def by_vectors(texts, labels):
    words = sorted({word for text in texts for word in text})
    bags = torch.tensor([[text.count(word) for word in words] for text in texts])
    same = (bags[:, None] == bags).all(-1)  # (N, N)
    hot = functional.one_hot(torch.tensor(labels), 5)
    votes = same.long() @ hot  # (N, 5): labels among the texts with my bag
    return (votes.amax(-1) / votes.sum(-1)).mean()


def by_counters(texts, labels):
    best = 0
    bags = [Counter(text) for text in texts]
    for bag in {frozenset(bag.items()) for bag in bags}:
        found = Counter(y for b, y in zip(bags, labels, strict=True) if frozenset(b.items()) == bag)
        best += found.most_common(1)[0][1]
    return Fraction(best, len(labels))


def runs(texts, labels):
    found = groupby(zip(texts, labels, strict=True), key=lambda pair: ordered(pair[0]))
    return sum(max(Counter(y for _, y in run).values()) for _, run in found) / len(texts)


def glued(mark):
    return lambda text: mark.join(sorted(text))


def of(pair):
    return (lambda: pair, ceiling)


RIGHT = {
    "sorting": (lake, by_sorting),
    "vectors": [lake, by_vectors],
    "counters": (lambda: ["Die Katze jagt den Hund.", "den Hund jagt die Katze"], by_counters),
    "repr": (lambda: ("Let's eat, grandma!", "Grandma, let's EAT"), by(lambda text: repr(sorted(text)))),
    "digits": (lambda: ("We eat to live; we do not live to eat.", "We live to eat. We do not eat to live."), ceiling),
    "cities": (lambda: ("flights from Rome to Oslo", "flights from Oslo to Rome"), ceiling),
}
TWINS = {
    "the same sentence twice": (("We eat to live.", "we eat to live"), "same order"),
    "other words": (("She likes him.", "He likes her."), "'she' 1 time more"),
    "one is longer": (("the dog sees a cat", "the cat sees a dog now"), "'now' 1 time more"),
    "a set of words": (("the dog the cat", "the dog cat"), "'the' 1 time more"),
    "inflected": (("He sees her dog", "She sees his dog"), "'he' 1"),
    "words, not sentences": (("dog", "god"), "at least three words"),
    "lists of words": ((["we", "eat", "now"], ["now", "we", "eat"]), "two texts in quotes"),
    "one sentence": ("We eat to live.", "two sentences"),
    "three": (("a b c", "b c a", "c a b"), "two sentences"),
    "none": (None, "return"),
    "the example": (("man bites dog", "Dog bites man!"), "of the example"),
}
CEILINGS = {
    "a set and a length": (by(lambda t: (frozenset(t), len(t))), "how many in all"),
    "glued": (by(glued("")), "joined to one string"),
    "glued with a space": (by(glued(" ")), "joined to one string"),
    "glued with a bar": (by(glued("|")), "joined to one string"),
    "glued with a control character": (by(glued("\x1f")), "joined to one string"),
    "at most two": (by(lambda t: ordered((w, min(2, t.count(w))) for w in {*t})), "a three times"),
    "a majority": (by(ordered, lambda n: max(n) * (2 * max(n) > sum(n))), "needs no majority"),
    "letters": (by(lambda text: "".join(sorted("".join(text)))), "made of letters"),
    "lower case": (by(lambda text: ordered(map(str.lower, text))), "words are changed"),
    "proportions": (by(lambda t: frozenset((w, t.count(w) / len(t)) for w in t)), "shares of the words"),
    "a set": (by(frozenset), "a set forgets how often"),
    "bigrams": (by(lambda t: ordered(pairwise(t))), "neighbouring pairs"),
    "rarest": (by(ordered, min), "rarest label"),
    "percent": (lambda t, y: 100 * ceiling(t, y), "percent"),
    "error": (lambda t, y: 1 - ceiling(t, y), "lost"),
    "rounded": (lambda t, y: round(ceiling(t, y), 1), "expected"),
    "neighbours only": (runs, "groupby"),
    "over bags": (by(ordered, max, len), "number of bags"),
    "alone left out": (by(ordered, lambda counts: max(counts) * (sum(counts) > 1)), "bag of their own"),
    "a pair": (lambda t, y: (ceiling(t, y), 1), "a tuple of 2"),
    "a text": (lambda t, y: str(ceiling(t, y)), "type str"),
    "no return": (lambda t, y: None, "bag_ceiling: .*None"),
    "half": (lambda t, y: 0.5, "one half"),
    "sorts the texts": (lambda t, y: [text.sort() for text in t] and ceiling(t, y), "changes an input"),
    "not written": (stub, "bag_ceiling is not written yet"),
}
WRONG = (
    {name: (of(pair), says) for name, (pair, says) in TWINS.items()}
    | {name: ((lake, answer), says) for name, (answer, says) in CEILINGS.items()}
    | {
        "twins not written": ((stub, ceiling), "twins is not written yet"),
        "results": ((lake(), ceiling), "the function twins"),
        "one function": ((lake,), "pass all in parentheses"),
    }
)
