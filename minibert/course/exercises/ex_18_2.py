"""18.2 Groups of query heads. Fewer key heads, groups of any size; and the way there from one key head each."""

import torch

from minibert.course.lab import Case, Crash, Exercise, Lab
from minibert.course.tools import call


def grouped_attention(query, key, value, visible, sizes):
    """query (B, H, T, K), key (B, G, S, K), value (B, G, S, E), visible (B, S), sizes: G ints -> (B, T, H E)."""
    owner = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))  # (H,): the group of each query head
    keys, values = key[:, owner], value[:, owner]  # (B, H, S, K) and (B, H, S, E)
    scores = query @ keys.mT / query.shape[-1] ** 0.5  # (B, H, T, S)
    weights = scores.masked_fill(~visible[:, None, None, :], float("-inf")).softmax(dim=-1)
    return (weights @ values).transpose(1, 2).flatten(2)  # the heads side by side


def to_groups(weight, sizes):
    """The key or value matrix of H heads, (H K, D), as one of G heads, the means of each group's -> (G K, D)."""
    heads = weight.unflatten(0, (sum(sizes), -1))  # (H, K, D)
    return torch.cat([group.mean(dim=0) for group in heads.split(list(sizes))])


def asked(answer, query, key, value, visible, sizes):
    """The output; where the groups differ in size, all ways to fail are one, so that the mistake is recognised."""
    try:
        return call(answer, query, key, value, visible, sizes)
    except Crash as crash:
        if len(set(sizes)) > 1:
            crash.raised = "fails", set()
        raise


def attentions(rng):
    def case(B, T, S, K, E, sizes, cause, size=1.0, dtype=torch.float32, **more):
        query = size * torch.randn(B, sum(sizes), T, K, generator=rng)
        key, value = (torch.randn(B, len(sizes), S, n, generator=rng) for n in (K, E))
        visible = torch.rand(B, S, generator=rng) < 0.6
        visible[:, -1], visible[:, 0] = False, True
        name = more.pop("name", f"output for H={sum(sizes)}, G={len(sizes)}, sizes {sizes}")
        return Case((query.to(dtype), key.to(dtype), value.to(dtype), visible, sizes), cause, name, **more)

    even = "each query head mixes the values that it may see in its group's head; neighbouring query heads share one"
    yield case(2, 3, 5, 6, 7, (2, 2, 2), even)
    yield case(2, 3, 5, 6, 7, (3, 3), even)
    query = torch.zeros(1, 4, 1, 2)
    value = torch.tensor([1.0, 10, 100]).view(1, 3, 1, 1) * torch.tensor([1.0, 3, 7]).view(1, 1, 3, 1)
    hand = (query, torch.zeros(1, 3, 3, 2), value, torch.tensor([[True, True, False]]), (1, 2, 1))
    halves = "two keys weigh 1/2, so head 0 reads 2 from group 0, heads 1 and 2 read 20 from group 1, head 3 reads 200"
    yield Case(hand, halves, "output for the hand example")
    half = (*hand[:3], torch.tensor([[True, False, False]]), (1, 2, 1))
    yield Case(half, "only the first key may be seen: 1, 10, 10, 100", "output for the hand example, one key visible,")
    yield case(1, 4, 3, 5, 2, (2, 2, 2, 2), even)
    own = "group 0 is read by the first sizes[0] query heads, group 1 by the next sizes[1], and so on"
    yield case(2, 3, 4, 5, 6, (3, 1, 2), own)
    yield case(3, 2, 4, 6, 3, (1, 3), own, gradient=True, double=True)
    exact = dict(dtype=torch.float64, tolerance=1e-10, certain=True, name="output in float64")
    yield case(2, 2, 9, 4, 5, (1, 2), "float64 is computed in float64 from beginning to end", **exact)
    yield case(2, 2, 3, 4, 5, (1, 1, 1), "a key head for each query head: that is multi-head attention")
    yield case(2, 3, 4, 5, 2, (4,), "one key head for all query heads (multi-query attention)")
    yield case(2, 1, 1, 3, 4, (1, 2), "one query, one key")
    turned = "visible belongs to the keys, the last axis of the scores; T may equal S"
    yield case(2, 4, 4, 3, 5, (2, 1), turned, name="output for T = S", if_nan=turned)
    yield case(2, 3, 5, 64, 8, (2, 3), "K may be anything", name="output for K=64", tolerance=2e-5)
    low = "visible scores may be as low as -50,000, and hidden ones must be lower still: -inf"
    zero = "exp of such a score is 0 or infinity: leave it to softmax"
    for hidden, says in ((1.0, "are about -57,000"), (-1.0, "are -57,000 where visible, and 57,000 where hidden")):
        keys = torch.tensor([1.0, hidden, hidden]).view(1, 1, 3, 1).expand(1, 3, 3, 2)
        deep = (torch.full((1, 4, 1, 2), -4e4), keys, *half[2:])
        yield Case(deep, low, f"output where the scores {says},", if_nan=zero)
    yield case(2, 3, 5, 6, 4, (2, 1), low, size=3e3, name="output for large queries", tolerance=1e-3)


