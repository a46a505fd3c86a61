"""3.1 Cut a word as WordPiece does. The longest pieces come first, from the left."""

from functools import cache

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.tools import drawn_word


def wordpiece(word, vocab, max_chars=100):
    """The longest pieces from the left, or ["[UNK]"]."""
    if len(word) > max_chars:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        for stop in range(len(word), start, -1):  # the longest candidate first
            candidate = ("##" if start else "") + word[start:stop]
            if candidate in vocab:
                break
        else:  # no break: nothing fits here
            return ["[UNK]"]
        pieces.append(candidate)
        start = stop
    return pieces


PAPER, SEVENS, ACCENTS = "un una able ##able ##b ##le u ##n ##a ##l ##e", "a ##a ##aaa", "é ##éé ##é"
WHOLE, STUCK = "the whole word is in the vocabulary", "where it is stuck nothing fits, so the WHOLE word is one [UNK]"
TABLE = (  # word, vocabulary, max_chars or nothing, what to say
    ("unable", PAPER, (), "from the left: una is the longest that begins the word, then ##b, then ##le"),
    ("able", PAPER, (), WHOLE),
    ("unfit", PAPER, (), STUCK),
    ("fun", PAPER, (), STUCK),
    ("unab", "unab una ##b", (), WHOLE),
    ("Un", "un U ##n", (), "upper and lower case are different characters here"),
    ("abc", "ab a ##bc", (), "after ab nothing fits: no going back, the WHOLE word is one [UNK]"),
    ("nana", "nana na ##na n ##a", (), WHOLE),
    ("u", PAPER, (), "a word of one character, which is in the vocabulary"),
    ("x", PAPER, (), "one character, and not in the vocabulary: [UNK]"),
    ("c#", "c # ###", (), "the second piece is ## and then the character #: ###"),
    ("cd", "c #", (), STUCK + "; the piece # has nothing to do with the mark ##"),
    ("ab", "a ##. ##*", (), STUCK + "; pieces are texts, . and * stand for themselves"),
    ("ééé", ACCENTS, (), "é is a character like any other, here in two pieces: é ##éé"),
    ("ne\u0301", "né ne ##\u0301", (), "e and an accent behind it are two characters; é is another one"),
    ("a" * 7, SEVENS, (7,), "seven characters, and seven are allowed"),
    ("a" * 8, SEVENS, (7,), "eight characters, and only seven are allowed: one [UNK]"),
    ("é" * 5, ACCENTS, (5,), "max_chars counts characters: there are five"),
    ("a" * 100, SEVENS, (), "100 characters are allowed where max_chars is not given"),
    ("a" * 101, SEVENS, (), "101 characters are more than the 100 of max_chars: one [UNK]"),
    ("a" * 120, SEVENS, (200,), "200 characters are allowed here"),
    ("a" * 8, SEVENS + " aaaaaaaa", (7,), "longer than max_chars: [UNK], though the vocabulary has it whole"),
    ("unable", PAPER, (5,), "six characters, and only five are allowed: one [UNK]"),
    ("unable", PAPER, (2,), "six characters, and only two are allowed: one [UNK]"),
)


def cases(rng):
    for word, vocab, limit, cause in TABLE:
        shown = repr(word) if len(word) <= 20 else f"a word of {len(word)} letters a"
        pieces = f"{{{', '.join(sorted(vocab.split()))}}}{''.join(f', max_chars={n}' for n in limit)}"
        yield Case((word, set(vocab.split()), *limit), cause, f"wordpiece({shown}, {pieces})")

    for letters in ("abc", "nüß", "字母x") * 8:
        vocab = {"[UNK]", *letters, "##" + letters[0], "##" + letters[1]}
        vocab |= {drawn_word(rng, letters, 2, 4) for _ in range(8)}
        vocab |= {"##" + drawn_word(rng, letters, 2, 3) for _ in range(8)}
        word, shown = drawn_word(rng, letters, 3, 9), ", ".join(sorted(vocab - {"[UNK]"}))
        yield Case((word, vocab), "work it out with a pencil, longest piece first", f"wordpiece({word!r}, {{{shown}}})")


def of_all_cuts(choose):
    """What an answer finds that goes back: all ways to cut each rest are tried, and one of them is chosen."""

    def cut(word, vocab, max_chars=100):
        @cache
        def rest_from(start):
            found = [[]] if start == len(word) else []
            for stop in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:stop]
                if piece in vocab and (rest := rest_from(stop)) is not None:
                    found.append([piece, *rest])
            return choose(found) if found else None

        return (rest_from(0) if len(word) <= max_chars else None) or ["[UNK]"]

    return cut


def from_the_end(word, vocab, max_chars=100):
    pieces, stop = [], len(word)
    while 0 < stop <= max_chars:
        start = next((i for i in range(stop) if ("##" if i else "") + word[i:stop] in vocab), None)
        if start is None:
            return ["[UNK]"]
        pieces.insert(0, ("##" if start else "") + word[start:stop])
        stop = start
    return pieces or ["[UNK]"]


def says(name):
    """Another name for the unknown piece."""
    return lambda *given: [name if piece == "[UNK]" else piece for piece in wordpiece(*given)]


def at_first(line):
    """A patch that puts a line at the beginning."""
    return {TOO_LONG: f"{line}\n    {TOO_LONG}"}


