"""Small EuroBERTs on mixtures of fifteen languages, speeches and code, for the experiments of Part VI.

One tokenizer serves all mixtures, so that their tokens can be compared: a byte-level BPE with Llama 3's pattern,
trained on the training part of `EVEN`. Held-out text is scored group by group, the same rows for every arm and seed.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from statistics import mean

import torch
from torch import Tensor

from minibert.config import EncoderConfig
from minibert.corpora.catalogue import LANGUAGES
from minibert.corpora.mixture import PERCENT, SEPARATOR, mixture, passages
from minibert.experiments.small_bert import ONLY_MASK
from minibert.experiments.small_encoders import Run, Text, score
from minibert.model.models import MaskedLanguageModel
from minibert.tokenization.bpe import ByteLevelBPETokenizer
from minibert.tokenization.vocabulary import SPECIAL_TOKENS
from minibert.training.recipe import Recipe, family_recipe

FOREIGN = tuple(LANGUAGES)  # the fourteen besides English
ALL = ("en", *FOREIGN, "speeches", "code")
EVEN = {"en": 0.08, **dict.fromkeys(FOREIGN, 0.05), "speeches": 0.12, "code": 0.1}  # where shares are not the question
SETTINGS = dict(  # what the experiments have in common
    size_bytes=1_500_000,
    vocab_size=500,
    layers=1,  # two learn no faster within these steps
    width=64,
    heads=4,
    feed_forward=128,
    init_std=0.05,
    rope_theta=20.0,  # for rows of 32 tokens; EuroBERT has 10,000 for 2,048
    row=32,
    rows_a_step=16,
    steps=600,
    mask_rate=0.5,  # as EuroBERT's first phase; a short run learns less from 30 %
    learning_rate=4e-3,  # of 2e-3, 4e-3 and 8e-3 the best with seed 3 for each arm that was tried, see LOG.md
    held_out_rows=128,
)
TINY = dict(size_bytes=40_000, width=16, heads=4, feed_forward=16, layers=1, steps=4, rows_a_step=4, held_out_rows=4)


def tokenizer(vocab_size: int, size_bytes: int = 500_000, percent: int = PERCENT) -> ByteLevelBPETokenizer:
    """The tokenizer of all mixtures; the separator of parallel lines is one of its special tokens."""
    return _tokenizer(vocab_size, size_bytes, percent)


@cache
def _tokenizer(vocab_size: int, size_bytes: int, percent: int) -> ByteLevelBPETokenizer:
    texts = (passage.text for passage in mixture(EVEN, size_bytes, seed=0, percent=percent))
    return ByteLevelBPETokenizer.train(texts, vocab_size, pattern="llama3", special=(*SPECIAL_TOKENS, SEPARATOR))


def as_ids(texts: Iterable[str], vocab_size: int, percent: int = PERCENT) -> tuple[Tensor, ...]:
    """Each text's tokens and, as in EuroBERT's training, a last one that ends it. Shape: one (T,) int64 a text."""
    tok = tokenizer(vocab_size, percent=percent)
    return tuple(torch.tensor([*tok.ids(text), tok.sep_id]) for text in texts)


def read(shares: Mapping[str, float], settings: Mapping) -> Text:
    """The mixture of these shares to train on, `size_bytes` in all; nothing is held out in it, see `held_out`.

    Settings with a `percent` keep so much of the messages, speeches and files out of it and of its tokenizer.
    """
    percent = settings.get("percent", PERCENT)
    return _read(tuple(shares.items()), settings["size_bytes"], settings["vocab_size"], percent)


@cache
def _read(shares: tuple[tuple[str, float], ...], size_bytes: int, vocab_size: int, percent: int) -> Text:
    texts = (passage.text for passage in mixture(dict(shares), size_bytes, seed=0, percent=percent))
    return Text(tokenizer(vocab_size, percent=percent), as_ids(texts, vocab_size, percent), ())


@cache
def held_out(group: str, vocab_size: int) -> Text:
    """Held-out passages of one group, at most 40, with nothing to train on."""
    return Text(tokenizer(vocab_size), (), as_ids((p.text for p in passages(group, "held-out")[:40]), vocab_size))


def bits_per_byte(model: MaskedLanguageModel, groups: Iterable[str], settings: Mapping, rate: float = 0.15) -> dict:
    """Bits per byte of held-out text with `rate` of the tokens hidden, by group.

    Bits per byte divide by the bytes of the hidden tokens: what is hidden differs between languages, so compare arms
    within a group.
    """
    row, rows = settings["row"], settings["held_out_rows"]
    return {
        group: score(model, held_out(group, settings["vocab_size"]), row, rows, rate)["bits per byte"]
        for group in groups
    }


def mean_of(found: Mapping[str, float], groups: Iterable[str] = FOREIGN) -> float:
    """The mean over groups, each counted once.

    >>> mean_of({"de": 1.0, "fr": 2.0, "code": 9.0}, ("de", "fr"))
    1.5
    """
    return mean(found[group] for group in groups)


def small_eurobert(settings: Mapping, kv_heads: int | None = None) -> EncoderConfig:
    """The model of the settings, with as many key/value heads as query heads unless `kv_heads` says otherwise.

    >>> small_eurobert(SETTINGS, kv_heads=1).groups
    1
    """
    return EncoderConfig.preset("eurobert-nano").replace(
        vocab_size=settings["vocab_size"],
        layers=settings["layers"],
        hidden=settings["width"],
        heads=settings["heads"],
        kv_heads=kv_heads or settings["heads"],
        intermediate=settings["feed_forward"],
        init_std=settings["init_std"],
        rope_theta=settings["rope_theta"],
    )


def recipe_of(settings: Mapping) -> Recipe:
    """EuroBERT's AdamW: a tenth of the steps to warm up, a plateau, and a fall over the last quarter."""
    return family_recipe("eurobert", settings["steps"], learning_rate=settings["learning_rate"])


def new_run(text: Text, settings: Mapping, seed: int, config: EncoderConfig | None = None) -> Run:
    """A model at its start, which will see rows of the text with `mask_rate` of the tokens replaced by [MASK]."""
    return Run(
        config or small_eurobert(settings),
        text,
        recipe_of(settings),
        settings["row"],
        settings["rows_a_step"],
        seed,
        rate=settings["mask_rate"],
        split=ONLY_MASK,
    )