OWNER, ROOT = "torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))", "query.shape[-1] ** 0.5"
TILED, KEYS, VALUES = "torch.arange(sum(sizes)) % len(sizes)", "keys, values = key[:, owner]", ", value[:, owner]"
HIDE, MIX = 'scores.masked_fill(~visible[:, None, None, :], float("-inf")).softmax(dim=-1)', "(weights @ values)"
BACK = ".transpose(1, 2).flatten(2)"
RANK = "torch.tensor([i for n in sizes for i in range(n)])"
ATTENTION = {
    "query head h reads key head h % G (repeat, tile); neighbours share one (repeat_interleave)": {OWNER: TILED},
    "query head h reads key head h % G (repeat, tile), and all groups have the same size; sizes says which": {
        OWNER: "torch.arange(len(sizes)).repeat(sum(sizes) // len(sizes))"
    },
    "the keys are repeated in turn (head h reads h % G), the values are not; neighbours share both": {
        KEYS: f"keys, values = key[:, {TILED}]"
    },
    "the values are repeated in turn (head h reads h % G), the keys are not; neighbours share both": {
        VALUES: f", value[:, {TILED}]"
    },
    "all groups have the same size here; sizes says how many query heads each has": {
        OWNER: "torch.arange(len(sizes)).repeat_interleave(sum(sizes) // len(sizes))"
    },
    "all groups have the same size here, rounded; sizes says how many query heads each has": {
        OWNER: "torch.arange(sum(sizes)) * len(sizes) // sum(sizes)"
    },
    "the borders of the groups are off by one": {
        OWNER: "torch.bucketize(torch.arange(sum(sizes)), torch.tensor(sizes).cumsum(0)).clamp(max=len(sizes) - 1)"
    },
    "the sizes are read from the last to the first": {"torch.tensor(sizes)": "torch.tensor(sizes[::-1])"},
    "all query heads read the mean of the key heads: each group has its own": {
        "key[:, owner], value[:, owner]": "key.mean(1, keepdim=True), value.mean(1, keepdim=True)"
    },
    "the query heads of a group are made one; they share keys and values, and each has its own weights": {
        "scores = query @": "query = torch.stack([query[:, owner == g].mean(1) for g in range(len(sizes))], 1)\n"
        "    scores = query[:, owner] @"
    },
    "the heads of a group share one softmax; each query head has its own": {
        HIDE: 'scores.masked_fill(~visible[:, None, None, :], float("-inf"))\n'
        "    sums = torch.stack([weights[:, owner == g].logsumexp((1, 3)) for g in range(len(sizes))], 1)\n"
        "    weights = (weights - sums[:, owner, :, None]).exp()"
    },
    "the scores are divided by K, not by its square root": {ROOT: "query.shape[-1]"},
    "the scores are not divided by sqrt(K)": {f" / {ROOT}": ""},
    "the scale has the size of a value head, E; it is the root of K, the size of a key head": {
        ROOT: "value.shape[-1] ** 0.5"
    },
    "the scale has the width of all query heads, H K; it is the root of K, the size of one head": {
        ROOT: "(query.shape[1] * query.shape[-1]) ** 0.5"
    },
    "the scores are divided by 8, which is sqrt(K) for K = 64 only": {ROOT: "8"},
    "visible is not used": {HIDE: "scores.softmax(dim=-1)"},
    "visible of the first text is used for all texts": {"(~visible[:": "(~visible[:1].expand_as(visible)[:"},
    "visible is read as a number of keys, the first ones; any of them may be hidden": {
        "~visible[:": "(torch.arange(visible.shape[1]) >= visible.sum(1, keepdim=True))[:"
    },
    "visible is turned round: True marks the keys that may be seen": {"(~visible": "(visible"},
    "visible acts after the softmax, so the weights do not sum to 1": {
        HIDE: "scores.softmax(dim=-1) * visible[:, None, None, :]"
    },
    "hidden scores are set to 0, and exp(0) is 1; set them to -inf": {'float("-inf")': "0.0"},
    "visible is added to the scores as 0 and 1; hidden ones must become -inf": {
        HIDE: "(scores + visible[:, None, None, :]).softmax(dim=-1)"
    },
    "a number such as -1e4 is added to hidden scores, and one of them is still the highest: set them to -inf": {
        HIDE: "(scores - 1e4 * ~visible[:, None, None, :]).softmax(dim=-1)"
    },
    "hidden scores are set to a number such as -1e4, and the visible ones are lower still": {'float("-inf")': "-1e4"},
    "softmax over the queries (dim -2); the weights of a query sum to 1 over the keys, dim=-1": {"dim=-1": "dim=-2"},
    "softmax over the heads (dim 1); the weights of a query sum to 1 over the keys, dim=-1": {"dim=-1": "dim=1"},
    "later keys are hidden, too (a causal mask)": {
        "~visible[:, None, None, :]": "~visible[:, None, None, :] | torch.ones_like(scores).bool().triu(1)"
    },
    "the heads are not put side by side: (B, T, H E)": {BACK: ""},
    "the heads are not side by side: (B, H, T, E) is cut into rows as it lies; transpose H and T first": {
        BACK: ".reshape(query.shape[0], query.shape[2], -1)"
    },
    "the heads are interleaved, number by number; E numbers of head 0 come first, then those of head 1": {
        BACK: ".permute(0, 2, 3, 1).flatten(2)"
    },
    "the heads come out in another order: rank by rank of all groups; group 0's heads come first": {
        MIX: f"(weights @ values)[:, torch.argsort({RANK}, stable=True)]"
    },
    "the axes are (B, T, H, E); put the last two together": {BACK: ".transpose(1, 2)"},
    "one result for each group: the heads of a group are averaged": {
        MIX: "torch.stack([(weights @ values)[:, owner == g].mean(1) for g in range(len(sizes))], 1)"
    },
}


