"""Sentences with a positive or negative opinion, where negation and contrast make counting words insufficient."""

from typing import NamedTuple

from minibert.corpora.synthetic.morphology import sentence
from minibert.corpora.synthetic.sampling import chance, pick, pick_different, shuffled, stream
from minibert.corpora.synthetic.world import CITIES, FIRST_NAMES

NEGATIVE, POSITIVE = 0, 1

_SUBJECTS = {
    "train": ("the film", "this book", "the soup", "the hotel", "their new album", "the phone", "our guide"),
    "test": ("the concert", "this novel", "the service", "the camera", "his latest show", "the museum"),
}
_WORDS = (  # negative, positive; shared by the splits, since no training set could teach an unseen word
    ("awful", "bad", "boring", "clumsy", "dreadful", "dull", "horrible", "poor", "terrible", "ugly", "weak"),
    ("amazing", "beautiful", "brilliant", "charming", "clever", "delightful", "excellent", "good", "great",
     "lovely", "wonderful"),
)  # fmt: skip
# {w} carries the opinion, {x} is a word of the other side, {n} is a word that is negated
_FRAMES = {
    "train": ("{s} was {w}", "{s} was not {x}", "at first {s} seemed {x}, but in the end it was {w}",
              "{p} called {s} {x}, yet I found it {w}", "I thought {s} would be {x}; it was {w}",
              "nobody in {c} finds {s} {x}", "{s} was {w}, although {p} had said it was {x}"),
    "test": ("how {w} {s} is", "{s} is anything but {x}", "{p} expected {s} to be {x} and was wrong, because it is {w}",
             "people in {c} know that {s} is {w}, not {x}", "{s} is never {x}"),
}  # fmt: skip


class Opinion(NamedTuple):
    """A sentence and its label, NEGATIVE (0) or POSITIVE (1)."""

    text: str
    label: int


def sentiment(count: int, seed: int = 0, split: str = "train") -> list[Opinion]:
    """Return opinions, both labels equally often (they differ by one at most).

    The test split has its own names, subjects and sentence frames. Raises ValueError for a count below 1 or an unknown
    split.

    >>> sorted(opinion.label for opinion in sentiment(2, seed=0))
    [0, 1]
    """
    rng = stream("sentiment", count, seed, split)
    result: list[Opinion] = []
    while len(result) < count:
        for label in shuffled(rng, (NEGATIVE, POSITIVE)):
            subject = pick(rng, _SUBJECTS[split])
            text = pick(rng, _FRAMES[split]).format(
                s=subject, w=pick(rng, _WORDS[label]), x=pick(rng, _WORDS[1 - label]),
                p=pick(rng, FIRST_NAMES[split]), c=pick(rng, CITIES[split]),
            )  # fmt: skip
            if chance(rng, 0.4):
                text += f", and {pick_different(rng, _SUBJECTS[split], subject)} was there as well"
            result.append(Opinion(sentence(text), label))
    return result[:count]
