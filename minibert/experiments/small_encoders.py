"""Any small encoder, trained on rows of a text and scored in bits per byte, for the experiments of Parts V and VI.

The texts of Part V (those of Part VI are in many_languages.py), each with a part that is held out:

- `stories`: generated, 47 words (see corpora/synthetic/stories.py). An encoder leaves the word frequencies in seconds.
- `speeches`: the State of the Union, whole presidents held out; `code`: the interpreter's own library, a tenth of its
  files held out (its text depends on the version of Python).

`train` goes from start to end. An experiment that compares what can follow one step, a bad batch or a good one, a decay
from here or from there, makes a `Run` and branches it.
"""

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from minibert import corpora
from minibert.config import EncoderConfig
from minibert.corpora.synthetic import stories
from minibert.experiments.small_bert import BERT_SPLIT, ONLY_MASK, order_of, split_speeches
from minibert.model.models import MaskedLanguageModel
from minibert.tasks.rows import pack_rows, rows_of
from minibert.tokenization.base import TokenizerInterface
from minibert.tokenization.wordpiece import WordPieceTokenizer
from minibert.training.data import PackedBatch, mask_batch
from minibert.training.evaluation import evaluate, token_byte_lengths
from minibert.training.loop import update
from minibert.training.recipe import Recipe


@dataclass(frozen=True)
class Text:
    """A tokenizer, which has seen the training part only, and the tokens of both parts, document after document.

    Shape: train and held_out are tuples with one (T,) int64 a document.
    """

    tokenizer: TokenizerInterface
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


def with_ids_of(config: EncoderConfig, text: Text) -> EncoderConfig:
    """The config with the size of the vocabulary and the special ids of the text's tokenizer."""
    tokenizer = text.tokenizer
    special = {name: getattr(tokenizer, name) for name in ("pad_id", "cls_id", "sep_id", "mask_id")}
    return config.replace(vocab_size=tokenizer.vocab_size, **special)


class Run:
    """A model in training; `go` takes it further, `branch` copies it with all that decides its future.

    The seed decides weights, rows and masks, never the config. Step s sees the same batch in every branch and at every
    learning rate. `recipe` says the optimiser, its settings and the clipping; its steps and its schedule are not used.
    `model` is trained further where it is given. `rate`, the share of hidden tokens, may be changed between two `go`.
    """

    def __init__(
        self,
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
    ):
        self.text, self.recipe, self.rate, self.split = text, recipe, rate, split
        self.rows_a_step, self.seed, self.step = rows_a_step, seed, 0
        self.rows = rows_of(text.train, length)
        self.order = order_of(len(self.rows), len(self.rows), seed)
        self.model = model or MaskedLanguageModel(with_ids_of(config, text), torch.Generator().manual_seed(seed))
        self.optimizer = recipe.make_optimizer(self.model)

    def batch(self) -> PackedBatch:
        """The masked batch of the next step."""
        places = [(self.step * self.rows_a_step + i) % len(self.order) for i in range(self.rows_a_step)]
        batch = pack_rows(self.rows[self.order[places]])
        where = 1_000_000 * (self.seed + 1) + self.step
        return mask_batch(batch, self.text.tokenizer, self.rate, self.split, seed=where)

    def go(self, steps: int, lr: Callable[[int], float], on_step: Callable[[int], None] | None = None) -> "Run":
        """Train for so many steps; `lr(step)` is the learning rate of the step, from 0 at the start of the run."""
        self.model.train()
        for _ in range(steps):
            update(self.model, self.optimizer, [self.batch()], lr(self.step), self.recipe.clip, self.recipe.bf16)
            self.step += 1
            if on_step:
                on_step(self.step)
        return self

    def branch(self) -> "Run":
        """A copy that shares the text and nothing that training changes."""
        text, self.text = self.text, None
        try:
            twin = copy.deepcopy(self)
        finally:
            self.text = text
        twin.text = text
        return twin


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
    on_step: Callable[[int], None] | None = None,
) -> MaskedLanguageModel:
    """A `Run` from start to end: all steps of the recipe, at its learning rates. `on_step(step)` counts from 1."""
    run = Run(config, text, recipe, length, rows_a_step, seed, rate=rate, split=split, model=model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout, where the config has any
        run.go(recipe.steps, recipe.lr, on_step)
    return run.model.eval()


def held_out_batches(text: Text, length: int, rows: int, rate: float = 0.15) -> list[PackedBatch]:
    """Held-out rows with [MASK] at `rate` of the places, 64 rows a batch: the same for every arm and seed."""
    ids = rows_of(text.held_out, length)
    ids = ids[torch.randperm(len(ids), generator=torch.Generator().manual_seed(0))[:rows]]
    return [
        mask_batch(pack_rows(part), text.tokenizer, rate, ONLY_MASK, seed=number)
        for number, part in enumerate(ids.split(64))
    ]


def score(model: MaskedLanguageModel, text: Text, length: int, rows: int, rate: float = 0.15) -> dict[str, float]:
    """Bits per byte, loss in nats and accuracy at `rate` of the places of held-out rows of `length` tokens."""
    result = evaluate(model, held_out_batches(text, length, rows, rate), token_byte_lengths(text.tokenizer))
    return {"bits per byte": result["bits_per_byte"], "loss": result["loss"], "accuracy": result["accuracy"]}


def small_modernbert(layers: int, hidden: int, heads: int, intermediate: int) -> EncoderConfig:
    """ModernBERT for rows of 64 tokens: every layer is global, since a window would hold half of the row anyway.

    >>> small_modernbert(2, 64, 4, 96).layer_types
    ('global',)
    """
    sizes = dict(layers=layers, hidden=hidden, heads=heads, intermediate=intermediate)
    return EncoderConfig.preset("modernbert-nano").replace(
        layer_types=("global",), local_window=None, rope_theta_local=None, rope_theta=10_000.0, **sizes
    )


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread meanwhile: with more of them the last digits depend on their number.

    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


STABLE_ADAMW = Recipe(steps=1, optimizer="stable_adamw", betas=(0.9, 0.98), clip=None, weight_decay=1e-5)  # for `Run`


def plateau(rate: float, warmup: int) -> Callable[[int], float]:
    """The learning rate of a step, from 0: a linear warm-up, then `rate` without an end.

    >>> [plateau(1.0, 4)(step) for step in (0, 1, 3, 100)]
    [0.25, 0.5, 1.0, 1.0]
    """
    return lambda step: rate * min(1.0, (step + 1) / warmup)
