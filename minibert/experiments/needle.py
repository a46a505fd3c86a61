"""Does a far word arrive? Small encoders whose layers are local, global, or both, on rows with one word to remember.

A row is random words, and once among them stands one of eight colours. [MASK] stands at some other places, and the
answer is the colour at each of them. So the distance from a [MASK] to the colour is the distance that a word has to
travel. Nothing else in the row says what the colour was: without it a model is right in one case of eight.
"""

from dataclasses import replace

import torch
from torch import Tensor

from minibert.config import EncoderConfig
from minibert.experiments.record import Experiment
from minibert.experiments.small_bert import recipe_of
from minibert.model.models import MaskedLanguageModel
from minibert.objectives import IGNORE
from minibert.tasks.rows import pack_rows
from minibert.training.loop import update

COLOURS = ("black", "blue", "brown", "green", "grey", "red", "white", "yellow")
OTHERS = tuple(
    "apple bag bell bench box cart chair coat cup desk door fence field gate hill lamp leaf map path plate river rope "
    "stone table".split()
)
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *COLOURS, *OTHERS)  # a word's id is its place here
MASK_ID, FIRST_COLOUR, FIRST_OTHER = 4, 5, 5 + len(COLOURS)
ARMS = {  # for each layer W, the tokens that it sees to each side, None for all
    "2 local": (4, 4),
    "4 local": (4, 4, 4, 4),
    "4 local, wider": (8, 8, 8, 8),
    "alternating": (None, 4, 4, None),
    "4 global": (None, None, None, None),
}


def needle_rows(rows: int, length: int, asked: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Rows with one colour and `asked` places of [MASK]; labels are the colour there, and -100 elsewhere.

    Shape: -> ids (rows, length) int64, labels (rows, length) int64, place of the colour (rows,) int64.

    >>> ids, labels, place = needle_rows(1, 8, 2, torch.Generator().manual_seed(0))
    >>> [WORDS[i] for i in ids[0]]
    ['river', 'lamp', 'cart', 'blue', '[MASK]', '[MASK]', 'plate', 'coat']
    >>> place.tolist(), [WORDS[i] for i in labels[labels != IGNORE]]
    ([3], ['blue', 'blue'])
    """
    ids = torch.randint(FIRST_OTHER, len(WORDS), (rows, length), generator=generator)
    colour = torch.randint(FIRST_COLOUR, FIRST_OTHER, (rows, 1), generator=generator)
    order = torch.rand(rows, length, generator=generator).argsort(dim=1)  # a shuffle of the places of each row
    place, asked_at = order[:, :1], order[:, 1 : 1 + asked]
    ids = ids.scatter(1, place, colour).scatter(1, asked_at, MASK_ID)
    labels = torch.full_like(ids, IGNORE).scatter(1, asked_at, colour.expand(-1, asked))
    return ids, labels, place[:, 0]


def new_model(settings: dict, windows: tuple[int | None, ...], seed: int) -> MaskedLanguageModel:
    """ModernBERT's block, small, with one window a layer; the seed decides the weights, the windows do not.

    >>> [block.attention.window for block in new_model(NEEDLE.settings, (None, 4), 0).encoder.blocks]
    [None, 4]
    """
    config = EncoderConfig.preset("modernbert-nano").replace(
        vocab_size=len(WORDS),
        hidden=settings["width"],
        layers=len(windows),
        heads=settings["heads"],
        intermediate=settings["width"],
        max_len=settings["length"],
        rope_theta=10_000.0,
        rope_theta_local=None,
        layer_types=("global",),
        local_window=None,
        dropout_attn_out=0.0,
        mask_id=MASK_ID,
    )
    model = MaskedLanguageModel(config, torch.Generator().manual_seed(seed))
    for block, window in zip(model.encoder.blocks, windows, strict=True):
        block.attention.window = window  # a config of local layers alone does not exist: its layer 0 is global
    return model


def train(settings: dict, windows: tuple[int | None, ...], seed: int) -> MaskedLanguageModel:
    """Train one arm; all arms with one seed see the same rows in the same order."""
    model = new_model(settings, windows, seed)
    recipe = recipe_of(settings | dict(warmup=settings["steps"] // 20))
    optimizer = recipe.make_optimizer(model)
    generator = torch.Generator().manual_seed(1_000_000 + seed)
    model.train()
    for step in range(settings["steps"]):
        ids, labels, _ = needle_rows(settings["rows_a_step"], settings["length"], settings["asked"], generator)
        batch = replace(pack_rows(ids), labels=labels.flatten())
        update(model, optimizer, [batch], recipe.lr(step), recipe.clip, recipe.bf16)
    return model.eval()


def bins(settings: dict) -> list[tuple[int, int]]:
    """The distances that are counted together, first and last.

    >>> bins(dict(bin=4, farthest=12))
    [(1, 4), (5, 8), (9, 12)]
    """
    return [(first, first + settings["bin"] - 1) for first in range(1, settings["farthest"], settings["bin"])]


@torch.inference_mode()
def by_distance(model: MaskedLanguageModel, settings: dict) -> dict[str, float]:
    """The share of right colours among the places at each distance, on rows that no training has seen."""
    generator = torch.Generator().manual_seed(0)
    ids, labels, place = needle_rows(settings["test_rows"], settings["length"], settings["asked"], generator)
    right = model(ids, torch.ones_like(ids)).logits.argmax(dim=-1) == labels  # (rows, length)
    distance = (torch.arange(settings["length"]) - place[:, None]).abs()  # (rows, length)
    asked = labels != IGNORE
    found = {"all": float(right[asked].double().mean())}
    for first, last in bins(settings):
        here = asked & (distance >= first) & (distance <= last)
        found[f"{first}-{last}"] = float(right[here].double().mean())
    return found


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Accuracy at each distance; of eight colours 0.125 are right by chance."""
    return by_distance(train(settings, tuple(settings["windows"][arm]), seed), settings)


NEEDLE = Experiment(
    name="needle",
    question="How far can a word be so that local and global layers still bring it?",
    settings=dict(
        windows=ARMS,
        length=64,
        asked=8,
        width=64,
        heads=4,
        steps=200,
        rows_a_step=16,
        learning_rate=8e-3,
        test_rows=1024,
        bin=4,
        farthest=52,
    ),
    arms=tuple(ARMS),
    measure=_one,
    tiny=dict(steps=3, rows_a_step=4, test_rows=64, width=16, heads=2),
)
