"""Named entities in IOB2 tags: persons, places and organisations, with names and contexts held out, and with noise.

Surnames stand inside organisations and some are towns as well (Hudson, Lincoln), so a list of names is not enough.
Noise as in user-written text (WNUT-16): whole sentences in lower or upper case, and typing errors.
"""

from random import Random

from minibert.corpora.synthetic.sampling import below, chance, pick, shuffled, stream
from minibert.corpora.synthetic.world import CITIES, FIRST_NAMES, SURNAMES

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")
LOWER_CASE, UPPER_CASE, TYPO = 0.1, 0.03, 0.03  # shares: of sentences, of sentences, of words

# PER LOC ORG are slots; {job} and {day} are ordinary words that look like neighbours of names
_FRAMES = {
    "train": (
        "PER works for ORG in LOC .", "Yesterday PER met PER in LOC .", "ORG opened an office in LOC last {day} .",
        "The {job} PER moved from LOC to LOC .", "PER , a {job} at ORG , lives near LOC .",
        "ORG and ORG compete for the market .", "I saw PER at the station .", "It rained in LOC on {day} .",
        "The {job} waited for the train on {day} .", "According to PER , ORG lost money .",
        "The mayor of LOC thanked ORG for its help .", "Few people in LOC remember PER .",
        "Nobody called the {job} back .", "PER and PER founded ORG in LOC .", "Tickets from LOC to LOC are cheap .",
        "' We trust ORG , ' said PER .", "ORG hired PER as a {job} .", "Dear PER , thank you for the letter .",
    ),
    "test": (
        "Shares of ORG fell after PER resigned .", "Born in LOC , PER became a {job} .",
        "Has anyone visited LOC with PER ?", "Every {day} the {job} reads the paper .", "PER beat PER in LOC .",
        "Police in LOC questioned a {job} .", "ORG is moving its {day} meeting to LOC .", "PER 's brother left ORG .",
        "A bridge near LOC was closed by ORG .", "My {job} hates flying .",
    ),
}  # fmt: skip
_JOBS = {
    "train": ("baker", "lawyer", "painter", "teacher", "pilot", "nurse", "driver", "singer", "banker", "cook"),
    "test": ("plumber", "dentist", "sculptor", "librarian", "sailor", "tailor"),
}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_AREAS = {"train": ("North", "Old", "Port", "Lake"), "test": ("South", "New", "Fort", "Mount")}
_COMPANIES = {
    "train": ("{s} & Sons", "{s} Bank", "{s} Motors", "University of {c}", "{c} Times", "{s} and {t}", "Bank of {c}",
              "{c} Railways", "{s}"),
    "test": ("{s} Airlines", "{s} Brothers", "{c} Institute", "Museum of {c}", "{s} Group", "{t} {s} Ltd", "{s}"),
}  # fmt: skip


def _name(rng: Random, kind: str, split: str) -> str:
    first, surname, city = pick(rng, FIRST_NAMES[split]), pick(rng, SURNAMES[split]), pick(rng, CITIES[split])
    if kind == "PER":
        return pick(rng, (first, surname, f"{first} {surname}", f"{first} {surname}", f"{first[0]}. {surname}",
                          f"{first} {pick(rng, FIRST_NAMES[split])[0]}. {surname}"))  # fmt: skip
    if kind == "LOC":
        return f"{pick(rng, _AREAS[split])} {city}" if chance(rng, 0.2) else city
    return pick(rng, _COMPANIES[split]).format(s=surname, t=pick(rng, SURNAMES[split]), c=city)


def _typo(rng: Random, word: str) -> str:
    """Swap, drop or double one letter inside a word of four letters or more."""
    if len(word) < 4 or not word.isalpha():
        return word
    i = 1 + below(rng, len(word) - 2)
    return pick(rng, (word[:i] + word[i + 1] + word[i] + word[i + 2 :], word[:i] + word[i + 1 :],
                      word[:i] + word[i] + word[i:]))  # fmt: skip


def tagged(count: int, seed: int = 0, split: str = "train", noise: bool = True) -> list[list[tuple[str, str]]]:
    """Return sentences as lists of (word, tag); the tags are those of TAGS.

    The test split has its own names, towns, organisations and frames. With `noise`, a tenth of the sentences is in
    lower case, 3 % in upper case, and 3 % of the words carry a typing error; tags never change. Raises ValueError for a
    count below 1 or an unknown split.

    >>> all(tag in TAGS for words in tagged(5, seed=0) for word, tag in words)
    True
    """
    rng = stream("tagged", count, seed, split)
    result: list[list[tuple[str, str]]] = []
    while len(result) < count:
        for frame in shuffled(rng, _FRAMES[split]):
            words: list[tuple[str, str]] = []
            for slot in frame.format(job=pick(rng, _JOBS[split]), day=pick(rng, _DAYS)).split():
                if slot in ("PER", "LOC", "ORG"):
                    parts = _name(rng, slot, split).split()
                    words += [(part, f"{'I' if i else 'B'}-{slot}") for i, part in enumerate(parts)]
                else:
                    words.append((slot, "O"))
            result.append(_spoil(rng, words) if noise else words)
    return result[:count]


def _spoil(rng: Random, words: list[tuple[str, str]]) -> list[tuple[str, str]]:
    draw = rng.random()
    change = str.lower if draw < LOWER_CASE else str.upper if draw < LOWER_CASE + UPPER_CASE else str
    return [(change(_typo(rng, word) if chance(rng, TYPO) else word), tag) for word, tag in words]
