"""Documents in memory, tokenised once for pre-training: which are trained on, and which are set aside.

A corpus that is larger than memory lies in files instead: shards.py has what answers the same questions from there.
"""

import hashlib
import random
from collections.abc import Iterable, Sequence

from minibert.objectives import split_sentence


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


class TokenisedDocuments:
    """Documents as ids: `documents` to train on, all of them one pool, and `validation_documents` set aside.

    A document is a list of sentences of ids where sentences are wanted for `pairs`, else one list of ids. The arguments
    are those of `PretrainingData`.

    Raises:
        ValueError: as `clean_documents` and `held_out_documents`.

    >>> from minibert.training.data import _tiny
    >>> source = _tiny().source
    >>> source.pools, [bytes(document) for document in source.pool(0, 0)]
    (1, [b'fgh', b'ij k', b'abc de'])
    """

    pools = 1
    order = ""  # nothing decides the batches besides what `PretrainingData` says itself

    def __init__(
        self,
        documents: Iterable[Iterable[str]],
        tokenizer,
        *,
        pairs: bool,
        max_len: int,
        seed: int,
        validation_share: float,
        validation: Sequence[Sequence[str]] | None,
        split_long: bool | None,
    ):
        documents = clean_documents(documents)
        random.Random(f"{seed} split").shuffle(documents)
        given = clean_documents(validation or ())
        documents = given + documents
        tokenised = [tokenise(document, tokenizer, pairs) for document in documents]
        apart = sum(1 for tokens in tokenised[: len(given)] if tokens)
        sizes = [len(document) for document, tokens in zip(documents, tokenised, strict=True) if tokens]
        tokenised = [tokens for tokens in tokenised if tokens]
        self.split_long = pairs and (_is_mostly_long(tokenised, max_len) if split_long is None else split_long)
        longest = max((len(s) for document in tokenised for s in document), default=0) if pairs else 0
        if self.split_long:
            tokenised = [split_document(document, max_len) for document in tokenised]
        share = validation_share if validation is None else 0.0
        held_out = apart + held_out_documents(len(tokenised) - apart, share, fewest=2 if pairs else 1)
        self.validation_documents, self.documents = tokenised[:held_out], tokenised[held_out:]
        ids = [s for document in self.documents for s in (document if pairs else [document])]
        unknown = getattr(tokenizer, "unk_id", None)
        self.counts = {
            "documents": len(self.documents),
            "sentences": sum(sizes[held_out:]),
            "validation_documents": held_out,
            "empty_documents": len(documents) - len(tokenised),
            "longest": longest,
            "tokens": sum(map(len, ids)),
            "unknown": sum(list(sentence).count(unknown) for sentence in ids),
        }

    def pool(self, epoch: int, number: int) -> list:
        """The documents to train on."""
        return self.documents

    def fingerprint(self) -> str:
        """A checksum of all ids."""
        digest = hashlib.sha256()
        for document in self.validation_documents + self.documents:
            digest.update(repr(document).encode("utf-8"))
        return digest.hexdigest()


def tokenise(document: Sequence[str], tokenizer, pairs: bool) -> list:
    """The ids of a document, for `pairs` a list for each sentence that has any.

    >>> from minibert.training.data import _tiny
    >>> tokenise(["a", "", "b"], _tiny().tokenizer, pairs=True)
    [[97], [98]]
    """
    if pairs:
        return [ids for sentence in document if (ids := tokenizer.ids(sentence))]
    # A byte-level tokenizer makes the space part of the next word, so sentences are joined before, not after.
    return tokenizer.ids(" ".join(document))


def split_document(document: Sequence[Sequence[int]], max_len: int) -> list[Sequence[int]]:
    """The sentences of a document, those that no pair of `max_len` tokens can hold in pieces.

    >>> split_document([[1, 2, 3, 4, 5, 6], [7]], max_len=8)
    [[1, 2], [3, 4, 5], [6], [7]]
    """
    return [piece for sentence in document for piece in split_sentence(sentence, max_len)]


def _is_mostly_long(documents: Sequence[Sequence[Sequence[int]]], max_len: int) -> bool:
    """Whether most of the tokens stand in sentences that no pair of `max_len` tokens can hold."""
    lengths = [len(sentence) for document in documents for sentence in document]
    return 2 * sum(length for length in lengths if length > max_len - 3) > sum(lengths)
