"""A larger model that starts from a trained smaller one, against random weights: 4 to 6 layers, a half wider.

The small model is trained first. All arms then train a large one on the same batches, which the small one did not see
in this order, with the same warm-up and learning rate (of `grid`, the best for the random start with seed 0 after 160
steps: 0.47, 0.32, 0.31 and 0.33 bits per byte; the grown ones got the same):

- `random`: new weights; it is followed for `steps` steps, the others for `short`.
- `grown`: layers by `layer_map`, matrices tiled from the middle; the two new heads are copies of whole ones.
- `heads cut`: the same, but the query, key and value rows are moved on by half a head after tiling, and the columns of
  the output matrix with them, so that each head is made of two halves. What a head computes is then lost.
- `layers shuffled`: as `grown`, with the layers in another order: is it the layers, or only the sizes of the weights?
- `table only`: new weights but for the token table.

Measures. `bits per byte at N` after N steps, at 15 % of held-out places; `steps to the small one`, the first step
looked at where that is at most what the small model has (one more than all steps where that never happens); `small` is
what it has, and `operations of the small one` counts its training in steps of the large one.
"""

import json
from functools import cache

import torch
from torch import Tensor

from minibert.config import EncoderConfig
from minibert.experiments.mask_rate_compute import step_flops
from minibert.experiments.record import Experiment
from minibert.experiments.small_encoders import (
    STABLE_ADAMW,
    Run,
    one_thread,
    plateau,
    read,
    score,
    small_modernbert,
    with_ids_of,
)
from minibert.model.models import MaskedLanguageModel
from minibert.training.growth import grow

ARMS = ("random", "grown", "heads cut", "layers shuffled", "table only")


def _run(settings: dict, sizes: tuple, seed: int, model: MaskedLanguageModel | None = None) -> Run:
    text = read("stories", settings["vocab_size"], settings["documents"])
    return Run(small_modernbert(*sizes), text, STABLE_ADAMW, 64, settings["rows_a_step"], seed, model=model)


def _loss(settings: dict, run: Run) -> float:
    return score(run.model, run.text, 64, settings["held_out_rows"])["bits per byte"]


def _lr(settings: dict):
    return plateau(settings["learning_rate"], settings["warmup"])


def _large(settings: dict) -> EncoderConfig:
    text = read("stories", settings["vocab_size"], settings["documents"])
    return with_ids_of(small_modernbert(*settings["large"]), text)


@cache
def _small(key: str, seed: int) -> tuple[MaskedLanguageModel, float]:
    """The trained small model, with another order of the rows than the large ones have, and its bits per byte."""
    settings = json.loads(key)
    run = _run(settings, settings["small"], seed + 100).go(settings["small_steps"], _lr(settings))
    return run.model, _loss(settings, run)


def start(settings: dict, arm: str, seed: int) -> MaskedLanguageModel:
    """The large model of an arm before its first step."""
    small, _ = _small(json.dumps(settings), seed)
    config = _large(settings)
    if arm in ("random", "table only"):
        model = MaskedLanguageModel(config, torch.Generator().manual_seed(seed))
        if arm == "table only":
            table = grow(small, config).encoder.embeddings.token.weight
            model.encoder.embeddings.token.weight.data.copy_(table)
        return model
    model = grow(small, config)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}  # loading writes into the originals
    if arm == "heads cut":
        state = {name: _heads_cut(name, weight, config) for name, weight in state.items()}
    elif arm == "layers shuffled":
        order = settings["order"][: config.layers]
        state = {_other_layer(name, order): weight for name, weight in state.items()}
    model.load_state_dict(state)
    return model


def _heads_cut(name: str, weight: Tensor, config) -> Tensor:
    half = config.head_size // 2
    if ".query_key_value." in name:
        return torch.cat([part.roll(half, 0) for part in weight.chunk(3)])
    return weight.roll(half, 1) if name.endswith("attention.output.weight") else weight


def _other_layer(name: str, order: list[int]) -> str:
    before, blocks, after = name.partition("blocks.")
    if not blocks:
        return name
    layer, _, rest = after.partition(".")
    return f"{before}{blocks}{order.index(int(layer))}.{rest}"


@one_thread()
def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    small, small_loss = _small(json.dumps(settings), seed)
    losses = _curve(settings, arm, seed)
    costs = [step_flops(config, settings["rows_a_step"], 64, 0.3) for config in (small.config, _large(settings))]
    return {
        **{f"bits per byte at {step}": loss for step, loss in losses.items()},
        "steps to the small one": min((n for n, loss in losses.items() if loss <= small_loss), default=max(losses) + 1),
        "small": small_loss,
        "operations of the small one": settings["small_steps"] * costs[0] / costs[1],
    }


def _curve(settings: dict, arm: str, seed: int) -> dict[int, float]:
    """Bits per byte of an arm by step, the first one before any training."""
    run = _run(settings, settings["large"], seed, start(settings, arm, seed))
    losses = {0: _loss(settings, run)}

    def look(step):
        if step % settings["every"] == 0:
            losses[step] = _loss(settings, run)

    run.go(settings["steps" if arm == "random" else "short"], _lr(settings), look)
    return losses


GROWTH = Experiment(
    name="growth",
    question="What does a larger model gain from starting with the weights of a smaller one?",
    settings=dict(
        vocab_size=160,
        documents=4000,
        small=(4, 64, 4, 96),
        large=(6, 96, 6, 144),
        rows_a_step=16,
        small_steps=300,
        steps=240,
        short=100,
        every=10,
        learning_rate=4e-3,
        grid=(1e-3, 2e-3, 4e-3, 8e-3),
        warmup=20,
        order=[0, 4, 2, 5, 1, 3],
        held_out_rows=128,
    ),
    arms=ARMS,
    measure=_one,
    tiny=dict(
        documents=60,
        small=(4, 16, 2, 16),
        large=(6, 32, 4, 32),
        rows_a_step=4,
        small_steps=2,
        steps=10,
        short=10,
        held_out_rows=4,
    ),
)
