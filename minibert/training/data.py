"""From documents to packed, masked batches, in an order that can be resumed at any batch."""

import random
from collections.abc import Iterator, Sequence
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
)
from minibert.objectives.masking import check_rates
from minibert.objectives.sentence_pairs import IS_NEXT
from minibert.training.documents import TokenisedDocuments
from minibert.training.recipe import check_seed, check_share, check_switch, check_whole
from minibert.training.shards import Shards
from minibert.varlen import cu_seqlens_of


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

    The documents are lists of sentences, which are tokenised here and stay in memory, all of them one pool; or `Shards`
    on the disk, from which one pool of random documents after the other is read.

    Whole documents are set aside for validation, so that no text is in both parts. Every epoch is shuffled anew, with
    pairs it is also cut anew, then each pool is packed into batches by best fit (`pack_rows`), and every batch is
    masked when it is taken. Each example is in exactly one batch of an epoch; the last batch of a pool may be a small
    one. All of it depends on the seed, the numbers of the epoch and the pool and, for the masks, the number of the
    batch in it. So three numbers tell where the stream stands, and a batch can be passed over without being made.

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
    ([0, 3, 8], torch.Size([8]), {'epoch': 0, 'pool': 0, 'batch': 1})
    """

    def __init__(
        self,
        documents: Sequence[Sequence[str]] | Shards,
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

        held_out = dict(seed=seed, validation_share=validation_share)
        if isinstance(documents, Shards):
            split_at = max_len if pairs and split_long is not False else None
            self.source = documents.documents(pairs=pairs, split_at=split_at, **held_out)
        else:
            self.source = TokenisedDocuments(
                documents, tokenizer, pairs=pairs, max_len=max_len, validation=validation, split_long=split_long,
                **held_out,
            )  # fmt: skip
        self.validation_documents, self.split_long = self.source.validation_documents, self.source.split_long
        self.restart()

    def restart(self) -> None:
        """Go back to the first batch, as if the data were new.

        >>> data = _tiny()
        >>> first = data.next_batch().ids
        >>> data.restart()
        >>> data.next_batch().ids.equal(first)
        True
        """
        self._go_to(epoch=0)

    def next_batch(self) -> PackedBatch:
        """Return the next training batch; after the last one of a pool the next pool begins, or the next epoch.

        >>> data = _tiny()
        >>> [(len(data.next_batch().ids), data.epoch) for _ in range(4)]
        [(8, 0), (10, 0), (5, 0), (8, 1)]
        """
        number = self.skip_batch()
        return self._mask(pack(self.batches[number]), f"{self._place()} batch {number}")

    def skip_batch(self) -> int:
        """Pass over the next batch as `next_batch` would, but make none; return its number in the pool.

        With several processes each takes its share of the same stream and skips what the others take.

        >>> data, twin = _tiny(), _tiny()
        >>> data.skip_batch(), twin.next_batch().ids.shape
        (0, torch.Size([8]))
        >>> data.next_batch().ids.equal(twin.next_batch().ids)
        True
        """
        while self.batch == len(self.batches):
            is_last = self.pool + 1 == self.source.pools
            self._go_to(self.epoch + is_last, 0 if is_last else self.pool + 1)
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
        """Return where the stream stands: the epoch, the pool in it, and how many of its batches were taken.

        >>> _tiny().state_dict()
        {'epoch': 0, 'pool': 0, 'batch': 0}
        """
        return {"epoch": self.epoch, "pool": self.pool, "batch": self.batch}

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
        state = {"pool": 0} | state  # a run in memory has one pool, and older ones did not mention it
        if set(state) != {"epoch", "pool", "batch"}:
            raise ValueError(
                f"the state holds {', '.join(sorted(state))}, expected batch, epoch, pool: it was saved by a version "
                "that ordered the data in another way, so this run cannot go on; start anew in another folder"
            )
        if state["pool"] < self.source.pools:
            self._go_to(**state)
        if state["pool"] >= self.source.pools or state["batch"] > len(self.batches):
            raise ValueError(
                f"batch {state['batch']} of pool {state['pool']} lies beyond the {len(self.batches)} batches of a pool "
                f"or the {self.source.pools} pools; resume with the documents and settings that the state was saved "
                "with"
            )

    def describe(self) -> dict:
        """Return all that decides the stream, as plain numbers and a fingerprint of the token ids.

        >>> _tiny().describe()["max_len"]
        5
        """
        names = ("pairs", "max_len", "batch_tokens", "mask_rate", "mask_split", "short_seq_prob", "validation_share")
        settings = {name: getattr(self, name) for name in (*names, "split_long", "seed")}
        settings["vocab_size"] = self.tokenizer.vocab_size
        # Another way to order the batches gives another stream: then this text must change.
        settings["order"] = f"best fit from {LOOK_AHEAD} batches, shortest first, masks by batch{self.source.order}"
        return {**settings, "whole_words": self.starts_word is not None, "tokens_sha256": self.source.fingerprint()}

    def count(self) -> dict[str, int]:
        """Return what became of the text, in numbers; those from `pools` on are of the pool and the epoch at hand.

        `documents`, `sentences` and `tokens` are what is trained on, `validation_documents` what is set aside;
        `empty_documents` have no token and are left out. `longest` is the longest sentence before long ones are split,
        `unknown` of the tokens the tokenizer's unknown token. Of `pools`, the one at hand has `pool_tokens`; `kept` of
        them stand in the `examples`, the rest is cut off where a pair is too long; what a random B repeats is not
        counted. `true_pairs` are true neighbours.

        >>> counts = _tiny().count()
        >>> counts["documents"], counts["validation_documents"], counts["tokens"], counts["kept"]
        (3, 1, 13, 13)
        """
        sentences = [s for document in self.documents for s in (document if self.pairs else [document])]
        kept = 0
        for example in self.examples:
            second = sum(example.segment_ids)  # tokens of B, its [SEP] included
            kept += len(example.ids) - second - 2
            kept += second - 1 if example.next_label == IS_NEXT else 0
        return self.source.counts | {
            "pools": self.source.pools,
            "pool_tokens": sum(map(len, sentences)),
            "examples": len(self.examples),
            "kept": kept,
            "true_pairs": sum(example.next_label == IS_NEXT for example in self.examples),
        }

    def _go_to(self, epoch: int, pool: int = 0, batch: int = 0) -> None:
        self.epoch, self.pool, self.batch = epoch, pool, batch
        rng = random.Random(f"{self.seed} {self._place()}")  # a string seed: the same on every platform
        self.documents = self.source.pool(epoch, pool)
        self.examples = self._build(self.documents, rng)
        rng.shuffle(self.examples)
        self.batches = self._pack(self.examples)

    def _place(self) -> str:
        """The pool at hand, which the draws depend on."""
        return f"epoch {self.epoch}" + (f" pool {self.pool}" if self.pool else "")

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


def _tiny() -> PretrainingData:
    """Return the data of the examples above: four short documents, letters for tokens."""

    class Letters:
        cls_id, sep_id, mask_id, special_ids, vocab_size = 1, 2, 4, (0, 1, 2, 3, 4), 128

        def ids(self, text):
            return list(text.encode("ascii"))

        def to_json(self):
            return {}

        def byte_lengths(self):
            return [0] * 5 + [1] * 123

    documents = [["abc", "de"], ["fgh"], ["ij", "k"], ["lm"]]
    return PretrainingData(documents, Letters(), pairs=False, max_len=5, batch_tokens=10, validation_share=0.2)
