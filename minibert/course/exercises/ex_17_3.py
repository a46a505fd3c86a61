"""17.3 Tiles round the middle. Some matrices are several in one."""

import torch

from minibert.course.lab import Case, Exercise, Lab


def tile(weight, shape):
    """A tensor of `shape` with `weight` in its middle and copies of it all around."""
    for axis, (old, new) in enumerate(zip(weight.shape, shape, strict=True)):
        index = (torch.arange(new) - (new - old) // 2) % old  # (new,); % is never negative
        weight = weight.index_select(axis, index)
    return weight


def tile_fused(weight, old_rows, new_rows, width):
    """Several matrices, one above the other: weight (sum of old_rows, D) -> (sum of new_rows, width)."""
    parts = weight.split(list(old_rows))
    return torch.cat([tile(part, (rows, width)) for part, rows in zip(parts, new_rows, strict=True)])


def counted(*shape):
    """A tensor in which each entry says where it stands."""
    return torch.arange(1.0, 1.0 + torch.Size(shape).numel()).view(shape)


def single(rng):
    says = "entry i of an axis that grows from m to n is entry (i - (n - m) // 2) mod m of the old one"
    yield Case((counted(2, 2), (4, 4)), says, "the tiles of [[1, 2], [3, 4]] in (4, 4)")
    yield Case((counted(3, 3), (5, 5)), says, "the tiles of 1 ... 9 in (5, 5)")
    yield Case((counted(4), (8,)), says, "the tiles of [1, 2, 3, 4] in (8,)")
    yield Case(
        (counted(4), (7,)), "7 - 4 = 3: one in front (rounded down), two behind", "the tiles of [1, 2, 3, 4] in (7,)"
    )
    yield Case((counted(2), (9,)), "three tiles and more: it goes on round and round", "the tiles of [1, 2] in (9,)")
    yield Case((counted(3, 4), (3, 4)), "nothing grows", "the tiles of (3, 4) in (3, 4)")
    yield Case((counted(3, 4), (3, 10)), "one axis grows, the other stays", "the tiles of (3, 4) in (3, 10)")
    yield Case((counted(3, 4), (11, 4)), "one axis grows, the other stays", "the tiles of (3, 4) in (11, 4)")
    yield Case((counted(1, 3), (1, 5)), "an axis of 1 stays", "the tiles of (1, 3) in (1, 5)")
    yield Case((counted(2, 3, 2), (5, 4, 6)), "any number of axes", "the tiles of (2, 3, 2) in (5, 4, 6)")
    yield Case((counted(3, 2).long(), (4, 5)), "the dtype stays", "the tiles of int64 (3, 2) in (4, 5)")
    yield Case((counted(3, 2).double(), (4, 5)), "the dtype stays", "the tiles of float64 (3, 2) in (4, 5)")
    for _ in range(3):
        old = torch.randint(1, 6, (2,), generator=rng)
        new = tuple((old + torch.randint(0, 9, (2,), generator=rng)).tolist())
        yield Case((torch.randn(*old, generator=rng), new), says, f"the tiles of {tuple(old.tolist())} in {new}")


def fused(rng):
    says = "split first, tile each part by itself, then put them together again in the same order"
    yield Case((counted(6, 2), (2, 2, 2), (4, 4, 4), 4), says, "the result for query, key and value (2, 2)")
    yield Case((counted(4, 3), (2, 2), (5, 5), 4), says, "the result for gate and up (2, 3)")
    groups = "with grouped queries the parts have different heights: old_rows says which"
    yield Case((counted(8, 3), (4, 2, 2), (8, 4, 4), 5), groups, "the result for query (4, 3), key and value (2, 3)")
    yield Case((counted(7, 2), (4, 2, 1), (6, 4, 3), 2), groups, "the result for parts of 4, 2 and 1 rows")
    yield Case(
        (counted(3, 3), (3,), (5,), 5), "one part is a matrix as any other", "the result for one part of 1 ... 9"
    )
    yield Case(
        (counted(6, 2), (3, 3), (3, 3), 5),
        "the rows stay, the width grows",
        "the result for two parts that grow in width only",
    )
    for dtype in (torch.float32, torch.float64):
        old = torch.randint(1, 6, (3,), generator=rng)
        new = (old + torch.randint(0, 7, (3,), generator=rng)).tolist()
        weight = torch.randn(int(old.sum()), 4, generator=rng, dtype=dtype)
        old, width = old.tolist(), 4 + int(torch.randint(0, 6, (), generator=rng))
        yield Case(
            (weight, tuple(old), tuple(new), width),
            says,
            f"the result for parts {tuple(old)} in {tuple(new)}, width {width}",
        )


INDEX, SHIFT = "(torch.arange(new) - (new - old) // 2) % old", "(new - old) // 2"
LINE = "weight = weight.index_select(axis, index)"
TILES = {
    "the tiles begin at the edge, with the old matrix in the corner; it stands in the middle": {
        INDEX: "torch.arange(new) % old"
    },
    "the tiles begin at the edge, with the old matrix in the last corner; it stands in the middle": {
        SHIFT: "(new - old)"
    },
    "the shift has the wrong sign: the old entry 0 lands at place (n - m) // 2, so subtract that": {
        INDEX: "(torch.arange(new) + (new - old) // 2) % old"
    },
    "half of the difference is rounded up; it is rounded down: (n - m) // 2": {SHIFT: "-(-(new - old) // 2)"},
    "the shift is half of the new size, not half of what is added": {SHIFT: "new // 2"},
    "the shift is half of the old size, not half of what is added": {SHIFT: "old // 2"},
    "the copies are mirrored; a tile is a copy as it stands": {
        INDEX: "(old - 0.5 - ((torch.arange(new) - (new - old) // 2) % (2 * old) - old + 0.5).abs()).long()"
    },
    "the edge of the old matrix is repeated; whole copies stand all around it": {
        INDEX: "(torch.arange(new) - (new - old) // 2).clamp(0, old - 1)"
    },
    "there are zeros around the old matrix; copies of it stand there": {
        LINE: "place = torch.arange(new) - (new - old) // 2\n"
        "        keep = ((place >= 0) & (place < old)).view([-1 if a == axis else 1 for a in range(weight.dim())])\n"
        "        weight = weight.index_select(axis, index) * keep"
    },
    "each entry is repeated beside itself; the whole matrix is": {INDEX: "torch.arange(new) * old // new"},
    "only the first axis grows": {LINE: f"{LINE} if axis == 0 else weight"},
    "only the last axis grows": {LINE: f"{LINE} if axis == len(shape) - 1 else weight"},
    "only the first two axes grow; there may be more": {LINE: f"{LINE} if axis < 2 else weight"},
    "the copies are scaled down; nothing is scaled": {LINE: f"{LINE} * (old / new) ** 0.5"},
    "the copies are scaled by old over new; nothing is scaled": {LINE: f"{LINE} * (old / new)"},
}
SPLIT = "weight.split(list(old_rows))"
TILED = "tile(part, (rows, width)) for part, rows in zip(parts, new_rows, strict=True)"
EDGE = "[:, torch.arange(width) % part.shape[1]]"
FUSED = {
    "the matrices are not split: the tiles run across query, key and value": {
        f"torch.cat([{TILED}])": "tile(weight, (sum(new_rows), width))"
    },
    "the matrix is split into equal parts; old_rows says how high each is": {
        SPLIT: "weight.tensor_split(len(old_rows))"
    },
    "the parts are put side by side; they stand one above the other": {
        f"torch.cat([{TILED}])": f"torch.cat([{TILED}], dim=1) if len(set(new_rows)) == 1 else torch.cat([{TILED}])"
    },
    "the parts come in another order": {f"torch.cat([{TILED}])": f"torch.cat([{TILED}][::-1])"},
    "the rows of the parts alternate; each part stays together": {
        f"return torch.cat([{TILED}])": f"made = [{TILED}]\n"
        "    return torch.cat([part[i : i + 1] for i in range(max(new_rows)) for part in made if i < len(part)])"
    },
    "each part begins at the edge; the old part stands in the middle of the new one": {
        "tile(part, (rows, width)) for": f"part[torch.arange(rows) % len(part)]{EDGE} for"
    },
    "the columns begin at the edge; the old width stands in the middle of the new one": {
        "tile(part, (rows, width)) for": f"tile(part, (rows, part.shape[1])){EDGE} for"
    },
    "the width stays as it was; it grows to `width`": {"(rows, width)": "(rows, part.shape[1])"},
    "the first part is repeated for all; each has weights of its own": {"tile(part, (rows": "tile(parts[0], (rows"},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=3,
    signature="(tile, tile_fused): tile(weight, shape) -> a tensor of this shape; "
    "tile_fused(weight (sum of old_rows, D), old_rows, new_rows, width) -> (sum of new_rows, width)",
    hints=(
        "Ask of each place of the new axis which old place it copies. In the middle that is clear; to the left and\n"
        "right of it counting goes on round and round, which is what % does. Axes do not know of each other.",
        "an index (n,) for an axis that grows from m to n, with values from 0 to m - 1; pick with it along this axis.\n"
        "Fused: parts (old_rows[p], D), each tiled to (new_rows[p], width), then one above the other.",
        "tile:  for each axis: the old place of new place i is i minus half of what is added (rounded down), modulo m\n"
        "       take these old places along this axis\n"
        "fused: cut the rows where old_rows says, tile each part, stack the results",
    ),
    parts=(Lab(tile, single, TILES), Lab(tile_fused, fused, FUSED)),
)
