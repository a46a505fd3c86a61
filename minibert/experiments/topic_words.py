"""The content words of generated sentences: which topic each belongs to, and what kind of word it is."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from minibert.corpora.synthetic.ambiguity import SENSES
from minibert.corpora.synthetic.morphology import plural, third
from minibert.corpora.synthetic.topics import TOPICS

KINDS = ("person", "people", "thing", "verb", "adjective", "place")


@dataclass(frozen=True)
class TopicWords:
    """Kind and topic of each content word of some senses of some ambiguous words; other words have neither.

    >>> words = TopicWords.of(["bank"], ["river", "finance"])
    >>> words.kind["tellers"], words.topic["tellers"], "the" in words.kind
    ('people', 'finance', False)
    """

    kind: dict[str, str]
    topic: dict[str, str]

    @classmethod
    def of(cls, ambiguous: Iterable[str], topics: Iterable[str]) -> "TopicWords":
        """The words of these topics, and the verbs and adjectives of these ambiguous words in them.

        >>> TopicWords.of(["bank"], ["river"]).kind["grassy"]
        'adjective'
        """
        ambiguous, kind, topic_of = list(ambiguous), {}, {}
        for name in topics:
            topic = TOPICS[name]
            things = [topic, *(SENSES[word][name] for word in ambiguous if name in SENSES[word])]
            verbs = [third(verb) for thing in things for verb in thing.verbs]
            adjectives = [word for thing in things for word in thing.adjectives]
            people = [plural(word) for word in topic.people]
            for which, group in zip(
                KINDS, (topic.people, people, topic.things, verbs, adjectives, topic.places), strict=True
            ):
                kind |= dict.fromkeys(group, which)
                topic_of |= dict.fromkeys(group, name)
        return cls(kind, topic_of)

    def of_topic(self, ids: dict[str, int], topic: str | None = None) -> Tensor:
        """Which words of a vocabulary have a topic, or this one. Shape: -> (V,) bool.

        >>> TopicWords.of(["bank"], ["river"]).of_topic({"the": 0, "raft": 1}).tolist()
        [False, True]
        """
        return torch.tensor([word in self.topic and topic in (None, self.topic[word]) for word in ids])

    def replaced(self, truth: Tensor, ids: dict[str, int], generator: torch.Generator) -> Tensor:
        """For each word another one of the same kind, drawn by `generator`. Shape: (M,) -> (M,) ids.

        >>> words, ids = TopicWords.of(["bank"], ["river"]), {"raft": 0, "oar": 1}
        >>> words.replaced(torch.tensor([0, 1]), ids, torch.Generator()).tolist()
        [1, 0]
        """
        names, result = list(ids), []
        for answer in truth.tolist():
            others = [i for i, word in enumerate(names) if self._alike(word, names[answer]) and i != answer]
            result.append(others[int(torch.randint(len(others), (), generator=generator))])
        return torch.tensor(result)

    def commonest(self, truth: Tensor, ids: dict[str, int], counts: Tensor, same_topic: bool) -> Tensor:
        """For each word the commonest one of its kind, or of its kind and topic: the best guess of whoever knows these.

        Shape: truth (M,), counts (V,) -> (M,) ids.

        >>> words, ids = TopicWords.of(["bank"], ["river"]), {"raft": 0, "oar": 1}
        >>> words.commonest(torch.tensor([0]), ids, torch.tensor([1, 5]), same_topic=True).tolist()
        [1]
        """
        names, result = list(ids), []
        for answer in truth.tolist():
            word = names[answer]
            rivals = [i for i, other in enumerate(names) if self._alike(other, word)]
            if same_topic:
                rivals = [i for i in rivals if self.topic[names[i]] == self.topic[word]]
            result.append(max(rivals, key=lambda i: float(counts[i])))
        return torch.tensor(result)

    def _alike(self, one: str, other: str) -> bool:
        return one in self.kind and self.kind[one] == self.kind.get(other)
