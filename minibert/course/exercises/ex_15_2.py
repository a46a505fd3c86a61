"""15.2 A test of relativity. A case is a function, the answer is what the learner's test says of it."""

import torch
from torch import Tensor

from minibert.course.exercise import Exercise
from minibert.course.judged import RETURNS, Given, real


def relativity_test(scores):
    """Positions may act through their differences only, and they must act."""
    query, key = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(0))
    positions = torch.tensor([0, 1, 2, 5, 9, 30])
    here = scores(query, key, positions)
    for shift in (1, 40, 500, 1900):  # near and far, odd and even, across 512: what wraps round or ends is seen by one
        assert torch.allclose(scores(query, key, positions + shift), here, atol=2e-3)
    assert not torch.allclose(scores(query, key, positions * 2), here, atol=0.05)


def turned(x, positions, theta=10_000.0, pairs="halves", speed=1.0):
    """RoPE of (T, K); `speed` is a factor of all angles."""
    K = x.shape[-1]
    angles = positions.double()[:, None] * speed * theta ** (-torch.arange(0, K, 2, dtype=torch.float64) / K)
    cos, sin = angles.cos().to(x), angles.sin().to(x)
    first, second = x.chunk(2, -1) if pairs == "halves" else (x[:, ::2], x[:, 1::2])
    both = first * cos - second * sin, second * cos + first * sin
    return torch.cat(both, -1) if pairs == "halves" else torch.stack(both, -1).flatten(-2)


def product(query, key):
    return query @ key.mT / query.shape[-1] ** 0.5


def rope(query, key, positions, **how):
    return product(turned(query, positions, **how), turned(key, positions, **how))


def slope(query, key, positions):
    return product(query, key) - 0.25 * (positions[:, None] - positions).abs()


def buckets(query, key, positions):
    apart = (positions[:, None] - positions).clamp(-8, 8)
    return product(query, key) + torch.sin(3.0 * apart).to(query)


def waves(query, key, positions):
    """Absolute positions, added to what is compared (as in BERT)."""
    own = turned(torch.ones_like(query), positions)
    return product(query + own, key + own)


def table(most, wrap=False):
    return lambda query, key, positions: rope(query, key, positions % most if wrap else positions.clamp(max=most))


def late(query, key, positions):
    return rope(query, key, positions) + 0.3 * (positions.min() > 1000)


def small_leak(query, key, positions):
    return rope(query, key, positions) + 1e-4 * positions


def first_row_only(query, key, positions):
    return torch.cat([rope(query, key, positions)[:1], product(turned(query, positions), key)[1:]])


def exchanged(query, key, positions):
    """The scores of each row change places, and their mean does not notice."""
    apart = rope(query, key, positions)
    return apart.flip(1) if positions.min() > 100 else apart


def fits(query, key, positions):
    shaped = real(query, 2) and real(key, 2) and query.shape == key.shape and query.shape[1] % 2 == 0
    fine = shaped and isinstance(positions, Tensor) and positions.dtype == torch.int64
    return fine and positions.shape == (len(query),) and 0 <= int(positions.min()) and int(positions.max()) <= 2000


def blind(calls):
    return ALONE if all(len(positions) == 1 for _, _, positions in calls) else ""


