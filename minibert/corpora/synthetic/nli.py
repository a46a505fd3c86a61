"""Natural language inference, three classes, built so that the known shortcuts of real sets do not work.

In each family below the hypothesis is drawn without looking at the label, so it alone says nothing (the flaw that
Gururangan et al. 2018, "Annotation Artifacts in Natural Language Inference Data", found in SNLI). The premise uses the
same words whatever the label; only who did what to whom changes, so counting shared words says nothing either.
"""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from minibert.corpora.synthetic.morphology import a, past, sentence
from minibert.corpora.synthetic.sampling import below, chance, draw, pick, pick_different, shuffled, stream
from minibert.corpora.synthetic.world import ACTIONS, DEEDS, FIRST_NAMES, KINDS, NUMBERS, OPPOSITES, TOWNS

LABELS = ("entailment", "neutral", "contradiction")  # the order of MNLI in GLUE
ENTAILED, NEUTRAL, CONTRADICTED = range(3)
Text = tuple[str, str]  # premise, hypothesis


class Pair(NamedTuple):
    """A premise, a hypothesis, and the index of its label in LABELS."""

    premise: str
    hypothesis: str
    label: int


def _join(rng: Random, clauses: list[str]) -> str:
    """Put clauses in random order, as one sentence or several."""
    clauses = shuffled(rng, clauses)
    if chance(rng, 0.5):
        return " ".join(sentence(clause) for clause in clauses)
    return sentence(", ".join(clauses[:-1]) + " and " + clauses[-1])


def _ask(rng: Random, label: int, people: list[str], clauses: tuple[str, str, str], hypothesis: str) -> Text:
    """Three people, one clause each, in the order of LABELS: the label decides only whom the hypothesis is about."""
    premise = _join(rng, [clause.format(who) for clause, who in zip(clauses, people, strict=True)])
    return premise, sentence(hypothesis.format(people[label]))


def negation(rng: Random, split: str, label: int) -> Text:
    """Did somebody do it, not do it, or is nothing said?"""
    verb, noun = pick(rng, ACTIONS[split]), pick(rng, KINDS[pick(rng, tuple(KINDS))])
    yes, no, unknown = {
        "train": (f"{{}} {past(verb)} the {noun}", f"{{}} did not {verb} the {noun}", "nobody knows about {}"),
        "test": (f"{{}} has {past(verb)} the {noun}", f"{{}} has never {past(verb)} the {noun}", "{} says nothing"),
    }[split]
    if chance(rng, 0.5):
        return _ask(rng, label, draw(rng, FIRST_NAMES[split], 3), (yes, unknown, no), yes)
    return _ask(rng, label, draw(rng, FIRST_NAMES[split], 3), (no, unknown, yes), no)


def country(rng: Random, split: str, label: int) -> Text:
    """A town stands for its country, and nobody lives in two."""
    town = pick(rng, tuple(TOWNS))
    elsewhere = pick(rng, [other for other in TOWNS if TOWNS[other] != TOWNS[town]])
    lives = pick(rng, {"train": ("{} lives in", "{} was born in"), "test": ("the home town of {} is in",)}[split])
    at = lives.removesuffix(" in") + " " if split == "test" else lives + " "
    return _ask(rng, label, draw(rng, FIRST_NAMES[split], 3),
                (at + town, "{} loves to travel", at + elsewhere), f"{lives} {TOWNS[town]}")  # fmt: skip


def kind(rng: Random, split: str, label: int) -> Text:
    """A thing stands for its kind, and `only` rules out the rest."""
    name, other = draw(rng, tuple(KINDS), 2)
    thing, different = a(pick(rng, KINDS[name])), a(pick(rng, KINDS[other]))
    did = past(pick(rng, ACTIONS[split]))
    only = {"train": "{} {did} only {thing}", "test": "the only thing that {} {did} was {thing}"}[split]
    clauses = tuple(only.replace("{did}", did).replace("{thing}", item) for item in (thing, different))
    return _ask(rng, label, draw(rng, FIRST_NAMES[split], 3),
                (clauses[0], f"{{}} {did} something", clauses[1]), f"{{}} {did} {a(name)}")  # fmt: skip


def order(rng: Random, split: str, label: int) -> Text:
    """A relation that cannot hold both ways, followed through a third person."""
    first, last, middle = draw(rng, FIRST_NAMES[split], 3)
    more, less = pick(rng, (("older", "younger"), ("taller", "shorter"), ("faster", "slower"), ("richer", "poorer")))
    chain = {
        ENTAILED: ((first, middle), (middle, last)),
        NEUTRAL: pick(rng, (((first, middle), (last, middle)), ((middle, first), (middle, last)))),
        CONTRADICTED: ((last, middle), (middle, first)),
    }[label]
    frame = {"train": "{} is {} than {}", "test": "compared with {2}, {0} is {1}"}[split]
    if chance(rng, 0.5):
        chain, more_here = tuple((y, x) for x, y in chain), less
    else:
        more_here = more
    premise = _join(rng, [frame.format(x, more_here, y) for x, y in chain])
    return premise, sentence(frame.format(first, more, last))


