"""11.1 From characters to tokens and back. Answers are given in characters, and a model points at tokens."""

import re

import torch

from minibert.course.exercise import Exercise, Wrong
from minibert.course.lab import Case, Lab
from minibert.course.tools import call, kind_of


def to_tokens(text, spans, start, answer):
    """The first and the last token of the answer in a window; (0, 0) if there is none, or not all of it in there."""
    end = start + len(answer)
    own = [place for place, span in enumerate(spans) if span is not None]
    touched = [place for place in own if spans[place][0] < end and spans[place][1] > start]
    if not answer or not touched or spans[own[0]][0] > start or spans[own[-1]][1] < end:
        return 0, 0
    return touched[0], touched[-1]


def to_text(text, spans, first, last):
    """The piece of the text from the first to the last token; "" for (0, 0)."""
    if (first, last) == (0, 0):
        return ""
    return text[spans[first][0] : spans[last][1]]


WORDS = "Zoë naïve Köln crêpes Łódź old 1950s harbour Anna-Lena sold fifteen 东京 boats; near town, the castles at"
TWO = "two whole numbers: the first and the last token of the answer, both included"


def written(rng, count=14):
    """A text of drawn words, and the characters of its tokens: pieces of up to four letters, and marks."""
    words = WORDS.split()
    text = (
        " ".join(words[place] for place in torch.randint(len(words), (count,), generator=rng).tolist()) + " 🏰🏰 Köln."
    )
    return text, [match.span() for match in re.finditer(r"\w{1,4}|[^\w\s]", text)]


def window(tokens, asked, low=0, high=None):
    """[CLS], a question of so many tokens, [SEP], some tokens of the text, [SEP]: None but for the text."""
    return [None] * (asked + 2) + tokens[low:high] + [None]


def pair(answer, *inputs):
    """Both numbers, whatever kind of whole number they are."""
    got = call(answer, *inputs)
    got = got.tolist() if hasattr(got, "tolist") else got
    if got is None:
        return None
    if type(got) not in (tuple, list) or len(got) != 2:
        raise Wrong(f"the answer is {kind_of(got)}", TWO)
    return tuple(one.item() if hasattr(one, "item") else one for one in got)


def forth(rng):
    def case(text, spans, start, end, cause, what):
        answer = text[start:end] if end > start else ""
        return Case((text, spans, start, answer), cause, f"(first, last) for {what} {answer!r} from {start} on")

    hand = "The old man lived in Oz."
    cut = [(0, 3), (4, 7), (8, 11), (12, 16), (16, 17), (18, 20), (21, 23), (23, 24)]
    usual = "the tokens that have at least one character of the answer, the first and the last of them"
    yield case(hand, window(cut, 2), 4, 11, usual, "a window of 12 tokens and the answer")
    exact = "the answer ends before the character `end`: a token that only begins there is not in it"
    yield case(hand, window(cut, 2), 21, 23, exact, "the answer")
    yield case(hand, window(cut, 3), 16, 17, "a token that ends where the answer begins is not in it", "the answer")
    yield case(hand, window(cut, 3), 21, 24, "marks are characters of the answer, too", "the answer")
    part = "a token that has a part of the answer counts, as a whole"
    yield case(hand, window(cut, 1), 5, 15, part, "the answer")
    yield case(hand, window(cut, 1), 13, 15, part, "the answer")
    yield case(hand, window(cut, 4), -1, -1, 'without an answer ("", from -1 on) it is (0, 0)', "no answer:")
    yield case(hand, window(cut, 2, 2, 5), 4, 11, "the window has only the end of the answer", "the cut-off answer")
    yield case(
        hand, window(cut, 2, 2, 5), 12, 20, "the window has only the beginning of the answer", "the cut-off answer"
    )
    yield case(
        hand, window(cut, 2, 3, 5), 8, 20, "the window lies inside the answer and has not all of it", "the answer"
    )
    yield case(hand, window(cut, 2, 0, 7), 21, 24, "only the last character is missing in the window", "the answer")
    yield case(hand, window(cut, 2, 4), 15, 17, "only the first character is missing in the window", "the answer")
    yield case(hand, window(cut, 2, 2, 5), 0, 7, "the answer stands in front of the window", "the answer")
    yield case(hand, window(cut, 2, 2, 5), 21, 23, "the answer stands after the window", "the answer")
    yield case(hand, window(cut, 2, 2, 5), 8, 17, "the window holds the answer and nothing else", "the answer")
    for turn in range(5):
        text, tokens = written(rng)
        first = int(torch.randint(3, len(tokens) - 5, (), generator=rng)) if turn else len(tokens) - 2
        last = min(first + turn, len(tokens) - 2)
        spans = window(tokens, 2 + turn, max(0, first - 3), last + 2)
        yield case(text, spans, tokens[first][0], tokens[last][1], usual, "letters beyond ASCII, the answer")
    picture = "a picture is one character, as é is: len(answer) says so"
    yield case(text, window(tokens, 2, len(tokens) - 6), *tokens[-4], picture, "one castle:")
    two = "a letter and its accent may be two characters, and a small letter two for one: count those that are given"
    accents = window([(0, 4), (4, 6), (7, 9), (10, 11), (11, 13)], 2)
    yield case("cafe\u0301s in \u0130zm", accents, 0, 5, two, "the answer")
    yield case("cafe\u0301s in \u0130zm", accents, 10, 11, two, "the answer")
    text, cut = (
        "Köln is old. Köln lies in Köln.",
        [(0, 4), (5, 7), (8, 11), (11, 12), (13, 17), (18, 22), (23, 25), (26, 30)],
    )
    again = "the answer stands in the text several times: `start` says which one"
    yield case(text, window(cut, 1), 13, 17, again, "the answer")
    yield case(text, window(cut, 1, 3), 26, 30, again, "the answer")


