"""Exercise 3.3: the right table, and tables whose numbers stand or are counted in the wrong place."""

from collections.abc import Callable

from minibert.course.checks.chapter_03_ratios import Texts, tokens, words


def table(tokenizers: dict, texts: Texts, cell: Callable | None = None) -> dict[str, dict[str, float]]:
    """The right answer, or with another `cell` the table of a mistake.

    >>> from minibert.tokenization import WordPieceTokenizer
    >>> words = WordPieceTokenizer({"[UNK]": 0, "a": 1, "##b": 2})
    >>> table({"words": words}, {"en": ["ab a", "a"]})
    {'words': {'en': 1.3333333333333333}}
    """
    cell = cell or (lambda tokenizer, own: tokens(tokenizer, own) / words(own))
    return {
        name: {language: float(cell(tokenizer, own)) for language, own in texts.items()}
        for name, tokenizer in tokenizers.items()
    }


def _running(tokenizers: dict, texts: Texts, own_tokens: bool = False, own_words: bool = False) -> dict:
    """Counts that are not set back to zero for the next language."""
    found: dict[str, dict[str, float]] = {}
    for name, tokenizer in tokenizers.items():
        found[name], above, below = {}, 0, 0
        for language, own in texts.items():
            above = tokens(tokenizer, own) + (0 if own_tokens else above)
            below = words(own) + (0 if own_words else below)
            found[name][language] = above / below
    return found


def _running_on(tokenizers: dict, texts: Texts, own_tokens: bool = False) -> dict:
    """Counts that are not set back to zero for the next tokenizer either."""
    found: dict[str, dict[str, float]] = {}
    above = below = 0
    for name, tokenizer in tokenizers.items():
        found[name] = {}
        for language, own in texts.items():
            above, below = tokens(tokenizer, own) + (0 if own_tokens else above), words(own) + below
            found[name][language] = above / below
    return found


def _one_for_all(tokenizers: dict, texts: Texts, which: int) -> dict:
    """The same tokenizer in all rows."""
    return table(dict.fromkeys(tokenizers, list(tokenizers.values())[which]), texts)


def _all_texts(texts: Texts) -> list[str]:
    return [text for own in texts.values() for text in own]


ROW = "all rows are that of the last tokenizer: is one dictionary used for all of them? Each needs its own {}"
TABLES: dict[str, Callable] = {
    "counts are not set back to zero for the next language": _running,
    "the tokens are not set back to zero for the next language": lambda t, x: _running(t, x, own_words=True),
    "the words are not set back to zero for the next language": lambda t, x: _running(t, x, own_tokens=True),
    "counts are not set back to zero for the next tokenizer": _running_on,
    "the words are not set back to zero for the next tokenizer": lambda t, x: _running_on(t, x, own_tokens=True),
    "all languages are counted together; each has its own number": (
        lambda tokenizers, texts: table(tokenizers, dict.fromkeys(texts, _all_texts(texts)))
    ),
    "the tokens of all languages are counted, and the words of one": (
        lambda tokenizers, texts: table(tokenizers, texts, lambda t, own: tokens(t, _all_texts(texts)) / words(own))
    ),
    ROW: lambda tokenizers, texts: _one_for_all(tokenizers, texts, -1),
    "all rows are that of the first tokenizer: the loop's own tokenizer must be asked": (
        lambda tokenizers, texts: _one_for_all(tokenizers, texts, 0)
    ),
}
