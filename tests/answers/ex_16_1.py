"""Answers to 16.1, what a token sees in a packed row."""

from itertools import pairwise

import torch


def by_loops(cu_seqlens, layer, local_window, global_every):
    seen = torch.zeros(int(cu_seqlens[-1]), int(cu_seqlens[-1]), dtype=torch.bool)
    for start, end in pairwise(cu_seqlens.tolist()):
        for i in range(start, end):
            for j in range(start, end):
                seen[i, j] = layer % global_every == 0 or abs(i - j) <= local_window // 2
    return seen


def by_blocks(cu_seqlens, layer, local_window, global_every):
    wide = 10**6 if layer % global_every == 0 else local_window // 2
    blocks = [torch.ones(n, n).tril(wide).triu(-wide) for n in cu_seqlens.diff().tolist()]
    return torch.block_diag(*blocks).bool()


def by_bucketize(cu_seqlens, layer, local_window, global_every):
    place = torch.arange(int(cu_seqlens[-1]))
    text = torch.bucketize(place, cu_seqlens, right=True)
    visible = text.unsqueeze(1).eq(text.unsqueeze(0))
    if layer % global_every == 0:
        return visible
    apart = (place.unsqueeze(1) - place.unsqueeze(0)).abs()
    return torch.logical_and(visible, apart.le(local_window / 2))


def of_one_text(cu_seqlens, layer, local_window, global_every):
    place = torch.arange(int(cu_seqlens[-1]))
    near = (place[:, None] - place).abs() <= local_window // 2
    return near if layer % global_every else torch.ones_like(near)


def round_the_row(cu_seqlens, layer, local_window, global_every):
    place, n = torch.arange(int(cu_seqlens[-1])), int(cu_seqlens[-1])
    apart = (place[:, None] - place).abs()
    near = torch.minimum(apart, n - apart) <= local_window // 2
    text = torch.repeat_interleave(cu_seqlens.diff())
    return (text[:, None] == text) & (near if layer % global_every else True)


def of_two_texts(cu_seqlens, layer, local_window, global_every):
    return by_bucketize(cu_seqlens[[0, 1, -1]], layer, local_window, global_every)


def starts_marked(cu_seqlens, layer, local_window, global_every):
    """Counts the starts of texts; that of an empty text at the end is moved to the last token."""
    place = torch.arange(int(cu_seqlens[-1]))
    begins = torch.zeros_like(place)
    begins[cu_seqlens[:-1].long().clamp(max=len(place) - 1)] = 1
    same = begins.cumsum(0)[:, None] == begins.cumsum(0)
    return same & ((layer % global_every == 0) | ((place[:, None] - place).abs() <= local_window // 2))


def blocks_of_the_window(cu_seqlens, layer, local_window, global_every):
    place = torch.arange(int(cu_seqlens[-1])) // (local_window + 1)
    return by_loops(cu_seqlens, 0, local_window, 1) & ((layer % global_every == 0) | (place[:, None] == place))


RIGHT = {"loops": by_loops, "blocks": by_blocks, "bucketize": by_bucketize}
WRONG = {
    "one text": (of_one_text, "texts see each other"),
    "round the row": (round_the_row, "half of the window away"),
    "two texts": (of_two_texts, "cu_seqlens|same text|the others"),
    "numpy": (lambda *a: by_blocks(*a).numpy(), "numpy"),
    "ones": (lambda *a: by_blocks(*a).float(), "dtype float32|True on|boolean"),
    "every token its own row": (lambda c, a, w, e: by_blocks(c, a, w, e)[None], r"shape \(1, 9, 9\)"),
    "returns nothing": (lambda *a: None, "return"),
    "starts marked": (starts_marked, "a text without tokens"),
    "blocks of the window": (blocks_of_the_window, "half of the window away"),
}