LEAD, LIMIT = '("##" if start else "") + ', "len(word) > max_chars"
STEPS, FITS = "range(len(word), start, -1)", "in vocab:"
STOP, TOO_LONG = '# no break: nothing fits here\n            return ["[UNK]"]', f'if {LIMIT}:\n        return ["[UNK]"]'
SHOWN, DONE = "pieces.append(candidate)", "    return pieces"
MISTAKES = {
    "the shortest piece that fits is taken, not the longest one": {STEPS: "range(start + 1, len(word) + 1)"},
    "the whole rest of the word is never tried: is a range one too short?": {STEPS: "range(len(word) - 1, start, -1)"},
    "a piece of one character is never tried: is a range one too short?": {STEPS: "range(len(word), start + 1, -1)"},
    "the fewest pieces; WordPiece takes the longest first": of_all_cuts(lambda found: min(reversed(found), key=len)),
    "a piece is taken away wherever it occurs (str.replace); the next piece begins where this one stops": {
        "start = stop": 'word = word[:stop] + word[stop:].replace(word[start:stop], "")\n        start = stop'
    },
    "# is taken out of the word; any character may stand in a word": at_first('word = word.replace("#", "")'),
    "only letters and digits are let in; any character may stand in a word": {LIMIT: f"not word.isalnum() or {LIMIT}"},
    "a character outside ASCII makes [UNK]; é is a character like any other": {LIMIT: f"not word.isascii() or {LIMIT}"},
    "the cut with the fewest pieces; WordPiece takes the longest piece": of_all_cuts(lambda found: min(found, key=len)),
    "it matches from the end of the word; begin at its first character": from_the_end,
    "the first piece is looked up with ##; ## marks pieces that do NOT begin the word": {LEAD: '"##" + '},
    "later pieces are looked up without ##; behind the first piece every candidate is '##' + characters": {LEAD: ""},
    "later pieces may be found without ## too; behind the first only those with ## count": {
        f"if candidate {FITS}": f"if candidate in vocab or (candidate := word[start:stop]) {FITS}"
    },
    "later pieces are returned without their ##": {SHOWN: "pieces.append(word[start:stop])"},
    "later pieces get their ## only after they were looked up": {LEAD: "", SHOWN: f"pieces.append({LEAD}candidate)"},
    "pieces found before it got stuck are kept; the WHOLE word is one [UNK]": {STOP: 'return [*pieces, "[UNK]"]'},
    "a character that fits nowhere is an [UNK]; the WHOLE word is one": {STOP: 'candidate, stop = "[UNK]", start + 1'},
    "a character that fits nowhere is skipped; the WHOLE word becomes one [UNK]": {STOP: "start += 1; continue"},
    "what was found before it got stuck is returned; the WHOLE word becomes one [UNK]": {STOP: "return pieces"},
    "nothing is returned where it gets stuck; the WHOLE word becomes one [UNK]": {STOP: "return []"},
    "where it gets stuck it goes back to shorter pieces; the word is [UNK]": of_all_cuts(lambda found: found[0]),
    "max_chars is not used: a longer word is [UNK], whatever it consists of": {LIMIT: "False"},
    "max_chars characters are not too many yet: only longer words are [UNK]": {LIMIT: "len(word) >= max_chars"},
    "the limit is 100 here whatever max_chars says": {LIMIT: "len(word) > 100"},
    "max_chars counts characters, not bytes": {LIMIT: "len(word.encode()) > max_chars"},
    "max_chars counts the characters of the word, not its pieces": {
        LIMIT: "False",
        DONE: '    return pieces if len(pieces) <= max_chars else ["[UNK]"]',
    },
    "max_chars limits the word, not each piece": {LIMIT: "False", FITS: "in vocab and stop - start <= max_chars:"},
    "what lies beyond max_chars is cut off; the WHOLE word becomes one [UNK]": {TOO_LONG: "word = word[:max_chars]"},
    "a long word is [UNK] even if the vocabulary has it whole": {LIMIT: f"word not in vocab and {LIMIT}"},
    "the word is lower-cased; that is the normaliser's work, not done here": at_first("word = word.lower()"),
    "accents are joined: the normaliser's work": at_first('word = __import__("unicodedata").normalize("NFC", word)'),
    "the pieces are in reverse order: the one that begins the word comes first": {DONE: "    return pieces[::-1]"},
    "the last character gets lost when it stands alone": {"< len(word):": "< len(word) - (start > 0):"},
    "behind each piece one character is lost: the next piece begins where this one stops": {"= stop": "= stop + 1"},
    "equal pieces are shown once only; the list has all of them": {DONE: "    return list(dict.fromkeys(pieces))"},
    "a word of one letter is looked up, too, and may be [UNK]": at_first("if len(word) == 1:\n        return [word]"),
} | {f"the unknown piece is '[UNK]', not {name!r}": says(name) for name in ("UNK", "[unk]", "<unk>", "##[UNK]")}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="wordpiece(word: str, vocab: set of str, max_chars=100) -> list of str",
    hints=(
        "Stand at the beginning of the word. Take the longest piece of the vocabulary that fits there, step\n"
        "behind it, and do the same again. Getting stuck once anywhere spoils the whole word.",
        "a list of pieces, and the place where the next one starts, from 0 to len(word);\n"
        "candidates: all that start there, from the one that reaches the end of the word down to one character;\n"
        "behind the first piece each candidate is looked up, and returned, with ## in front.\n"
        "Two ways out with the single piece [UNK]: before the loop (too long), and inside it (stuck).",
        "too many characters: the answer is unknown\n"
        "start = 0\n"
        "while the word is not used up:\n"
        "    for stop from the end of the word down to start + 1:\n"
        "        candidate = the characters from start to stop, with ## unless start is 0\n"
        "        in the vocabulary? keep it, go on at stop, leave this loop\n"
        "    no candidate was found: the answer is unknown, whatever was kept before\n"
        "return what was kept",
    ),
    parts=(Lab(wordpiece, cases, MISTAKES),),
)
