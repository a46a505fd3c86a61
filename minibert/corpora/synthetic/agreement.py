"""Minimal pairs for subject-verb agreement across nouns of the other number (attractors).

The design is that of Linzen, Dupoux and Goldberg 2016 and of Goldberg 2019, "Assessing BERT's Syntactic Abilities".
"""

from typing import NamedTuple

from minibert.corpora.synthetic.morphology import plural, sentence, third
from minibert.corpora.synthetic.sampling import draw, pick, shuffled, stream
from minibert.corpora.synthetic.topics import TOPICS

# {s} the subject, {t} and {u} attractors, {v} the verb that must agree; {b} is or are, {n} a neutral singular noun
_FRAMES = (
    "the {s} near the {t} {v} the {n}",
    "the {s} with the {t} {v} the {n} at the {p}",
    "at the {p}, the {s} behind the {t} {v} the {n}",
    "the {s} between the {t} and the {u} {v} the {n}",
    "the {s} that the {t} like {v} the {n}",
    "the {s} near the {t} at the {p} {b} happy",
    "the {s} whom the {t} thanked {b} at the {p}",
    "yesterday we heard that the {s} behind the {t} {b} here",
)
_RELATIVE = "that the {t} like"  # the one frame where the attractor is itself a subject


class AgreementPair(NamedTuple):
    """Two sentences that differ in one word: the verb agrees with its subject in `good` and not in `bad`."""

    good: str
    bad: str


def agreement_pairs(count: int, seed: int = 0) -> list[AgreementPair]:
    """Return minimal pairs; half of the subjects are singular, and every attractor has the other number.

    Raises ValueError for a count below 1.

    >>> good, bad = agreement_pairs(1, seed=0)[0]
    >>> sum(a != b for a, b in zip(good.split(), bad.split(), strict=True))
    1
    """
    rng = stream("agreement", count, seed)
    result: list[AgreementPair] = []
    while len(result) < count:
        for singular in shuffled(rng, (True, False)):
            words = TOPICS[pick(rng, tuple(TOPICS))]
            subject, attractor = draw(rng, words.people, 2)
            second, neutral = draw(rng, words.things, 2)
            frame, verb = pick(rng, _FRAMES), pick(rng, words.verbs)
            if not singular:
                frame = frame.replace(_RELATIVE, "that the {t} likes")
            nouns = {
                "s": subject if singular else plural(subject),
                "t": plural(attractor) if singular else attractor,
                "u": plural(second) if singular else second,
                "n": neutral,
                "p": pick(rng, words.places),
            }
            one = sentence(frame.format(v=third(verb), b="is", **nouns))
            many = sentence(frame.format(v=verb, b="are", **nouns))
            result.append(AgreementPair(one, many) if singular else AgreementPair(many, one))
    return result[:count]
