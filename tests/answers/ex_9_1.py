"""Answers to 9.1, sentence pairs. RIGHT ones throw their dice in other orders."""

import random

import torch


def all_strangers_alike_and_shuffled(documents, rng):
    pairs = []
    for index, document in enumerate(documents):
        strangers = [s for number, other in enumerate(documents) if number != index for s in other]
        place = 0
        while place < len(document):
            if place + 1 < len(document) and rng.randrange(2):
                pairs.append([document[place], document[place + 1], torch.tensor(0)])
                place += 2
            else:
                pairs.append([document[place], rng.sample(strangers, 1)[0], torch.tensor(1)])
                place += 1
    rng.shuffle(pairs)
    return tuple(pairs)


def one_flat_list_and_rejection(documents, rng):
    flat = [(number, sentence) for number, document in enumerate(documents) for sentence in document]
    place, pairs = 0, []
    while place < len(flat):
        number, a = flat[place]
        ends = place + 1 == len(flat) or flat[place + 1][0] != number
        is_random = ends or rng.uniform(0, 1) >= 0.5
        stranger = rng.choice(flat)
        while stranger[0] == number:
            stranger = rng.choice(flat)
        pairs.append((a, stranger[1] if is_random else flat[place + 1][1], int(is_random)))
        place += 2 - is_random
    return pairs


def from_the_end_with_floats(documents, rng):
    pairs = []
    for index in reversed(range(len(documents))):
        document, place = documents[index], 0
        others = documents[:index] + documents[index + 1 :]
        while place < len(document):
            other = others[int(rng.random() * len(others))]
            stranger = other[int(rng.random() * len(other))]
            if place < len(document) - 1 and rng.random() > 0.5:
                pairs.append((document[place], document[place + 1], False))
                place += 1
            else:
                pairs.append((document[place], stranger, True))
            place += 1
    return pairs


def popping_in_any_order(documents, rng):
    order, pairs = rng.sample(range(len(documents)), len(documents)), []
    for index in order:
        waiting = list(reversed(documents[index]))
        while waiting:
            a, other = waiting.pop(), index
            while other == index:
                other = rng.randrange(len(documents))
            if waiting and rng.getrandbits(1):
                pairs.append((a, waiting.pop(), 0))
            else:
                pairs.append((a, documents[other][rng.randint(0, len(documents[other]) - 1)], 1))
    return pairs


def walk(stranger, chance=0.5, labels=(0, 1)):
    """Pairs whose random Bs come from the document that `stranger(documents, index, rng)` gives."""

    def make_pairs(documents, rng):
        pairs = []
        for index, document in enumerate(documents):
            place = 0
            while place < len(document):
                if place + 1 < len(document) and rng.random() >= chance:
                    pairs.append((document[place], document[place + 1], labels[0]))
                    place += 2
                else:
                    pairs.append((document[place], rng.choice(stranger(documents, index, rng)), labels[1]))
                    place += 1
        return pairs

    return make_pairs


def right(documents, index, rng):
    return rng.choice(documents[:index] + documents[index + 1 :])


def off_by_one(documents, index, rng):
    count = len(documents)
    return documents[(index + (rng.randrange(1, count - 1) if count > 2 else 1)) % count]


def by_equality(documents, index, rng):
    return rng.choice([other for other in documents if other != documents[index]] or documents)


def far_ones(documents, index, rng):
    return documents[(index + len(documents) // 2) % len(documents)]


def mostly_others(documents, index, rng):
    return rng.choice([d for n, d in enumerate(documents) if n != index or (len(d) > 1 and rng.random() < 0.1)])


def without_replacement(documents, rng):
    seen = []

    def stranger(documents, index, rng):
        rest = [s for n, d in enumerate(documents) if n != index for s in d]
        seen.append(rng.choice([s for s in rest if s not in seen] or rest))
        return seen[-1:]

    return walk(stranger)(documents, rng)


def from_the_second(documents, rng):
    return [pair for pair in walk(right)(documents, rng) if not any(pair[0] is document[0] for document in documents)]


def crashes(documents, rng):
    return [(documents[0][99], documents[1][0], 1)]


RIGHT = {
    "all strangers alike": all_strangers_alike_and_shuffled,
    "one flat list": one_flat_list_and_rejection,
    "from the end": from_the_end_with_floats,
    "popping": popping_in_any_order,
}
WRONG = {
    "off by one": (walk(off_by_one), "one other document is never drawn"),
    "own document by ==": (walk(by_equality), "known by its number"),
    "a generator": (lambda documents, rng: (pair for pair in walk(right)(documents, rng)), "generator(?s:.)*list"),
    "one far document": (walk(far_ones), "SPREAD|never come|any document but A's own|random Bs"),
    "own document sometimes": (walk(mostly_others), "A's own document"),
    "a coin of 0.45": (walk(right, 0.45), "0.4[0-9]*\n(?s:.)*0.5"),
    "a coin of 0.55": (walk(right, 0.55), "0.5[0-9]+\n(?s:.)*0.5"),
    "labels flipped": (walk(right, labels=(1, 0)), "flipped"),
    "labels are words": (walk(right, labels=("next", "random")), "a label is"),
    "without replacement": (without_replacement, "same sentence|second time"),
    "from the second": (from_the_second, "0 items|first sentence"),
    "crashes": (crashes, r"documents\[0\]\[99\]"),
    "own dice": (lambda documents, rng: walk(right)(documents, random), "does not come from `rng`"),
    "pops": (lambda documents, rng: (walk(right)(documents, rng), documents[0].pop())[0], "your code changes"),
    "a whole document": (walk(lambda documents, index, rng: [right(documents, index, rng)]), "list of sentences"),
    "joined": (walk(lambda d, i, rng: [[t for s in right(d, i, rng) for t in s]]), "no sentence of the doc|in 40|0, 1"),
    "nothing": (lambda documents, rng: None, "`return` missing"),
    "no pairs": (lambda documents, rng: [], "0 items"),
}
