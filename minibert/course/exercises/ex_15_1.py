"""15.1 Rotate the queries and keys of packed texts."""

import torch

from minibert.course.lab import Case, Exercise, Lab, gradients


def rotary(query, key, value, lengths, theta):
    """RoPE for texts end to end: query (N, H, K), key and value (N, G, K) -> the three that attention gets."""
    positions = torch.cat([torch.arange(length) for length in lengths])  # (N,): each text begins at 0
    K = query.shape[-1]
    frequencies = theta ** (-torch.arange(0, K, 2, dtype=torch.float64) / K)  # (K / 2,)
    angles = positions[:, None, None] * frequencies  # (N, 1, K / 2): the same for all heads
    cos, sin = angles.cos().to(query), angles.sin().to(query)

    def turn(x):
        first, second = x.chunk(2, dim=-1)  # channel k and its partner k + K / 2
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)

    return turn(query), turn(key), value


ITEMS = ("the query", "the key", "the value")


def cases(rng):
    def draw(N, H, G, K):
        return torch.randn(N, H, K, generator=rng), *(torch.randn(N, G, K, generator=rng) for _ in range(2))

    def ask(sizes, lengths, theta, cause, name, **more):
        return Case((*draw(*sizes), lengths, theta), cause, name, items=ITEMS, **{"tolerance": 1e-4, **more})

    row = torch.tensor([[[1.0, 2, 3, 4]]]).repeat(2, 1, 1)
    cause = "token 0 has position 0, so nothing turns; token 1 turns the pair (1, 3) by 1 and the pair (2, 4) by 0.01"
    yield Case((row, row, row, [2], 10_000.0), cause, "of two tokens (1, 2, 3, 4)", tolerance=1e-4, items=ITEMS)
    generic = "random inputs: which channels are partners, by which angle, in which direction?"
    yield ask((7, 3, 3, 10), [7], 10_000.0, generic, "of one text")
    yield ask((5, 2, 2, 8), [5], 160_000.0, "theta is what the caller says", "with theta = 160,000")
    yield ask((6, 4, 4, 2), [6], 100.0, "with K = 2 there is one pair, and it turns by 1 at each token", "with K = 2")
    packed = "each text begins at position 0 again"
    yield ask((11, 3, 3, 6), [4, 1, 6], 10_000.0, packed, "of three texts")
    yield ask((9, 6, 2, 8), [5, 4], 500.0, "the key has G heads, the query H", "with 6 query heads and 2 key heads")
    yield ask((60, 2, 1, 4), [20, 40], 50.0, packed, "of two longer texts")
    wide = tuple(x.double() for x in draw(6, 3, 3, 10))
    cause = "the output has the dtype of the inputs: a .float() or a new float32 tensor on the way"
    yield Case((*wide, [6], 10_000.0), cause, "in float64", tolerance=1e-6, items=ITEMS, certain=True)
    learn = "the output is right, its gradient is not"
    learnt = draw(6, 3, 3, 10)
    slope = tuple(f"the gradient at {one}" for one in ITEMS)
    yield Case((*learnt, [2, 4], 10_000.0), learn, "of two texts", run=slopes, items=slope, tolerance=1e-4)


def slopes(answer, query, key, value, lengths, theta):
    """The gradients at the three tensors."""

    def summed(query, key, value):
        turned = answer(query, key, value, lengths, theta)
        return torch.cat([x.flatten() for x in turned])

    return gradients(summed, query, key, value)


