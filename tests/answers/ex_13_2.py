"""Answers to 13.2, a matrix in uint8."""

import numpy as np
import torch

from minibert.course.exercises.ex_13_2 import integer_product, quantize_rows


def by_row(weight):
    rows, scales, zeros = [], [], []
    for row in weight.double():
        low, high = min(row.min().item(), 0.0), max(row.max().item(), 0.0)
        scale = (high - low) / 255 or 1.0
        zero = round(-low / scale)
        rows.append([min(max(round(x / scale) + zero, 0), 255) for x in row.tolist()])
        scales.append([scale])
        zeros.append([zero])
    return torch.tensor(rows, dtype=torch.uint8), torch.tensor(scales), torch.tensor(zeros, dtype=torch.uint8)


def in_numpy(weight):
    w = weight.numpy()
    low, high = np.minimum(w.min(1, keepdims=True), 0), np.maximum(w.max(1, keepdims=True), 0)
    scale = (high - low) / np.float32(255)
    scale[scale == 0] = 1
    zero = np.rint(-low / scale)
    q = np.clip(np.rint(w / scale) + zero, 0, 255)
    return torch.from_numpy(q.astype(np.uint8)), torch.from_numpy(scale), torch.from_numpy(zero.astype(np.uint8))


def dequantized(x, x_scale, numbers, scale, zero):
    """The same numbers by way of floats."""
    return (x.float() * x_scale) @ ((numbers.float() - zero.float()) * scale).T


def shifted(x, x_scale, numbers, scale, zero):
    return (x.int() @ (numbers.int() - zero.int()).mT).to(torch.float32) * (x_scale * scale.view(1, -1))


def torch_own(weight):
    """torch's quantized tensors, which have 128 as zero point where the scheme is symmetric."""
    scale = weight.abs().amax(1) / 127.5
    numbers = torch.quantize_per_channel(weight, scale.double(), torch.full_like(scale, 128).long(), 0, torch.quint8)
    return numbers.int_repr(), scale[:, None], torch.full((len(weight), 1), 128, dtype=torch.uint8)


def at_once(weight):
    low, high = weight.aminmax(dim=1, keepdim=True)
    scale = (high.clamp(min=0) - low.clamp(max=0)) / 255
    scale = torch.where(scale == 0, 1.0, scale)
    numbers = ((weight - low.clamp(max=0)) / scale).round().to(torch.uint8)
    return numbers, scale, (-low.clamp(max=0) / scale).round().to(torch.uint8)


def flat_scales(weight):
    numbers, scale, zero = quantize_rows(weight)
    return numbers, scale.flatten(), zero.flatten()


def in_uint8(x, x_scale, numbers, scale, zero):
    return (x.float() @ (numbers - zero).float().T) * x_scale * scale.T


def in_int32_of_uint8(x, x_scale, numbers, scale, zero):
    return (x.int() @ numbers.to(torch.int8).int().T - x.int().sum(1, keepdim=True) * zero.int().T) * x_scale * scale.T


RIGHT = {
    "row by row and floats": (by_row, dequantized),
    "numpy and a difference": (in_numpy, shifted),
}
WRONG = {
    "symmetric": ((torch_own, integer_product), "symmetric|zero point|row 0 spans"),
    "everything rounded at once": ((at_once, integer_product), "rounded"),
    "flat scales": ((flat_scales, integer_product), "shape"),
    "a difference in uint8": ((quantize_rows, in_uint8), "254"),
    "int8 in place of uint8": ((quantize_rows, in_int32_of_uint8), "-56"),
    "int64 numbers": ((lambda w: (quantize_rows(w)[0].long(), *quantize_rows(w)[1:]), integer_product), "dtype"),
}
