"""Beyond the last row: an encoder that learned a table of 64 positions reads texts of 128 tokens.

BERT's table has 512 rows, and token 513 has none. Here the table has 128 rows, and all training texts have 64 tokens,
so that rows 64 to 127 are as they were drawn. All arms are scored on the same hidden tokens of the same held-out
stories, along the places of texts of 128 tokens: with the rows that nobody trained, with what one can put there without
training, and cut in two, so that no text is longer than those in training. `trained to 128` saw texts of 128 tokens in
training, and as many tokens in all. Sinusoids and RoPE need no row for each place. `counts` guesses every token by how
frequent it is, and never looks at the text.

Chapter 15's experiment `positions` goes on from here: more ways to tell places, four times the length, and what a short
tuning repairs.
"""

import json
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from minibert.experiments import positions
from minibert.experiments.record import Experiment
from minibert.experiments.small_encoders import Text, held_out_batches, read
from minibert.model.models import MaskedLanguageModel
from minibert.objectives import IGNORE

Rows = Callable[[Tensor, int], Tensor]  # the table, and how many of its rows were trained -> the table to use


def repeated(table: Tensor, trained: int) -> Tensor:
    """Row p is row p mod `trained`: the text looks as if it began again. Shape: (T, D) -> (T, D).

    >>> repeated(torch.arange(6.0)[:, None], 3).flatten().tolist()
    [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]
    """
    return table[torch.arange(len(table)) % trained]


def last_row(table: Tensor, trained: int) -> Tensor:
    """All places beyond the last trained row use that row. Shape: (T, D) -> (T, D).

    >>> last_row(torch.arange(6.0)[:, None], 3).flatten().tolist()
    [0.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    """
    return table[torch.arange(len(table)).clamp(max=trained - 1)]


def stretched(table: Tensor, trained: int) -> Tensor:
    """The trained rows, drawn out over the whole length, with mixtures in between. Shape: (T, D) -> (T, D).

    >>> stretched(torch.arange(5.0)[:, None], 3).flatten().tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    place = torch.linspace(0, trained - 1, len(table))
    below = place.floor().long().clamp(max=trained - 2)
    share = (place - below)[:, None]
    return table[below] * (1 - share) + table[below + 1] * share


KINDS: dict[str, tuple[str, str, Rows | None]] = {  # arm: how it tells places, length in training, what rows to use
    "untrained rows": ("learned", "train_length", None),
    "rows repeated": ("learned", "train_length", repeated),
    "last row": ("learned", "train_length", last_row),
    "rows stretched": ("learned", "train_length", stretched),
    "cut in two": ("learned", "train_length", None),
    "trained to 128": ("learned", "length", None),
    "sinusoids": ("sinusoids", "train_length", None),
    "RoPE": ("rope", "train_length", None),
}


def text_of(settings: dict) -> Text:
    """Stories that are long enough for a row of the longer length."""
    return read("stories", settings["vocab_size"], settings["documents"], settings["events"])


@cache
def trained(key: str, kind: str, length: str, seed: int) -> dict[str, Tensor]:
    """The weights after training on rows of the setting `length`, for several arms. `key`: the settings as JSON."""
    settings = json.loads(key)
    text = text_of(settings)
    model = positions.new_model(settings, text, kind, seed)
    recipe = positions.recipe_of(settings["steps"], settings["learning_rate"])
    positions.train_on_rows(settings, text, model, recipe, settings[length], seed)
    return model.state_dict()


def model_of(settings: dict, arm: str, seed: int) -> MaskedLanguageModel:
    """The trained model of an arm, with the rows that the arm puts into its table."""
    kind, length, rows = KINDS[arm]
    model = positions.new_model(settings, text_of(settings), kind, seed)
    model.load_state_dict(trained(json.dumps(settings), kind, length, seed))
    if rows:
        table = model.encoder.embeddings.position.weight
        table.data = rows(table.data, settings["train_length"])
    return model.eval()


def measure(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """The loss in nats in each stretch of places; loss and accuracy inside the first 64 places, and beyond."""
    text = text_of(settings)
    length, half = settings["length"], settings["train_length"]
    batches = held_out_batches(text, length, settings["held_out_rows"], settings["rate"])
    places = torch.cat([positions.hidden_places(batch) % length for batch in batches])  # (M,)
    if arm == "counts":
        losses, right = _by_counts(text, torch.cat([batch.labels[batch.labels != IGNORE] for batch in batches]))
    else:
        texts = positions.cut(batches, half) if arm == "cut in two" else batches
        _, losses, right = positions.answers(model_of(settings, arm, seed), texts)
    measures, step = {}, settings["stretch"]
    for first in range(0, length, step):
        here = places // step == first // step
        measures[f"loss at places {first} to {first + step - 1}"] = losses[here].mean().item()
    for name, here in (("inside", places < half), ("beyond", places >= half)):
        measures[f"loss {name}"] = losses[here].mean().item()
        measures[f"accuracy {name}"] = right[here].double().mean().item()
    return measures


def _by_counts(text: Text, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Loss and hits of the frequencies in the training text, each count raised by 1. Shape: (M,) -> two of (M,)."""
    counts = 1 + torch.bincount(torch.cat(text.train), minlength=text.tokenizer.vocab_size).double()  # (V,)
    return -(counts / counts.sum()).log()[targets], targets == counts.argmax()


POSITION_CLIFF = Experiment(
    name="position_cliff",
    question="What does an encoder with 64 trained positions do with the tokens after the 64th?",
    settings=dict(
        documents=3000,
        events=8,
        vocab_size=160,
        train_length=64,
        length=128,
        lengths=(64, 128),
        stretch=8,
        width=64,
        layers=2,
        heads=4,
        feed_forward=96,
        init_std=0.06,
        theta=10_000.0,
        rate=0.3,
        tokens_a_step=1536,
        steps=300,
        learning_rate=4e-3,
        held_out_rows=240,
    ),
    arms=(*KINDS, "counts"),
    measure=measure,
    tiny=dict(documents=40, width=16, heads=2, feed_forward=16, tokens_a_step=256, steps=3, held_out_rows=4),
)
