"""Distillation: a small student learns the whole distribution that a large teacher predicts, not one right answer.

DistilBERT's student has half of the layers of its teacher, begins with their weights (`keep_layers`), and
learns from three losses: the teacher's softened probabilities (`soft_target_loss`), the right words (`mlm_loss`), and
the direction of the teacher's hidden states (`hidden_cosine_loss`). Its code weighs them 5, 2 and 1, at temperature 2.
"""

import copy
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


def soft_target_loss(student: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """T² · KL(teacher ‖ student) in nats, the mean over rows, where both are softmax(logits / T).

    A temperature T above 1 lifts the unlikely answers, in which most of what the teacher knows is written. It also
    makes the gradient about T² times smaller; the factor T² makes up for that, so that the weight of this loss beside
    others need not change with T. No gradient reaches the teacher.

    Shape: student and teacher logits (..., C), a row for each text or token to learn from: take padding out before.
    Returns a scalar; 0 for no rows.

    Raises:
        ValueError: shapes that differ, or a temperature of 0 or less.

    Source: Hinton et al. 2015, section 2.

    >>> import torch
    >>> logits = torch.tensor([[2.0, 0.0, -1.0]])
    >>> soft_target_loss(logits, logits).item()
    0.0
    >>> round(soft_target_loss(torch.zeros(1, 3), logits, temperature=1.0).item(), 4)  # ln 3 - entropy of the teacher
    0.5743
    """
    _check_alike(student, teacher, "logits")
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it is above 0, and 2 is usual")
    student, teacher = (logits.flatten(0, -2) / temperature for logits in (student, teacher.detach()))  # (M, C)
    divergence = F.kl_div(student.log_softmax(-1), teacher.log_softmax(-1), reduction="sum", log_target=True)
    return divergence * temperature**2 / max(len(student), 1)


def hidden_cosine_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - cosine of the student's and the teacher's hidden state, the mean over tokens: only the direction counts.

    Shape: both (N, D), packed, so without padding -> a scalar; 0 for no tokens. No gradient reaches the teacher.

    Raises:
        ValueError: shapes that differ: a narrower student needs a linear map to the teacher's width first.

    Source: Sanh et al. 2019, section 2.

    >>> import torch
    >>> hidden_cosine_loss(torch.tensor([[2.0, 0.0], [1.0, 1.0]]), torch.tensor([[1.0, 0.0], [-1.0, 1.0]])).item()
    0.5
    """
    _check_alike(student, teacher, "hidden states")
    return (1 - F.cosine_similarity(student, teacher.detach(), dim=-1)).sum() / max(student[..., 0].numel(), 1)


def keep_layers(model, layers: Sequence[int]):
    """A model of the same class with these layers of `model` alone, in this order; `model` stays as it is.

    DistilBERT begins with about every second layer, and the last: `keep_layers(teacher, [0, 2, 4, 7, 9, 11])`.

    Raises:
        ValueError: no layer, a layer that the model does not have, or an order that would change a layer between
            global and local attention, or put ModernBERT's layer 0, which has no norm, elsewhere than first.

    Source: Sanh et al. 2019, section 2.

    >>> from minibert import EncoderConfig, MaskedLanguageModel
    >>> student = keep_layers(MaskedLanguageModel(EncoderConfig.preset("bert-nano")), [0, 2])
    >>> student.config.layers, len(student.encoder.blocks)
    (2, 2)
    """
    layers, there = list(layers), model.config.layers
    if not layers or not all(isinstance(layer, int) and 0 <= layer < there for layer in layers):
        raise ValueError(f"layers is {layers}: expected one or more of 0 ... {there - 1}")
    config = model.config.replace(layers=len(layers))
    if kinds := [
        layer for place, layer in enumerate(layers) if config.is_global(place) != model.config.is_global(layer)
    ]:
        raise ValueError(f"layers {kinds} would change between global and local attention: keep whole groups of layers")
    if config.skip_first_attn_norm and (layers[0] != 0 or 0 in layers[1:]):
        raise ValueError(f"layers is {layers}: layer 0 of this model has no norm, so it comes first and only once")
    encoder = getattr(model, "encoder", model)
    blocks, encoder.blocks = encoder.blocks, nn.ModuleList()  # so that only the layers that are kept are copied
    try:
        student = copy.deepcopy(model)
    finally:
        encoder.blocks = blocks
    getattr(student, "encoder", student).blocks = nn.ModuleList(copy.deepcopy(blocks[layer]) for layer in layers)
    for module in (student, getattr(student, "encoder", student)):
        module.config = config
    return student


def _check_alike(student: Tensor, teacher: Tensor, what: str) -> None:
    if student.shape != teacher.shape or student.dim() < 2:
        raise ValueError(
            f"{what}: the student's are {tuple(student.shape)}, the teacher's {tuple(teacher.shape)}; expected "
            "the same shape, one row for each text or token"
        )
