"""Models of equal size, and what a training step of one costs, counted and not timed: so the numbers repeat."""

import torch
from torch.autograd.graph import saved_tensors_hooks

from minibert.config import EncoderConfig
from minibert.model.cost import count_parameters, model_flops
from minibert.model.models import MaskedLanguageModel
from minibert.objectives import IGNORE
from minibert.training.data import PackedBatch
from minibert.training.evaluation import forward_losses


def with_parameters(config: EncoderConfig, parameters: int) -> EncoderConfig:
    """The config with the width of the feed-forward layer that brings the model nearest to `parameters`.

    Raises:
        ValueError: everything else takes more already.

    >>> gated = EncoderConfig.preset("bert-base").replace(mlp="glu")
    >>> with_parameters(gated, count_parameters(EncoderConfig.preset("bert-base"))).intermediate
    2048
    """
    one, two = (count_parameters(config.replace(intermediate=width)) for width in (1, 2))
    width = 1 + round((parameters - one) / (two - one))
    if width < 1:
        raise ValueError(f"{parameters:,} parameters: the model has {one:,} with a feed-forward layer of width 1")
    return config.replace(intermediate=width)


def step_cost(model: MaskedLanguageModel, batch: PackedBatch) -> dict[str, float]:
    """The operations of one training step, and the bytes that its forward pass keeps for the backward pass.

    Two operations for each weight and token, and for each pair of tokens that a layer lets see each other, times three
    for the backward pass. The bytes are those of the tensors that autograd holds when the loss is known, each counted
    once, the weights left out: they change with the model, not with the machine.

    >>> from minibert.tasks.rows import pack_rows
    >>> model = MaskedLanguageModel(EncoderConfig.preset("bert-nano"))
    >>> batch = pack_rows(torch.zeros(2, 8, dtype=torch.int64))
    >>> batch.labels[3] = 7
    >>> cost = step_cost(model, batch)
    >>> round(cost["GFLOP a step"], 2), cost["MiB kept"] > 0
    (0.08, True)
    """
    masked = int((batch.labels != IGNORE).sum())
    flops = model_flops(model.config, batch.cu_seqlens.diff().tolist(), masked, training=True)
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        loss = forward_losses(model, batch)[2]  # as long as it lives, autograd holds what it has kept
    del loss
    return {"GFLOP a step": flops / 1e9, "MiB kept": sum(kept.values()) / 2**20}
