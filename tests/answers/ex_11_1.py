"""Answers to 11.1, from characters to tokens and back."""

import torch

from minibert.tasks.span_qa import Window, label


def the_package(text, spans, start, answer):
    if not answer:
        return 0, 0
    size = len(spans)
    return label(Window((0,) * size, (0,) * size, tuple(spans), (True,) * size), (start, start + len(answer)))


def by_characters(text, spans, start, answer):
    """A table with the token of each character; None where there is none."""
    token_of = {}
    for place, span in enumerate(spans):
        for character in range(*span) if span else ():
            token_of[character] = place
    asked = range(start, start + len(answer))
    found = [token_of[character] for character in asked if character in token_of]
    whole = bool(asked) and all(character in token_of for character in (asked[0], asked[-1]))
    return [found[0], found[-1]] if whole else [0, 0]


def tensors(text, spans, start, answer):
    return torch.tensor(by_characters(text, spans, start, answer))


def slice_by_min_max(text, spans, first, last):
    inside = [span for span in spans[first : last + 1] if span is not None]
    return text[min(low for low, _ in inside) : max(high for _, high in inside)] if inside else ""


def utf16(text, spans, start, answer):
    """As JavaScript counts: a castle is two."""
    return the_package(text, spans, start, answer + " " * sum(ord(one) > 0xFFFF for one in answer))


def found_in_text(text, spans, start, answer):
    return the_package(text, spans, text.index(answer), answer)


def exclusive(text, spans, start, answer):
    first, last = the_package(text, spans, start, answer)
    return (first, last + 1) if last else (0, 0)


def clipped(text, spans, start, answer):
    """The part of the answer that the window shows."""
    end = start + len(answer)
    inside = [place for place, span in enumerate(spans) if span and span[0] < end and span[1] > start]
    return (inside[0], inside[-1]) if inside else (0, 0)


def starts_only(text, spans, start, answer):
    """Looks for tokens that begin and end exactly where the answer does."""
    first = [place for place, span in enumerate(spans) if span and span[0] == start]
    last = [place for place, span in enumerate(spans) if span and span[1] == start + len(answer)]
    return (first[0], last[0]) if first and last else (0, 0)


def joined(text, spans, first, last):
    return " ".join(text[span[0] : span[1]] for span in spans[first : last + 1] if span)


def whole_words(text, spans, first, last):
    piece = slice_by_min_max(text, spans, first, last)
    return piece.strip(".,;- ")


RIGHT = {
    "the package": (the_package, slice_by_min_max),
    "a table of characters": (by_characters, lambda text, spans, a, b: text[spans[a][0] : spans[b][1]] if b else ""),
    "tensors": (tensors, slice_by_min_max),
}
WRONG = {
    "found in the text": ((found_in_text, slice_by_min_max), "several times"),
    "exclusive": ((exclusive, slice_by_min_max), "one past the end"),
    "clipped": ((clipped, slice_by_min_max), "cuts off|the window has only"),
    "edges of tokens only": ((starts_only, slice_by_min_max), "a part of the answer counts"),
    "UTF-16": ((utf16, slice_by_min_max), "a picture is one"),
    "joined": ((the_package, joined), "joined with spaces"),
    "stripped": ((the_package, whole_words), "first character of the first token"),
    "one function": (the_package, "one thing"),
    "nothing": ((lambda *inputs: None, slice_by_min_max), "return"),
    "one number": ((lambda *inputs: the_package(*inputs)[0], slice_by_min_max), "two whole numbers"),
}
