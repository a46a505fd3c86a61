"""Exercise 9.1: is the coin fair, are strangers drawn from everywhere and anew? Each bound holds whatever the dice say.

A right answer draws another document, all alike, and one of its sentences; or a sentence, all strangers alike. How far
its counts can stray by bad luck is bounded by theorems, not by trying: all bounds here together refuse a right answer
less than once in a million checks.
"""

import math
from collections import Counter
from itertools import pairwise

from minibert.course.checks.chapter_09_drawn import IS_RANDOM, Drawn
from minibert.course.exercise import Wrong

COINS = 10_000
# Coins and changes stray by 275 with a chance of 4 * Q(5.5) = 8e-8 each: twice the normal tail on either side, for the
# number of tosses is left to the learner's dice (Levy's inequality: the largest excursion of a sum of fair coins).
STRAY = 275
LUCK = 22.0  # e^-22 = 3e-10 for each count that `_most` bounds; there are about 300 of them


def _most(mean: float) -> float:
    """What a sum of independent 0s and 1s with this mean stays below, but for a chance of e^-LUCK (Bernstein)."""
    return mean + math.sqrt(2 * mean * LUCK) + LUCK / 3


def check_coin(runs: list[list[Drawn]], documents: list) -> None:
    """Where there is a next sentence, a fair coin decides, anew for each pair.

    Raises:
        Wrong: it does not.

    >>> check_coin([[Drawn((0, 0), (0, 1), 0)]], [[[1], [2]]])
    Traceback (most recent call last):
    ...
    minibert.course.exercise.Wrong: ('where A has a next sentence, 0% of the Bs are random', 'about half', ...
    """
    # In the order of the text, whatever order the learner returns: the tosses of a right answer are independent.
    free = [sorted((p for p in run if p.a[1] + 1 < len(documents[p.a[0]])), key=lambda p: p.a) for run in runs]
    every = [pair.label for run in free for pair in run]
    seen = f"where A has a next sentence, {sum(every) / len(every):.0%} of the Bs are random"
    if sum(every) in (0, len(every)):
        raise Wrong(seen, "about half", "no coin is tossed: rng.random() < 0.5 decides for each pair")
    by_document = [[p.label for p in run if p.a[0] == number] for run in free for number in range(len(documents))]
    long = [labels for labels in by_document if len(labels) >= 4]
    if sum(len(set(labels)) == 1 for labels in long) > 0.5 * len(long):
        raise Wrong(
            "within a document all choices are the same", "a coin for each pair", "the coin is tossed too early"
        )
    if sum(all(a != b for a, b in pairwise(labels)) for labels in long) > 0.5 * len(long):
        raise Wrong("`next` and `random` take turns", "a coin for each pair", "turns can be learned, coins cannot")
    coins = every[:COINS]
    changes = [before != after for before, after in pairwise(coins)]
    unfair = abs(sum(coins) - len(coins) / 2) > STRAY
    learned = abs(sum(changes) - len(changes) / 2) > STRAY
    share, alone = sum(coins) / len(coins), sum(changes) / max(1, len(changes))
    if learned and not (unfair and abs(alone - 2 * share * (1 - share)) * len(changes) < STRAY):
        cause = "toss for each pair: a label that stays for a while can be learned"
        if alone > 0.5:
            cause = (
                "toss for each pair, and do not look at the labels before: a balance kept by counting can be learned"
            )
        raise Wrong(f"a label differs from the one before in {alone:.0%} of the cases", "about half", cause)
    if unfair:
        cause = "compare rng.random() with 0.5; the last sentence of a document does not toss at all"
        raise Wrong(seen, f"about half: in {len(coins)} tosses a fair coin stays within 3% of it", cause)


def check_spread(drawn: list[Drawn], documents: list) -> None:
    """Random Bs come from everywhere: every other document, every place in it, none preferred.

    Raises:
        Wrong: they do not.

    >>> check_spread([Drawn((0, 0), (1, 0), 1)], [[[1]], [[2], [3]]])
    Traceback (most recent call last):
    ...
    minibert.course.exercise.Wrong: ('1 of 1 random Bs are the first of their document', 'any place', ...
    """
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
    _check_places(strangers, documents)
    steps = {(pair.b[0] - pair.a[0]) % len(documents) for pair in strangers}
    if len(steps) < 10:
        cause = "the other document is drawn too: any document but A's own, all equally likely"
        raise Wrong(f"the random Bs of a document come from {len(steps)} other(s) only", "from all others", cause)
    missing = set(range(len(documents))) - {pair.b[0] for pair in strangers}
    if missing:
        raise Wrong(
            f"no random B ever comes from document {min(missing)}", "from all others", "is an index off by one?"
        )
    count = len(documents)
    met = {(pair.a[0], pair.b[0]) for pair in strangers}
    never = [(a, b) for a in range(count) for b in range(count) if a != b and (a, b) not in met]
    if len(never) > 0.1 * count * (count - 1):  # a right answer leaves about one in a thousand out
        cause = "any document but A's own may give the random B, all equally likely"
        for word, later in (("earlier", True), ("later", False)):
            if all((b > a) == later for a, b in never):
                cause = f"only {word} documents are drawn; " + cause
        seen = f"of {count * (count - 1)} pairs (document of A, document of B) {len(never)} never occur"
        raise Wrong(seen, "random Bs from all other documents", cause)


