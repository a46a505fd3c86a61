"""Answers to 3.1, one word into WordPiece's pieces."""


def by_recursion(word, vocab, max_chars=100, lead=""):
    if not word:
        return []
    if len(word) > max_chars:
        return ["[UNK]"]
    fits = [piece for n in range(1, len(word) + 1) if (piece := lead + word[:n]) in vocab]
    if not fits:
        return ["[UNK]"]
    rest = by_recursion(word[len(fits[-1]) - len(lead) :], vocab, max_chars, "##")
    return rest if rest == ["[UNK]"] else [fits[-1], *rest]


def as_google_wrote_it(word, vocab, max_chars=100):
    chars, output, start, is_bad = list(word), [], 0, False
    if len(chars) > max_chars:
        output.append("[UNK]")
        return output
    while start < len(chars):
        end, current = len(chars), None
        while start < end:
            substr = "".join(chars[start:end])
            if start > 0:
                substr = "##" + substr
            if substr in vocab:
                current = substr
                break
            end -= 1
        if current is None:
            is_bad = True
            break
        output.append(current)
        start = end
    return ["[UNK]"] if is_bad else output


def by_sorting(word, vocab, max_chars=100):
    by_length, out, rest = sorted(vocab, key=len, reverse=True), [], word
    while rest and len(word) <= max_chars:
        found = next(
            (p for p in by_length if p.startswith("##") == bool(out) and rest.startswith(p[2 * bool(out) :])), ""
        )
        if not found:
            return ["[UNK]"]
        out.append(found)
        rest = rest[len(found) - 2 * bool(out[1:]) :]
    return out or ["[UNK]"]


def by_a_shrinking_rest(word, vocab, max_chars=100):
    pieces, rest, longest = [], word, max(map(len, vocab))
    if len(rest) > max_chars:
        return ["[UNK]"]
    while rest:
        i = min(len(rest), longest)
        while i and "##" * bool(pieces) + rest[:i] not in vocab:
            i -= 1
        if not i:
            return ["[UNK]"]
        pieces.append("##" * bool(pieces) + rest[:i])
        rest = rest[i:]
    return pieces


def shortest_without_marks(word, vocab, max_chars=100):
    pieces, rest = [], word
    while rest:
        n = next((n for n in range(1, len(rest) + 1) if rest[:n] in vocab), None)
        if n is None or len(word) > max_chars:
            return ["[UNK]"]
        pieces.append(rest[:n])
        rest = rest[n:]
    return pieces


def empties_the_vocabulary(word, vocab, max_chars=100):
    pieces = by_recursion(word, vocab, max_chars)
    vocab -= set(pieces)
    return pieces


def limit_for_each_piece(word, vocab, max_chars=100):
    pieces, start = [], 0
    while start < len(word):
        for stop in range(min(len(word), start + max_chars), start, -1):
            if ("##" if start else "") + word[start:stop] in vocab:
                break
        else:
            return ["[UNK]"]
        pieces.append(("##" if start else "") + word[start:stop])
        start = stop
    return pieces


def marks_put_on_the_rest(word, vocab, max_chars=100):  # '#' is a piece of real vocabularies
    pieces, rest = [], word
    while rest and len(word) <= max_chars and len(pieces) < 200:
        stop = next((stop for stop in range(len(rest), 0, -1) if rest[:stop] in vocab), 0)
        if not stop:
            return ["[UNK]"]
        pieces.append(rest[:stop])
        rest = "##" + rest[stop:] if rest[stop:] else ""
    return pieces or ["[UNK]"]


def ends_one_early(word, vocab, max_chars=100):
    pieces, start = [], 0
    while start < len(word) - 1 and len(word) <= max_chars:
        for stop in range(len(word), start, -1):
            if ("##" if start else "") + word[start:stop] in vocab:
                break
        else:
            return ["[UNK]"]
        pieces.append(("##" if start else "") + word[start:stop])
        start = stop
    return pieces or ["[UNK]"]


