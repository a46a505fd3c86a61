"""Exercise 9.1: sentence pairs for next-sentence prediction, judged by what must hold of them whatever the dice say."""

from collections import Counter
from itertools import pairwise

import torch

from minibert.course.checks.chapter_09_drawn import Drawn, call_pairs, dice, plain, read, seeds
from minibert.course.exercise import Wrong
from minibert.course.tools import show

IS_NEXT, IS_RANDOM = 0, 1
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
    runs = [read(call_pairs(answer, documents, dice(seed)), places) for seed in seeds(rng, 8)]
    again = call_pairs(answer, documents, dice(7)), call_pairs(answer, documents, dice(7))
    if plain(again[0]) != plain(again[1]):
        raise Wrong(
            "two calls with equal `rng` give different pairs",
            "the same pairs",
            "some randomness does not come from `rng`; use rng.random(), rng.randrange(...), rng.choice(...) only",
        )
    if all(run == runs[0] for run in runs):
        raise Wrong(
            "other dice, the same pairs", "other pairs", "draw from the `rng` that is passed in, do not seed one"
        )
    drawn = [pair for run in runs for pair in run]
    _check_labels(drawn)
    _check_strangers(drawn)
    for run in runs:
        _check_every_sentence(run, documents)
    _check_coin(drawn, runs, documents)
    _check_spread(drawn, documents)


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


def _check_coin(drawn: list[Drawn], runs: list[list[Drawn]], documents: list) -> None:
    """Where there is a next sentence, a fair coin decides, anew for each pair."""
    free = [[p for p in run if p.a[1] + 1 < len(documents[p.a[0]])] for run in runs]
    coins = [pair.label for run in free for pair in run]
    share = sum(coins) / len(coins)
    seen = f"where A has a next sentence, {share:.0%} of the Bs are random"
    if share in (0.0, 1.0):
        raise Wrong(seen, "about half", "no coin is tossed: rng.random() < 0.5 decides for each pair")
    by_document = [[p.label for p in run if p.a[0] == number] for run in free for number in range(len(documents))]
    long = [labels for labels in by_document if len(labels) >= 4]
    if sum(len(set(labels)) == 1 for labels in long) > 0.5 * len(long):
        raise Wrong(
            "within a document all choices are the same", "a coin for each pair", "the coin is tossed too early"
        )
    if sum(all(a != b for a, b in pairwise(labels)) for labels in long) > 0.5 * len(long):
        raise Wrong("`next` and `random` take turns", "a coin for each pair", "turns can be learned, coins cannot")
    if len(coins) > 500 and abs(share - 0.5) > 0.1:  # more than five standard deviations
        cause = "compare rng.random() with 0.5; the last sentence of a document does not toss at all"
        raise Wrong(seen, "about half", cause)


def _check_spread(drawn: list[Drawn], documents: list) -> None:
    """Random Bs come from everywhere: every other document, every place in it."""
    strangers = [pair for pair in drawn if pair.label == IS_RANDOM]
    at_start = sum(pair.b[1] == 0 for pair in strangers)
    if at_start > 0.5 * len(strangers):
        cause = "draw the place within the document as well: rng.randrange(len(document)) or rng.choice(document)"
        raise Wrong(f"{at_start} of {len(strangers)} random Bs are the first of their document", "any place", cause)
    if at_start == 0:
        raise Wrong("no random B is the first sentence of its document", "any place", "indices begin with 0")
    if not any(pair.b[1] == len(documents[pair.b[0]]) - 1 for pair in strangers):
        cause = "rng.randrange(n) draws 0 ... n - 1 already; rng.randint includes both ends"
        raise Wrong("no random B is the last sentence of its document", "any place", cause)
    steps = {(pair.b[0] - pair.a[0]) % len(documents) for pair in strangers}
    if len(steps) < 10:
        cause = "the other document is drawn too: any document but A's own, all equally likely"
        raise Wrong(f"the random Bs of a document come from {len(steps)} other(s) only", "from all others", cause)
    missing = set(range(len(documents))) - {pair.b[0] for pair in strangers}
    if missing:
        raise Wrong(
            f"no random B ever comes from document {min(missing)}", "from all others", "is an index off by one?"
        )
