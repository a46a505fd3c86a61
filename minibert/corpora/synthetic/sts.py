"""Sentence pairs with a similarity of 0 to 5, as in STS: five times the share of facts that the two have in common.

A sentence states five facts about one event: who acts, on whom, what happens, with which thing, and where. Paraphrase
(a synonym, passive voice, another order) keeps a fact. Swapped people lose two facts and keep every word, so that
counting words does not give the score. Source of the scale: Cer et al. 2017, "SemEval-2017 Task 1", table 1.
"""

from random import Random
from typing import NamedTuple

from minibert.corpora.synthetic.morphology import a, sentence
from minibert.corpora.synthetic.sampling import below, chance, draw, pick, pick_different, shuffled, stream
from minibert.corpora.synthetic.world import CITIES, FIRST_NAMES, SYNONYMS

SLOTS = ("giver", "taker", "action", "thing", "town")
_PAIRS = tuple(SYNONYMS.items())
_ACTIONS, _THINGS = _PAIRS[:8], _PAIRS[8:]  # a concept is a pair of words that mean the same
_PREPOSITION = {"bought": "for", "purchased": "for"}
_FRAMES = {
    "train": (
        "{giver} {action} {thing} {to} {taker} in {town}",
        "in {town}, {giver} {action} {thing} {to} {taker}",
        "{thing} was {participle} {to} {taker} by {giver} in {town}",
        "in {town}, {thing} was {participle} {to} {taker} by {giver}",
    ),
    "test": (
        "it was {giver} who {action} {thing} {to} {taker} in {town}",
        "while in {town}, {giver} {action} {thing} {to} {taker}",
        "by {giver}, {thing} was {participle} {to} {taker} in {town}",
        "people in {town} say that {thing} was {participle} {to} {taker} by {giver}",
    ),
}
_PARTICIPLES = {"showed": "shown", "gave": "given"}


class ScoredPair(NamedTuple):
    """Two sentences and their similarity, 0.0 (no fact in common) to 5.0 (the same facts)."""

    first: str
    second: str
    score: float


def _event(rng: Random, split: str) -> dict:
    giver, taker = draw(rng, FIRST_NAMES[split], 2)
    return {"giver": giver, "taker": taker, "action": pick(rng, _ACTIONS), "thing": pick(rng, _THINGS),
            "town": pick(rng, CITIES[split])}  # fmt: skip


def _change(rng: Random, event: dict, slots: list[str], split: str) -> dict:
    """Return another event that differs from `event` in exactly these slots."""
    other = dict(event)
    pools = {"giver": FIRST_NAMES[split], "taker": FIRST_NAMES[split], "action": _ACTIONS, "thing": _THINGS,
             "town": CITIES[split]}  # fmt: skip
    for slot in slots:
        other[slot] = pick_different(rng, pools[slot], *event.values(), *other.values())
    if "giver" in slots and "taker" in slots and chance(rng, 0.8):
        other["giver"], other["taker"] = event["taker"], event["giver"]
    return other


def _tell(rng: Random, event: dict, split: str) -> str:
    action = pick(rng, event["action"])
    return sentence(pick(rng, _FRAMES[split]).format(
        giver=event["giver"], taker=event["taker"], town=event["town"], thing=a(pick(rng, event["thing"])),
        action=action, participle=_PARTICIPLES.get(action, action), to=_PREPOSITION.get(action, "to"),
    ))  # fmt: skip


def sts(count: int, seed: int = 0, split: str = "train") -> list[ScoredPair]:
    """Return scored sentence pairs; the six scores 0.0, 1.0 ... 5.0 come equally often (they differ by one at most).

    The test split has its own names, towns and sentence frames. Raises ValueError for a count below 1 or an unknown
    split.

    >>> sorted(pair.score for pair in sts(6, seed=0))
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
    rng = stream("sts", count, seed, split)
    result: list[ScoredPair] = []
    while len(result) < count:
        for matching in shuffled(rng, range(len(SLOTS) + 1)):
            event = _event(rng, split)
            slots = shuffled(rng, SLOTS)
            if chance(rng, 0.5):  # put the two people last, so that swaps are common at every score up to 3
                slots.sort(key=lambda slot: slot in ("giver", "taker"))
            other = _change(rng, event, slots[matching:], split)
            first, second = _tell(rng, event, split), _tell(rng, other, split)
            while first == second:  # the same facts in the same words teach nothing
                second = _tell(rng, other, split)
            pair = (first, second) if below(rng, 2) else (second, first)
            result.append(ScoredPair(*pair, 5.0 * matching / len(SLOTS)))
    return result[:count]