def pattern(word, vocab, max_chars=100):
    import re

    if len(word) > max_chars:
        return ["[UNK]"]
    firsts = sorted((p for p in vocab if p[:2] != "##" and p != "[UNK]"), key=len, reverse=True)
    nexts = sorted((p[2:] for p in vocab if p[:2] == "##"), key=len, reverse=True)
    pieces, rest = [], word
    while rest:
        found = re.match("|".join(nexts if pieces else firsts) or "$^", rest)
        if not found:
            return ["[UNK]"]
        pieces.append("##" * bool(pieces) + found[0])
        rest = rest[found.end() :]
    return pieces


def yields(word, vocab, max_chars=100):
    yield from by_recursion(word, vocab, max_chars)


def adds_to_the_vocabulary(word, vocab, max_chars=100):
    vocab.add("[UNK]")
    return wordpiece_or(word, vocab, max_chars, range)


def wordpiece_or(word, vocab, max_chars, steps):
    pieces, start = [], 0
    while start < len(word) <= max_chars:
        for stop in steps(len(word), start, -1):
            piece = ("##" if start else "") + word[start:stop]
            if piece in vocab:
                break
        else:
            return ["[UNK]"]
        pieces, start = [*pieces, piece], stop
    return pieces or ["[UNK]"]


def never_one_character(word, vocab, max_chars=100):
    return wordpiece_or(word, vocab, max_chars, lambda a, b, c: range(a, b + 1, c))


def fewest_by_dynamic_programming(word, vocab, max_chars=100):
    best = [[]] + [None] * len(word)
    for stop in range(1, len(word) + 1):
        for start in range(stop):
            piece = ("##" if start else "") + word[start:stop]
            if (
                best[start] is not None
                and piece in vocab
                and (best[stop] is None or len(best[stop]) > len(best[start]) + 1)
            ):
                best[stop] = [*best[start], piece]
    return (best[-1] if len(word) <= max_chars else None) or ["[UNK]"]


RIGHT = {
    "recursion": by_recursion,
    "Google's": as_google_wrote_it,
    "sorting": by_sorting,
    "a shrinking rest": by_a_shrinking_rest,
}
WRONG = {
    "adds to the vocabulary": (adds_to_the_vocabulary, "your code changes an input"),
    "never one character": (never_one_character, "a piece of one character is never tried"),
    "fewest pieces": (fewest_by_dynamic_programming, "fewest pieces"),
    "shortest, without ##": (shortest_without_marks, "two things: the shortest piece.*without ##"),
    "another word": (lambda word, vocab, max_chars=100: by_recursion(word[::-1], vocab), "(?s)expected.*likely"),
    "empties the vocabulary": (empties_the_vocabulary, "changes an input"),
    "limit for each piece": (limit_for_each_piece, "not each piece"),
    "## on the rest": (marks_put_on_the_rest, "nothing to do with the mark|the character #"),
    "ends one early": (ends_one_early, "last character gets lost"),
    "patterns": (pattern, r"\. and \* stand for themselves|the character #"),
    "whole words first": (
        lambda w, v, m=100: [w] if w in v else by_recursion(w, v, m),
        "even if the vocabulary has it",
    ),
    "single characters": (lambda w, v, m=100: [w] if len(w) == 1 else by_recursion(w, v, m), "is looked up, too"),
    "without brackets": (lambda *given: [piece.strip("[]") for piece in by_recursion(*given)], "not 'UNK'"),
    "ASCII only": (lambda w, v, m=100: by_recursion(w, v, m) if w.isascii() else ["[UNK]"], "é is a character like"),
    "no limit to give": (lambda word, vocab: by_recursion(word, vocab), "compare your parameters with the signature"),
    "nothing": (lambda word, vocab, max_chars=100: None, "`return` missing"),
    "a text": (lambda *given: by_recursion(*given)[0], "value of type list|put it into a list"),
    "a tuple": (lambda *given: tuple(by_recursion(*given)), "(?s)a tuple of.*a list of"),
    "a generator": (yields, "(?s)generator.*a list"),
    "sizes": (lambda *given: [len(piece) for piece in by_recursion(*given)], "una"),
}