def _check_places(strangers: list[Drawn], documents: list) -> None:
    """Where B stands in its document, counted from either end, has nothing to do with where A stands."""
    shortest = min(map(len, documents))
    for place in sorted({pair.a[1] for pair in strangers}):
        own = [pair.b for pair in strangers if pair.a[1] == place]
        from_end = [len(documents[b[0]]) - 1 - b[1] for b in own]
        for ends in ([b[1] for b in own], from_end):
            there, times = Counter(ends).most_common(1)[0]
            if times <= _most(len(own) / shortest):
                continue
            seen = f"where A is sentence {place} of its document, {times} of {len(own)} random Bs stand at one place"
            if there == place and ends is not from_end:
                seen += ", the same as A's"
            cause = "draw the place of B as well, whatever the place of A: rng.choice(document)"
            raise Wrong(seen, "any place", cause)


def check_documents(drawn: list[Drawn], documents: list) -> None:
    """Each other document is met from each document, and none too often.

    Raises:
        Wrong: one is preferred.

    >>> check_documents([Drawn((0, 0), (1, 0), 1), Drawn((1, 0), (0, 0), 1)], [[[1]], [[2]]])
    """
    count, strangers = len(documents), [pair for pair in drawn if pair.label == IS_RANDOM]
    sizes, times = [len(document) for document in documents], Counter(pair.a[0] for pair in strangers)
    total, found = sum(sizes), Counter((pair.a[0], pair.b[0]) for pair in strangers)

    def mean(pairs: list[tuple[int, int]]) -> float:
        """How many strangers of these (document of A, document of B) are due: documents alike, or sentences alike."""
        alike = sum(times[a] for a, b in pairs) / (count - 1)
        return max(alike, sum(times[a] * sizes[b] / (total - sizes[a]) for a, b in pairs))

    for number in range(count):
        pairs = [(a, number) for a in range(count) if a != number]
        if (got := sum(found[pair] for pair in pairs)) > _most(due := mean(pairs)):
            cause = "what happens when the draw hits A's own document? Draw again, so that no other one is preferred"
            raise Wrong(f"{got} random Bs come from document {number}", f"about {due:.0f}", cause)
    for step in range(1, count):
        pairs = [(a, (a + step) % count) for a in range(count)]
        if (got := sum(found[pair] for pair in pairs)) > _most(due := mean(pairs)):
            where = {1: "behind", count - 1: "before"}.get(step, f"{step} behind")
            cause = "when the draw hits A's own document, draw again; to take a neighbour instead prefers that one"
            raise Wrong(f"{got} random Bs come from the document {where} A's own", f"about {due:.0f}", cause)


def check_anew(runs: list[list[Drawn]], documents: list) -> None:
    """Within a document each stranger is drawn anew: the one before says nothing about its document.

    Raises:
        Wrong: it does.

    >>> check_anew([[Drawn((0, 0), (1, 0), 1)]], [[[1]], [[2]]])
    """
    count, sizes = len(documents), sorted(map(len, documents))
    steps: Counter = Counter()
    for run in runs:
        strangers = sorted((pair for pair in run if pair.label == IS_RANDOM), key=lambda pair: pair.a)
        for one, other in pairwise(strangers):
            if one.a[0] == other.a[0]:
                steps[(other.b[0] - one.b[0]) % count] += 1
    likeliest = sizes[-1] / (sum(sizes) - sizes[-1])  # no document is drawn more often than the longest may be
    total = sum(steps.values())
    for step, times in steps.most_common(1):
        if times > _most(total * likeliest):
            seen = f"after a random B the next one in this document comes from the document {step} further on"
            cause = "draw the other document for each pair, with rng, and do not go on from the last one"
            if step == 0:
                seen = "the random Bs of a document come from one and the same other document"
                cause = "draw the other document anew for each pair, not once for each document"
            raise Wrong(f"{seen}, in {times} of {total} cases", f"about {total / (count - 1):.0f}", cause)
