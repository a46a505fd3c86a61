"""Documents before they are tokenised: what is none is refused, and some are set aside for validation."""

from collections.abc import Iterable


def clean_documents(documents: Iterable[Iterable[str]]) -> list[list[str]]:
    """The documents without blank sentences, and without the documents that held nothing else.

    Raises:
        ValueError: for text where a list of sentences belongs: its items would be single letters.

    >>> clean_documents([["One.", " "], [""]])
    [['One.']]
    >>> clean_documents(["One.", "Two."])
    Traceback (most recent call last):
    ...
    ValueError: documents[0] is a str, 'One.'; a document is a list of sentences: write [[text] for text in texts]
    """
    _check_list("documents", documents, "give a list of documents, each a list of sentences")
    cleaned = []
    for number, document in enumerate(documents):
        _check_list(
            f"documents[{number}]", document, "a document is a list of sentences: write [[text] for text in texts]"
        )
        sentences = list(document)
        for sentence in sentences:
            if not isinstance(sentence, str):
                kind = type(sentence).__name__
                raise ValueError(f"documents[{number}] holds a {kind}, {sentence!r:.60}; a sentence is a str")
        sentences = [sentence for sentence in sentences if sentence.strip()]
        if sentences:
            cleaned.append(sentences)
    return cleaned


def held_out_documents(count: int, share: float, fewest: int) -> int:
    """How many of `count` documents to set aside for validation: their `share`, but `fewest` at least, 0 for none.

    `fewest` is also the least that must be left to train on: 2 for sentence pairs, since a random next segment comes
    from another document.

    Raises:
        ValueError: if too few are left.

    >>> held_out_documents(100, 0.05, fewest=2), held_out_documents(100, 0.0, fewest=2)
    (5, 0)
    """
    held_out = max(fewest, round(share * count)) if share else 0
    if count - held_out < fewest:
        raise ValueError(
            f"documents with text: {count}, too few for {held_out} to validate and {fewest} or more to train on. Give "
            "more of them (in a text file an empty line ends a document); PretrainingData with validation_share=0 sets "
            "none aside"
        )
    return held_out


def _check_list(name: str, value, hint: str) -> None:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise ValueError(f"{name} is a {type(value).__name__}, {value!r:.60}; {hint}")
