"""The rules of the speedrun in numbers, its text, and the judge, who counts the bits per byte of a saved folder."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from minibert import corpora
from minibert.experiments.small_bert import ONLY_MASK
from minibert.experiments.small_encoders import Text, read
from minibert.model.models import MaskedLanguageModel
from minibert.tasks.rows import pack_rows, rows_of
from minibert.training.data import PackedBatch, mask_batch
from minibert.training.evaluation import evaluate, token_byte_lengths


@dataclass(frozen=True)
class Rules:
    """What is the same for every entry; two entries with other rules do not compare.

    The text is `text` of `small_encoders.read` with so many `documents`: the State of the Union, the speeches of every
    sixth president held out, and a WordPiece tokenizer of `vocab_size` that has read the training part only. All tokens
    must have the checksum `text_sha256` (None, for tests: any will do). The judge hides `mask_rate` of the tokens of
    `rows` held-out rows of `row` tokens, always the same ones. An entry reaches the `bar`, in bits per byte, with each
    of `seeds`, and its file has at most `characters`, so that a person can read it and no weights fit into it.

    >>> Rules().seeds
    (0, 1, 2)
    """

    text: str = "speeches"
    documents: int = 249
    vocab_size: int = 2000
    row: int = 64
    rows: int = 768
    mask_rate: float = 0.15
    mask_seed: int = 0
    bar: float = 2.12
    seeds: tuple[int, ...] = (0, 1, 2)
    characters: int = 6000
    text_sha256: str | None = "4b3ec5cdc9b2d39c01d3d05f18253c43befb1de6921e88b2213998eee9fec5c7"


RULES = Rules()


def read_text(rules: Rules) -> Text:
    """The tokenizer and the tokens of both parts of the text.

    Raises:
        ValueError: the speeches are not in the cache, or not those of the rules.

    >>> text = read_text(Rules(text="stories", documents=20, vocab_size=160, text_sha256=None))
    >>> text.tokenizer.vocab_size, len(text.train), len(text.held_out)
    (160, 18, 2)
    """
    if rules.text_sha256 and not corpora.is_cached("sotu"):
        raise ValueError("the speedrun needs the speeches of the presidents: python -m minibert data fetch sotu")
    text = read(rules.text, rules.vocab_size, rules.documents)
    found = checksum([*text.train, *text.held_out])
    if rules.text_sha256 not in (None, found):
        raise ValueError(
            f"the tokens of the speeches have the checksum {found[:12]}, the rules say {rules.text_sha256[:12]}: "
            "the text or the tokenizer was changed, so no result would compare with the table"
        )
    return text


def checksum(documents: Sequence[Tensor]) -> str:
    """SHA-256 of token ids, document by document.

    >>> checksum([torch.tensor([1, 2])]) == checksum([torch.tensor([1]), torch.tensor([2])])
    False
    """
    digest = hashlib.sha256()
    for ids in documents:
        digest.update(repr(ids.tolist()).encode("ascii"))
    return digest.hexdigest()


def hidden_batches(text: Text, rules: Rules) -> list[PackedBatch]:
    """The held-out rows with the same tokens hidden for every entry, 32 rows a batch.

    >>> rules = Rules(text="stories", documents=300, vocab_size=160, rows=33, text_sha256=None)
    >>> [len(batch.ids) for batch in hidden_batches(read_text(rules), rules)]
    [2048, 64]
    """
    rows = rows_of(text.held_out, rules.row)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(rules.mask_seed))
    chosen = rows[order[: rules.rows]]
    return [
        mask_batch(
            pack_rows(part), text.tokenizer, rules.mask_rate, ONLY_MASK, seed=1_000_003 * rules.mask_seed + number
        )
        for number, part in enumerate(chosen.split(32))
    ]


def judge(folder: str | Path, text: Text, rules: Rules) -> dict:
    """What the model in `folder` is worth: `bits_per_byte` of the hidden tokens, and its number of `parameters`.

    Only config.json and model.safetensors count. The tokenizer is that of the rules, whatever else lies there.

    Raises:
        ValueError: no model of ours in the folder, pickled weights, or another vocabulary.

    >>> rules = Rules(text="stories", documents=20, vocab_size=160, text_sha256=None)
    >>> judge("nowhere", read_text(rules), rules)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: nowhere: no such folder...
    """
    model = MaskedLanguageModel.from_pretrained(folder)
    if model.config.vocab_size < text.tokenizer.vocab_size:
        raise ValueError(
            f"the model in {folder} knows {model.config.vocab_size} tokens, the tokenizer of the rules has "
            f"{text.tokenizer.vocab_size}: an entry uses that tokenizer and no other"
        )
    result = evaluate(model, hidden_batches(text, rules), token_byte_lengths(text.tokenizer))
    return {
        "bits_per_byte": round(result["bits_per_byte"], 4),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
