"""Exercise 3.1: WordPiece's greedy cut, and the other ways in which one can cut a word by mistake."""

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
