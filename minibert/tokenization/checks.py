"""What is not a text, a corpus or a batch is refused before any work is done."""

from collections.abc import Collection, Iterable, Sequence


def check_text(text: str) -> None:
    """Check that `text` is a string that UTF-8 can hold.

    Raises:
        ValueError: another type, or half of a surrogate pair in it.

    >>> check_text("fine")
    """
    if not isinstance(text, str):
        raise ValueError(f"expected a text (str), got {type(text).__name__}: {text!r:.80}")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(
                f"the text holds half of a surrogate pair at character {error.start}, which is not valid Unicode; "
                "read the source with the right encoding, or text.encode('utf-8', 'replace').decode('utf-8')"
            ) from error


def check_texts(texts: Iterable[str]) -> Iterable[str]:
    """The texts of a training corpus, checked one by one; a single str is refused (its items are characters).

    Raises:
        ValueError: one str, or a text that `check_text` refuses.

    >>> list(check_texts(["a", "b"]))
    ['a', 'b']
    """
    if isinstance(texts, str):
        raise ValueError("train expects an iterable of texts, got one text; write [text]")
    for text in texts:
        check_text(text)
        yield text


def check_corpus(words: Collection[str]) -> None:
    """Check that the texts of a training corpus held a word at all.

    Raises:
        ValueError: they did not.

    >>> check_corpus({"the": 3})
    """
    if not words:
        raise ValueError("there is nothing to learn from: the texts hold no words; is the iterator used up?")


def check_ranks(tokens: Sequence[bytes]) -> None:
    """Check that the byte strings are different, not empty, and hold all 256 single bytes.

    Raises:
        ValueError: they are not.

    >>> check_ranks([bytes([byte]) for byte in range(256)])
    """
    known = set(tokens)
    if len(known) != len(tokens) or b"" in known:
        raise ValueError("the ranked tokens must be different and not empty; is the file damaged?")
    missing = [byte for byte in range(256) if bytes([byte]) not in known]
    if missing:
        raise ValueError(f"the ranked tokens lack {len(missing)} of the 256 bytes (the first: {missing[0]:#04x})")


def check_batch(texts: Sequence[str | tuple[str, str]]) -> list[tuple[str, str | None]]:
    """(text, pair or None) for every entry of a batch that holds only texts or only pairs.

    Raises:
        ValueError: one str, an empty batch, a mix, or tuples that do not hold two texts.

    >>> check_batch(["a", "b"])
    [('a', None), ('b', None)]
    """
    if isinstance(texts, str):
        raise ValueError("encode_batch expects a list of texts or pairs, got one text; use encode or [text]")
    texts = list(texts)
    if not texts:
        raise ValueError("the batch is empty; give at least one text")
    single = isinstance(texts[0], str)
    pairs: list[tuple[str, str | None]] = []
    for index, entry in enumerate(texts):
        if isinstance(entry, str) != single:
            raise ValueError(f"the batch mixes texts and pairs (entry {index}); encode them in two batches")
        if single:
            pairs.append((entry, None))
        elif isinstance(entry, tuple | list) and len(entry) == 2:
            pairs.append((entry[0], entry[1]))
            check_text(entry[1])
        else:
            raise ValueError(f"entry {index} must be a text or a pair of two texts, got {entry!r:.80}")
    return pairs