POSITIONS = "torch.cat([torch.arange(length) for length in lengths])"
POWER, HALVES, TURN = (
    "(-torch.arange(0, K, 2, dtype=torch.float64) / K)",
    "x.chunk(2, dim=-1)",
    "torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)",
)
RETURN, PAIRS = "return turn(query), turn(key), value", "first, second = x[..., ::2], x[..., 1::2]"
STACK = "torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-1).flatten(-2)"
MISTAKES = {
    "the partner of channel k is its neighbour (the interleaved layout); here it is k + K / 2": {
        f"first, second = {HALVES}": PAIRS,
        TURN: STACK,
    },
    "neighbours are turned and then written as halves; the partner of channel k is k + K / 2, before and after": {
        f"first, second = {HALVES}": PAIRS
    },
    "halves are turned and then written as neighbours; channel k stays channel k": {TURN: STACK},
    "the rotation goes backwards: (a, b) becomes (a cos - b sin, b cos + a sin)": {
        TURN: "torch.cat([first * cos + second * sin, second * cos - first * sin], dim=-1)"
    },
    "this is a reflection: with a cos - b sin in the first half, the second gets b cos + a sin, both with a plus": {
        "second * cos + first * sin": "second * cos - first * sin"
    },
    "the two signs are both plus, which changes the length: a cos - b sin, and b cos + a sin": {
        "first * cos - second * sin": "first * cos + second * sin"
    },
    "the halves are exchanged in the result": {
        TURN: "torch.cat([second * cos + first * sin, first * cos - second * sin], dim=-1)"
    },
    "the value is rotated too; positions belong into the scores, not into what is mixed": {
        RETURN: "return turn(query), turn(key), turn(value)"
    },
    "the key is not rotated": {RETURN: "return turn(query), key, value"},
    "the query is not rotated": {RETURN: "return query, turn(key), value"},
    "query and key are exchanged in the result": {RETURN: "return turn(key), turn(query), value"},
    "the key turns the other way; both turn the same way, and the score sees the difference": {
        RETURN: "turned = turn(query)\n    sin = -sin\n    return turned, turn(key), value",
    },
    "the first token has position 0; here it has 1": {POSITIONS: f"{POSITIONS} + 1"},
    "the positions run on from text to text; each text begins at 0": {POSITIONS: "torch.arange(len(query))"},
    "the positions run on from text to text, from 1; each text begins at 0": {
        POSITIONS: "torch.arange(len(query)) + 1"
    },
    "position 0 stands at the end of each text": {POSITIONS: POSITIONS.replace("(length)", "(length).flip(0)")},
    "the positions count texts, not tokens": {
        POSITIONS: "torch.cat([torch.full((length,), text) for text, length in enumerate(lengths)])"
    },
    "the exponents are -k / K, half of what they should be: they run from 0 to nearly -1, as -2 k / K": {
        POWER: "(-torch.arange(K // 2, dtype=torch.float64) / K)"
    },
    "the exponents are -4 k / K; there are K / 2 pairs, and the last exponent stays above -1: -2 k / K": {
        POWER: "(-2 * torch.arange(0, K, 2, dtype=torch.float64) / K)"
    },
    "the exponents end at -1 exactly (linspace); they are -2 k / K": {
        POWER: "(-torch.linspace(0, 1, K // 2, dtype=torch.float64))"
    },
    "the exponents begin at -2 / K; the first pair turns by 1 at each token: -2 k / K from k = 0": {
        POWER: "(-torch.arange(2, K + 2, 2, dtype=torch.float64) / K)"
    },
    "the minus sign of the exponents is missing: later pairs turn slower": {
        POWER: "(torch.arange(0, K, 2, dtype=torch.float64) / K)"
    },
    "the frequencies are in the wrong order: the first pair is the fastest": {
        POWER: f"{POWER}\n    frequencies = frequencies.flip(0)"
    },
    "theta is 10,000 here, whatever the caller says": {"= theta **": "= 10_000.0 **"},
    "the exponents are divided by the width of all heads, H K; each head is K wide": {"/ K)": "/ query[0].numel())"},
    "the angles are multiplied by 2 pi; position times frequency is an angle already": {
        "* frequencies": "* frequencies * 6.283185307179586"
    },
    "all pairs turn by the first frequency": {"* frequencies  #": "* frequencies[:1].expand(K // 2)  #"},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="rotary(query (N, H, K), key and value (N, G, K), lengths: a list of ints, theta) -> (query, key, value)",
    hints=(
        "Every pair of channels is a point in a plane. A token turns all its points, each at its own speed, by angles\n"
        "that grow with its position. Only what meets in the scores is turned.",
        "positions (N,), from 0 in each text; frequencies (K / 2,); angles (N, 1, K / 2), so that they broadcast over\n"
        "the heads. A half of x is (N, H, K / 2): the partner of channel k is channel k + K / 2.",
        "positions = 0, 1, 2, ... for each length, one after the other\n"
        "angle = position times theta to the power -2 k / K, for k = 0 ... K / 2 - 1\n"
        "new first half = first half times cosine, minus second half times sine\n"
        "new second half = second half times cosine, plus first half times sine\n"
        "do this to query and key",
    ),
    parts=(Lab(rotary, cases, MISTAKES),),
)
