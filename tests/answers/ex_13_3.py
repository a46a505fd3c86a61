"""Answers to 13.3, FLOPs."""

import torch

from minibert import MaskedLanguageModel
from minibert.course.exercises.ex_13_3 import forward_flops, step_flops
from minibert.model.cost import model_flops


def with_package(config, lengths, predicted, padded):
    rows = [max(lengths)] * len(lengths) if padded else lengths
    return model_flops(config, rows, predicted)


def by_parameters(config, lengths, predicted, padded):
    """Two operations for each number in a matrix that a token meets, and what attention adds."""
    with torch.device("meta"):
        model = MaskedLanguageModel(config)
    block = sum(p.numel() for p in model.encoder.blocks.parameters() if p.dim() == 2)
    head = sum(p.numel() for name, p in model.named_parameters() if p.dim() == 2 and "encoder" not in name)
    if model.decoder.weight is model.encoder.embeddings.token.weight:
        head += (
            0 if any("decoder.weight" in name for name, _ in model.named_parameters()) else model.decoder.weight.numel()
        )
    rows = [max(lengths) for _ in lengths] if padded else lengths
    size = config.hidden // config.heads
    scores = sum(config.layers * config.heads * 2 * (2 * T * T * size) for T in rows)
    return 2 * block * sum(rows) + scores + 2 * head * predicted


def step(student, teacher, lengths, predicted, padded):
    total = 3 * with_package(student, lengths, predicted, padded)
    if teacher is not None:
        total += with_package(teacher, lengths, predicted, padded)
    return total


def six_n(config, lengths, predicted, padded):
    """2 N for each token, with N all parameters: the rule of thumb of large models."""
    with torch.device("meta"):
        count = sum(p.numel() for p in MaskedLanguageModel(config).parameters())
    return 2 * count * sum(lengths)


def one_row(config, lengths, predicted, padded):
    return model_flops(config, [sum(lengths)], predicted)


def scores_of_heads(config, lengths, predicted, padded):
    rows = [max(lengths)] * len(lengths) if padded else lengths
    extra = sum(4 * T * T * config.hidden * config.layers for T in rows)
    return model_flops(config, rows, predicted) + (config.heads - 1) * extra


def as_float(config, lengths, predicted, padded):
    return forward_flops(config, lengths, predicted, padded) / 1


def six_times(student, teacher, lengths, predicted, padded):
    total = 3 * forward_flops(student, lengths, predicted, padded)
    return total + 3 * forward_flops(teacher, lengths, predicted, padded) if teacher else total


RIGHT = {"the package's own": (with_package, step), "from the parameters": (by_parameters, step_flops)}
WRONG = {
    "two for each parameter": ((six_n, step_flops), "count"),
    "one long row": ((one_row, step_flops), "sum of squares"),
    "every head D wide": ((scores_of_heads, step_flops), "multiplied twice"),
    "a float": ((as_float, step_flops), "float"),
    "the teacher trains": ((forward_flops, six_times), "it is only asked"),
    "the student alone": ((forward_flops, lambda student, *rest: step_flops(student, None, *rest[1:])), "forgotten"),
}
