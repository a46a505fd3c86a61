"""Trained on rows of 64 tokens, used on rows of 256: which way of telling places survives?

Every arm is the same encoder (ModernBERT's block, every layer global) and differs in how it knows places. All are
scored on the same hidden tokens of the same held-out stories: once in whole rows of 256 tokens, once with these rows
cut into rows of 128, and into rows of 64 as in training. So a longer row differs in one thing only, that more of the
story can be seen. Sinusoids and ALiBi exist in this file alone.
"""

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from minibert.config import EncoderConfig
from minibert.experiments.record import Experiment
from minibert.experiments.small_encoders import Text, held_out_batches, read, train, with_ids_of
from minibert.model.attention import Attention
from minibert.model.models import MaskedLanguageModel
from minibert.objectives import IGNORE
from minibert.training.data import PackedBatch
from minibert.training.evaluation import token_byte_lengths
from minibert.training.recipe import Recipe

KINDS = {  # arm: how it knows places, the theta it is used with after training, and whether it is tuned on long rows
    "learned table": ("learned", None, False),
    "sinusoids": ("sinusoids", None, False),
    "ALiBi": ("alibi", None, False),
    "RoPE": ("rope", None, False),
    "RoPE, theta raised": ("rope", "raised_theta", False),
    "RoPE, tuned": ("rope", None, True),
    "RoPE, theta raised and tuned": ("rope", "raised_theta", True),
    "learned table, tuned": ("learned", None, True),
}
COLOURS = ("blue", "green", "red", "white", "yellow")


def config_of(settings: dict, kind: str) -> EncoderConfig:
    """ModernBERT's block, small, with every layer global, and places told by a table or by RoPE."""
    places = dict(position="rope", rope_theta=settings["theta"]) if kind in ("rope", "alibi") else {}
    return EncoderConfig.preset("modernbert-nano").replace(
        hidden=settings["width"],
        layers=settings["layers"],
        heads=settings["heads"],
        intermediate=settings["feed_forward"],
        init_std=settings["init_std"],
        max_len=max(settings["lengths"]),
        layer_types=("global",),
        local_window=None,
        rope_theta_local=None,
        **(dict(position="learned", rope_theta=None) | places),
    )


def sinusoids(length: int, width: int) -> Tensor:
    """The fixed table of Vaswani et al. 2017, section 3.5. Shape: returns (T, D).

    >>> [round(number, 3) for number in sinusoids(2, 4)[1].tolist()]
    [0.841, 0.54, 0.01, 1.0]
    """
    angles = torch.arange(length)[:, None] * 10_000.0 ** (-torch.arange(0, width, 2) / width)  # (T, D / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def alibi_bias(heads: int, length: int) -> Tensor:
    """What ALiBi adds to the scores: minus slope times distance; -inf on the side that a head does not see.

    Half of the heads look left and half look right, since a distance alone does not tell the sides apart. The slopes of
    each half fall geometrically down to 2^-8.

    Shape: returns (H, T, T). Source: Press et al. 2022, section 3, which has one side only.

    >>> alibi_bias(2, 3)[0].tolist()[2]
    [-0.0078125, -0.00390625, -0.0]
    """
    half = heads // 2
    slopes = 2.0 ** (-8 * torch.arange(1, half + 1) / half)  # (H / 2,)
    ahead = torch.arange(length) - torch.arange(length)[:, None]  # (T, T): how far key j stands to the right of query i
    left = (-slopes[:, None, None] * -ahead).masked_fill(ahead > 0, -torch.inf)
    return torch.cat([left, left.mT])


class AlibiAttention(nn.Module):
    """The weights of an `Attention`, used with ALiBi in place of RoPE; the texts of a batch have one length.

    Shape: x (N, D) -> (N, D) and None.
    """

    def __init__(self, attention: Attention):
        super().__init__()
        self.query_key_value, self.output = attention.query_key_value, attention.output
        self.heads, self.head_size = attention.heads, attention.head_size

    def forward(self, x: Tensor, context) -> tuple[Tensor, None]:
        length = context.max_seqlen
        bias = context.once("alibi", lambda: alibi_bias(self.heads, length))
        parts = self.query_key_value(x).view(-1, length, 3, self.heads, self.head_size)  # (B, T, 3, H, K)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (B, H, T, K) each
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.output(mixed.transpose(1, 2).reshape(len(x), -1)), None


def new_model(settings: dict, text: Text, kind: str, seed: int) -> MaskedLanguageModel:
    """An untrained model of one kind; what the kinds share has the same weights."""
    model = MaskedLanguageModel(with_ids_of(config_of(settings, kind), text), torch.Generator().manual_seed(seed))
    if kind == "sinusoids":
        table = sinusoids(max(settings["lengths"]), settings["width"])
        table *= settings["init_std"] * 2**0.5  # as large as the token vectors are at the start
        model.encoder.embeddings.position = nn.Embedding.from_pretrained(table, freeze=True)
    if kind == "alibi":
        for block in model.encoder.blocks:
            block.attention = AlibiAttention(block.attention)
    return model


def text_of(settings: dict) -> Text:
    """The text; stories are so long that each has a row of the longest length."""
    return read(settings["text"], settings["vocab_size"], settings["documents"], settings["events"])


