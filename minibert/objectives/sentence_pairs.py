"""Training examples cut from documents: BERT's sentence pairs, and plain single segments."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Tokens = Sequence[int]
Document = Sequence[Tokens]  # a document is a list of sentences, a sentence a list of ids

IS_NEXT, IS_RANDOM = 0, 1  # BERT's labels; the other way round is a classic silent mistake


@dataclass(frozen=True)
class Example:
    """One training sequence, special tokens included, not masked yet.

    `next_label` is 0 if segment B follows segment A in its document, 1 if it was drawn from another document, and
    None if there is no segment B.

    >>> Example([1, 7, 2], [0, 0, 0], None).next_label is None
    True
    """

    ids: list[int]
    segment_ids: list[int]
    next_label: int | None


def build_pairs(
    documents: Sequence[Document],
    max_len: int,
    cls_id: int,
    sep_id: int,
    *,
    rng: random.Random,
    short_seq_prob: float = 0.1,
) -> list[Example]:
    """Cut documents into `[CLS] A [SEP] B [SEP]` pairs as BERT's create_pretraining_data does.

    A and B are runs of whole sentences. Half of the time B is replaced by sentences of another document; a chunk that
    holds one sentence has no B of its own, so more than half of all pairs are random. The sentences that a random B
    pushed out go back and start the next pair. Call it again with the same `rng`, the source of all randomness, for
    another, different pass (BERT's dupe_factor). Empty sentences and documents are dropped.

    An example holds at most `max_len` tokens, its three special tokens included. `short_seq_prob` is the share of
    documents that are cut into shorter pairs, so that short inputs are seen too.

    Raises:
        ValueError: for fewer than two documents with text, text instead of ids, a `max_len` under 5, or a
            `short_seq_prob` outside 0..1.

    Source: Devlin et al. 2019, appendix A.2, and released code (create_pretraining_data).

    >>> documents = [[[10, 11], [12], [13, 14]], [[20], [21, 22]]]
    >>> pairs = build_pairs(documents, 8, cls_id=1, sep_id=2, rng=random.Random(0))
    >>> pairs[0].ids, pairs[0].segment_ids, pairs[0].next_label
    ([1, 10, 11, 12, 2, 21, 22, 2], [0, 0, 0, 0, 0, 1, 1, 1], 1)
    """
    _check_lists(documents, "documents")
    for document in documents:
        _check_lists(document, "a document")
        for sentence in document:
            _check_ids(sentence, "a sentence")
    documents = [[sentence for sentence in document if len(sentence)] for document in documents]
    documents = [document for document in documents if document]
    if len(documents) < 2:
        raise ValueError(
            f"got {len(documents)} documents with text; sentence pairs need at least 2, since a random B comes from "
            "another document. Use build_segments for one document."
        )
    if max_len < 5:
        raise ValueError(f"max_len is {max_len}; a pair needs at least 5: [CLS], a token, [SEP], a token, [SEP]")
    if not 0.0 <= short_seq_prob <= 1.0:
        raise ValueError(f"short_seq_prob must lie between 0 and 1, got {short_seq_prob}; BERT uses 0.1")
    examples = []
    for index in range(len(documents)):
        for a, b, label in _pairs_of_document(documents, index, max_len - 3, short_seq_prob, rng):
            ids = [cls_id, *a, sep_id, *b, sep_id]
            examples.append(Example(ids, [0] * (len(a) + 2) + [1] * (len(b) + 1), label))
    return examples


def _pairs_of_document(documents, index, room, short_seq_prob, rng):
    """Yield `(A, B, label)` for one document; A and B hold at most `room` tokens together."""
    document = documents[index]
    # One target for the whole document, not one for each pair.
    target = rng.randint(2, room) if rng.random() < short_seq_prob else room
    chunk: list[Tokens] = []
    position = 0
    while position < len(document):
        chunk.append(document[position])
        position += 1
        if position < len(document) and sum(map(len, chunk)) < target:
            continue
        a_end = rng.randint(1, len(chunk) - 1) if len(chunk) > 1 else 1
        a = _join(chunk[:a_end])
        if len(chunk) == 1 or rng.random() < 0.5:
            b, label = _random_next(documents, index, target - len(a), rng), IS_RANDOM
            position -= len(chunk) - a_end  # the sentences that B would have had are put back
        else:
            b, label = _join(chunk[a_end:]), IS_NEXT
        truncate_pair(a, b, room, rng)
        yield a, b, label
        chunk = []


def _random_next(documents, index, needed, rng) -> list[int]:
    """Return sentences from a random place of another document: at least one, until `needed` tokens are reached.

    BERT tries ten times to hit another document and then takes what it has, so with two documents 1 in 1,024 random
    segments comes from the same one.
    """
    for _ in range(10):
        other = rng.randint(0, len(documents) - 1)
        if other != index:
            break
    tokens: list[int] = []
    for sentence in documents[other][rng.randint(0, len(documents[other]) - 1) :]:
        tokens.extend(sentence)
        if len(tokens) >= needed:
            break
    return tokens


def truncate_pair(a: list[int], b: list[int], room: int, rng: random.Random) -> None:
    """Shorten the two lists in place until they hold `room` tokens together.

    One token at a time goes from the longer list (from B when they are equal), with equal chance from its front or
    its back, so that the model does not always see the beginnings of sentences.

    Raises:
        ValueError: if `room` is negative.

    Source: Devlin et al. 2019, released code (create_pretraining_data).

    >>> a, b = [1, 2, 3, 4], [5]
    >>> truncate_pair(a, b, 3, random.Random(0))
    >>> len(a), b
    (2, [5])
    """
    if room < 0:
        raise ValueError(f"room is {room}; it is a number of tokens and cannot be negative")
    while len(a) + len(b) > room:
        longer = a if len(a) > len(b) else b
        longer.pop(0 if rng.random() < 0.5 else -1)


def split_sentence(tokens: Tokens, max_len: int) -> list[Tokens]:
    """Cut a sentence that no pair can hold into pieces, two neighbours of which fill one; a shorter one stays whole.

    BERT's code cuts what is too long for a pair of `max_len` tokens and drops the rest, nearly all of a text that has a
    whole document on each line.

    >>> split_sentence([1, 2, 3, 4, 5, 6], max_len=8), split_sentence([1, 2, 3], max_len=8)
    ([[1, 2], [3, 4, 5], [6]], [[1, 2, 3]])
    """
    room = max_len - 3
    if len(tokens) <= room:
        return [tokens]
    sizes = (room // 2, room - room // 2)
    pieces, start = [], 0
    while start < len(tokens):
        stop = start + sizes[len(pieces) % 2]
        pieces.append(tokens[start:stop])
        start = stop
    return pieces


def build_segments(documents: Sequence[Tokens], max_len: int, cls_id: int, sep_id: int) -> list[Example]:
    """Cut documents into `[CLS] tokens [SEP]` pieces of at most `max_len` tokens, for models without pairs.

    Each document is one flat list of ids. No example crosses the border of a document and no token is lost or
    repeated; the last piece of a document may be short, and an empty document is skipped.

    Raises:
        ValueError: for text instead of ids, or a `max_len` under 3.

    Source: Liu et al. 2019 (RoBERTa), section 4.2 (DOC-SENTENCES); Warner et al. 2024 trains without pairs too.

    >>> [example.ids for example in build_segments([[7, 8, 9], [5]], 4, cls_id=1, sep_id=2)]
    [[1, 7, 8, 2], [1, 9, 2], [1, 5, 2]]
    """
    if max_len < 3:
        raise ValueError(f"max_len is {max_len}; an example needs at least 3: [CLS], a token, [SEP]")
    _check_lists(documents, "documents")
    for document in documents:
        _check_ids(document, "a document")
    room = max_len - 2
    examples = []
    for document in documents:
        for start in range(0, len(document), room):
            ids = [cls_id, *document[start : start + room], sep_id]
            examples.append(Example(ids, [0] * len(ids), None))
    return examples


def _join(sentences: Sequence[Tokens]) -> list[int]:
    return [token for sentence in sentences for token in sentence]


def _check_lists(value, what: str) -> None:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(f"{what} must be a list, got a {type(value).__name__}: {value!r:.60}; tokenise the text first")


def _check_ids(tokens, what: str) -> None:
    """Refuse text, single ids and lists of lists; only the first entry is looked at, since this runs every epoch."""
    _check_lists(tokens, what)
    if len(tokens) and isinstance(tokens[0], str | list | tuple):
        raise ValueError(
            f"{what} must be a list of ids, got one that begins with {tokens[0]!r:.60}; tokenise the text first, and "
            "note that build_pairs takes documents of sentences of ids, build_segments documents of ids"
        )
