"""Exercise 3.1: WordPiece's greedy cut, and the other ways in which one can cut a word by mistake."""

import itertools

import torch

from minibert.course.checks.chapter_03_cases import Case, judge

UNKNOWN = "[UNK]"
WAYS = {  # option -> value -> what is wrong; the first value of each option in _cut is the right one
    "pick": {
        "shortest": "the shortest piece that fits is taken; take the longest one, so try the longest candidate first",
        "never whole": "the candidate that reaches to the end of the word is never tried: is a range one too short?",
        "fewest": "the cut with the fewest pieces; WordPiece does not look ahead, it takes the longest piece",
        "from the end": "it matches from the end of the word; begin at its first character",
    },
    "first": {"##": "the first piece is looked up with ##; ## marks pieces that do NOT begin the word"},
    "later": {
        "": "later pieces are looked up without ##; behind the first piece every candidate is '##' + characters",
        "either": "later pieces may be found without ## too; behind the first only those with ## count",
        "shown without": "later pieces are returned without their ##; a piece is returned as the vocabulary has it",
        "added": "later pieces get their ## only after the look-up; '##' + characters is what the vocabulary must hold",
    },
    "stuck": {
        "rest": "the word is not collapsed: pieces found before it got stuck are kept; the WHOLE word is one [UNK]",
        "character": "each character that fits nowhere becomes an [UNK] of its own; the WHOLE word is one [UNK]",
        "skip": "a character that fits nowhere is skipped; the WHOLE word becomes one [UNK]",
        "stop": "what was found before it got stuck is returned; the WHOLE word becomes one [UNK]",
        "nothing": "nothing is returned where it gets stuck; the WHOLE word becomes one [UNK]",
        "go back": "where it gets stuck it goes back and tries shorter pieces; WordPiece does not, the word is [UNK]",
    },
    "limit": {
        "none": "max_chars is not used: a longer word is [UNK], whatever it consists of",
        "at": "a word of exactly max_chars characters is not too long: only longer ones are [UNK]",
        "100": "the limit is 100 here whatever max_chars says",
        "bytes": "max_chars counts characters, not bytes",
        "cut off": "what lies beyond max_chars is cut off; the WHOLE word becomes one [UNK]",
    },
    "case": {"lower": "the word is lower-cased; that is the normaliser's work, not done here"},
}


def cut(word: str, vocab: set[str], max_chars: int = 100) -> list[str]:
    """The right answer.

    >>> cut("unable", {"un", "una", "##able", "##b", "##le"}), cut("unfit", {"un"})
    (['una', '##b', '##le'], ['[UNK]'])
    """
    return _cut(word, vocab, max_chars)


def _cut(word, vocab, max_chars=100, pick="longest", first="", later="##", stuck="word", limit="more", case="keep"):
    """The cut, right or with some of the mistakes above."""
    word = word.lower() if case == "lower" else word
    size = len(word.encode("utf-8")) if limit == "bytes" else len(word)
    most = {"none": size, "100": 100, "at": max_chars - 1}.get(limit, max_chars)
    if size > most:
        if limit != "cut off":
            return [UNKNOWN]
        word = word[:max_chars]

    def find(start: int, stop: int) -> str | None:
        """The piece for these characters as it is returned, if the vocabulary has it."""
        lead = first if start == 0 else {"##": "##", "": "", "either": "##", "shown without": "##", "added": ""}[later]
        text = word[start:stop]
        if lead + text in vocab:
            return {"shown without": text, "added": "##" + text}.get(later, lead + text) if start else lead + text
        return text if start and later == "either" and text in vocab else None

    if pick == "fewest" or stuck == "go back":
        found = _search(find, len(word), pick == "fewest", 0, {})
        return [UNKNOWN] if found is None else found
    if pick == "from the end":
        return _backwards(find, len(word))
    pieces, start = [], 0
    while start < len(word):
        stops = range(len(word) - (pick == "never whole"), start, -1)
        for stop in reversed(stops) if pick == "shortest" else stops:
            if (piece := find(start, stop)) is not None:
                pieces.append(piece)
                start = stop
                break
        else:
            if stuck in ("word", "nothing"):
                return [UNKNOWN] if stuck == "word" else []
            if stuck in ("rest", "stop"):
                return pieces + [UNKNOWN] * (stuck == "rest")
            pieces += [UNKNOWN] * (stuck == "character")
            start += 1
    return pieces


