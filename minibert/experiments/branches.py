"""A training run that can be branched: the same model, optimiser and place in the data go on in two ways from there.

`small_encoders.train` runs from start to end. Some experiments of Part V stop at one step and compare what can follow:
a bad batch or a good one, a decay from here or from there.
"""

import contextlib
import copy
from collections.abc import Callable, Iterator

import torch

from minibert.config import EncoderConfig
from minibert.experiments.small_bert import order_of, pack_rows
from minibert.experiments.small_encoders import BERT_SPLIT, Text, rows_of, with_ids_of
from minibert.model.models import MaskedLanguageModel
from minibert.training.data import PackedBatch, mask_batch
from minibert.training.loop import update
from minibert.training.recipe import Recipe


def small_modernbert(layers: int, hidden: int, heads: int, intermediate: int) -> EncoderConfig:
    """ModernBERT for rows of 64 tokens: every layer is global, since a window would hold half of the row anyway.

    >>> small_modernbert(2, 64, 4, 96).global_every
    1
    """
    sizes = dict(layers=layers, hidden=hidden, heads=heads, intermediate=intermediate)
    return EncoderConfig.preset("modernbert-nano").replace(
        global_every=1, local_window=None, rope_theta_local=None, rope_theta=10_000.0, **sizes
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


class Run:
    """A model in training; `go` takes it further, `branch` copies it with all that decides its future.

    The seed decides weights, rows and masks. Step s sees the same batch in every branch and at every learning rate.
    `recipe` says the optimiser, its settings and the clipping; its steps and its schedule are not used.
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
        model: MaskedLanguageModel | None = None,
    ):
        self.text, self.recipe, self.rate = text, recipe, rate
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
        return mask_batch(batch, self.text.tokenizer, self.rate, BERT_SPLIT, seed=where)

    def go(self, steps: int, lr: Callable[[int], float], on_step: Callable[[int], None] | None = None) -> "Run":
        """Train for so many steps; `lr(step)` is the learning rate of the step, from 0 at the start of the run."""
        self.model.train()
        for _ in range(steps):
            update(self.model, self.optimizer, [self.batch()], lr(self.step), self.recipe.clip, bf16=False)
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
