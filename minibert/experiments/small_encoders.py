"""Any small encoder, trained on rows of one of three texts and scored in bits per byte, for the experiments of Part V.

The texts, each with a part that is held out:

- `stories`: generated, 47 words (see corpora/synthetic/stories.py). An encoder leaves the word frequencies in seconds.
- `speeches`: the State of the Union, whole presidents held out; `code`: the interpreter's own library, a tenth of its
  files held out (its text depends on the version of Python).

An experiment changes the `EncoderConfig`, or gives `train` its own optimiser, learning rates or batches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from minibert import corpora
from minibert.config import EncoderConfig
from minibert.corpora.synthetic import stories
from minibert.experiments.small_bert import order_of, pack_rows, split_speeches
from minibert.model.models import MaskedLanguageModel
from minibert.tokenization.wordpiece import WordPieceTokenizer
from minibert.training.data import PackedBatch, mask_batch
from minibert.training.evaluation import evaluate, token_byte_lengths
from minibert.training.loop import update
from minibert.training.recipe import Recipe

BERT_SPLIT = (0.8, 0.1, 0.1)
ONLY_MASK = (1.0, 0.0, 0.0)


@dataclass(frozen=True)
class Text:
    """A tokenizer, which has seen the training part only, and the tokens of both parts, document after document.

    Shape: train and held_out are tuples with one (T,) int64 a document.
    """

    tokenizer: WordPieceTokenizer
    train: tuple[Tensor, ...]
    held_out: tuple[Tensor, ...]


@cache
def read(name: str, vocab_size: int, documents: int, events: int = 4) -> Text:
    """Tokenise one of the texts; `documents` is how many to take in all, `events` how long a story is.

    Raises:
        ValueError: for another name.

    >>> text = read("stories", 160, 20)
    >>> text.tokenizer.vocab_size, len(text.train), len(text.held_out)
    (160, 18, 2)
    """
    if name == "stories":
        told = stories(documents, seed=0, events=events)
        train, held_out = told[documents // 10 :], told[: documents // 10]
    elif name == "speeches":
        train, held_out = ([speech.text for speech in part] for part in split_speeches(documents))
    elif name == "code":
        files = corpora.load("code")[:documents]
        train = [file.text for file in files if not corpora.is_held_out(file.name, 10)]
        held_out = [file.text for file in files if corpora.is_held_out(file.name, 10)]
    else:
        raise ValueError(f"text is {name!r}; choose 'stories', 'speeches' or 'code'")
    tokenizer = WordPieceTokenizer.train(train, vocab_size)
    cut = [tuple(torch.tensor(tokenizer.ids(text)) for text in part) for part in (train, held_out)]
    return Text(tokenizer, *cut)


def rows_of(documents: Sequence[Tensor], length: int) -> Tensor:
    """Cut each document into rows; what is left at its end is dropped. Shape: returns (R, T) int64.

    >>> rows_of([torch.arange(5), torch.arange(3)], 2).tolist()
    [[0, 1], [2, 3], [0, 1]]
    """
    return torch.cat([ids[: len(ids) // length * length].view(-1, length) for ids in documents])


def with_ids_of(config: EncoderConfig, text: Text) -> EncoderConfig:
    """The config with the size of the vocabulary and the special ids of the text's tokenizer."""
    tokenizer = text.tokenizer
    special = {name: getattr(tokenizer, name) for name in ("pad_id", "cls_id", "sep_id", "mask_id")}
    return config.replace(vocab_size=tokenizer.vocab_size, **special)


def train(
    config: EncoderConfig,
    text: Text,
    recipe: Recipe,
    length: int,
    rows_a_step: int,
    seed: int,
    *,
    rate: float = 0.3,
    split: tuple[float, float, float] = BERT_SPLIT,
    model: MaskedLanguageModel | None = None,
    on_step: Callable[[int, MaskedLanguageModel, dict], None] | None = None,
) -> MaskedLanguageModel:
    """Train on rows of `length` tokens for `recipe.steps`. The seed decides weights, order and masks, never the config.

    `model` is trained further where it is given. `on_step(step, model, losses)` is called after each step, from 1.
    """
    rows = rows_of(text.train, length)
    if model is None:
        model = MaskedLanguageModel(with_ids_of(config, text), torch.Generator().manual_seed(seed))
    optimizer = recipe.make_optimizer(model)
    order = order_of(len(rows), recipe.steps * rows_a_step, seed)
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout, where the config has any
        for step in range(recipe.steps):
            batch = pack_rows(rows[order[step * rows_a_step : (step + 1) * rows_a_step]])
            batch = mask_batch(batch, text.tokenizer, rate, split, seed=1_000_000 * (seed + 1) + step)
            losses = update(model, optimizer, [batch], recipe.lr(step), recipe.clip, recipe.bf16)
            if on_step:
                on_step(step + 1, model, losses)
    return model.eval()


def held_out_batches(text: Text, length: int, rows: int, rate: float = 0.15) -> list[PackedBatch]:
    """Held-out rows with [MASK] at `rate` of the places, 64 rows a batch: the same for every arm and seed."""
    ids = rows_of(text.held_out, length)
    ids = ids[torch.randperm(len(ids), generator=torch.Generator().manual_seed(0))[:rows]]
    return [
        mask_batch(pack_rows(part), text.tokenizer, rate, ONLY_MASK, seed=number)
        for number, part in enumerate(ids.split(64))
    ]


def score(model: MaskedLanguageModel, text: Text, length: int, rows: int) -> dict[str, float]:
    """Bits per byte, loss in nats and accuracy at 15 % of the places of held-out rows of `length` tokens."""
    result = evaluate(model, held_out_batches(text, length, rows), token_byte_lengths(text.tokenizer))
    return {"bits per byte": result["bits_per_byte"], "loss": result["loss"], "accuracy": result["accuracy"]}