def matrices(rng):
    column = torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8]).view(8, 1)
    says = "head 0 stays; heads 1 and 2, rows (3, 4) and (5, 6), become their mean (4, 5); head 3 stays"
    yield Case((column, (1, 2, 1)), says, "four heads of 2 rows, 1 ... 8, in groups of 1, 2, 1:")
    yield Case((column, (2, 2)), "heads 0 and 1 are rows 1 2 and 3 4: mean 2 3", "1 ... 8, in groups of 2, 2:")
    for sizes, K, D in (((2, 2, 2), 4, 5), ((3, 1, 2), 5, 4), ((4, 1), 3, 7), ((5,), 2, 3), ((1, 1, 1), 3, 4)):
        weight, name = torch.randn(sum(sizes) * K, D, generator=rng), f"the matrix for sizes {sizes}, K={K}, D={D}"
        cause = "K rows make a head; average the heads of a group, row by row"
        yield Case((weight, sizes), cause, name, double=True, gradient=sizes == (4, 1))


MEANS, HEADS = "group.mean(dim=0) for group in heads.split(list(sizes))", "weight.unflatten(0, (sum(sizes), -1))"
POOL = {
    "the first head of each group is kept; all of its heads are averaged": {"group.mean(dim=0)": "group[0]"},
    "the heads of a group are summed; they are averaged": {"group.mean(dim=0)": "group.sum(dim=0)"},
    "the sum over a group is divided by the number of all heads; divide it by the group's own": {
        "group.mean(dim=0)": "group.sum(dim=0) / len(heads)"
    },
    "heads that are G apart are averaged; neighbours form a group": {
        MEANS: "heads[g :: len(sizes)].mean(dim=0) for g in range(len(sizes))"
    },
    "the rows of a group are averaged; row k of its heads is, and K rows remain": {
        MEANS: "group.flatten(0, 1).mean(dim=0, keepdim=True) for group in heads.split(list(sizes))"
    },
    "the rows are taken in turn, one for each head; K neighbouring rows make a head": {
        HEADS: "weight.unflatten(0, (-1, sum(sizes))).transpose(0, 1)"
    },
    "all groups have the same size here; sizes says how many heads each has": {
        "heads.split(list(sizes))": "heads.tensor_split(len(sizes))"
    },
    "the result has a head axis; it is a matrix again, (G K, D)": {"torch.cat": "torch.stack"},
    "sizes count rows here; they count heads of K rows": {HEADS: "weight[:, None]"},
}

EXERCISE = Exercise(
    minutes=30,
    difficulty=3,
    signature="(grouped_attention, to_groups): grouped_attention(query (B, H, T, K), key (B, G, S, K), "
    "value (B, G, S, E), visible (B, S) bool, sizes: G ints) -> (B, T, H E); "
    "to_groups(weight (H K, D), sizes: G ints) -> (G K, D)",
    hints=(
        "First write down for sizes (3, 1, 2) which key head each of the six query heads reads. Once every query head\n"
        "has its own copy of keys and values, this is attention as you know it. For `to_groups`, find the rows of one\n"
        "head in the matrix.",
        "a list of H group numbers, such as 0 0 0 1 2 2; keys (B, H, S, K), values (B, H, S, E), scores (B, H, T, S),\n"
        "mixed (B, H, T, E), result (B, T, H E). to_groups: (H K, D) is (H, K, D); of each group (its size, K, D)\n"
        "there remains (K, D).",
        "attention: for every query head pick keys and values of its group, by number\n"
        "           score over the root of K; minus infinity at hidden keys; softmax along the keys; mix the values\n"
        "           heads behind the tokens, then side by side\n"
        "to_groups: cut the rows into heads, the heads into groups; average each group; one below the other",
    ),
    parts=(Lab(grouped_attention, attentions, ATTENTION, asked), Lab(to_groups, matrices, POOL)),
)
