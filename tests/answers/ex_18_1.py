"""Answers to 18.1, RMSNorm over any axes and what makes it equal to LayerNorm."""

import numpy as np
import torch
from torch.nn import functional as F

from minibert.course.exercises.ex_18_1 import centred, rms_norm


def by_torch(x, weight, eps):
    return F.rms_norm(x, weight.shape, eps=eps) * weight


def flattened(x, weight, eps):
    rows = x.reshape(-1, weight.numel())
    wide = rows.double() if x.dtype == torch.float64 else rows.float()
    scaled = wide * torch.rsqrt((wide * wide).sum(-1, keepdim=True) / weight.numel() + eps)
    return (scaled.to(x.dtype) * weight.flatten()).view_as(x)


def in_float64(x, weight, eps):
    wide = x.to(torch.float64)
    rms = torch.linalg.vector_norm(wide, dim=list(range(x.ndim - weight.ndim, x.ndim)), keepdim=True)
    rms = (rms**2 / weight.numel() + eps) ** 0.5
    return torch.mul((wide / rms).type_as(x), weight)


def with_a_loop(x, weight, eps):
    rows = []
    for row in x.reshape(-1, *weight.shape):
        wide = row if row.dtype == torch.float64 else row.float()
        rows.append((wide / (wide.pow(2).mean() + eps).sqrt()).to(x.dtype) * weight)
    return torch.stack(rows).reshape(x.shape)


def centring_matrix(matrix, bias):
    D = len(matrix)
    away = torch.eye(D, dtype=matrix.dtype) - 1 / D
    return [away @ matrix, away @ bias if bias is not None else None]


def centred_by_numpy(matrix, bias):
    new = torch.from_numpy(matrix.numpy() - matrix.numpy().mean(0))
    return (new, None) if bias is None else (new, torch.from_numpy(bias.numpy() - bias.numpy().mean()))


def weight_inside(x, weight, eps):
    return F.rms_norm(x, weight.shape, weight, eps)


def the_chapters(x, weight, eps):
    return x / torch.sqrt(x.pow(2).mean(dim=-1, keepdim=True) + eps) * weight


def as_in_llama(x, weight, eps):
    dtype = x.dtype
    x = x.to(torch.float32)
    x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)
    return weight * x.to(dtype)


def layer_norm(x, weight, eps):
    return F.layer_norm(x, weight.shape, weight, eps=eps)


def bessel(x, weight, eps):
    axes = tuple(range(-weight.ndim, 0))
    wide = x if x.dtype == torch.float64 else x.float()
    squares = wide.square().sum(axes, keepdim=True)
    return torch.rsqrt(squares / (weight.numel() - 1) + eps).mul(wide).to(x.dtype) * weight


def in_place(x, weight, eps):
    x /= (x.float().pow(2).mean(-1, keepdim=True) + eps).sqrt()
    return x * weight


def by_numpy(x, weight, eps):
    a = x.detach().float().numpy()
    return torch.from_numpy(a / np.sqrt((a**2).mean(-1, keepdims=True) + eps)) * weight


def without_graph(x, weight, eps):
    with torch.no_grad():
        return by_torch(x, weight, eps)


def scale_without_graph(x, weight, eps):
    axes = tuple(range(-weight.dim(), 0))
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide / (wide.detach().square().mean(axes, keepdim=True) + eps).sqrt()).to(x.dtype) * weight


def root_first(x, weight, eps):
    axes = tuple(range(-weight.dim(), 0))
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    rms = wide.square().mean(axes, keepdim=True).sqrt()  # its slope is infinite at 0
    return (wide / (rms**2 + eps).sqrt()).to(x.dtype) * weight


def eps_in_half(x, weight, eps):
    axes = tuple(range(-weight.dim(), 0))
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    rms = (wide.square().mean(axes, keepdim=True) + torch.tensor(eps, dtype=x.dtype)).sqrt()
    return (wide / rms).to(x.dtype) * weight


def any_bias(matrix, bias):
    return matrix - matrix.mean(0), bias - bias.mean() if bias is not None and bias.any() else None


def centred_in_float32(matrix, bias):
    new = centred(matrix.float(), bias if bias is None else bias.float())
    return new[0].to(matrix.dtype), bias if bias is None else new[1].to(bias.dtype)


def always_float(x, weight, eps):
    return by_torch(x.float(), weight.float(), eps)


def rounded_scale(x, weight, eps):
    axes = tuple(range(-weight.dim(), 0))
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return x * torch.rsqrt(wide.square().mean(axes, keepdim=True) + eps).to(x.dtype) * weight


def l2(x, weight, eps):
    return F.normalize(x, dim=-1, eps=eps) * weight


def through_rows(matrix, bias):
    return matrix - matrix.mean(1, keepdim=True), bias


def matrix_only(matrix, bias):
    return matrix - matrix.mean(0)


def changes_the_matrix(matrix, bias):
    matrix -= matrix.mean(0)
    return matrix, bias


def crashes_without_a_bias(matrix, bias):
    return matrix - matrix.mean(0), bias - bias.mean()


def ones_for_means(matrix, bias):
    return matrix - 1 / len(matrix), None if bias is None else bias - 1 / len(bias)


RIGHT = {
    "torch's": (by_torch, centred),
    "flattened": (flattened, centring_matrix),
    "float64": (in_float64, centred),
    "a loop": (with_a_loop, centred_by_numpy),
}
WRONG = {
    "weight inside": ((weight_inside, centred), "round first, then multiply"),
    "one page's": ((the_chapters, centred), "only the last axis|two things"),
    "Llama's": ((as_in_llama, centred), "only the last axis"),
    "layer norm": ((layer_norm, centred), "that is LayerNorm"),
    "Bessel": ((bessel, centred), "divided by D - 1"),
    "in place": ((in_place, centred), "your code changes x|changes an input"),
    "numpy": ((by_numpy, centred), "only the last axis|no gradient"),
    "no_grad": ((without_graph, centred), "no gradient"),
    "detached scale": ((scale_without_graph, centred), "gradient is not"),
    "the root, then its square": ((root_first, centred), "NaN"),
    "eps in half precision": ((eps_in_half, centred), "NaN"),
    "a bias if it is not 0": ((rms_norm, any_bias), "whether it is None"),
    "the layer in float32": ((rms_norm, centred_in_float32), "computed in float64"),
    "always float32": ((always_float, centred), "float32"),
    "scale in half precision": ((rounded_scale, centred), "rounded"),
    "L2": ((l2, centred), "a norm of 1"),
    "exchanged": ((centred, rms_norm), "rms_norm"),
    "rows": ((rms_norm, through_rows), "along each row"),
    "matrix only": ((rms_norm, matrix_only), "a tensor of shape"),
    "in place, too": ((rms_norm, changes_the_matrix), "your code changes"),
    "no bias": ((rms_norm, crashes_without_a_bias), "None"),
    "1 / D": ((rms_norm, ones_for_means), "the answer"),
}
