"""Answers to 5.2, splitting into heads and merging them."""

import torch

from minibert.course.exercise import STUB


def split_by_slices(x, heads):
    size = x.shape[-1] // heads
    return torch.stack([x[..., head * size : (head + 1) * size] for head in range(heads)], dim=1)


def split_by_chunks(x, heads):
    return torch.stack(x.chunk(heads, dim=-1)).movedim(0, 1)


def split_by_unfold(x, heads):
    return x.unfold(-1, x.shape[-1] // heads, x.shape[-1] // heads).transpose(1, 2)


def split_by_unflatten(x, heads):
    return x.unflatten(-1, (heads, -1)).movedim(2, 1)


def merge_by_cat(x):
    return torch.cat(list(x.unbind(dim=1)), dim=-1)


def merge_by_contiguous_view(x):
    return x.permute(0, 2, 1, 3).contiguous().view(x.shape[0], x.shape[2], -1)


def merge_by_einsum(x):
    return torch.einsum("bhtk->bthk", x).flatten(-2)


def split_for_one_text(x, heads):
    return x.view(x.shape[1], heads, -1).transpose(0, 1)[None]


def split_through_numpy(x, heads):
    return torch.tensor(split_by_slices(x, heads).tolist())


def split_into_floats(x, heads):
    out = torch.zeros(x.shape[0], heads, x.shape[1], x.shape[2] // heads)
    for head in range(heads):
        out[:, head] = x[:, :, head * out.shape[-1] : (head + 1) * out.shape[-1]]
    return out


def split_in_place_of_batch(x, heads):
    return torch.stack(x.chunk(heads, dim=-1))


def merge_two_heads(x):
    return torch.cat([x[:, 0], x[:, 1]], dim=-1)


def merge_last_text(x):
    return torch.stack([torch.cat([*x[-1]], dim=-1)] * len(x))


def stub(*arguments):
    raise NotImplementedError(STUB)


def merge_in_the_wrong_order(x):
    return x.flatten(2)


def merge_sizes_misread(x):
    batch, tokens, heads, size = x.shape
    return x.transpose(1, 2).reshape(batch, tokens, heads * size)


RIGHT = {
    "unfold, cat": (split_by_unfold, merge_by_cat),
    "unflatten, contiguous view": [split_by_unflatten, merge_by_contiguous_view],
    "einsum": (split_by_unfold, merge_by_einsum),
}
WRONG = {
    "the chapter's slices": ((split_by_slices, merge_by_cat), "numbers are copied"),
    "chunks": ((split_by_chunks, merge_by_einsum), "numbers are copied"),
    "one text only": ((split_for_one_text, merge_by_cat), r"split_heads: .*\(2, 5, 12\)"),
    "through lists": ((split_through_numpy, merge_by_cat), "split_heads: no gradient leads back|float64"),
    "a new float32 tensor": ((split_into_floats, merge_by_cat), "float64"),
    "heads before texts": ((split_in_place_of_batch, merge_by_cat), r"result is \(H, B, T, K\)"),
    "two heads": ((split_by_unfold, merge_two_heads), r"merge_heads: .*\(2, 3, 5, 4\)"),
    "the last text for all": ((split_by_unfold, merge_last_text), r"merge_heads: .*\(2, 3, 5, 4\)"),
    "flatten without transpose": ((split_by_unfold, merge_in_the_wrong_order), "flatten.2. joins the tokens"),
    "sizes misread": ((split_by_unfold, merge_sizes_misread), "it is read as"),
    "merge not written": ((split_by_unfold, stub), "merge_heads is not written"),
    "split not written": ((stub, merge_by_cat), "split_heads is not written"),
    "one function": (split_by_slices, "split_heads, merge_heads"),
    "numbers": ((1, 2), "the function split_heads"),
    "a text": ("split", "split_heads, merge_heads"),
    "three functions": ((split_by_slices, merge_by_cat, stub), "3 things"),
}
