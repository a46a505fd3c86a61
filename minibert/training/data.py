"""From documents to packed, masked batches, in an order that can be resumed at any batch."""

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from minibert.objectives import (
    IGNORE,
    LOOK_AHEAD,
    Example,
    build_pairs,
    build_segments,
    mask_tokens,
    pack_rows,
    split_sentence,
)
from minibert.objectives.masking import check_rates
from minibert.objectives.sentence_pairs import IS_NEXT
from minibert.training.recipe import check_seed, check_share, check_switch, check_whole
from minibert.varlen import cu_seqlens_of


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


@dataclass(frozen=True)
class PackedBatch:
    """Several examples laid end to end, masked and labelled; nothing is padded.

    Shape: ids, segment_ids, labels (N,) int64; cu_seqlens (B + 1,) int32, where each example starts and the last one
    ends; next_labels (B,) int64 with 0 = is next, or None without pairs. `labels` is -100 where nothing is
    predicted.

    >>> batch = pack([Example([1, 7, 2], [0, 0, 0], None), Example([1, 2], [0, 0], None)])
    >>> batch.ids.tolist(), batch.cu_seqlens.tolist(), batch.labels.tolist()
    ([1, 7, 2, 1, 2], [0, 3, 5], [-100, -100, -100, -100, -100])
    """

    ids: Tensor
    cu_seqlens: Tensor
    segment_ids: Tensor
    labels: Tensor
    next_labels: Tensor | None

    def to(self, device: torch.device) -> "PackedBatch":
        """Return the same batch on `device`."""
        tensors = (self.ids, self.cu_seqlens, self.segment_ids, self.labels, self.next_labels)
        return PackedBatch(*(None if tensor is None else tensor.to(device) for tensor in tensors))


def pack(examples: Sequence[Example]) -> PackedBatch:
    """Lay examples end to end, unmasked: all labels are -100.

    Raises:
        ValueError: if there are no examples, or only some of them are pairs.

    >>> pack([Example([1, 7, 2, 8, 2], [0, 0, 0, 1, 1], 1)]).next_labels.tolist()
    [1]
    """
    if not examples:
        raise ValueError("there are no examples to pack; a batch needs at least one")
    ids = torch.tensor([i for example in examples for i in example.ids])  # (N,)
    segments = torch.tensor([s for example in examples for s in example.segment_ids])  # (N,)
    next_labels = [example.next_label for example in examples]
    if None in next_labels and any(label is not None for label in next_labels):
        raise ValueError("some examples are pairs and some are not; a batch is one or the other")
    return PackedBatch(
        ids=ids,
        cu_seqlens=cu_seqlens_of(len(example.ids) for example in examples),  # (B + 1,)
        segment_ids=segments,
        labels=torch.full_like(ids, IGNORE),
        next_labels=None if None in next_labels else torch.tensor(next_labels),
    )


def mask_batch(
    batch: PackedBatch,
    tokenizer,
    rate: float,
    split: tuple[float, float, float],
    word_starts: Tensor | None = None,
    *,
    seed: int,
) -> PackedBatch:
    """Return the batch with tokens hidden and labelled; the same `seed` hides the same ones.

    Shape: word_starts (V,) bool, True for the tokens that begin a word, if whole words are to be hidden.

    Raises:
        ValueError: as `mask_tokens`.

    Source: Devlin et al. 2019, section 3.1.

    >>> from types import SimpleNamespace
    >>> tokenizer = SimpleNamespace(special_ids=(1, 2, 3), mask_id=3, vocab_size=9)
    >>> batch = mask_batch(pack([Example([1, 7, 2], [0, 0, 0], None)]), tokenizer, 1.0, (1.0, 0.0, 0.0), seed=0)
    >>> batch.ids.tolist(), batch.labels.tolist()
    ([1, 3, 2], [-100, 7, -100])
    """
    inputs, labels = mask_tokens(
        batch.ids,
        tokenizer.special_ids,
        tokenizer.vocab_size,
        tokenizer.mask_id,
        rate,
        split,
        generator=torch.Generator().manual_seed(seed),
        word_starts=None if word_starts is None else word_starts[batch.ids],
    )
    return replace(batch, ids=inputs, labels=labels)