def role(rng: Random, split: str, label: int) -> Text:
    """Who did it to whom; active and passive mean the same, swapped people do not."""
    x, y, z = draw(rng, FIRST_NAMES[split], 3)
    verb = pick(rng, DEEDS[split])
    did, negated = {ENTAILED: ((x, y), (y, z)), CONTRADICTED: ((y, z), (x, y)), NEUTRAL: ((y, x), (z, y))}[label]
    active, passive = f"{{0}} {past(verb)} {{1}}", f"{{1}} was {past(verb)} by {{0}}"
    not_active, not_passive = f"{{0}} did not {verb} {{1}}", f"{{1}} was not {past(verb)} by {{0}}"
    if split == "test":
        active, passive = "it is true that " + active, "it is true that " + passive
    clauses = [pick(rng, (active, passive)).format(*did), pick(rng, (not_active, not_passive)).format(*negated)]
    return _join(rng, clauses), sentence(pick(rng, (active, passive)).format(x, y))


def number(rng: Random, split: str, label: int) -> Text:
    """At least, at most and exactly: one exact number and one bound in every premise."""
    who, other = draw(rng, FIRST_NAMES[split], 2)
    noun = pick(rng, KINDS[pick(rng, tuple(KINDS))]) + " pictures"
    asked, n = pick(rng, ("at least", "at most")), 3 + below(rng, len(NUMBERS) - 6)
    bound = pick(rng, ("at least", "at most"))
    up, down = n + 1 + below(rng, 3), n - 1 - below(rng, 3)
    if label == NEUTRAL:  # the bound is about `who` and leaves the question open
        exact, m = False, (down if bound == "at least" else up)
    else:
        m = up if (asked == "at least") == (label == ENTAILED) else down
        settles = bound == ("at least" if m == up else "at most")
        exact = not (settles and chance(rng, 0.5))
    amounts = (f"exactly {NUMBERS[m]}", f"{bound} {NUMBERS[n]}") if exact else (f"{bound} {NUMBERS[m]}",
                                                                               f"exactly {NUMBERS[n]}")  # fmt: skip
    has = {"train": "has", "test": "keeps"}[split]
    premise = _join(rng, [f"{who} {has} {amounts[0]} {noun}", f"{other} {has} {amounts[1]} {noun}"])
    return premise, sentence(f"{who} {has} {asked} {NUMBERS[n]} {noun}")


def opposite(rng: Random, split: str, label: int) -> Text:
    """The premise has a synonym, an antonym or an unrelated word in the same place."""
    row = pick(rng, OPPOSITES)
    side = below(rng, 2)
    same, against = row[2 * side : 2 * side + 2], row[2 - 2 * side : 4 - 2 * side]
    word = pick(rng, same)
    used = {ENTAILED: pick_different(rng, same, word), CONTRADICTED: pick(rng, against),
            NEUTRAL: pick(rng, pick_different(rng, OPPOSITES, row))}[label]  # fmt: skip
    who, other = draw(rng, FIRST_NAMES[split], 2)
    verb = pick(rng, DEEDS[split])
    frame = {"train": "the friend of {} is {}", "test": "{} has a neighbour who is {}"}[split]
    premise = _join(rng, [frame.format(who, used), f"{other} did not {verb} {who}"])
    return premise, sentence(frame.format(who, word))


FAMILIES: dict[str, Callable[[Random, str, int], Text]] = {
    function.__name__: function for function in (negation, country, kind, order, role, number, opposite)
}


def nli(count: int, seed: int = 0, split: str = "train", families: tuple[str, ...] = tuple(FAMILIES)) -> list[Pair]:
    """Return premise-hypothesis pairs, the three labels equally often (they differ by one at most).

    The test split has its own names, verbs and sentence frames. With every shortcut closed, all seven families together
    are hard for a small model without pre-training; `families` picks some of them ("opposite" is the simplest).
    Raises ValueError for a count below 1, an unknown split, no family or an unknown one.

    >>> pairs = nli(6, seed=0, families=("opposite", "negation"))
    >>> sorted(pair.label for pair in pairs)
    [0, 0, 1, 1, 2, 2]
    """
    rng = stream("nli", count, seed, split)
    if not families or any(name not in FAMILIES for name in families):
        raise ValueError(f"families must be names among {', '.join(FAMILIES)}; got {families!r}")
    result: list[Pair] = []
    while len(result) < count:
        for label in shuffled(rng, range(3)):
            premise, hypothesis = FAMILIES[pick(rng, families)](rng, split, label)
            result.append(Pair(premise, hypothesis, label))
    return result[:count]