ALONE = "with one token there is one score, of a token with itself: give it several"
SHIFT = "add the same number to all positions: no score may change"
FAR = "shift far, too: up to 2,000 is allowed"
WRAP = (
    "what begins again somewhere shows where one position lies in front of that place and another behind: many shifts, "
    "or positions that lie far apart, meet it"
)
ODD = "shift by an odd number as well: pairs of positions may share a place"
MATTER = "whoever ignores positions passes every shift: change the distances, and the scores must change"
ALL = "compare all scores, in all rows"
LARGE = "a difference of 0.01 is no rounding: use a tolerance of about 0.002"
BITS = "large angles in float32 differ in the fourth decimal: use a tolerance of 0.001 or 0.002"
CLAIM = (
    "what you assert does not hold of this one: is it exact to the last bit (use a tolerance of 0.001 or 0.002), or "
    "does it ask for more than a function of the distance, whichever layout, theta or sign?"
)
NAN = "comparisons with NaN are always False, so `not (difference > tolerance)` holds for NaN; assert `<`, or allclose"
GIVEN = Given(
    "scores",
    "query and key (T, K) of floats, K even, positions (T,) int64 within 0 ... 2000",
    fits,
    blind,
    (
        ("turns halves", rope, CLAIM),
        ("turns neighbours", lambda q, k, p: rope(q, k, p, pairs="neighbours"), CLAIM),
        ("has a theta of 160,000", lambda q, k, p: rope(q, k, p, theta=160_000.0), CLAIM),
        ("turns the other way", lambda q, k, p: rope(q, k, p, speed=-1.0), CLAIM),
        ("subtracts a slope times the distance (ALiBi)", slope, CLAIM),
        ("adds a bias for each distance up to 8 (T5)", buckets, CLAIM),
        ("rounds in another way", lambda q, k, p: rope(q, k, p) + 2e-4 * torch.cos(p.float()), BITS),
    ),
    (
        ("adds waves to query and key, as a table of positions would", waves, SHIFT),
        ("turns the query only", lambda q, k, p: product(turned(q, p), k), SHIFT),
        ("turns the key the other way", lambda q, k, p: product(turned(q, p), turned(k, p, speed=-1.0)), SHIFT),
        (
            "turns halves of the query and neighbours of the key",
            lambda q, k, p: product(turned(q, p), turned(k, p, pairs="neighbours")),
            SHIFT,
        ),
        ("ignores the positions", lambda q, k, p: product(q, k), MATTER),
        ("has a table that ends at 512", table(512), FAR),
        ("gives two positions in a row the same place", lambda q, k, p: rope(q, k, p // 2), ODD),
        ("changes beyond position 1,000", late, FAR),
        ("adds 0.0001 times the position of the key", small_leak, LARGE),
        ("is right in the first row of the scores only", first_row_only, ALL),
        ("gives the rows from right to left beyond position 100", exchanged, ALL),
        ("begins again at position 512", table(512, wrap=True), WRAP),
        ("gives NaN", lambda q, k, p: product(q, k) * torch.nan, NAN),
    ),
)
SAME_NUMBERS = "torch.allclose(scores(query, key, positions + shift), here, atol=2e-3)"
CHANGES = "    assert not torch.allclose(scores(query, key, positions * 2), here, atol=0.05)\n"
MISTAKES = {
    BITS: {SAME_NUMBERS: "torch.equal(scores(query, key, positions + shift), here)"},
    LARGE: {"(1, 40, 500, 1900)": "(1, 300, 600)", "atol=2e-3": "atol=0.1"},
    MATTER: {CHANGES: ""},
    FAR: {"(1, 40, 500, 1900)": "(1, 40, 300)"},
    ODD: {"(1, 40, 500, 1900)": "(2, 40, 500, 1900)"},
    WRAP: {"(1, 40, 500, 1900)": "(1, 40, 1900)"},
    ALL: {SAME_NUMBERS: "torch.allclose(scores(query, key, positions + shift)[0], here[0], atol=2e-3)"},
    NAN: {
        f"assert {SAME_NUMBERS}": "assert not (scores(query, key, positions + shift) - here).abs().max() > 2e-3",
    },
    CLAIM: {f"assert {SAME_NUMBERS}": "assert torch.allclose(here, rope(query, key, positions), atol=2e-3)"},
    SHIFT: {f"assert {SAME_NUMBERS}": "scores(query, key, positions + shift)"},
    ALONE: {"randn(2, 6, 16": "randn(2, 1, 16", "torch.tensor([0, 1, 2, 5, 9, 30])": "torch.tensor([3])"},
    RETURNS: {CHANGES: f"    return {CHANGES.strip()[7:]}\n"},
    "it never calls scores": lambda scores: None,
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=3,
    signature="relativity_test(scores): takes a function scores(query (T, K), key (T, K), positions (T,)) -> (T, T) "
    "and raises AssertionError if it is broken",
    hints=(
        "Two claims are to be tested: only the difference of positions counts, and it does count. Each of them has a\n"
        "change of the positions: after the one the scores must be the same, after the other they must not.",
        "query and key (T, K) of random numbers, T = 6 and K = 16, for instance; positions (T,) int64 with different\n"
        "distances; scores (T, T). Positions may go up to 2,000.",
        "scores at some positions\n"
        "for several shifts, small and large, odd and even: the scores after the shift are the same, up to rounding\n"
        "scores at positions with other distances are not the same",
    ),
    parts=(GIVEN.lab(relativity_test, MISTAKES),),
    seconds=30.0,
)
