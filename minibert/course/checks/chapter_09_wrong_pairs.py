"""Exercise 9.1: the solution, and pairs that train a model on something else than the next sentence."""

import random
from itertools import pairwise

from minibert.course.exercise import Mutant


def _make_pairs(documents, rng):
    pairs = []
    for index, document in enumerate(documents):
        place = 0
        while place < len(document):
            a, last = document[place], place == len(document) - 1
            if last or rng.random() < 0.5:
                pairs.append((a, _from_another(documents, index, rng), 1))
                place += 1  # the sentence that would have been B is the next A
            else:
                pairs.append((a, document[place + 1], 0))
                place += 2
    return pairs


def _from_another(documents, index, rng):
    other = rng.choice([number for number in range(len(documents)) if number != index])
    return rng.choice(documents[other])


def _walk(documents, rng, stranger=_from_another, chance=0.5, labels=(0, 1), steps=(2, 1), skip_last=False):
    """The solution with one screw turned: every mutant below is this walk with a mistake."""
    pairs = []
    for index, document in enumerate(documents):
        place = 0
        while place < len(document) - skip_last:
            if place == len(document) - 1 or rng.random() < chance:
                pairs.append((document[place], stranger(documents, index, rng), labels[1]))
                place += steps[1]
            else:
                pairs.append((document[place], document[place + 1], labels[0]))
                place += steps[0]
    return pairs


def _from_anywhere(documents, index, rng):
    return rng.choice(rng.choice(documents))


def _from_the_same(documents, index, rng):
    return rng.choice(documents[index])


def _from_the_start(documents, index, rng):
    return rng.choice([d for number, d in enumerate(documents) if number != index])[0]


def _never_the_last(documents, index, rng):
    other = rng.choice([d for number, d in enumerate(documents) if number != index])
    return other[rng.randrange(max(1, len(other) - 1))]


def _never_the_first(documents, index, rng):
    other = rng.choice([d for number, d in enumerate(documents) if number != index])
    return other[rng.randint(min(1, len(other) - 1), len(other) - 1)]


def _from_the_following(documents, index, rng):
    return rng.choice(documents[(index + 1) % len(documents)])


def _from_a_mixed_bag(documents, index, rng):
    return [token for sentence in documents[(index + 1) % len(documents)] for token in sentence]


def _never_random(documents, rng):
    return _walk(documents, rng, chance=0.0)


def _across_the_border(documents, rng):
    flat = [(index, sentence) for index, document in enumerate(documents) for sentence in document]
    pairs, place = [], 0
    while place < len(flat):
        index, a = flat[place]
        if place == len(flat) - 1 or rng.random() < 0.5:
            pairs.append((a, _from_another(documents, index, rng), 1))
            place += 1
        else:
            pairs.append((a, flat[place + 1][1], 0))
            place += 2
    return pairs


def _only_neighbours(documents, rng):
    return [
        (a, b, 0) if rng.random() < 0.5 else (a, _from_another(documents, index, rng), 1)
        for index, document in enumerate(documents)
        for a, b in pairwise(document)
    ]


def _one_coin_for_a_document(documents, rng):
    pairs = []
    for index, document in enumerate(documents):
        chance, place = rng.choice((0.0, 1.0)), 0
        while place < len(document):
            is_random = place == len(document) - 1 or chance == 1.0
            b = _from_another(documents, index, rng) if is_random else document[place + 1]
            pairs.append((document[place], b, int(is_random)))
            place += 1 if is_random else 2
    return pairs


def _takes_turns(documents, rng):
    pairs = []
    for index, document in enumerate(documents):
        place, turn = 0, rng.random() < 0.5
        while place < len(document):
            is_random = place == len(document) - 1 or turn
            b = _from_another(documents, index, rng) if is_random else document[place + 1]
            pairs.append((document[place], b, int(is_random)))
            place, turn = place + (1 if is_random else 2), not turn
    return pairs


def _own_dice(documents, rng):
    return _make_pairs(documents, random)


def _seeds_itself(documents, rng):
    return _make_pairs(documents, random.Random(0))


def _pops(documents, rng):
    pairs = _make_pairs(documents, rng)
    documents[0].pop()
    return pairs


def _two_lists(documents, rng):
    pairs = _make_pairs(documents, rng)
    return [(a, b) for a, b, _ in pairs], [label for _, _, label in pairs]


def _returns_nothing(documents, rng):
    _make_pairs(documents, rng)


def _random_is_a_document(documents, rng):
    return _walk(documents, rng, stranger=lambda ds, i, r: r.choice([d for n, d in enumerate(ds) if n != i]))


PAIRS = [
    Mutant(
        "the random B may be the true next", lambda d, r: _walk(d, r, _from_anywhere), "true next sentence|A itself"
    ),
    Mutant("labels flipped", lambda d, r: _walk(d, r, labels=(1, 0)), "flipped"),
    Mutant("random from the same document", lambda d, r: _walk(d, r, _from_the_same), "another document"),
    Mutant("never random", _never_random, "no coin is tossed"),
    Mutant("always random", lambda d, r: _walk(d, r, chance=1.0), "no coin is tossed"),
    Mutant("always from the start", lambda d, r: _walk(d, r, _from_the_start), "first of their document"),
    Mutant("the pushed-out sentence is lost", lambda d, r: _walk(d, r, steps=(2, 2)), "put back"),
    Mutant("a true B is an A again", lambda d, r: _walk(d, r, steps=(1, 1)), "used twice"),
    Mutant("drops last sentences", lambda d, r: _walk(d, r, skip_last=True), "last sentence.*not dropped"),
    Mutant("zips neighbours", _only_neighbours, "last sentence.*not dropped"),
    Mutant("across the border of documents", _across_the_border, "comes another document"),
    Mutant("seventy percent", lambda d, r: _walk(d, r, chance=0.7), r"\d\d% of the Bs are random(?s:.)*about half"),
    Mutant("one coin for a document", _one_coin_for_a_document, "tossed too early"),
    Mutant("takes turns", _takes_turns, "take turns"),
    Mutant("never the last sentence", lambda d, r: _walk(d, r, _never_the_last), "last sentence of its document"),
    Mutant("never the first sentence", lambda d, r: _walk(d, r, _never_the_first), "first sentence of its document"),
    Mutant("always the following document", lambda d, r: _walk(d, r, _from_the_following), "other document is drawn"),
    Mutant(
        "B is a whole document, joined", lambda d, r: _walk(d, r, _from_a_mixed_bag), "no sentence of the documents"
    ),
    Mutant("B is a whole document", _random_is_a_document, "list of sentences"),
    Mutant("global randomness", _own_dice, "does not come from `rng`"),
    Mutant("seeds its own dice", _seeds_itself, "do not seed"),
    Mutant("changes the documents", _pops, "your code changes"),
    Mutant("pairs and labels apart", _two_lists, "triple"),
    Mutant("no return", _returns_nothing, "`return` missing"),
    Mutant("labels are words", lambda d, r: _walk(d, r, labels=("next", "random")), "a label is"),
]