def back(rng):
    cause = "from the first character of the first token up to the last character of the last one"
    for turn in range(6):
        text, tokens = written(rng)
        low = int(torch.randint(0, 6, (), generator=rng)) if turn else 0
        spans = window(tokens, 3 + turn, low)
        first = 5 + turn + int(torch.randint(0, len(tokens) - low - 6, (), generator=rng))
        last = first + turn % 4 if turn < 5 else len(spans) - 2
        yield Case((text, spans, first, last), cause, f"the text of tokens {first} to {last}")
    wide = "Oz,  far  away", window([(0, 2), (2, 3), (5, 8), (10, 14)], 1), 3, 6
    yield Case(wide, "the text as it stands, with all of its spaces", "the text of tokens 3 to 6")
    text, tokens = written(rng)
    yield Case((text, window(tokens, 2), 0, 0), "(0, 0) stands for no answer", "the text for (0, 0)")
    yield Case((text, window(tokens, 0), 2, len(tokens) + 1), cause, "the whole text")


OWN, TOUCHED = "spans[place][0] < end and spans[place][1] > start", "touched[0], touched[-1]"
END, GUARD = (
    "start + len(answer)",
    "if not answer or not touched or spans[own[0]][0] > start or spans[own[-1]][1] < end:",
)
LEFT, RIGHT, RETURN = " or spans[own[0]][0] > start", " or spans[own[-1]][1] < end", f"return {TOUCHED}"
BYTES = "the answer's length is counted in bytes; characters are asked, and é is one: len(answer)"
TOKENS = {
    "the last token is given as one past the end; it is the last token of the answer itself": {
        RETURN: "return touched[0], touched[-1] + 1"
    },
    "the token that begins where the answer ends is in it; `start + len(answer)` is the first character after it": {
        "[0] < end and": "[0] <= end and"
    },
    "the token that ends where the answer begins is in it; a span ends before its second number": {
        "[1] > start]": "[1] >= start]"
    },
    "both neighbours count, because spans and answer are taken with their ends included": {
        OWN: "spans[place][0] <= end and spans[place][1] >= start"
    },
    BYTES: {END: "start + len(answer.encode())"},
    "the answer's length is that of another spelling: accents joined to their letters, or small letters": {
        END: "start + len(__import__('unicodedata').normalize('NFC', answer))"
    },
    "`start` is counted in bytes, too; spans and start are in characters": {
        END: "len(text[: start + len(answer)].encode())\n    start = len(text[:start].encode())"
    },
    "the answer is looked for in the text, where it stands several times: `start` says which one": {
        END: "(start := text.find(answer)) + len(answer)"
    },
    "only tokens that lie wholly in the answer count; one with a part of it does, too": {
        OWN: "spans[place][0] >= start and spans[place][1] <= end"
    },
    "only tokens that begin in the answer count; it may begin inside of one": {OWN: "start <= spans[place][0] < end"},
    "only tokens that end in the answer count; it may end inside of one": {OWN: "start < spans[place][1] <= end"},
    "an answer that the window cuts off gets its rest; it is (0, 0) then": {GUARD: "if not answer or not touched:"},
    "an answer whose beginning is cut off gets its rest; it is (0, 0) then": {LEFT: ""},
    "an answer whose end is cut off gets its rest; it is (0, 0) then": {RIGHT: ""},
    "an answer that fills the window is taken for one that is cut off": {
        LEFT: " or spans[own[0]][0] >= start",
        RIGHT: " or spans[own[-1]][1] <= end",
    },
    "tokens are counted from the first one of the text; they are counted from [CLS] on, the question included": {
        RETURN: "return touched[0] - own[0], touched[-1] - own[0]"
    },
    "without an answer, or with a part of it only, it is (0, 0), the place of [CLS]; this is (-1, -1)": {
        "return 0, 0": "return -1, -1"
    },
    "without an answer, or with a part of it only, it is (0, 0), the place of [CLS]; this is None": {
        "return 0, 0": "return None"
    },
    "the answer's tokens are counted as words; a word may be several tokens": {
        RETURN: "return touched[0], touched[0] + len(answer.split()) - 1"
    },
    "the last token is the first one again": {RETURN: "return touched[0], touched[0]"},
    "first and last are exchanged": {RETURN: "return touched[-1], touched[0]"},
    "characters are given, not the tokens in which they stand": {RETURN: "return start, end"},
}
SLICE, NONE = "text[spans[first][0] : spans[last][1]]", '    if (first, last) == (0, 0):\n        return ""\n'
TEXTS = {
    "the last token is missing: `last` is included": {SLICE: "text[spans[first][0] : spans[last - 1][1]]"},
    "the token after `last` is included": {SLICE: "text[spans[first][0] : (spans[last + 1] or spans[last])[1]]"},
    "the last token ends where it begins; take its second number": {SLICE: "text[spans[first][0] : spans[last][0]]"},
    "one character too many: a span ends before its second number": {
        SLICE: "text[spans[first][0] : spans[last][1] + 1]"
    },
    "tokens are joined with spaces; the text knows where it has spaces: cut out one piece": {
        SLICE: '" ".join(text[slice(*spans[place])] for place in range(first, last + 1))'
    },
    "tokens are joined without spaces; the text knows where it has spaces: cut out one piece": {
        SLICE: '"".join(text[slice(*spans[place])] for place in range(first, last + 1))'
    },
    "spans are taken for bytes; they are in characters": {
        SLICE: 'text.encode()[spans[first][0] : spans[last][1]].decode(errors="ignore")'
    },
    "the answer is in small letters; cut it out as it stands": {SLICE: f"{SLICE}.lower()"},
    "(0, 0) is [CLS], which has no span: it stands for no answer": {NONE: ""},
    "no answer is an empty text": {'return ""': "return None"},
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="(to_tokens, to_text): to_tokens(text, spans, start, answer) -> (first, last), "
    "to_text(text, spans, first, last) -> a text",
    hints=(
        "Draw the text as a line, its tokens below as pieces of it, and the answer above. Which tokens\n"
        "does it touch? And how do the outermost tokens of the window tell whether some of the answer lies outside?",
        "spans: one entry for each token, None for those that are not of the text. An answer of n characters from\n"
        "`start` on takes the characters start ... start + n - 1. Two pieces [a, b) and [c, d) share a character when\n"
        "each begins before the other one ends.",
        "own: the places of the text's tokens; touched: those of them that share a character with the answer\n"
        "no answer, nothing touched, the first of own begins too late, or the last one ends too early: twice 0\n"
        "else: the outermost of touched\n"
        "back: one slice of the text, from where the first one begins to where the last one ends",
    ),
    parts=(Lab(to_tokens, forth, TOKENS, run=pair), Lab(to_text, back, TEXTS)),
)