class PretrainingData:
    """Documents, tokenised once, and handed out as an endless stream of packed batches.

    Whole documents are set aside for validation, so that no text is in both parts. Every epoch is shuffled anew, with
    pairs it is also cut anew, then packed into batches by best fit (`pack_rows`), and every batch is masked when it is
    taken. Each example is in exactly one batch of an epoch; the last batch may be a small one. All of it depends on
    the seed, the number of the epoch and, for the masks, the number of the batch in it. So two numbers tell where the
    stream stands, and a batch can be passed over without being made.

    A document is a list of sentences. With `pairs` an example is [CLS] A [SEP] B [SEP] with a next-sentence label
    (BERT), otherwise one segment (ModernBERT, EuroBERT); it has at most `max_len` tokens, and a batch at most
    `batch_tokens`. `mask_rate`, `mask_split` and `whole_words` are as in `mask_tokens`, `short_seq_prob` as in
    `build_pairs`. `validation_share` is the share of the documents that is set aside, 0 for none; where documents to
    validate with are given as `validation`, none of the others is set aside. With pairs, a
    sentence that is too long for one is split if `split_long` (see `split_sentence`), else cut; None splits if most of
    the text stands in such sentences, as with a whole document on each line. `count` says what became of the text.

    Raises:
        ValueError: for too few documents, text that is not in lists, or settings out of range.

    Source: Devlin et al. 2019, appendix A.2, with dynamic masking as in Liu et al. 2019 (RoBERTa), section 4.1, and
    packing as in Warner et al. 2024 (ModernBERT), section 2.2.

    >>> data = _tiny()
    >>> batch = data.next_batch()
    >>> batch.cu_seqlens.tolist(), batch.ids.shape, data.state_dict()
    ([0, 3, 8], torch.Size([8]), {'epoch': 0, 'batch': 1})
    """

    def __init__(
        self,
        documents: Sequence[Sequence[str]],
        tokenizer,
        *,
        pairs: bool,
        max_len: int = 128,
        batch_tokens: int = 4096,
        mask_rate: float = 0.15,
        mask_split: tuple[float, float, float] = (0.8, 0.1, 0.1),
        whole_words: bool = False,
        short_seq_prob: float = 0.1,
        validation_share: float = 0.05,
        validation: Sequence[Sequence[str]] | None = None,
        split_long: bool | None = None,
        seed: int = 0,
    ):
        check_switch("pairs", pairs)
        check_switch("whole_words", whole_words)
        check_whole("max_len", max_len, 5 if pairs else 3)  # the special tokens and one token in each segment
        check_whole("batch_tokens", batch_tokens, 1)
        check_rates(mask_rate, mask_split)
        check_share("short_seq_prob", short_seq_prob)
        check_share("validation_share", validation_share, may_be_all=False)
        if split_long is not None:
            check_switch("split_long", split_long)
        check_seed(seed)
        if batch_tokens < max_len:
            raise ValueError(f"batch_tokens ({batch_tokens}) must be at least max_len ({max_len}): one full example")
        missing = [role for role in ("cls_id", "sep_id", "mask_id") if getattr(tokenizer, role, None) is None]
        if missing:
            raise ValueError(f"the tokenizer has no {', '.join(missing)}; examples are built with these special tokens")
        self.tokenizer, self.pairs, self.max_len, self.batch_tokens = tokenizer, pairs, max_len, batch_tokens
        self.mask_rate, self.mask_split = mask_rate, mask_split
        self.short_seq_prob, self.validation_share, self.seed = short_seq_prob, validation_share, seed
        self.starts_word = torch.tensor(tokenizer.word_starts()) if whole_words else None

        self._read(documents, validation, split_long)
        self.restart()

    def restart(self) -> None:
        """Go back to the first batch, as if the data were new.

        >>> data = _tiny()
        >>> first = data.next_batch().ids
        >>> data.restart()
        >>> data.next_batch().ids.equal(first)
        True
        """
        self._go_to(epoch=0, batch=0)

    def next_batch(self) -> PackedBatch:
        """Return the next training batch; after the last one of an epoch the next epoch begins.

        >>> data = _tiny()
        >>> [(len(data.next_batch().ids), data.epoch) for _ in range(4)]
        [(8, 0), (10, 0), (5, 0), (8, 1)]
        """
        number = self.skip_batch()
        return self._mask(pack(self.batches[number]), f"epoch {self.epoch} batch {number}")

    def skip_batch(self) -> int:
        """Pass over the next batch as `next_batch` would, but make none; return its number in the epoch.

        With several processes each takes its share of the same stream and skips what the others take.

        >>> data, twin = _tiny(), _tiny()
        >>> data.skip_batch(), twin.next_batch().ids.shape
        (0, torch.Size([8]))
        >>> data.next_batch().ids.equal(twin.next_batch().ids)
        True
        """
        if self.batch == len(self.batches):
            self._go_to(self.epoch + 1, 0)
        self.batch += 1
        return self.batch - 1

    def validation_batches(self) -> Iterator[PackedBatch]:
        """Yield the batches of the documents set aside: always the same ones, with the same masks.

        >>> [len(batch.ids) for batch in _tiny().validation_batches()]
        [4]
        """
        if not self.validation_documents:
            return
        examples = self._build(self.validation_documents, random.Random(f"{self.seed} validation"))
        for number, batch in enumerate(self._pack(examples)):
            yield self._mask(pack(batch), f"validation batch {number}")

    def state_dict(self) -> dict:
        """Return where the stream stands: the epoch, and how many of its batches were taken.

        >>> _tiny().state_dict()
        {'epoch': 0, 'batch': 0}
        """
        return {"epoch": self.epoch, "batch": self.batch}

    def load_state_dict(self, state: dict) -> None:
        """Continue exactly where `state_dict` was taken, on the same documents and settings.

        Raises:
            ValueError: if the state is of an older version, or lies beyond the epoch, so the documents must be others.

        >>> data, twin = _tiny(), _tiny()
        >>> _ = data.next_batch()
        >>> twin.load_state_dict(data.state_dict())
        >>> twin.next_batch().ids.equal(data.next_batch().ids)
        True
        """
        if set(state) != {"epoch", "batch"}:
            raise ValueError(
                f"the state holds {', '.join(sorted(state))}, expected batch, epoch: it was saved by a version that "
                "ordered the data in another way, so this run cannot go on; start anew in another folder"
            )
        self._go_to(state["epoch"], state["batch"])
        if state["batch"] > len(self.batches):
            raise ValueError(
                f"batch {state['batch']} lies beyond the {len(self.batches)} batches of the epoch; resume with the "
                "documents and settings that the state was saved with"
            )

    def describe(self) -> dict:
        """Return all that decides the stream, as plain numbers and a fingerprint of the token ids.

        >>> _tiny().describe()["max_len"]
        5
        """
        digest = hashlib.sha256()
        for document in self.validation_documents + self.documents:
            digest.update(repr(document).encode("utf-8"))
        names = ("pairs", "max_len", "batch_tokens", "mask_rate", "mask_split", "short_seq_prob", "validation_share")
        settings = {name: getattr(self, name) for name in (*names, "split_long", "seed")}
        settings["vocab_size"] = self.tokenizer.vocab_size
        # Another way to order the batches gives another stream: then this text must change.
        settings["order"] = f"best fit from {LOOK_AHEAD} batches, shortest first, masks by batch"
        return {**settings, "whole_words": self.starts_word is not None, "tokens_sha256": digest.hexdigest()}

    def count(self) -> dict[str, int]:
        """Return what became of the text, in numbers; those from `examples` on are of the epoch at hand.

        `documents`, `sentences` and `tokens` are what is trained on, `validation_documents` what is set aside;
        `empty_documents` have no token and are left out. `pieces` are the sentences after the long ones were split,
        `unknown` of the tokens the tokenizer's unknown token. `kept` of the tokens stand in the `examples`, the rest is
        cut off where a pair is too long; what a random B repeats is not counted. `true_pairs` are true neighbours.

        >>> counts = _tiny().count()
        >>> counts["documents"], counts["validation_documents"], counts["tokens"], counts["kept"]
        (3, 1, 13, 13)
        """
        sentences = [s for document in self.documents for s in (document if self.pairs else [document])]
        unknown = getattr(self.tokenizer, "unk_id", None)
        kept = 0
        for example in self.examples:
            second = sum(example.segment_ids)  # tokens of B, its [SEP] included
            kept += len(example.ids) - second - 2
            kept += second - 1 if example.next_label == IS_NEXT else 0
        return self._given | {
            "pieces": len(sentences),
            "tokens": sum(map(len, sentences)),
            "unknown": sum(list(sentence).count(unknown) for sentence in sentences),
            "examples": len(self.examples),
            "kept": kept,
            "true_pairs": sum(example.next_label == IS_NEXT for example in self.examples),
        }

    def _read(self, documents, validation, split_long: bool | None) -> None:
        """Tokenise the documents, and set some aside."""
        documents = clean_documents(documents)
        random.Random(f"{self.seed} split").shuffle(documents)
        given = clean_documents(validation or ())
        documents = given + documents
        tokenised = [self._tokenise(document) for document in documents]
        apart = sum(1 for tokens in tokenised[: len(given)] if tokens)
        sizes = [len(document) for document, tokens in zip(documents, tokenised, strict=True) if tokens]
        tokenised = [tokens for tokens in tokenised if tokens]
        self.split_long = self.pairs and (
            _is_mostly_long(tokenised, self.max_len) if split_long is None else split_long
        )
        if self.split_long:
            tokenised = [[part for s in document for part in split_sentence(s, self.max_len)] for document in tokenised]
        share = self.validation_share if validation is None else 0.0
        held_out = apart + held_out_documents(len(tokenised) - apart, share, fewest=2 if self.pairs else 1)
        self.validation_documents, self.documents = tokenised[:held_out], tokenised[held_out:]
        self._given = {
            "documents": len(self.documents),
            "sentences": sum(sizes[held_out:]),
            "validation_documents": held_out,
            "empty_documents": len(documents) - len(tokenised),
        }

    def _go_to(self, epoch: int, batch: int) -> None:
        rng = random.Random(f"{self.seed} epoch {epoch}")  # a string seed: the same on every platform
        self.examples = self._build(self.documents, rng)
        rng.shuffle(self.examples)
        self.batches = self._pack(self.examples)
        self.epoch, self.batch = epoch, batch

    def _tokenise(self, document: Sequence[str]):
        if self.pairs:
            return [ids for sentence in document if (ids := self.tokenizer.ids(sentence))]
        # A byte-level tokenizer makes the space part of the next word, so sentences are joined before, not after.
        return self.tokenizer.ids(" ".join(document))

    def _build(self, documents, rng: random.Random) -> list[Example]:
        cls_id, sep_id = self.tokenizer.cls_id, self.tokenizer.sep_id
        if self.pairs:
            return build_pairs(documents, self.max_len, cls_id, sep_id, rng=rng, short_seq_prob=self.short_seq_prob)
        return build_segments(documents, self.max_len, cls_id, sep_id)

    def _pack(self, examples: list[Example]) -> list[list[Example]]:
        rows = pack_rows([len(example.ids) for example in examples], self.batch_tokens)
        # Texts of one length side by side: attention takes each run of them in one call.
        return [sorted((examples[index] for index in row), key=lambda example: len(example.ids)) for (row,) in rows]

    def _mask(self, batch: PackedBatch, where: str) -> PackedBatch:
        seed = random.Random(f"{self.seed} masks {where}").getrandbits(63)
        return mask_batch(batch, self.tokenizer, self.mask_rate, self.mask_split, self.starts_word, seed=seed)


def _is_mostly_long(documents: Sequence[Sequence[Sequence[int]]], max_len: int) -> bool:
    """Whether most of the tokens stand in sentences that no pair of `max_len` tokens can hold."""
    lengths = [len(sentence) for document in documents for sentence in document]
    return 2 * sum(length for length in lengths if length > max_len - 3) > sum(lengths)


def _tiny() -> PretrainingData:
    """Return the data of the examples above: four short documents, letters for tokens."""

    class Letters:
        cls_id, sep_id, mask_id, special_ids, vocab_size = 1, 2, 4, (0, 1, 2, 3, 4), 128

        def ids(self, text):
            return list(text.encode("ascii"))

        def byte_lengths(self):
            return [0] * 5 + [1] * 123

    documents = [["abc", "de"], ["fgh"], ["ij", "k"], ["lm"]]
    return PretrainingData(documents, Letters(), pairs=False, max_len=5, batch_tokens=10, validation_share=0.2)
