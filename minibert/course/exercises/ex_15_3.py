"""15.3 Permute foreign weights. From neighbours to halves."""

import torch

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.tools import call


def to_half_split(weights, H, G):
    """The same attention for a RoPE that turns (k, k + K / 2), from weights made for (2 k, 2 k + 1)."""
    K = len(weights["query.weight"]) // H
    order = torch.cat([torch.arange(0, K, 2), torch.arange(1, K, 2)])  # even channels, then odd ones
    changed = dict(weights)
    for name, heads in (("query", H), ("key", G)):
        for part in (f"{name}.weight", f"{name}.bias"):
            if part in weights:
                rows = weights[part].unflatten(0, (heads, K))  # (heads, K, D) or (heads, K)
                changed[part] = rows[:, order].flatten(0, 1)
    return changed


def ask(answer, weights, H, G):
    """What comes back, as a plain dictionary."""
    got = call(answer, weights, H, G)
    return dict(got) if isinstance(got, dict) else got


def cases(rng):
    def draw(D, H, G, K, bias, dtype=torch.float32):
        sizes = {"query": (H * K, D), "key": (G * K, D), "value": (G * K, D), "output": (D, H * K)}
        weights = {f"{name}.weight": torch.randn(size, generator=rng).to(dtype) for name, size in sizes.items()}
        return weights | {
            f"{name}.bias": torch.randn(size[0], generator=rng).to(dtype) for name, size in sizes.items() if bias
        }

    def case(D, H, G, K, bias, cause, name, **more):
        return Case((draw(D, H, G, K, bias, **more), H, G), cause, name, tolerance=1e-7)

    rows = torch.arange(6.0)[:, None] + torch.tensor([10.0, 20.0])
    hand = dict.fromkeys(("query.weight", "key.weight", "value.weight"), rows) | {"output.weight": rows.T}
    cause = "K = 6: rows 0, 2, 4, 1, 3, 5 of the query and the key, in this order"
    yield Case((hand, 1, 1), cause, "weights of one head of six channels", tolerance=1e-7)
    inside = "each head is permuted for itself, its K rows among each other"
    yield case(5, 3, 3, 8, False, inside, "weights of three heads")
    yield case(7, 4, 2, 6, False, "the key has G heads", "weights with four query heads and two key heads")
    yield case(9, 2, 2, 10, True, "a bias is one number for each row, and moves with its row", "weights with biases")
    yield case(12, 2, 2, 6, False, "rows of the query and the key move, no columns", "square weights")
    yield case(4, 6, 3, 2, True, "with K = 2 there is one pair, and nothing moves", "weights with K = 2")
    yield case(5, 2, 1, 8, True, "numbers are moved, not computed", "weights in float64", dtype=torch.float64)


def all_four(weights, H, G):
    """Value and output are renumbered alike, which changes nothing."""
    new = to_half_split(weights, H, G)
    moved = {"query.weight": weights["output.weight"].T, "key.weight": weights["value.weight"]}
    moved = to_half_split(
        moved | {"key.bias": weights.get("value.bias", torch.zeros(len(weights["value.weight"])))}, H, G
    )
    new |= {"output.weight": moved["query.weight"].T, "value.weight": moved["key.weight"]}
    return new | ({"value.bias": moved["key.bias"]} if "value.bias" in weights else {})


ORDER, ROWS = "torch.cat([torch.arange(0, K, 2), torch.arange(1, K, 2)])", "weights[part].unflatten(0, (heads, K))"
PARTS, MOVED = 'for name, heads in (("query", H), ("key", G)):', "rows[:, order].flatten(0, 1)"
MISTAKES = {
    "the permutation goes the other way, from halves to neighbours: the even rows come first, then the odd ones": {
        ORDER: "torch.arange(K).view(2, -1).T.flatten()"
    },
    "the odd rows come first; the even ones do": {ORDER: "torch.cat([torch.arange(1, K, 2), torch.arange(0, K, 2)])"},
    "the rows of all heads are permuted together; each head is permuted for itself, K rows at a time": {
        MOVED: "torch.cat([rows.flatten(0, 1)[::2], rows.flatten(0, 1)[1::2]])"
    },
    "the value is permuted too; RoPE does not touch it, and `output` expects it as it was": {
        PARTS: 'for name, heads in (("query", H), ("key", G), ("value", G)):'
    },
    "value and output are renumbered alike: the output is the same, and nothing asks for it; leave them": all_four,
    "the key stays as it was; query and key are permuted alike, or their products change": {
        PARTS: 'for name, heads in (("query", H),):'
    },
    "the query stays as it was; query and key are permuted alike, or their products change": {
        PARTS: 'for name, heads in (("key", G),):'
    },
    "the biases stay as they were; a bias moves with its row": {
        'for part in (f"{name}.weight", f"{name}.bias"):': 'for part in (f"{name}.weight",):'
    },
    "the columns are permuted; the channels of a head are rows of its matrix": {
        MOVED: "rows[..., torch.argsort(torch.arange(rows.shape[-1]) % 2, stable=True)].flatten(0, 1)"
    },
    "H and K are exchanged: row h K + k is channel k of head h": {
        ROWS: "weights[part].unflatten(0, (K, heads)).transpose(0, 1)",
        MOVED: "rows[:, order].transpose(0, 1).flatten(0, 1)",
    },
    "the heads are reordered, not the channels inside them": {
        MOVED: "torch.cat([rows[::2], rows[1::2]]).flatten(0, 1)"
    },
    "the second half of each head is turned round": {
        ORDER: "torch.cat([torch.arange(0, K, 2), torch.arange(1, K, 2).flip(0)])"
    },
    "nothing is permuted": {MOVED: "rows.flatten(0, 1)"},
    "only what was changed is returned; the others belong to the dictionary too": {"dict(weights)": "{}"},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=3,
    signature="to_half_split(weights: a dict of query.weight, key.weight and others, H, G) -> a dict",
    hints=(
        "A score is a sum over channels, and a sum does not mind the order. So channels may be renumbered, in query\n"
        "and key alike, until partners stand where the other rotation looks for them.",
        "query.weight (H K, D): rows h K ... h K + K - 1 make head h; key.weight (G K, D). A bias has one number for\n"
        "each row: (H K,) and (G K,). For K = 6 the new order within a head is 0, 2, 4, 1, 3, 5.",
        "K = rows of the query over H\n"
        "order = 0, 2, 4, ... and then 1, 3, 5, ...\n"
        "for query with H heads and key with G: cut the rows into heads, take those of each in this order, join them\n"
        "the same for their biases, if there are any; all else as it was",
    ),
    parts=(Lab(to_half_split, cases, MISTAKES, ask),),
)