def _search(find, length: int, fewest: bool, start: int, known: dict) -> list[str] | None:
    """A cut of the rest, if there is one: the one with the fewest pieces, or the first, longest pieces tried first."""
    if start == length:
        return []
    if start not in known:
        found = []
        for stop in range(length, start, -1):
            piece = find(start, stop)
            if piece is not None and (rest := _search(find, length, fewest, stop, known)) is not None:
                found.append([piece, *rest])
                if not fewest:
                    break
        known[start] = min(found, key=len, default=None)
    return known[start]


def _backwards(find, length: int) -> list[str]:
    pieces, stop = [], length
    while stop:
        for start in range(stop):
            if (piece := find(start, stop)) is not None:
                pieces.insert(0, piece)
                stop = start
                break
        else:
            return [UNKNOWN]
    return pieces


def _suspects() -> dict:
    """Every mistake, then every two mistakes at once."""
    single = [(text, {option: value}) for option, values in WAYS.items() for value, text in values.items()]
    found = dict(single)
    for (one, first), (other, second) in itertools.combinations(single, 2):
        if first.keys() != second.keys():
            found[f"two things: {one}; and: {other}"] = first | second
    return {text: lambda *given, how=how: _cut(*given, **how) for text, how in found.items()}


def _random_case(rng: torch.Generator, letters: str) -> Case:
    """A word of 3 to 9 letters and a vocabulary of random pieces, in which most single letters are found."""

    def draw(most: int, least: int = 1) -> str:
        length = int(torch.randint(least, most + 1, (1,), generator=rng))
        return "".join(letters[place] for place in torch.randint(len(letters), (length,), generator=rng).tolist())

    vocab = {UNKNOWN, *letters, *("##" + letter for letter in letters[:-1])}
    vocab |= {draw(4, 2) for _ in range(8)} | {"##" + draw(3, 2) for _ in range(8)}
    word = draw(9, 3)
    return Case((word, vocab), "a random word: work it out with a pencil, longest piece first")


def check_pieces(answer, rng: torch.Generator) -> None:
    """The check of exercise 3.1: four words on paper, the limit, random words over three alphabets.

    Raises:
        Wrong: what was seen, what was expected, the likely cause.
        NotAttempted: the answer is still the stub.

    >>> check_pieces(cut, torch.Generator().manual_seed(0))
    """
    paper = {UNKNOWN, "un", "una", "able", "##able", "##b", "##le", "u", "##n", "##a", "##l", "##e"}
    stuck = "from the place where it is stuck nothing in the vocabulary fits, so the WHOLE word is one [UNK]"
    sevens, accents = {UNKNOWN, "a", "##a", "##aaa"}, {UNKNOWN, "é", "##éé", "##é"}
    cases = [
        Case(("unable", paper), "from the left: una is the longest that begins the word, then ##b, then ##le"),
        Case(("able", paper), "the whole word is in the vocabulary"),
        Case(("unfit", paper), stuck),
        Case(("fun", paper), stuck),
        Case(("unab", {UNKNOWN, "unab", "una", "##b"}), "the whole word is in the vocabulary"),
        Case(("Un", {UNKNOWN, "un", "U", "##n"}), "upper and lower case are different characters here"),
        Case(
            ("abc", {UNKNOWN, "ab", "a", "##bc"}), "after ab nothing fits: no going back, the WHOLE word is one [UNK]"
        ),
        Case(("nana", {UNKNOWN, "nana", "na", "##na", "n", "##a"}), "the whole word is in the vocabulary"),
        Case(("a" * 7, sevens, 7), "seven characters, and seven are allowed"),
        Case(("a" * 8, sevens, 7), "eight characters, and only seven are allowed: one [UNK]"),
        Case(("é" * 5, accents, 5), "max_chars counts characters: there are five"),
        Case(("a" * 100, sevens), "100 characters are allowed where max_chars is not given"),
        Case(("a" * 101, sevens), "101 characters are more than the 100 of max_chars: one [UNK]"),
        Case(("a" * 120, sevens, 200), "200 characters are allowed here"),
    ]
    cases += [_random_case(rng, letters) for letters in ("abc", "nüß", "字母x") for _ in range(12)]
    judge(answer, cases, cut, _suspects(), _text)


def _text(arguments: tuple) -> str:
    word, vocab, *limit = arguments
    shown = word if len(word) <= 20 else f"{word[:3]}..., {len(word)} characters"
    pieces = "{" + ", ".join(sorted(vocab - {UNKNOWN})[:24]) + "}"
    return f"wordpiece({shown!r}, {pieces}{''.join(f', max_chars={most}' for most in limit)})"
