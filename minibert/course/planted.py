"""Messages in several languages with leaks planted among them, and learners that write down what they are given.

For exercises in which the learner writes a measurement: the check sees which texts were learned from and which were
tested, so that it can say which leak went through.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

TOPICS = {
    "users": "user group member role password login".split(),
    "forms": "field form value upload submit required".split(),
    "news": "story headline news event photo calendar".split(),
    "search": "search index query result catalog sort".split(),
}
PLAIN = "the new this please select all show add remove title date page item folder your change résumé 404".split()
ENDINGS = {"de": "{}en", "fr": "le{}", "es": "{}o", "pl": "{}ski"}
MARKS = "[]:….!_"


def normal(text: str) -> str:
    """The letters and digits of a text in lower case: what two nearly equal texts have in common.

    >>> normal("[LOG IN…]") == normal("Log in")
    True
    """
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def messages(seed: int, languages: tuple[str, ...], count: int) -> tuple[list[tuple[str, str, str, str]], Callable]:
    """Rows (language, English text, text, topic), English among them, and `held_out(text)`, which decides by the text.

    A quarter of the messages stand there twice, nearly alike; some have digits, or a letter that is not in ASCII. In
    the other languages every fourth held-out text is not translated, or is the English text of another message; of
    "nl" all are. English's most frequent topic is rare in the other languages, and missing in "fr".

    >>> rows, held_out = messages(0, ("de",), 40)
    >>> sorted({row[0] for row in rows}), type(held_out("Log in"))
    (['de', 'en'], <class 'bool'>)
    """
    rng = torch.Generator().manual_seed(seed)

    def pick(things):
        return things[int(torch.randint(len(things), (), generator=rng))]

    topics: dict[str, str] = {}
    while len(topics) < count:
        topic = pick([*["users"] * 4, *["forms"] * 3, "news", "news", "search"])
        words = [pick(PLAIN), pick(TOPICS[topic]), pick(PLAIN), pick([*TOPICS[topic], *PLAIN]), pick(TOPICS[topic])]
        topics[" ".join(words).capitalize()] = topic
    plain = list(topics)
    for text in plain[: count // 4]:
        topics[pick(["{}…", "{}_", "[{}]"]).format(text.upper())] = topics[text]
    held, held_out = 0, lambda text: zlib.crc32(f"{seed} {text}".encode()) % 3 == 0
    rows = [("en", english, english, topic) for english, topic in topics.items()]
    for place, language in enumerate(languages):
        own = {
            word: word if pick(range(5)) < 3 else ENDINGS.get(language, "{}").format(word[::-1]) for word in _words()
        }
        for english, topic in topics.items():
            if pick(range(4)) < place % 3 or (topic == "users" and (language == "fr" or pick(range(3)))):
                continue  # the languages have different numbers of messages, and English's first topic is rare there
            text = " ".join(own[word] for word in _cut(english)).capitalize() + pick(["", "!", "."])
            held += held_out(normal(english))
            if language == "nl" or (held_out(normal(english)) and held % 4 == 0):
                text = (english, f"{english}.", english.lower(), pick(plain))[held // 4 % 4]
            rows.append((language, english, text, topic))
    order = torch.randperm(len(rows), generator=rng).tolist()
    return [rows[at] for at in order], held_out


def _words() -> list[str]:
    return sorted({*PLAIN, *(word for words in TOPICS.values() for word in words)})


def _cut(text: str) -> list[str]:
    return text.lower().strip(MARKS).split()


@dataclass
class Notes:
    """What learners were given: for the vectors, for the labels, and at each call of `predict`.

    >>> notes = Notes()
    >>> encode = notes.learn_vectors(["Log in", "Log out"])
    >>> predict = notes.learn_labels(encode(["Log in", "Log out"]), ["a", "b"])
    >>> predict(encode(["out"])), notes.tested
    (['b'], [['out']])
    """

    known: list[str] = field(default_factory=list)
    vectors: list[str] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)
    tested: list[list[str]] = field(default_factory=list)

    def learn_vectors(self, texts: list[str]) -> Callable[[list[str]], Tensor]:
        """Count words, rare ones more: learns which there are, and how rare, and returns `encode(texts) -> (n, V)`."""
        texts = list(texts)
        self.vectors += texts
        place = {word: i for i, word in enumerate(sorted({word for text in texts for word in _cut(text)}))}

        def counts(texts):
            made = torch.zeros(len(texts), len(place) + 1, dtype=torch.float64)
            for row, text in enumerate(texts):
                for word in _cut(text):
                    made[row, place.get(word, -1)] += 1
            made[:, -1] = 0.0  # words that are not known
            return made

        rare = (len(texts) / (counts(texts) > 0).sum(0).clamp(min=1)).log()

        def encode(texts):
            made = counts(texts := list(texts)) * rare
            made[:, -1] = 1e-7 * torch.arange(len(self.known) + 1, len(self.known) + 1 + len(texts))
            self.known += texts  # the last number says which text it was
            return made

        return encode

    def learn_labels(self, vectors: Tensor, labels: list[str]) -> Callable[[Tensor], list[str]]:
        """The label whose mean vector is the nearest by angle: returns `predict(vectors) -> a list of labels`."""
        labels = list(labels)
        if len(vectors) != len(labels):
            raise ValueError(f"{len(vectors)} vectors and {len(labels)} labels")
        self.trained += self._texts(vectors)
        names = sorted(set(labels))
        means = torch.stack([vectors[[one == name for one in labels]].mean(0) for name in names])[:, :-1]
        means /= means.norm(dim=1, keepdim=True).clamp(min=1e-9)

        def predict(vectors):
            self.tested.append(self._texts(vectors))
            scores = (vectors[:, :-1] @ means.T).round(decimals=6)  # so that it does not matter who is tested together
            return [names[at] for at in scores.numpy().argmax(1)]

        return predict

    def _texts(self, vectors: Tensor) -> list[str]:
        places = (vectors[:, -1] * 1e7).round().long() - 1
        return [self.known[at] if 0 <= at < len(self.known) else "" for at in places.tolist()]
