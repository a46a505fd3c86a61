"""Exercise 3.1: its solution, and ways to cut a word that its check must recognise."""

from minibert.course.exercise import Mutant


def _wordpiece(word, vocab, max_chars=100):
    if len(word) > max_chars:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        for stop in range(len(word), start, -1):
            candidate = ("##" if start else "") + word[start:stop]
            if candidate in vocab:
                break
        else:  # no break: nothing fits here
            return ["[UNK]"]
        pieces.append(candidate)
        start = stop
    return pieces


def _shortest(word, vocab, max_chars=100):
    if len(word) > max_chars:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        for stop in range(start + 1, len(word) + 1):
            candidate = ("##" if start else "") + word[start:stop]
            if candidate in vocab:
                break
        else:
            return ["[UNK]"]
        pieces.append(candidate)
        start = stop
    return pieces


def _shortest_and_rest(word, vocab, max_chars=100):
    pieces, start = [], 0
    while start < len(word) <= max_chars:
        fits = [n for n in range(start + 1, len(word) + 1) if ("##" if start else "") + word[start:n] in vocab]
        if not fits:
            return [*pieces, "[UNK]"]
        pieces.append(("##" if start else "") + word[start : fits[0]])
        start = fits[0]
    return pieces or ["[UNK]"]


def _marks(word, vocab, max_chars, lead):
    if len(word) > max_chars:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        for stop in range(len(word), start, -1):
            if lead + word[start:stop] in vocab:
                break
        else:
            return ["[UNK]"]
        pieces.append(lead + word[start:stop])
        start = stop
    return pieces


def _marks_the_first(word, vocab, max_chars=100):
    return _marks(word, vocab, max_chars, "##")


def _never_marks(word, vocab, max_chars=100):
    return _marks(word, vocab, max_chars, "")


def _shows_without_marks(word, vocab, max_chars=100):
    return [piece.removeprefix("##") for piece in _wordpiece(word, vocab, max_chars)]


def _marks_afterwards(word, vocab, max_chars=100):
    pieces = _never_marks(word, vocab, max_chars)
    return pieces[:1] + ["##" + piece for piece in pieces[1:]]


def _keeps_what_it_found(word, vocab, max_chars=100):
    if len(word) > max_chars:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        stop = len(word)
        while stop > start and ("##" if start else "") + word[start:stop] not in vocab:
            stop -= 1
        if stop == start:
            return [*pieces, "[UNK]"]
        pieces.append(("##" if start else "") + word[start:stop])
        start = stop
    return pieces


def _stops_silently(word, vocab, max_chars=100):
    pieces = _keeps_what_it_found(word, vocab, max_chars)
    return [piece for piece in pieces if piece != "[UNK]"] if len(word) <= max_chars else pieces


def _unknown_characters(word, vocab, max_chars=100):
    if len(word) > max_chars:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        for stop in range(len(word), start, -1):
            candidate = ("##" if start else "") + word[start:stop]
            if candidate in vocab:
                pieces.append(candidate)
                break
        else:
            pieces.append("[UNK]")
            stop = start + 1
        start = stop
    return pieces


def _skips_characters(word, vocab, max_chars=100):
    pieces = _unknown_characters(word, vocab, max_chars)
    return pieces if len(word) > max_chars else [piece for piece in pieces if piece != "[UNK]"]


def _any_length(word, vocab, max_chars=100):
    return _wordpiece(word, vocab, max(len(word), 1))


def _limit_one_too_low(word, vocab, max_chars=100):
    return ["[UNK]"] if len(word) >= max_chars else _wordpiece(word, vocab, max_chars)


def _limit_written_down(word, vocab, max_chars=100):
    return _wordpiece(word, vocab, 100)


def _limit_in_bytes(word, vocab, max_chars=100):
    return ["[UNK]"] if len(word.encode()) > max_chars else _wordpiece(word, vocab, max_chars)


def _cuts_off(word, vocab, max_chars=100):
    return _wordpiece(word[:max_chars], vocab, max_chars)


def _from_the_end(word, vocab, max_chars=100):
    if len(word) > max_chars:
        return ["[UNK]"]
    pieces, stop = [], len(word)
    while stop > 0:
        for start in range(stop):
            candidate = ("##" if start else "") + word[start:stop]
            if candidate in vocab:
                break
        else:
            return ["[UNK]"]
        pieces.insert(0, candidate)
        stop = start
    return pieces


def _goes_back(word, vocab, max_chars=100, start=0):
    if len(word) > max_chars:
        return ["[UNK]"]
    if start == len(word):
        return []
    for stop in range(len(word), start, -1):
        candidate = ("##" if start else "") + word[start:stop]
        if candidate in vocab:
            rest = _goes_back(word, vocab, max_chars, stop)
            if rest != ["[UNK]"]:
                return [candidate, *rest]
    return ["[UNK]"]


def _never_the_whole_word(word, vocab, max_chars=100):
    if len(word) > max_chars:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        for stop in range(len(word) - 1, start, -1):
            candidate = ("##" if start else "") + word[start:stop]
            if candidate in vocab:
                break
        else:
            return ["[UNK]"]
        pieces.append(candidate)
        start = stop
    return pieces


def _lower_cases(word, vocab, max_chars=100):
    return _wordpiece(word.lower(), vocab, max_chars)


MUTANTS = [
    Mutant("shortest match", _shortest, "the shortest piece"),
    Mutant("## on the first piece", _marks_the_first, "first piece is looked up with ##"),
    Mutant("no ## on later pieces", _never_marks, "looked up without ##"),
    Mutant("## taken off", _shows_without_marks, "returned without their ##"),
    Mutant("## put on afterwards", _marks_afterwards, "only after the look-up"),
    Mutant("keeps pieces of an unknown word", _keeps_what_it_found, "not collapsed"),
    Mutant("returns what it found", _stops_silently, "found before it got stuck is returned"),
    Mutant("an [UNK] for each character", _unknown_characters, "an .UNK. of its own"),
    Mutant("skips unknown characters", _skips_characters, "is skipped"),
    Mutant("no limit", _any_length, "max_chars is not used"),
    Mutant("limit one too low", _limit_one_too_low, "exactly max_chars"),
    Mutant("limit of 100 written down", _limit_written_down, "limit is 100 here"),
    Mutant("limit in bytes", _limit_in_bytes, "not bytes"),
    Mutant("cuts long words off", _cuts_off, "is cut off"),
    Mutant("from the end", _from_the_end, "from the end of the word"),
    Mutant("goes back", _goes_back, "goes back"),
    Mutant("never the whole word", _never_the_whole_word, "range one too short"),
    Mutant("lower-cases", _lower_cases, "lower-cased"),
    Mutant("None among the pieces", lambda word, vocab, max_chars=100: [word, None], "holds None"),
    Mutant("a text", lambda word, vocab, max_chars=100: " ".join(_wordpiece(word, vocab)), "put it into a list"),
    Mutant("shortest, and not collapsed", _shortest_and_rest, "two things: the shortest piece.*not collapsed"),
]
