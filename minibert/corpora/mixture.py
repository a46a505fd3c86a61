"""A mixture as EuroBERT's: texts of fifteen languages, speeches, code and pairs of translations, in shares one chooses.

A message is one text of a user interface in all its languages (multilingual.py). It is held out in all of them or in
none, and so is what repeats it: messages with the same words (numbers, mark-up and capitals aside), with the same
translation, or with a run of six words in common go to one side. Translations that kept nearly all of the English words
are left out. Of the speeches whole presidents are held out, of the code whole files.

    training = mixture({"en": 0.5, "de": 0.3, "code": 0.2}, 1_000_000, seed=0)
    german = passages("de", "held-out")
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from minibert.corpora.catalogue import LANGUAGES
from minibert.corpora.splits import is_held_out, linked
from minibert.corpora.store import load
from minibert.corpora.text import Document

SEPARATOR = "<|parallel_sep|>"  # between the two texts of a parallel line; a special token of the tokenizer
GROUPS = ("en", *LANGUAGES, "speeches", "code", "parallel")
PARTS = ("train", "held-out")
SHORTEST, LONGEST = 200, 1600  # bytes of a passage of messages; each one's length is drawn
PIECE = 2000  # bytes of a passage of a speech or a file, about
SHARES = {  # a third is English; a language's share grows with the bytes of its messages, the smallest ones' faster
    **{"en": 0.05, "fr": 0.04, "de": 0.04, "es": 0.04, "zh": 0.03, "it": 0.035, "ru": 0.045, "pl": 0.025, "pt": 0.035},
    **{"ja": 0.04, "vi": 0.025, "nl": 0.035, "ar": 0.025, "tr": 0.025, "hi": 0.06},
    **{"speeches": 0.25, "code": 0.12, "parallel": 0.08},
}
TRAINING_BYTES, HELD_OUT_BYTES = 12_000_000, 150_000  # of `languages`
PERCENT = 10  # of the messages, presidents and files are held out, where nothing else is asked for
_RUN = 6  # words in a row that two messages on different sides may not share
_KEPT = 0.75  # share of equal words from which a translation is nearly a copy
_MARKS = re.compile(r"<[^>]*>|\$?\{[^}]*\}")  # mark-up and placeholders
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Message:
    """One text in its languages, English first: `texts[language]`; and whether it is held out in all of them.

    `parts` are the parts of the program that show it, as those of a `Translation`.

    >>> Message({"en": "Log in", "de": "Anmelden"}, held_out=False).texts["de"]
    'Anmelden'
    """

    texts: Mapping[str, str]
    held_out: bool
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Passage(Document):
    """A document of some hundred characters, and the group it is from.

    >>> Passage("de-0", "Anmelden", "de").group
    'de'
    """

    group: str = ""


def without_marks(text: str) -> str:
    """The text without mark-up and placeholders, one space between words.

    >>> without_marks("<b>Delete</b> ${count} items?")
    'Delete items?'
    """
    return " ".join(_MARKS.sub(" ", text).split())


def words(text: str) -> list[str]:
    """The words of a text in small letters, without mark-up, placeholders, numbers and punctuation.

    >>> words("<b>Delete</b> ${count} items?")
    ['delete', 'items']
    """
    return _WORD.findall(without_marks(text.casefold()))


def is_near_copy(one: str, other: str) -> bool:
    """Whether three quarters of the words of two texts are the same: most of it was not translated.

    >>> is_near_copy("Date Effective", "Date effective"), is_near_copy("AVI video", "Vidéo AVI")
    (True, False)
    """
    left, right = Counter(words(one)), Counter(words(other))
    return (left & right).total() >= _KEPT * max(left.total(), right.total())


@cache
def messages(percent: int = PERCENT) -> tuple[Message, ...]:
    """All messages that have a translation, in the order of the source; `percent` of them are held out.

    What is held out with a small percentage is held out with a larger one too.

    Raises:
        DataUnavailable: the translations are not in the cache.
    """
    return tuple(Message(texts, is_held_out(key, percent), parts) for texts, parts, key in _linked_messages())


@cache
def _linked_messages() -> tuple[tuple[Mapping[str, str], tuple[str, ...], str], ...]:
    """The texts and parts of each message, and a key that it shares with what repeats it."""
    found: dict[str, dict[str, str]] = {}
    parts: dict[str, tuple[str, ...]] = {}
    for row in load("multilingual"):
        if not is_near_copy(row.english, row.foreign):
            texts = found.setdefault(row.english, {"en": row.english})
            texts[row.language] = " ".join(row.foreign.split())  # on one line, as the English text is
            parts[row.english] = row.parts
    keys = linked([_shared(texts) for texts in found.values()])
    return tuple((texts, parts[english], key) for (english, texts), key in zip(found.items(), keys, strict=True))


def _shared(texts: Mapping[str, str]) -> list[str]:
    """What no message on the other side may have: the English text, its runs of words, the words of a translation."""
    english = words(texts["en"])
    runs = [" ".join(english[start : start + _RUN]) for start in range(len(english) - _RUN + 1)]
    same = [f"{language}: {' '.join(words(text))}" for language, text in texts.items() if words(text)]
    return [texts["en"], *runs, *same]


def passages(group: str, part: str = "train", seed: int = 0, percent: int = PERCENT) -> list[Passage]:
    """All of a group's text once, cut into passages, in an order that the seed decides.

    Messages are drawn in a new order and put together, a line each. Speeches are cut between paragraphs, code between
    lines. "parallel" has a line `english<|parallel_sep|>foreign` for each pair.

    Raises:
        ValueError: an unknown group or part.
        DataUnavailable: the texts are not in the cache.

    >>> passages("code", "held-out")[0].group
    'code'
    """
    if group not in GROUPS or part not in PARTS:
        raise ValueError(f"group {group!r}, part {part!r}; expected one of {', '.join(GROUPS)} and of {PARTS}")
    rng = random.Random(f"{seed} {group}")  # a string seed: the same on every platform
    held_out = part == "held-out"
    if group in ("speeches", "code"):
        keyed = _speeches() if group == "speeches" else _files()
        whole = [text for text, key in keyed if is_held_out(key, percent) == held_out]
        texts = [piece for text in whole for piece in _joined(text.split("\n"), lambda: PIECE) if piece.strip()]
        rng.shuffle(texts)
    else:
        chosen = [message.texts for message in messages(percent) if message.held_out == held_out]
        lines = _parallel_lines(chosen) if group == "parallel" else [t[group] for t in chosen if group in t]
        rng.shuffle(lines)
        texts = list(_joined(lines, lambda: rng.randint(SHORTEST, LONGEST)))
    return [Passage(f"{group}-{number}", text, group) for number, text in enumerate(texts)]


def _parallel_lines(texts: Iterable[Mapping[str, str]]) -> list[str]:
    return [f"{t['en']}{SEPARATOR}{foreign}" for t in texts for language, foreign in t.items() if language != "en"]


@cache
def _speeches() -> list[tuple[str, str]]:
    return [(speech.text, speech.president) for speech in load("sotu", stand_in=False)]


@cache
def _files() -> list[tuple[str, str]]:
    return [(file.text, file.name) for file in load("code")]


def _joined(lines: Iterable[str], length: Callable[[], int]) -> Iterable[str]:
    """Lines put together until they have the `length()` bytes that is asked for anew each time."""
    passage, size, enough = [], 0, length()
    for line in lines:
        passage.append(line)
        size += len(line.encode("utf-8")) + 1
        if size >= enough:
            yield "\n".join(passage)
            passage, size, enough = [], 0, length()
    if passage:
        yield "\n".join(passage)


def mixture(
    shares: Mapping[str, float], size_bytes: int, seed: int, part: str = "train", percent: int = PERCENT
) -> list[Passage]:
    """About `size_bytes` of text as passages in a drawn order, each group with its share of the UTF-8 bytes.

    `percent` of the messages, presidents and files are held out.

    A group with less text than its share is gone through again, its messages in another order and so in other passages.

    Raises:
        ValueError: an unknown group, shares that are negative or do not sum to 1, a size that is not positive.
        DataUnavailable: the texts are not in the cache.

    >>> {passage.group for passage in mixture({"code": 1.0}, 10_000, seed=0)}
    {'code'}
    """
    if not shares or min(shares.values()) < 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(f"shares {dict(shares)}; expected groups with shares of at least 0 that sum to 1")
    if size_bytes <= 0:
        raise ValueError(f"size_bytes is {size_bytes}, expected a positive number")
    chosen = [
        passage for group, share in shares.items() for passage in _some(group, share * size_bytes, seed, part, percent)
    ]
    random.Random(f"{seed} mixture").shuffle(chosen)
    return chosen


def languages(seed: int) -> tuple[list[Passage], list[Passage]]:
    """The corpus that eurobert-nano is trained on, in the shares `SHARES`: passages to train on, and held-out ones.

    Raises:
        DataUnavailable: the texts are not in the cache.
    """
    return mixture(SHARES, TRAINING_BYTES, seed), mixture(SHARES, HELD_OUT_BYTES, seed, "held-out")


def _some(group: str, size: float, seed: int, part: str, percent: int) -> list[Passage]:
    """Passages of one group, at least `size` bytes of them where that is above 0."""
    chosen: list[Passage] = []
    turn = 0
    while size > 0:
        for passage in passages(group, part, seed + 1_000_003 * turn, percent):
            chosen.append(Passage(f"{passage.name}-{turn}", passage.text, group))
            size -= len(passage.text.encode("utf-8")) + 1
            if size <= 0:
                break
        turn += 1
    return chosen
