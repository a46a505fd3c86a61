"""What the open tasks of chapters 14 and 15 train and measure: small encoders on stories in a vocabulary of one's own.

The stories are those of `corpora.synthetic`, and a seed decides which ones and how the words are numbered, so that each
learner has other data. Everything runs on the CPU, and every number follows from the seeds.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from minibert.config import EncoderConfig
from minibert.corpora.synthetic.stories import stories
from minibert.model.models import MaskedLanguageModel
from minibert.objectives import IGNORE, mask_tokens
from minibert.tasks.rows import pack_rows, rows_of
from minibert.tokenization.wordpiece import WordPieceTokenizer
from minibert.training.data import PackedBatch, mask_batch
from minibert.training.evaluation import evaluate, token_byte_lengths
from minibert.training.loop import update
from minibert.training.recipe import Recipe

BERT_SPLIT, ONLY_MASK = (0.8, 0.1, 0.1), (1.0, 0.0, 0.0)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
START = EncoderConfig.preset("bert-nano").replace(hidden=48, layers=2, heads=2, intermediate=144, nsp=False)


@dataclass(frozen=True)
class Stories:
    """A tokenizer, and the ids of the stories of both parts. Shape: tuples of one (T,) int64 a story.

    >>> Stories(WordPieceTokenizer({"[UNK]": 0, "kite": 1}), (torch.tensor([1]),), ()).train
    (tensor([1]),)
    """

    tokenizer: WordPieceTokenizer
    train: tuple[Tensor, ...]
    held_out: tuple[Tensor, ...]


@lru_cache(maxsize=4)
def own_stories(seed: int, count: int = 1000, events: int = 3) -> Stories:
    """Stories drawn from a seed, an eighth of them held out; one id a word, in an order that the seed decides, too.

    >>> text = own_stories(7)
    >>> text.tokenizer.vocab_size, len(text.train), len(text.held_out)
    (52, 875, 125)
    """
    told = stories(count, seed=seed, events=events)
    words = sorted({word for story in told for word in story.split()})
    order = torch.randperm(len(words), generator=torch.Generator().manual_seed(seed)).tolist()
    tokenizer = WordPieceTokenizer({word: i for i, word in enumerate([*SPECIAL, *(words[i] for i in order)])})
    ids = [torch.tensor(tokenizer.ids(story)) for story in told]
    return Stories(tokenizer, tuple(ids[count // 8 :]), tuple(ids[: count // 8]))


def _batch(text: Stories, rows: Tensor, rate: float, split: tuple, seed: int) -> PackedBatch:
    return mask_batch(pack_rows(rows), text.tokenizer, rate, split, seed=seed)


def _train(config: EncoderConfig, text: Stories, recipe: Recipe, length: int, size: int, seed: int, rate: float):
    """A new model after `recipe.steps` updates on `size` rows each; rows are read in a new order once all were read."""
    generator = torch.Generator().manual_seed(seed)
    model = MaskedLanguageModel(config, generator).train()
    optimizer, rows = recipe.make_optimizer(model), rows_of(text.train, length)
    order = torch.cat(
        [torch.randperm(len(rows), generator=generator) for _ in range(recipe.steps * size // len(rows) + 1)]
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout, where the config has any
        for step, chosen in enumerate(order.split(size)[: recipe.steps]):
            batch = _batch(text, rows[chosen], rate, BERT_SPLIT, seed=step)
            update(model, optimizer, [batch], recipe.lr(step), recipe.clip, bf16=False)
    return model.eval()


def _score(model: MaskedLanguageModel, text: Stories, length: int, count: int) -> dict[str, float]:
    """What `evaluate` says of held-out rows, the same for every model."""
    batch = _batch(text, rows_of(text.held_out, length)[:count], 0.15, ONLY_MASK, seed=0)
    return evaluate(model, [batch], token_byte_lengths(text.tokenizer))


# ---- 14.4: the lowest bits per byte that a budget pays for


@dataclass(frozen=True)
class Budget:
    """What a run of 14.4 may cost: parameters, and tokens, which are read in rows of `row`.

    >>> Budget().steps(rows_a_step=16)
    100
    """

    parameters: int = 60_000
    tokens: int = 76_800
    row: int = 48
    layers: int = 6

    def steps(self, rows_a_step: int) -> int:
        """How many updates the tokens are enough for."""
        return self.tokens // (rows_a_step * self.row)


BUDGET = Budget()
RECIPE = dict(learning_rate=1e-3, rows_a_step=16, mask_rate=0.15, warmup=10)  # and any other field of `Recipe`


def within_budget(
    architecture: dict, recipe: dict, budget: Budget = BUDGET
) -> tuple[EncoderConfig, Recipe, int, float]:
    """The config, the recipe, the rows a step and the mask rate that the two dictionaries stand for.

    `architecture` changes fields of `START`, BERT's block; `recipe` changes `RECIPE` and fields of `Recipe`.

    Raises:
        ValueError: a field that there is not, a value that makes no sense, or more than the budget pays for.

    >>> config, recipe, rows, rate = within_budget({"layers": 3, "hidden": 32}, {"rows_a_step": 8})
    >>> config.layers, recipe.steps, rows, rate
    (3, 200, 8, 0.15)
    """
    fields = {"max_len": 128} | architecture
    for name in sorted({"vocab_size", "pad_id", "cls_id", "sep_id", "mask_id"} & set(fields)):
        raise ValueError(f"{name} is decided by the text: leave it out")
    for name, most in (("layers", budget.layers), ("hidden", 256), ("intermediate", 1024), ("max_len", 512)):
        if type(fields.get(name, 1)) is int and fields.get(name, 1) > most:
            raise ValueError(f"{name} is {fields[name]}, at most {most} is allowed")
    config = START.replace(**fields).replace(vocab_size=52)
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in MaskedLanguageModel(config).parameters())
    if count > budget.parameters:
        raise ValueError(f"the model has {count:,} parameters, the budget is {budget.parameters:,}")
    choices = RECIPE | dict(optimizer="adamw") | recipe
    rows, rate = choices.pop("rows_a_step"), choices.pop("mask_rate")
    if type(rows) is not int or not 4 <= rows <= 64:
        raise ValueError(f"rows_a_step is {rows!r}, expected a whole number from 4 to 64")
    if type(rate) is not float or not 0.0 < rate < 1.0:
        raise ValueError(f"mask_rate is {rate!r}, expected a number between 0 and 1")
    for name in sorted({"steps", "seed", "accumulate", "bf16"} & set(choices)):
        raise ValueError(f"{name} is decided by the budget: leave it out")
    unknown = sorted(set(choices) - set(Recipe.__dataclass_fields__))
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r} of the recipe")
    return config, Recipe(steps=budget.steps(rows), **choices), rows, rate


def spend_budget(architecture: dict, recipe: dict, seed: int, budget: Budget = BUDGET) -> float:
    """Bits per byte, at 15 % of the places of held-out stories, of a model that was trained for the whole budget.

    Raises:
        ValueError: more than the budget pays for, or settings that make no sense.
        TrainingDiverged: the loss is no number any more.

    >>> tiny = Budget(tokens=9600)
    >>> 1.0 < spend_budget({"layers": 1}, {}, seed=0, budget=tiny) < 4.0
    True
    """
    config, settings, rows, rate = within_budget(architecture, recipe, budget)
    text = own_stories(seed)
    model = _train(config, text, settings, budget.row, rows, seed, rate)
    return _score(model, text, budget.row, 250)["bits_per_byte"]


# ---- 15.4: four times the length


SHORT, LONG = 24, 96
THETA = 10_000.0


def encoder(weights: dict[str, Tensor] | None = None, theta: float = THETA) -> MaskedLanguageModel:
    """The encoder of 15.4, a small ModernBERT whose layers are all global: with these weights, or new ones.

    >>> sum(parameter.numel() for parameter in encoder().parameters())
    51220
    """
    sizes = dict(vocab_size=52, hidden=48, layers=2, heads=2, intermediate=96)
    every_layer_global = dict(layer_types=("global",), local_window=None, rope_theta=theta, rope_theta_local=None)
    config = EncoderConfig.preset("modernbert-nano").replace(**sizes, **every_layer_global)
    model = MaskedLanguageModel(config, torch.Generator().manual_seed(0))
    if weights is not None:
        model.load_state_dict(weights)
    return model


@lru_cache(maxsize=4)
def short_encoder(seed: int, steps: int = 250) -> dict[str, Tensor]:
    """The weights of an encoder that has read stories in rows of 24 tokens, and no longer ones.

    >>> short_encoder(0, steps=2)["encoder.embeddings.token.weight"].shape
    torch.Size([52, 48])
    """
    recipe = Recipe(steps=steps, learning_rate=1e-2, optimizer="adamw", warmup=steps // 12)
    text = own_stories(seed, 1000, 4)
    model = _train(encoder().config, text, recipe, SHORT, 16, seed, 0.3)
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}


def long_rows(seed: int, count: int = 240) -> Tensor:
    """Rows of 96 tokens to tune with. Shape: (count, 96) int64.

    >>> long_rows(0).shape
    torch.Size([240, 96])
    """
    return rows_of(own_stories(seed, 1000, 4).train, LONG)[:count]


def hide(rows: Tensor, rate: float, seed: int) -> tuple[Tensor, Tensor]:
    """Rows with [MASK] at some of the places, and the labels, -100 elsewhere. Shape: (B, T) -> two (B, T).

    >>> inputs, labels = hide(torch.full((2, 50), 9), 0.3, seed=0)
    >>> inputs.unique().tolist(), labels.unique().tolist(), bool(((inputs == 4) == (labels == 9)).all())
    ([4, 9], [-100, 9], True)
    """
    return mask_tokens(rows, range(5), 52, 4, rate, ONLY_MASK, generator=torch.Generator().manual_seed(seed))


def masked_loss(model: MaskedLanguageModel, inputs: Tensor, labels: Tensor) -> Tensor:
    """The mean loss in nats over the places that have a label, with its gradient. Shape: (B, T), (B, T) -> ().

    >>> masked_loss(encoder(), *hide(long_rows(0)[:2], 0.3, seed=0)).shape
    torch.Size([])
    """
    borders = torch.arange(0, inputs.numel() + 1, inputs.shape[1], dtype=torch.int32)
    at = (labels.flatten() != IGNORE).nonzero().squeeze(1)
    logits = model.packed(inputs.flatten(), borders, predict_at=at).logits  # (M, V)
    return functional.cross_entropy(logits, labels.flatten()[at])


@torch.no_grad()
def held_out_loss(weights: dict[str, Tensor], theta: float, seed: int, length: int) -> float:
    """The loss on held-out stories in rows of `length` tokens, 15 % of them hidden.

    >>> 3.0 < held_out_loss(encoder().state_dict(), THETA, seed=0, length=SHORT) < 6.0
    True
    """
    return _score(encoder(weights, theta).eval(), own_stories(seed, 1000, 4), length, 120 * LONG // length)["loss"]
