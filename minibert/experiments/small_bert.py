"""A BERT that learns from context within half a minute on one thread, and the speeches that it learns from.

Everything is BERT's (post-norm, GELU, tied vocabulary) except for two things. RoPE tells the place of a token: with a
learned table of places a model of this width stood at the word frequencies after 2,400 steps at 15 %. And there is one
layer: two leave the word frequencies later and cost nearly twice the time. Many steps of a small model learn more than
few steps of a larger one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from minibert import corpora
from minibert.config import EncoderConfig
from minibert.model.models import MaskedLanguageModel
from minibert.objectives import IGNORE, mask_tokens, mlm_loss
from minibert.tasks.rows import pack_rows
from minibert.tokenization.wordpiece import WordPieceTokenizer
from minibert.training.data import mask_batch
from minibert.training.fine_tuning import tuning_recipe
from minibert.training.loop import update
from minibert.training.recipe import Recipe

EVERY, FIRST = 6, 2  # of the presidents in order of time, every sixth is held out, from the third
BERT_SPLIT = (0.8, 0.1, 0.1)
ONLY_MASK = (1.0, 0.0, 0.0)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = "abcdefghijklmnopqrstuvwxyz ,."
SETTINGS = dict(
    speeches=249,
    vocab_size=1000,
    row=16,
    width=64,
    layers=1,
    heads=2,
    feed_forward=256,
    init_std=0.08,
    rows_a_step=64,
    steps=1000,
    warmup=50,
    learning_rate=4e-3,
    held_out_rows=4000,
)
TINY = dict(speeches=12, vocab_size=200, width=16, feed_forward=32, steps=4, warmup=1, rows_a_step=8, held_out_rows=40)


@dataclass(frozen=True)
class Rows:
    """Pieces of speeches, each `row` tokens long, none across two speeches.

    Shape: ids (R, T) int64; year (R,) int64, of the speech that each row is from.
    """

    ids: Tensor
    year: Tensor


@dataclass(frozen=True)
class Texts:
    """The tokenizer, which has seen the training speeches only, and the rows of both sides."""

    tokenizer: WordPieceTokenizer
    train: Rows
    held_out: Rows


def split_speeches(count: int) -> tuple[list[corpora.Speech], list[corpora.Speech]]:
    """Every so many-th speech, `count` in all, as those to train on and those held out.

    Whole presidents are held out, because they repeat themselves: in 1945 the message was written, and then a part of
    it spoken, and messages of following years share passages.

    >>> split_speeches(0)
    Traceback (most recent call last):
    ...
    ValueError: 0 speeches, expected 1 to 249
    """
    speeches = corpora.load("sotu")
    if not 1 <= count <= len(speeches):
        raise ValueError(f"{count} speeches, expected 1 to {len(speeches)}")
    held_out = list(dict.fromkeys(speech.president for speech in speeches))[FIRST::EVERY]
    chosen = [speeches[i * len(speeches) // count] for i in range(count)]
    train = [speech for speech in chosen if speech.president not in held_out]
    return train, [speech for speech in chosen if speech.president in held_out]


@cache
def read_texts(speeches: int, vocab_size: int, row: int, letters: bool = False) -> Texts:
    """Tokenise the speeches and cut each one into rows; what is left at its end is dropped.

    `letters`: each letter is a token, and so are space, comma and full stop; all else is left out.
    """
    train, held_out = split_speeches(speeches)
    if letters:
        tokenizer = WordPieceTokenizer({token: i for i, token in enumerate((*SPECIAL, *LETTERS))})
        place = {letter: i for i, letter in enumerate(LETTERS, start=len(SPECIAL))}

        def cut(text: str) -> list[int]:
            return [place[letter] for letter in text.lower() if letter in place]

    else:
        tokenizer = WordPieceTokenizer.train([speech.text for speech in train], vocab_size)
        cut = tokenizer.ids
    return Texts(tokenizer, _rows(cut, train, row), _rows(cut, held_out, row))


def _rows(cut_up: Callable[[str], list[int]], speeches: list[corpora.Speech], row: int) -> Rows:
    cut = [torch.tensor(cut_up(speech.text)) for speech in speeches]
    cut = [ids[: len(ids) // row * row].view(-1, row) for ids in cut]
    years = [torch.full((len(rows),), speech.year) for rows, speech in zip(cut, speeches, strict=True)]
    return Rows(torch.cat(cut), torch.cat(years))


def texts_of(settings: dict) -> Texts:
    """`read_texts` with what the settings say."""
    letters = settings.get("letters", False)
    return read_texts(settings["speeches"], settings["vocab_size"], settings["row"], letters)


def config_of(settings: dict) -> EncoderConfig:
    """The architecture: bert-nano, smaller, with RoPE in place of the table of places and the mean as its pool."""
    return EncoderConfig.preset("bert-nano").replace(
        vocab_size=settings["vocab_size"],
        hidden=settings["width"],
        layers=settings["layers"],
        heads=settings["heads"],
        intermediate=settings["feed_forward"],
        init_std=settings["init_std"],
        position="rope",
        rope_theta=10_000.0,
        pool="mean",
        nsp=False,
    )


def new_model(settings: dict, seed: int) -> MaskedLanguageModel:
    """The model before its first step; the seed decides its weights."""
    return MaskedLanguageModel(config_of(settings), torch.Generator().manual_seed(seed))


def order_of(rows: int, wanted: int, seed: int) -> Tensor:
    """Which rows are trained on, in order: a shuffle, begun again when it is used up. Shape: (wanted,)."""
    shuffled = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    return shuffled[torch.arange(wanted) % rows]


def recipe_of(settings: dict) -> Recipe:
    """AdamW, a short warm-up, a plateau, and a decay over the second half."""
    return Recipe(
        steps=settings["steps"],
        learning_rate=settings["learning_rate"],
        optimizer="adamw",
        schedule="trapezoid",
        warmup=settings["warmup"],
        decay=settings["steps"] // 2,
        betas=(0.9, 0.98),
    )


def pretrain(
    settings: dict,
    rate: float,
    split: tuple[float, float, float],
    seed: int,
    model: MaskedLanguageModel | None = None,
) -> MaskedLanguageModel:
    """Train a model, by default a new one, on masked rows. The seed decides weights, rows and masks, whatever the rate
    and the split: the places hidden at 15 % are among those hidden at 30 %, and every split hides the same ones.
    """
    texts, recipe, size = texts_of(settings), recipe_of(settings), settings["rows_a_step"]
    model = model or new_model(settings, seed)
    optimizer = recipe.make_optimizer(model)
    order = order_of(len(texts.train.ids), recipe.steps * size, seed)
    for step in range(recipe.steps):
        batch = pack_rows(texts.train.ids[order[step * size : (step + 1) * size]])
        batch = mask_batch(batch, texts.tokenizer, rate, split, seed=1_000_000 * (seed + 1) + step)
        update(model, optimizer, [batch], recipe.lr(step), recipe.clip, bf16=False)
    return model.eval()


def held_out_places(settings: dict) -> tuple[Tensor, Tensor, Tensor]:
    """Held-out rows intact and with [MASK] at 15 % of the places, and the labels: the same for every arm and seed.

    Shape: three of (R, T).
    """
    texts, generator = texts_of(settings), torch.Generator().manual_seed(0)
    rows = texts.held_out.ids
    intact = rows[torch.randperm(len(rows), generator=generator)[: settings["held_out_rows"]]]
    tokenizer = texts.tokenizer
    special, size, mask = tokenizer.special_ids, tokenizer.vocab_size, tokenizer.mask_id
    masked, labels = mask_tokens(intact, special, size, mask, 0.15, ONLY_MASK, generator=generator)
    return intact, masked, labels


@torch.no_grad()
def score(model: nn.Module, inputs: Tensor, labels: Tensor) -> dict[str, float]:
    """The share of labelled places whose token comes first, and the mean cross-entropy in nats."""
    batch, at = pack_rows(inputs), (labels.flatten() != IGNORE).nonzero().squeeze(1)
    logits = model.packed(batch.ids, batch.cu_seqlens, predict_at=at).logits  # (M, V)
    targets = labels.flatten()[at]
    return {"accuracy": (logits.argmax(-1) == targets).double().mean().item(), "loss": mlm_loss(logits, targets).item()}


@torch.no_grad()
def states(encoder: nn.Module, ids: Tensor) -> Tensor:
    """The last hidden states of rows: (R, T) -> (R, T, D)."""
    batch = pack_rows(ids)
    return encoder.packed(batch.ids, batch.cu_seqlens).hidden.view(*ids.shape, -1)


def fine_tune(model: nn.Module, ids: Tensor, labels: Tensor, steps: int, learning_rate: float, seed: int) -> None:
    """Train all weights on labelled rows, 32 at a time; -100 is no label.

    Shape: ids (R, T); labels (R,) for a SequenceClassifier, (R, T) for a TokenClassifier.
    """
    recipe = tuning_recipe(steps, learning_rate)
    optimizer, order = recipe.make_optimizer(model), order_of(len(ids), steps * 32, seed)
    model.train()
    for step in range(steps):
        chosen = order[step * 32 : (step + 1) * 32]
        batch = pack_rows(ids[chosen])
        logits = model.packed(batch.ids, batch.cu_seqlens).logits
        optimizer.zero_grad(set_to_none=True)
        mlm_loss(logits, labels[chosen].flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr(step)
        optimizer.step()
    model.eval()
