"""Answers to 17.3, tiles round the middle."""

import torch

from minibert.training.growth import tile_from_middle


def by_rolling(weight, shape):
    for axis, new in enumerate(shape):
        old = weight.shape[axis]
        times = [1] * weight.dim()
        times[axis] = -(-new // old)
        weight = weight.repeat(times).roll((new - old) // 2, axis) if new > old else weight
        full = weight.shape[axis]
        if full > new:
            index = [(i - (new - old) // 2) % old + (new - old) // 2 for i in range(new)]
            weight = torch.stack([weight.select(axis, i % full) for i in index], axis)
    return weight


def by_entries(weight, shape):
    old, new = weight.shape, shape
    grids = torch.meshgrid(
        *[(torch.arange(n) - (n - m) // 2).remainder(m) for m, n in zip(old, new, strict=True)], indexing="ij"
    )
    return weight[grids]


def with_numpy_indices(weight, old_rows, new_rows, width):
    made, start = [], 0
    for rows, new in zip(old_rows, new_rows, strict=True):
        made.append(tile_from_middle(weight[start : start + rows], (new, width)))
        start += rows
    return torch.vstack(made)


def with_chunk(weight, old_rows, new_rows, width):
    parts = weight.chunk(len(old_rows))
    return torch.cat([tile_from_middle(part, (new, width)) for part, new in zip(parts, new_rows, strict=True)])


def unsplit(weight, old_rows, new_rows, width):
    return tile_from_middle(weight, (sum(new_rows), width))


def matrices_only(weight, shape):
    rows = (torch.arange(shape[0]) - (shape[0] - weight.shape[0]) // 2) % weight.shape[0]
    columns = (torch.arange(shape[1]) - (shape[1] - weight.shape[1]) // 2) % weight.shape[1]
    return weight[rows][:, columns]


def with_pad(weight, shape):
    out = torch.zeros(shape)
    place = tuple(slice((n - m) // 2, (n - m) // 2 + m) for m, n in zip(weight.shape, shape, strict=True))
    out[place] = weight.float()
    return out


def circular_once(weight, shape):
    """Circular padding of torch, which goes round once only."""
    pads = []
    for old, new in zip(reversed(weight.shape), reversed(shape), strict=True):
        pads += [(new - old) // 2, new - old - (new - old) // 2]
    one = weight[None, None] if weight.dim() < 3 else weight[None]
    return torch.nn.functional.pad(one.float(), pads, mode="circular").view(shape).to(weight)


def answer(one=tile_from_middle, several=with_numpy_indices):
    return one, several


def mirrored(weight, shape):
    for axis, new in enumerate(shape):
        old = weight.shape[axis]
        place = (torch.arange(new) - (new - old) // 2) % (2 * old)
        weight = weight.index_select(axis, torch.where(place < old, place, 2 * old - 1 - place))
    return weight


def rows_only(weight, old_rows, new_rows, width):
    return with_numpy_indices(weight, old_rows, new_rows, weight.shape[1])


RIGHT = {"the package": answer(), "meshgrid": answer(by_entries), "rolling": [by_rolling, with_numpy_indices]}
WRONG = {
    "chunk": (answer(several=with_chunk), "tile_fused: (?s:.)*old_rows says"),
    "unsplit": (answer(several=unsplit), "tile_fused: (?s:.)*not split"),
    "matrices only": (answer(matrices_only), "tile: IndexError"),
    "zeros around": (answer(with_pad), "tile: (?s:.)*zeros around"),
    "circular padding": (answer(circular_once), "tile: "),
    "float32": (answer(lambda w, s: tile_from_middle(w.float(), s)), "dtype"),
    "a list": (answer(lambda w, s: tile_from_middle(w, s).tolist()), "a list"),
    "one function": (tile_from_middle, "all in parentheses"),
    "mirrored": (answer(mirrored), "mirrored"),
    "rows only": (answer(several=rows_only), "tile_fused: (?s:.)*grows to `width`"),
}
