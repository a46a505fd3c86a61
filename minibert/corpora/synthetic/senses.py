"""Sentences that use one ambiguous word each, labelled with its sense: does context change the vector?"""

import re
from typing import NamedTuple

from minibert.corpora.synthetic.ambiguity import SENSES, things_of
from minibert.corpora.synthetic.morphology import plural, sentence, third
from minibert.corpora.synthetic.sampling import draw, pick, shuffled, stream
from minibert.corpora.synthetic.topics import TOPICS

# The same frames serve both senses, so only the content words around the ambiguous word can tell which one it is.
_FRAMES = (
    "the {role} {verb} the {adjective} {word} near the {place}",
    "at the {place}, the {role} {verb} the {word} beside the {thing}",
    "every day the {roles} and the {role} see the {adjective} {word} and the {thing}",
    "the {word} of the {role} is {adjective}, like the {thing}",
    "the {adjective} {word} stays with the {thing} at the {place}",
    "when the {role} {verb} the {word}, the {roles} keep the {thing}",
)


class SenseExample(NamedTuple):
    """A sentence, the ambiguous word in it, the character where it starts, and its sense (the name of a topic)."""

    sentence: str
    word: str
    start: int
    sense: str


def polysemy(count: int, seed: int = 0) -> list[SenseExample]:
    """Return labelled uses of 18 ambiguous words, the 36 senses equally often (they differ by one at most).

    Each word stands in its singular, in lower case, exactly once. Raises ValueError for a count below 1.

    >>> example = polysemy(40, seed=0)[0]
    >>> example.sentence[example.start : example.start + len(example.word)] == example.word
    True
    >>> example.sense in SENSES[example.word]
    True
    """
    rng = stream("polysemy", count, seed)
    cells = [(word, topic) for word, by_topic in SENSES.items() for topic in by_topic]
    result: list[SenseExample] = []
    while len(result) < count:
        for word, topic in shuffled(rng, cells):
            sense, words = SENSES[word][topic], TOPICS[topic]
            role, other_role = draw(rng, words.people, 2)
            text = sentence(pick(rng, _FRAMES).format(
                word=word, role=role, roles=plural(other_role), place=pick(rng, words.places),
                verb=third(pick(rng, sense.verbs)), adjective=pick(rng, sense.adjectives),
                thing=pick(rng, things_of(topic)).noun,
            ))  # fmt: skip
            found = re.search(rf"\b{word}\b", text)  # not str.find: a banker may stand before the bank
            result.append(SenseExample(text, word, found.start(), topic))
    return result[:count]
