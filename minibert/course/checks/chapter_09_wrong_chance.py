"""Exercise 9.1: pairs of the right form, drawn unfairly: a model could learn the draw instead of the next sentence."""

from minibert.course.checks.chapter_09_wrong_pairs import _walk
from minibert.course.exercise import Mutant


def _one_document_for_all(documents, rng):
    pairs = []
    for index, document in enumerate(documents):
        other, place = rng.choice([d for number, d in enumerate(documents) if number != index]), 0
        while place < len(document):
            is_random = place == len(document) - 1 or rng.random() < 0.5
            pairs.append((document[place], rng.choice(other) if is_random else document[place + 1], int(is_random)))
            place += 1 if is_random else 2
    return pairs


def _one_stranger_for_all(documents, rng):
    known = {}

    def stranger(documents, index, rng):
        others = [d for number, d in enumerate(documents) if number != index]
        return known.setdefault(index, rng.choice(rng.choice(others)))

    return _walk(documents, rng, stranger)


def _goes_on_from_the_last(documents, rng):
    last = [rng.randrange(len(documents))]

    def stranger(documents, index, rng):
        last[0] = (last[0] + 1) % len(documents)
        if last[0] == index:
            last[0] = (last[0] + 1) % len(documents)
        return rng.choice(documents[last[0]])

    return _walk(documents, rng, stranger)


def _same_place(documents, rng):
    pairs = []
    for index, document in enumerate(documents):
        place = 0
        while place < len(document):
            is_random = place == len(document) - 1 or rng.random() < 0.5
            other = rng.choice([d for number, d in enumerate(documents) if number != index])
            b = other[place % len(other)] if is_random else document[place + 1]
            pairs.append((document[place], b, int(is_random)))
            place += 1 if is_random else 2
    return pairs


def _earlier_only(documents, index, rng):
    return rng.choice(documents[rng.randrange(index)] if index else documents[rng.randrange(1, len(documents))])


def _later_only(documents, index, rng):
    later = range(index + 1, len(documents)) if index + 1 < len(documents) else range(index)
    return rng.choice(documents[rng.choice(later)])


def _the_one_behind_instead(documents, index, rng):
    other = rng.randrange(len(documents))
    return rng.choice(documents[(other + 1) % len(documents) if other == index else other])


def _the_one_before_instead(documents, index, rng):
    other = rng.randrange(len(documents))
    return rng.choice(documents[other - 1 if other == index else other])


def _the_first_instead(documents, index, rng):
    other = rng.randrange(len(documents))
    return rng.choice(documents[(0 if index else 1) if other == index else other])


def _balanced(documents, rng, tie):
    """The label that came less often is next; `tie` decides if there is none."""
    pairs, count = [], [0, 0]
    for index, document in enumerate(documents):
        place = 0
        while place < len(document):
            last = place == len(document) - 1
            label = 1 if last else int(count[1] < count[0]) if count[0] != count[1] else tie(rng)
            others = [d for number, d in enumerate(documents) if number != index]
            pairs.append((document[place], rng.choice(rng.choice(others)) if label else document[place + 1], label))
            count[label] += 1
            place += 1 if label else 2
    return pairs


def _sticky(documents, rng):
    """Two times in three the last choice again."""
    pairs, label = [], 0
    for index, document in enumerate(documents):
        place = 0
        while place < len(document):
            last = place == len(document) - 1
            label = label if rng.random() < 0.65 else 1 - label
            others = [d for number, d in enumerate(documents) if number != index]
            is_random = last or label == 1
            b = rng.choice(rng.choice(others)) if is_random else document[place + 1]
            pairs.append((document[place], b, int(is_random)))
            place += 1 if is_random else 2
    return pairs


_HALF = r"\d\d% of the Bs are random(?s:.)*about half"
CHANCE = [
    Mutant("one other document for all", _one_document_for_all, "draw the other document anew"),
    Mutant("one stranger for all", _one_stranger_for_all, "draw the other document anew"),
    Mutant("goes on from the last stranger", _goes_on_from_the_last, "do not go on from the last"),
    Mutant("stranger at the place of A", _same_place, "the same as A's"),
    Mutant("earlier documents only", lambda d, r: _walk(d, r, _earlier_only), "only earlier documents"),
    Mutant("later documents only", lambda d, r: _walk(d, r, _later_only), "only later documents"),
    Mutant("hits its own: the one behind", lambda d, r: _walk(d, r, _the_one_behind_instead), "behind(?s:.)*neighbour"),
    Mutant("hits its own: the one before", lambda d, r: _walk(d, r, _the_one_before_instead), "before(?s:.)*neighbour"),
    Mutant("hits its own: the first", lambda d, r: _walk(d, r, _the_first_instead), "document 0(?s:.)*Draw again"),
    Mutant("balanced by counting", lambda d, r: _balanced(d, r, lambda rng: 1), "take turns|balance"),
    Mutant("balanced, a coin at a tie", lambda d, r: _balanced(d, r, lambda rng: rng.randrange(2)), "balance"),
    Mutant("a coin that sticks", _sticky, "stays for a while"),
    *[Mutant(f"a coin of {p}", lambda d, r, p=p: _walk(d, r, chance=p), _HALF) for p in (0.4, 0.45, 0.55, 0.6)],
]
