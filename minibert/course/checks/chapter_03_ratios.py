"""Exercise 3.3: the ratios that one can compute by mistake instead of tokens for each word."""

import re
from collections.abc import Callable

Texts = dict[str, list[str]]
TWO = "two things: {}; and: {}"


def tokens(tokenizer, texts: list[str]) -> int:
    """How many tokens the texts have, special tokens left out.

    >>> class Letters:
    ...     ids = list
    >>> tokens(Letters, ["ab", "c"])
    3
    """
    return sum(len(tokenizer.ids(text)) for text in texts)


def _all_tokens(tokenizer, texts: list[str]) -> int:
    return sum(len(tokenizer.encode(text)) for text in texts)


def words(texts: list[str]) -> int:
    """How many words the texts have: what stands between white space.

    >>> words(["a  b", "c\\nd."])
    4
    """
    return sum(len(text.split()) for text in texts)


def _per_text(tokenizer, texts: list[str], count=tokens) -> float:
    """The mean of the texts' own ratios; a text without words counts nothing."""
    ratios = [count(tokenizer, [text]) / words([text]) for text in texts if text.split()]
    return sum(ratios) / len(ratios)


# Each takes (tokenizer, texts of one language) and gives the number that stands in the table.
SUSPECTS: dict[str, Callable] = {
    "the special tokens are counted: ask without them, encode(text, add_special_tokens=False) or ids(text)": (
        lambda tokenizer, texts: _all_tokens(tokenizer, texts) / words(texts)
    ),
    "it is the average of the ratios of the texts, in which a text of one word counts as much as a long one; pool: all "
    "tokens of a language divided by all its words": _per_text,
    TWO.format("the average of the ratios of the texts instead of pooled counts", "the special tokens are counted"): (
        lambda tokenizer, texts: _per_text(tokenizer, texts, _all_tokens)
    ),
    "characters are counted instead of words: len(text) is characters, len(text.split()) is words": (
        lambda tokenizer, texts: tokens(tokenizer, texts) / sum(map(len, texts))
    ),
    "bytes are counted instead of words": (
        lambda tokenizer, texts: tokens(tokenizer, texts) / sum(len(text.encode("utf-8")) for text in texts)
    ),
    "the ratio is upside down: tokens for each word is tokens divided by words": (
        lambda tokenizer, texts: words(texts) / tokens(tokenizer, texts)
    ),
    TWO.format("the ratio is upside down", "the special tokens are counted"): (
        lambda tokenizer, texts: words(texts) / _all_tokens(tokenizer, texts)
    ),
    "split(' ') finds empty words between two spaces, and none at a line break; split() cuts at any white space": (
        lambda tokenizer, texts: tokens(tokenizer, texts) / sum(len(text.split(" ")) for text in texts)
    ),
    "spaces are counted instead of words: a text of three words has two": (
        lambda tokenizer, texts: tokens(tokenizer, texts) / sum(text.count(" ") for text in texts)
    ),
    "these are all tokens, not divided by anything": tokens,
    "it is divided by the number of texts; divide by the number of words": (
        lambda tokenizer, texts: tokens(tokenizer, texts) / len(texts)
    ),
    "two tokens a text are taken away as special tokens, but none were there, or not every tokenizer adds two": (
        lambda tokenizer, texts: (tokens(tokenizer, texts) - 2 * len(texts)) / words(texts)
    ),
    "two tokens a text are taken away, and not every tokenizer adds two; ask for no special tokens instead": (
        lambda tokenizer, texts: (_all_tokens(tokenizer, texts) - 2 * len(texts)) / words(texts)
    ),
    "only the last text of each language is counted: add up over the texts": (
        lambda tokenizer, texts: tokens(tokenizer, texts[-1:]) / max(1, words(texts[-1:]))
    ),
    "only the first text of each language is counted: add up over the texts": (
        lambda tokenizer, texts: tokens(tokenizer, texts[:1]) / words(texts[:1])
    ),
    "different tokens and words are counted, each once; every occurrence counts": (
        lambda tokenizer, texts: (
            len({i for text in texts for i in tokenizer.ids(text)}) / len({w for text in texts for w in text.split()})
        )
    ),
    "words are counted as the tokenizer cuts them, punctuation apart; here white space alone ends a word": (
        lambda tokenizer, texts: (
            tokens(tokenizer, texts)
            / sum(len({*tokenizer.encode(text, add_special_tokens=False).word_ids}) for text in texts)
        )
    ),
    "the texts are joined before they are cut, which changes the pieces at the seams": (
        lambda tokenizer, texts: tokens(tokenizer, [" ".join(texts)]) / words(texts)
    ),
    "unknown tokens are left out; they are tokens too": (
        lambda tokenizer, texts: (
            sum(token != tokenizer.unk_id for text in texts for token in tokenizer.ids(text)) / words(texts)
        )
    ),
    "words are cut at punctuation; here white space alone ends a word: split()": (
        lambda tokenizer, texts: tokens(tokenizer, texts) / sum(len(re.findall(r"\w+", text)) for text in texts)
    ),
    "each word is cut on its own, and what stands between words is lost; give the tokenizer whole texts": (
        lambda tokenizer, texts: tokens(tokenizer, [w for text in texts for w in text.split()]) / words(texts)
    ),
    TWO.format("each word is cut on its own; give the tokenizer whole texts", "the special tokens are counted"): (
        lambda tokenizer, texts: _all_tokens(tokenizer, [w for text in texts for w in text.split()]) / words(texts)
    ),
    "different words are counted, each once; every occurrence counts": (
        lambda tokenizer, texts: tokens(tokenizer, texts) / len({w for text in texts for w in text.split()})
    ),
    "different tokens are counted, each once; every occurrence counts": (
        lambda tokenizer, texts: len({i for text in texts for i in tokenizer.ids(text)}) / words(texts)
    ),
    "whole numbers: // throws the fraction away, / keeps it": (
        lambda tokenizer, texts: tokens(tokenizer, texts) // words(texts)
    ),
    "the numbers are rounded; leave that to whoever prints them": (
        lambda tokenizer, texts: round(tokens(tokenizer, texts) / words(texts), 2)
    ),
    "the numbers are rounded to one digit; leave that to whoever prints them": (
        lambda tokenizer, texts: round(tokens(tokenizer, texts) / words(texts), 1)
    ),
}
