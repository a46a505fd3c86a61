"""The norm after the sum (BERT) or before each sub-layer (ModernBERT), in stacks of 4, 12 and 24 layers.

First the gradient that each layer gets, before the first step and after a few. Then a short training with the same
learning rate for all, with and without warm-up: does the stack learn at all? Nothing else differs between the arms.
"""

from dataclasses import replace

import torch

from minibert.config import EncoderConfig
from minibert.experiments.record import Experiment
from minibert.experiments.small_bert import ONLY_MASK, recipe_of
from minibert.experiments.small_encoders import Text, read, score, train, with_ids_of
from minibert.model.models import MaskedLanguageModel
from minibert.tasks.rows import pack_rows, rows_of
from minibert.training.data import mask_batch
from minibert.training.evaluation import forward_losses

PLACEMENTS = {
    "post": dict(norm_placement="post"),
    "pre": dict(norm_placement="pre", final_norm=True, skip_first_attn_norm=True),
}
DEPTHS = (4, 12, 24)
ARMS = {
    f"{place}, {layers} layers, {'warm-up' if warm else 'no warm-up'}": (place, layers, warm)
    for layers in DEPTHS
    for place in PLACEMENTS
    for warm in (True, False)
}


def config_of(settings: dict, placement: str, layers: int) -> EncoderConfig:
    """A narrow encoder with RoPE, plain GELU layers and biases: depth and the place of the norm are all that differs.

    >>> config_of(NORM_PLACEMENT.settings, "pre", 12).layers
    12
    """
    return EncoderConfig.preset("bert-nano").replace(
        vocab_size=settings["vocab_size"],
        hidden=settings["width"],
        layers=layers,
        heads=settings["heads"],
        intermediate=4 * settings["width"],
        init_std=settings["init_std"],
        norm_eps=1e-5,
        position="rope",
        rope_theta=10_000.0,
        segments=0,
        pool="mean",
        nsp=False,
        **PLACEMENTS[placement],
    )


def layer_gradients(model: MaskedLanguageModel, text: Text, row: int, rows: int) -> list[float]:
    """The norm of the gradient of all weights of each block, for the mean loss of the first rows. One number a layer.

    >>> text = read("stories", 160, 20)
    >>> config = with_ids_of(config_of(NORM_PLACEMENT.settings, "post", 3), text)
    >>> len(layer_gradients(MaskedLanguageModel(config), text, 16, 4))
    3
    """
    batch = mask_batch(pack_rows(rows_of(text.train, row)[:rows]), text.tokenizer, 0.15, ONLY_MASK, seed=0)
    model.zero_grad(set_to_none=True)
    _, targets, loss, _ = forward_losses(model, batch)
    (loss / len(targets)).backward()
    norms = [
        torch.stack([parameter.grad.norm() for parameter in block.parameters()]).norm().item()
        for block in model.encoder.blocks
    ]
    model.zero_grad(set_to_none=True)
    return norms


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    placement, layers, warm = ARMS[arm]
    text = read(settings["text"], settings["vocab_size"], settings["documents"])
    row, rows = settings["row"], settings["rows_a_step"]
    config, found = config_of(settings, placement, layers), {}
    model = MaskedLanguageModel(with_ids_of(config, text), torch.Generator().manual_seed(seed))
    recipe = replace(recipe_of(settings), warmup=settings["warmup"] if warm else 0, clip=None)

    def note(when: str) -> None:
        for number, norm in enumerate(layer_gradients(model, text, row, rows), 1):
            found[f"gradient {when}, layer {number}"] = norm

    def look(step: int) -> None:
        if step == settings["look_again"]:
            note("later")

    note("at the start")
    train(config, text, recipe, row, rows, seed, split=ONLY_MASK, model=model, on_step=look)
    return {"bits per byte": score(model, text, row, settings["held_out_rows"])["bits per byte"]} | found


NORM_PLACEMENT = Experiment(
    name="norm_placement",
    question="What does the place of the norm do to the gradient of each layer, and can deep stacks learn?",
    settings=dict(
        text="stories",
        documents=4000,
        vocab_size=160,
        row=32,
        width=32,
        heads=2,
        init_std=0.1,  # 0.02 at a width of 768, made larger by sqrt(768 / 32)
        steps=150,
        look_again=30,
        warmup=30,
        learning_rate=3e-3,
        rows_a_step=16,
        held_out_rows=300,
    ),
    arms=tuple(ARMS),
    measure=_one,
    tiny=dict(documents=100, row=8, width=8, steps=2, look_again=1, warmup=1, rows_a_step=2, held_out_rows=8),
)
