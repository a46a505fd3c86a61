"""Exercise 3.1: the words that are asked, and the mistakes by which wrong answers are known."""

import itertools

import torch

from minibert.course.checks.chapter_03_cases import Case, judge
from minibert.course.checks.chapter_03_cuts import UNKNOWN, WAYS, _cut, cut


def _within(word: str, vocab: set[str], most: int) -> list[str]:
    """The mistake of a limit for each piece."""
    return cut(word, {piece for piece in vocab if len(piece.removeprefix("##")) <= most}, len(word))


def _few(pieces: list[str], most: int) -> list[str]:
    return pieces if len(pieces) <= most else [UNKNOWN]


def _one_short(pieces: list[str]) -> list[str]:
    """The mistake of a loop that ends before the last character."""
    return pieces[:-1] if len(pieces[-1].removeprefix("##")) == 1 else pieces


def _stepping_over(word: str, vocab: set[str], most: int) -> list[str]:
    """The mistake of a next piece that begins one character too late."""
    if len(word) > most:
        return [UNKNOWN]
    pieces, start = [], 0
    while start < len(word):
        found = [n for n in range(start + 1, len(word) + 1) if ("##" if start else "") + word[start:n] in vocab]
        if not found:
            return [UNKNOWN]
        pieces.append(("##" if start else "") + word[start : found[-1]])
        start = found[-1] + 1
    return pieces


def _others() -> dict:
    """Mistakes that stand alone."""
    return {
        "the pieces are in reverse order: the one that begins the word comes first": lambda *given: cut(*given)[::-1],
        "the last character gets lost when it stands alone: the loop goes on while start < len(word)": (
            lambda *given: _one_short(cut(*given))
        ),
        "equal pieces are shown once only; the list has every piece of the word": (
            lambda *given: list(dict.fromkeys(cut(*given)))
        ),
        "behind each piece one character is lost: the next piece begins where this one stops": (
            lambda word, vocab, most=100: _stepping_over(word, vocab, most)
        ),
        "a word of one character is looked up as well, and [UNK] if it is not there": (
            lambda *given: list(given[0]) if len(given[0]) == 1 else cut(*given)
        ),
        "a long word is [UNK] even if the vocabulary has it whole: the length is looked at first": (
            lambda *given: [given[0]] if given[0] in given[1] else cut(*given)
        ),
        "max_chars counts the characters of the word, not its pieces": (
            lambda word, vocab, most=100: (lambda found: found if len(found) <= most else [UNKNOWN])(
                _cut(word, vocab, 999)
            )
        ),
        "max_chars limits the whole word, not each piece": lambda word, vocab, most=100: _within(word, vocab, most),
        **{
            f"the unknown piece is '[UNK]', not {name!r}": (
                lambda *given, name=name: [name] if cut(*given) == [UNKNOWN] else cut(*given)
            )
            for name in ("UNK", "unk", "[unk]", "<unk>", "<UNK>", "##[UNK]")
        },
    }


def _suspects() -> dict:
    """Every mistake, then every two mistakes at once."""
    single = [(text, {option: value}) for option, values in WAYS.items() for value, text in values.items()]
    found = dict(single)
    for (one, first), (other, second) in itertools.combinations(single, 2):
        if first.keys() != second.keys():
            found[f"two things: {one}; and: {other}"] = first | second
    return {text: lambda *given, how=how: _cut(*given, **how) for text, how in found.items()} | _others()


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
    """The check of exercise 3.1: words on paper, the limit, random words over three alphabets.

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
        Case(("u", paper), "a word of one character, which is in the vocabulary"),
        Case(("x", paper), "one character, and not in the vocabulary: [UNK]"),
        Case(("c#", {UNKNOWN, "c", "#", "###"}), "the second piece is ## and then the character #: ###"),
        Case(("cd", {UNKNOWN, "c", "#"}), stuck + "; the piece # has nothing to do with the mark ##"),
        Case(("ééé", accents), "é is a character like any other, here in two pieces: é ##éé"),
        Case(("a" * 7, sevens, 7), "seven characters, and seven are allowed"),
        Case(("a" * 8, sevens, 7), "eight characters, and only seven are allowed: one [UNK]"),
        Case(("é" * 5, accents, 5), "max_chars counts characters: there are five"),
        Case(("a" * 100, sevens), "100 characters are allowed where max_chars is not given"),
        Case(("a" * 101, sevens), "101 characters are more than the 100 of max_chars: one [UNK]"),
        Case(("a" * 120, sevens, 200), "200 characters are allowed here"),
        Case(("a" * 8, sevens | {"a" * 8}, 7), "longer than max_chars: [UNK], though the vocabulary has it whole"),
        Case(("unable", paper, 5), "six characters, and only five are allowed: one [UNK]"),
        Case(("unable", paper, 2), "six characters, and only two are allowed: one [UNK]"),
    ]
    cases += [_random_case(rng, letters) for letters in ("abc", "nüß", "字母x") for _ in range(12)]
    judge(answer, cases, cut, _suspects(), _text)


def _text(arguments: tuple) -> str:
    word, vocab, *limit = arguments
    shown = word if len(word) <= 20 else f"{word[:3]}..., {len(word)} characters"
    pieces = "{" + ", ".join(sorted(vocab - {UNKNOWN})[:24]) + "}"
    return f"wordpiece({shown!r}, {pieces}{''.join(f', max_chars={most}' for most in limit)})"
