"""Exercise 9.1: calling the learner's code, and reading what it returns: which sentence is A, which is B."""

import random
from dataclasses import dataclass

import torch

from minibert.course.exercise import Wrong
from minibert.course.tools import call, kind_of, show

IS_NEXT, IS_RANDOM = 0, 1


@dataclass(frozen=True)
class Drawn:
    """One pair that the learner's code made: (document, place) of A and of B, and the label.

    >>> Drawn((0, 1), (0, 2), 0).is_next
    True
    """

    a: tuple[int, int]
    b: tuple[int, int]
    label: int

    @property
    def is_next(self) -> bool:
        """Whether B really is the sentence behind A."""
        return self.b == (self.a[0], self.a[1] + 1)


def call_pairs(answer, documents: list, dice: random.Random):
    """What the learner's code returns; a function that yields its pairs is as good as one that returns a list.

    >>> call_pairs(lambda documents, rng: (pair for pair in [1, 2]), [], dice(0))
    [1, 2]
    """

    return call(_listed, answer, documents, dice)


def call_often(answer, documents: list, seeds: list[int]) -> list:
    """What the learner's code returns for each seed; the documents are copied and compared once, not each time.

    >>> call_often(lambda documents, rng: [rng.random() < 1], [], [3, 4])
    [[True], [True]]
    """
    return call(lambda documents: [_listed(answer, documents, dice(seed)) for seed in seeds], documents)


def _listed(answer, documents, rng):
    pairs = answer(documents, rng)
    return list(pairs) if hasattr(pairs, "__next__") else pairs


def dice(seed: int) -> random.Random:
    """The learner's `rng`.

    >>> dice(0).random() == dice(0).random()
    True
    """
    return random.Random(seed)


def seeds(rng: torch.Generator, count: int) -> list[int]:
    """Seeds for as many `dice`, drawn from the check's own generator.

    >>> len(seeds(torch.Generator(), 3))
    3
    """
    return torch.randint(2**31, (count,), generator=rng).tolist()


def plain(pairs) -> list[tuple[list, list, int]]:
    """The learner's pairs as (list, list, int).

    Raises:
        Wrong: their form is another one.

    >>> plain([((1, 2), [3], torch.tensor(1))])
    [([1, 2], [3], 1)]
    """
    form = "a list of triples (A, B, label), A and B sentences (lists of ids)"
    if type(pairs) not in (list, tuple):
        raise Wrong(f"make_pairs returns {kind_of(pairs)}", form, "is the `return` missing?" if pairs is None else "")
    found = []
    for item in pairs:
        if type(item) not in (list, tuple) or len(item) != 3:
            raise Wrong(f"an item is {kind_of(item)}: {show(item)}", form, "one triple for each pair")
        a, b, label = item
        for name, part in (("A", a), ("B", b)):
            if type(part) not in (list, tuple) or not all(type(token) is int for token in part):
                cause = "B is missing: is the last sentence of a document handled?" if part is None else ""
                if type(part) in (list, tuple) and any(type(token) in (list, tuple) for token in part):
                    cause = "it is a list of sentences; here each part is one sentence"
                raise Wrong(f"{name} is {kind_of(part)}: {show(part)}", form, cause)
        label = label.item() if hasattr(label, "item") else label
        if label not in (0, 1):
            raise Wrong(f"a label is {show(label)}", "0 (B is the next sentence) or 1 (B is random)", "")
        found.append((list(a), list(b), int(label)))
    return found


def read(pairs, places: dict[tuple, tuple[int, int]]) -> list[Drawn]:
    """The learner's pairs by where A and B stand; `places` says it of each sentence.

    Raises:
        Wrong: A or B is no sentence of the documents.

    >>> read([([7], [8], 0)], {(7,): (0, 0), (8,): (0, 1)})[0].is_next
    True
    """
    found = []
    for a, b, label in plain(pairs):
        for name, part in (("A", a), ("B", b)):
            if tuple(part) not in places:
                cause = "A and B are single whole sentences of the documents, unchanged and not joined"
                raise Wrong(f"{name} is {show(part)}, which is no sentence of the documents", "a whole sentence", cause)
        found.append(Drawn(places[tuple(a)], places[tuple(b)], label))
    return found
