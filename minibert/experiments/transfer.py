"""Labels in English, tests in fourteen other languages: does what is learned go across?

The label of a message is the part of the program that shows it, the same in every language (corpora/multilingual.py).
A logistic regression learns it from English training messages and is tested on held-out messages: on the English texts
and on their translations, of which it has seen none. The encoders have not seen the held-out messages either.

"centred" takes the mean vector of each language away, as found on training messages without labels. "masked" takes the
words out of a translation that its English text has too: what falls then was shared spelling.

The shipped model has a tenth of the messages held out, so its arms are tested on these: a third of the others' tests.
"""

import re
from functools import cache
from statistics import mean

import torch
from torch import Tensor

from minibert.corpora.mixture import PERCENT
from minibert.experiments.across_languages import (
    ARMS,
    BAGS,
    ENCODERS,
    FEW,
    LATIN,
    NANO,
    OTHER_SCRIPTS,
    common_direction,
    embedder,
    sides,
)
from minibert.experiments.many_languages import FOREIGN
from minibert.experiments.record import Experiment
from minibert.tasks.bags import words
from minibert.tasks.probe import Probe, best_probe

PARTS = ("base", "contentrules", "content", "filemanager", "portlets", "users")  # 37 messages and more in each language
_WORD = re.compile(r"\w+")


@cache
def labelled(percent: int, held_out: bool) -> tuple[tuple[dict[str, str], int], ...]:
    """(Texts by language, number of the part) of the messages that exactly one of the parts shows."""
    found = []
    for message in sides(percent)[held_out]:
        shown = [PARTS.index(part) for part in message.parts if part in PARTS]
        if len(shown) == 1:
            found.append((message.texts, shown[0]))
    return tuple(found)


def without_words_of(text: str, english: str) -> str:
    """The text without the words that the English text has too.

    >>> without_words_of("Portlet zum Kalender", "Calendar portlet")
    'zum Kalender'
    """
    shared = set(words(english))
    return " ".join(_WORD.sub(lambda word: "" if word[0].casefold() in shared else word[0], text).split())


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """The accuracy by language, and means over the fourteen; "balanced" gives each part the same weight."""
    percent = settings["percent"]
    train, tested = labelled(percent, False), labelled(PERCENT if NANO in arm else percent, True)[: settings["tested"]]
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed)).tolist()
    train = [train[number] for number in order]  # another part to choose the penalty on
    labels = torch.tensor([label for _, label in train])
    if arm == "commonest part":
        guess = int(labels.bincount().argmax())
        return _scores({name: _guessed(guess, there) for name, (_, there) in _tests(tested).items()})
    embed = embedder(settings, arm, seed)
    features = embed([texts["en"] for texts, _ in train]).double()
    probe = best_probe(features, labels, settings["penalties"])
    middle = common_direction(embed, "en", percent, settings["directions"])
    right = {}
    for name, (texts, there) in _tests(tested).items():
        vectors = embed(texts).double()
        right[name] = _by_part(probe, vectors, there)
        if name in FOREIGN:
            right[f"{name}, centred"] = _by_part(
                probe, vectors - common_direction(embed, name, percent, settings["directions"]) + middle, there
            )
    return _scores(right)


def _tests(tested) -> dict[str, tuple[list[str], Tensor]]:
    """Texts and labels by language, and those of the foreign ones without the words of the English text."""
    rows = {name: [] for name in ("en", *FOREIGN, *(f"{language}, masked" for language in FOREIGN))}
    for texts, label in tested:
        for language, text in texts.items():
            masked = without_words_of(text, texts["en"])
            if language == "en" or words(masked):
                rows[language].append((text, label))
            if language != "en" and words(masked):
                rows[f"{language}, masked"].append((masked, label))
    return {name: ([text for text, _ in found], torch.tensor([y for _, y in found])) for name, found in rows.items()}


def _by_part(probe: Probe, vectors: Tensor, labels: Tensor) -> list[tuple[int, float]]:
    return list(zip(labels.tolist(), probe.right(vectors, labels).double().tolist(), strict=True))


def _guessed(guess: int, labels: Tensor) -> list[tuple[int, float]]:
    return [(label, float(label == guess)) for label in labels.tolist()]


def _scores(right: dict[str, list[tuple[int, float]]]) -> dict[str, float]:
    """Accuracy of each name; over the languages their mean, and the mean of each part's own."""
    found = {name: mean(hit for _, hit in hits) for name, hits in right.items()}
    for what in ("", ", centred", ", masked"):
        if f"de{what}" in right:
            found[f"mean{what}"] = mean(found[f"{language}{what}"] for language in FOREIGN)
            found[f"balanced{what}"] = mean(_balanced(right[f"{language}{what}"]) for language in FOREIGN)
    for name, group in (("same letters", LATIN), ("other scripts", OTHER_SCRIPTS)):
        found[name] = mean(found[language] for language in group)
    return found | {"balanced, en": _balanced(right["en"]), "tests in English": len(right["en"])}


def _balanced(hits: list[tuple[int, float]]) -> float:
    by_part = {part: [hit for label, hit in hits if label == part] for part, _ in hits}
    return mean(mean(hits) for hits in by_part.values())


TRANSFER = Experiment(
    name="transfer",
    question="What does a classifier trained on English labels know in fourteen other languages?",
    settings=ENCODERS
    | dict(
        penalties=(1.0, 10.0, 100.0, 1000.0),  # chosen on a fifth of the English training messages, in every arm
        pieces=5_000,
        tested=1000,
        directions=200,
    ),
    arms=("commonest part", *BAGS, *ARMS),
    measure=_one,
    tiny=FEW | dict(pieces=300, penalties=(100.0,), tested=60, directions=5),
)