@cache
def trained(key: str, kind: str, steps: str, seed: int) -> dict[str, Tensor]:
    """The weights after training on short rows for as many steps as the setting `steps` says; several arms use them.

    `key` is the settings as JSON, which a cache takes.
    """
    settings = json.loads(key)
    recipe = recipe_of(settings[steps], settings["learning_rates"][kind])
    text = text_of(settings)
    model = new_model(settings, text, kind, seed)
    train_on_rows(settings, text, model, recipe, min(settings["lengths"]), seed)
    return model.state_dict()


def train_on_rows(settings: dict, text: Text, model: MaskedLanguageModel, recipe: Recipe, length: int, seed: int):
    """Train a model further on rows of `length` tokens; a step has the same number of tokens at every length."""
    rows = settings["tokens_a_step"] // length
    train(model.config, text, recipe, length, rows, seed, rate=settings["rate"], model=model)


def recipe_of(steps: int, learning_rate: float, warmup: bool = True) -> Recipe:
    """AdamW, a tenth of warm-up where wanted, and a plateau: what is trained further has not been slowed down."""
    return Recipe(
        steps=steps,
        learning_rate=learning_rate,
        optimizer="adamw",
        schedule="trapezoid",
        warmup=steps // 10 if warmup else 0,
        betas=(0.9, 0.98),
    )


def set_theta(model: MaskedLanguageModel, theta: float) -> None:
    """Rotate by another theta from now on; no weight changes."""
    for block in model.encoder.blocks:
        block.attention.theta = theta


def measure(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Bits per byte and the accuracy on colours at each length; the loss in nats along the places of the long rows."""
    kind, theta, tuned = KINDS[arm]
    text = text_of(settings)
    model = new_model(settings, text, kind, seed)
    model.load_state_dict(trained(json.dumps(settings), kind, "steps", seed))
    if theta:
        set_theta(model, settings[theta])
    if tuned:
        recipe = recipe_of(settings["tuning_steps"], settings["learning_rates"][kind])
        train_on_rows(settings, text, model, recipe, max(settings["lengths"]), seed + 1000)
    return score_lengths(model.eval(), text, settings["lengths"], settings["held_out_rows"])


def cut(batches: list[PackedBatch], length: int) -> Iterator[PackedBatch]:
    """The same tokens, hidden in the same places, as rows of another length."""
    for batch in batches:
        borders = torch.arange(0, len(batch.ids) + 1, length, dtype=torch.int32)
        yield dataclasses.replace(batch, cu_seqlens=borders)


def score_lengths(model: MaskedLanguageModel, text: Text, lengths: tuple[int, ...], rows: int) -> dict[str, float]:
    """Scores on one and the same set of hidden tokens: see `measure`."""
    longest, sizes, measures = max(lengths), token_byte_lengths(text.tokenizer), {}
    colours = [text.tokenizer.ids(colour) for colour in COLOURS]
    colours = torch.tensor([ids[0] for ids in colours if len(ids) == 1])  # the words that are one token
    batches = held_out_batches(text, longest, rows)
    for length in sorted(lengths):
        targets, losses, right = answers(model, cut(batches, length))
        coloured = torch.isin(targets, colours)
        measures |= {
            f"bits per byte at {length}": losses.sum().item() / math.log(2) / sizes[targets].sum().item(),
            f"accuracy at {length}": right.double().mean().item(),
            f"colours at {length}": right[coloured].double().mean().item() if coloured.any() else 0.0,
        }
    places = torch.cat([hidden_places(batch) % longest for batch in batches])  # (M,), for the longest rows, scored last
    for start in range(0, longest, longest // 8):
        here = (places >= start) & (places < start + longest // 8)
        measures[f"loss at places {start} to {start + longest // 8 - 1}"] = losses[here].mean().item()
    return measures


@torch.no_grad()
def answers(model: MaskedLanguageModel, batches: Iterable[PackedBatch]) -> tuple[Tensor, Tensor, Tensor]:
    """For each hidden token: what it is, the loss in nats, and whether it was guessed. Shape: three of (M,)."""
    logits, targets = [], []
    for batch in batches:
        logits.append(model.packed(batch.ids, batch.cu_seqlens, predict_at=hidden_places(batch)).logits)
        targets.append(batch.labels[hidden_places(batch)])
    logits, targets = torch.cat(logits), torch.cat(targets)
    losses = nn.functional.cross_entropy(logits.double(), targets, reduction="none")
    return targets, losses, logits.argmax(-1) == targets


def hidden_places(batch: PackedBatch) -> Tensor:
    """Where in a packed batch the hidden tokens stand. Shape: (M,)."""
    return (batch.labels != IGNORE).nonzero().squeeze(1)


POSITIONS = Experiment(
    name="positions",
    question="Trained on 64 tokens: which way of telling places still works at 128 and 256?",
    settings=dict(
        text="stories",
        documents=3000,
        events=16,
        vocab_size=160,
        lengths=(64, 128, 256),
        width=64,
        layers=2,
        heads=4,
        feed_forward=96,
        init_std=0.06,
        theta=10_000.0,
        raised_theta=160_000.0,
        rate=0.3,
        tokens_a_step=2048,
        steps=400,
        tuning_steps=40,
        learning_rates={"learned": 4e-3, "sinusoids": 4e-3, "alibi": 4e-3, "rope": 4e-3},
        held_out_rows=200,
    ),
    arms=tuple(KINDS),
    measure=measure,
    tiny=dict(
        documents=40, width=16, heads=2, feed_forward=16, tokens_a_step=256, steps=3, tuning_steps=2, held_out_rows=4
    ),
)
