"""Exercise 9.1: sentence pairs for next-sentence prediction, judged by what must hold of them whatever the dice say."""

from collections import Counter

import torch

from minibert.course.checks.chapter_09_chance import check_anew, check_coin, check_documents, check_spread
from minibert.course.checks.chapter_09_drawn import (
    IS_NEXT,
    IS_RANDOM,
    Drawn,
    call_often,
    call_pairs,
    dice,
    plain,
    read,
    seeds,
)
from minibert.course.exercise import Wrong
from minibert.course.tools import show

RUNS = 100  # times the learner's code is called: so often that a coin of 0.45 shows, and bad luck does not
FLIPPED = "the labels are flipped: 0 means that B follows A, 1 that B is random"


def check_pairs(answer, rng: torch.Generator) -> None:
    """The check of exercise 9.1.

    Raises:
        Wrong: what was seen, what was expected, the likely cause.

    >>> check_pairs(lambda documents, rng: [], torch.Generator().manual_seed(0))
    Traceback (most recent call last):
    ...
    minibert.course.exercise.Wrong: ('make_pairs(...) has 0 pairs', ...
    """
    _check_forced(answer)
    documents, places = _documents(rng)
    first = read(call_pairs(answer, documents, dice(6)), places)  # alone, so that a mistake here is found quickly
    again = call_pairs(answer, documents, dice(7)), call_pairs(answer, documents, dice(7))
    if plain(again[0]) != plain(again[1]):
        raise Wrong(
            "two calls with equal `rng` give different pairs",
            "the same pairs",
            "some randomness does not come from `rng`; use rng.random(), rng.randrange(...), rng.choice(...) only",
        )
    runs = [first, *(read(pairs, places) for pairs in call_often(answer, documents, seeds(rng, RUNS - 1)))]
    if all(run == first for run in runs):
        raise Wrong(
            "other dice, the same pairs", "other pairs", "draw from the `rng` that is passed in, do not seed one"
        )
    drawn = [pair for run in runs for pair in run]
    _check_labels(drawn)
    _check_strangers(drawn)
    for run in runs:
        _check_every_sentence(run, documents)
    check_coin(runs, documents)
    check_spread(drawn, documents)
    check_anew(runs, documents)
    check_documents(drawn, documents)


def _check_forced(answer) -> None:
    """Documents of one sentence leave nothing to chance; then two of two sentences, where little is left."""
    one = [[[11, 12]], [[21]]]
    got = plain(call_pairs(answer, one, dice(0)))
    want = [([11, 12], [21], 1), ([21], [11, 12], 1)]
    name = "make_pairs([[[11, 12]], [[21]]])"
    if len(got) != 2:
        cause = "each of the two documents has one sentence, so there are two As"
        if len(got) < 2:
            cause = "the last sentence of a document has nothing behind it: it gets a random B, and is not dropped"
        if got == [([11, 12], [21], 0)]:
            cause = "behind the last sentence of a document comes another document: that B is random, label 1"
        raise Wrong(f"{name} has {len(got)} pairs" + (f": {show(got)}" if got else ""), f"{want}", cause)
    if sorted(got) == sorted((a, b, 1 - label) for a, b, label in want):
        raise Wrong(f"{name} is {got}", f"{want}", FLIPPED + "; a last sentence can only get a random B")
    if any(a == b for a, b, _ in got):
        raise Wrong(f"{name} is {got}", f"{want}", "B is A itself: a random B comes from another document")
    if sorted(got) != sorted(want):
        raise Wrong(f"{name} is {got}", f"{want}", "with one sentence in each document every B can only be random")


def _documents(rng: torch.Generator) -> tuple[list, dict]:
    """Thirty documents of 5 to 9 sentences, no two sentences alike, and where each sentence stands."""
    documents, places, word = [], {}, 100
    for number, size in enumerate(torch.randint(5, 10, (30,), generator=rng).tolist()):
        document = []
        for place in range(size):
            length = 1 + (number + place) % 3
            document.append(list(range(word, word + length)))
            places[tuple(document[-1])] = (number, place)
            word += length
        documents.append(document)
    return documents, places


def _check_labels(drawn: list[Drawn]) -> None:
    truly = [pair.is_next for pair in drawn]
    said = [pair.label == IS_NEXT for pair in drawn]
    if all(t != s for t, s in zip(truly, said, strict=True)):
        raise Wrong(f"all {len(drawn)} pairs have the other label", "0 where B follows A", FLIPPED)
    wrong = [pair for pair in drawn if pair.label == IS_NEXT and not pair.is_next]
    if wrong:
        across = sum(pair.b[1] == 0 and pair.b[0] == pair.a[0] + 1 for pair in wrong)
        cause = "B must be the very next sentence of the same document"
        if across == len(wrong):
            cause = "behind the last sentence of a document comes another document: that B is random, label 1"
        raise Wrong(f"{len(wrong)} pairs say `is next`, and B is not the sentence behind A", "label 1 there", cause)


def _check_strangers(drawn: list[Drawn]) -> None:
    """A random B must come from another document: nothing in A's own is safely wrong."""
    random_pairs = [pair for pair in drawn if pair.label == IS_RANDOM]
    home = [pair for pair in random_pairs if pair.a[0] == pair.b[0]]
    if not home:
        return
    seen = f"{len(home)} of {len(random_pairs)} random Bs come from A's own document"
    true_next = sum(pair.is_next for pair in home)
    if true_next:
        seen += f", and {true_next} of these are the true next sentence, called random"
    if len(home) == len(random_pairs):
        cause = "draw B from the other documents, not from the one that A is in"
    else:
        cause = "it is drawn from all documents, A's own among them: draw again until the document is another one"
    raise Wrong(seen, "a random B comes from another document", cause)


def _check_every_sentence(run: list[Drawn], documents: list) -> None:
    """The As and the true Bs of a document are its sentences, each once."""
    used = Counter([pair.a for pair in run] + [pair.b for pair in run if pair.label == IS_NEXT])
    every = [(number, place) for number, document in enumerate(documents) for place in range(len(document))]
    lost = [place for place in every if not used[place]]
    twice = [place for place in every if used[place] > 1]
    if lost:
        last = all(place[1] == len(documents[place[0]]) - 1 for place in lost)
        cause = (
            "the last sentence of a document has nothing behind it: it gets a random B, and is not dropped"
            if last
            else "when B is random, the sentence that would have been B is put back: it is the next A"
        )
        raise Wrong(f"{len(lost)} of {len(every)} sentences are in no pair, as A or as true B", "none is lost", cause)
    if twice:
        cause = "a sentence that was a true B is used up: the next A is the one behind it"
        raise Wrong(f"{len(twice)} of {len(every)} sentences are used twice, as A or as true B", "each once", cause)
