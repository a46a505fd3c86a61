"""18.5 Open task: raise the weakest language. By the shares of the mix; the check trains and measures."""

import math
from functools import lru_cache
from itertools import pairwise

import torch

from minibert.course.lab import Exercise, Lab, Wrong
from minibert.course.tools import call, kind_of, show
from minibert.tasks.language_mix import by_size, languages, train_mix


def shares(sizes, losses):
    """In which shares the languages of the next block come: {language: a number}, as a dict."""
    total = dict.fromkeys(sizes, 1 / len(sizes))
    for end in range(2, len(losses)):  # an average over all blocks so far: it hardly moves from one to the next
        before, now = losses[max(0, end - 4)], losses[end]
        fallen = {name: max(before[name] - now[name], 0.02) for name in sizes}
        for name in sizes:
            total[name] += fallen[name] / sum(fallen.values())
    return {name: one**1.5 for name, one in total.items()}  # sharper: the averages lie close together


BAR, WORLDS, POWERS = 0.55, 2, (1.0, 0.5, 0.0)
SIZE = "the shares do not depend on the losses: which language is weak shows in its losses, not in the amount of text"
HIGH = "much goes to a language whose loss is high and falls no more: that is all that can be reached there"
SWING = (
    "the shares jump from block to block: losses are noisy, and what is left out is forgotten; average over more blocks"
)
STARVED = "a language gets next to nothing, and forgets: keep some share for each"
MEAN = "the weakest is raised at the cost of all others: take from languages whose loss has stopped falling"
MORE = "too little goes to the weakest: give more to the language that still learns the most"
NUMBERS = "return a dict with a share for each language: numbers from 0 up, not all 0; they need not sum to 1"


@lru_cache(maxsize=8)
def baseline(seed):
    """The best worst language, and the mean with it, among shares by size to some power."""
    runs = [train_mix(by_size(power), seed) for power in POWERS]
    best = min(runs, key=lambda run: run.above[run.worst])
    return best.above[best.worst], best.mean


def checked(answer):
    """The learner's policy; what it gives back is looked at each time."""

    def policy(sizes, losses):
        got = call(answer, sizes, losses)
        if not isinstance(got, dict) or set(got) != set(sizes):
            what = f"a dict with {', '.join(map(str, got)) or 'nothing'}" if isinstance(got, dict) else kind_of(got)
            raise Wrong(f"after {len(losses)} blocks shares returns {what}", ", ".join(sizes), NUMBERS)
        given = {name: one.item() if getattr(one, "shape", None) == () else one for name, one in got.items()}
        for name, one in given.items():
            if not isinstance(one, int | float) or not 0 <= one < math.inf:
                raise Wrong(f"after {len(losses)} blocks the share of {name} is {show(one)}", "a number", NUMBERS)
        if not sum(given.values()) > 0:
            raise Wrong(f"after {len(losses)} blocks all shares are 0", "a sum above 0", NUMBERS)
        return given

    return policy


def measure(answer, rng):
    """Train with the answer's shares in two worlds of this seed, and compare with the best shares by size."""
    first = 2 * int(torch.randint(2**30, (), generator=rng))
    for seed in range(first, first + WORLDS):  # one noisy language in the first, two in the second
        run, (worst, mean) = train_mix(checked(answer), seed), baseline(seed)
        if run.above[run.worst] <= BAR * worst and run.mean <= mean:
            continue
        got = sum(one[run.worst] for one in run.shares) / len(run.shares)
        seen = f"the weakest language, {run.worst}, got {show(round(got, 2))} of all rows and stays "
        seen += f"{show(round(run.above[run.worst], 3))} bits a word above what can be reached; the mean of all is "
        seen += f"{show(round(run.mean, 3))}"
        expected = f"at most {show(round(BAR * worst, 3))}, and a mean of at most {show(round(mean, 3))}"
        raise Wrong(seen, expected, likely(answer, run, languages(seed), worst))


def likely(answer, run, there, worst):
    """What to try first."""
    moved = [sum(abs(now[name] - before[name]) for name in now) for before, now in pairwise(run.shares)]
    noisy = [name for name, one in there.items() if one.kind == "noisy"]
    mean = {name: sum(one[name] for one in run.shares) / len(run.shares) for name in there}
    sizes, names = {name: len(one.text) for name, one in there.items()}, list(there)
    turned = [dict(zip(names, [*one.values()][::-1], strict=True)) for one in run.losses]
    if all(call(answer, sizes, run.losses[:n]) == call(answer, sizes, turned[:n]) for n in (1, 9, 29)):
        return SIZE
    if max(mean[name] for name in noisy) > 0.22:
        return HIGH
    if run.above[run.worst] <= BAR * worst:
        return MEAN
    if sum(moved[3:]) / len(moved[3:]) > 0.15:
        return SWING
    return STARVED if min(min(one.values()) for one in run.shares[5:]) < 0.01 else MORE


TOTAL, RETURN = "total = dict.fromkeys(sizes, 1 / len(sizes))", "return {name: one**1.5 for name, one in total.items()}"
MISTAKES = {
    SIZE: {RETURN: "return {name: size**0.3 for name, size in sizes.items()}"},
    HIGH: {RETURN: "return losses[-1] if losses else total"},
    SWING: {
        RETURN: "return {n: max(losses[-2][n] - losses[-1][n], 0.001) for n in sizes} if len(losses) > 1 else total"
    },
    STARVED: {"one**1.5": "one**9"},
    MEAN: {"one**1.5": "one**2.1"},
    MORE: {"one**1.5": "one**0.5"},
    NUMBERS: {RETURN: "return list(total.values())"},
    "your code changes": {TOTAL: f"{TOTAL}\n    losses.append(total)"},
}

EXERCISE = Exercise(
    minutes=60,
    difficulty=5,
    signature="shares(sizes: {language: rows of text}, losses: list of {language: bits a word}, one a block) "
    "-> {language: share}",
    hints=(
        "A high loss may mean two things: there is much left to learn, or nothing more can be learned. Print the\n"
        "losses of a run with equal shares, block by block. What tells the two apart, and how soon?",
        "sizes: 6 numbers. losses: a list of 0 ... 29 dicts, the last one from the block just finished. One dict of 6\n"
        "shares comes out; 320 rows a block are dealt out by it. Losses of two blocks differ by noise, too.",
        "as long as too few blocks are over: equal shares\n"
        "for every block so far: how much each language's loss fell over the few blocks before it, not below a little\n"
        "                        as shares of the sum\n"
        "average all these shares, so that no language is starved by one bad block\n"
        "make the differences of the averages a little larger, as far as the mean allows, and give them back",
    ),
    parts=(Lab(shares, lambda rng: [], MISTAKES, after=measure, coarse=True),),
    seconds=120.0,
)
