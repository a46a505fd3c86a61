"""16.3 A softmax in pieces. What a piece of the keys adds, and two pieces as one."""

import torch
from torch import Tensor

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.tools import call


def summarize(scores, value):
    """What S keys add: scores (..., T, S), -inf where hidden, value (..., S, K) -> largest, total, mixed."""
    largest = scores.amax(dim=-1)  # (..., T); -inf where a query sees nothing of this piece
    lowest = torch.finfo(scores.dtype).min  # instead of -inf, because -inf - (-inf) is NaN
    weights = (scores - largest.clamp(min=lowest)[..., None]).exp()  # (..., T, S), 1 at the largest score
    return largest, weights.sum(dim=-1), weights @ value


def merge(one, other):
    """Two pieces, each (largest (..., T), total (..., T), mixed (..., T, K)), as if their keys had been one piece."""
    largest = torch.maximum(one[0], other[0])  # (..., T)
    reference = largest.clamp(min=torch.finfo(largest.dtype).min)
    first, second = (one[0] - reference).exp(), (other[0] - reference).exp()  # (..., T), at most 1
    total = first * one[1] + second * other[1]
    return largest, total, first[..., None] * one[2] + second[..., None] * other[2]


HIDDEN = -1e30  # stands for -inf where numbers are compared, which must be finite


def asked(answer, *inputs):
    """The three tensors, with -inf in the first replaced."""
    got = call(answer, *inputs)
    if type(got) in (tuple, list) and len(got) == 3 and isinstance(got[0], Tensor):
        largest = (
            got[0].clamp(min=HIDDEN / 2).masked_fill(got[0] == -torch.inf, HIDDEN)
            if got[0].is_floating_point()
            else got[0]
        )
        return largest, *got[1:]
    return got


ITEMS = ("largest", "total", "mixed")
EMPTY = (
    "NaN where a query sees nothing of a piece: -inf - (-inf) is NaN; there, subtract a finite number from the scores"
)
BOTH = "NaN where a query sees nothing of either piece: -inf - (-inf) is NaN; there, subtract a finite number"


def drawn(rng, hidden=0.3, keys=5):
    """Scores (2, 3, 4, S) and values (2, 3, S, 6)."""
    scores = 2 * torch.randn(2, 3, 4, keys, generator=rng)
    seen = torch.rand(scores.shape, generator=rng) >= hidden
    seen[..., 0] = True
    return scores.masked_fill(~seen, -torch.inf), torch.randn(2, 3, keys, 6, generator=rng)


def pieces(rng):
    hand = torch.tensor([[1.0, 2.0, 5.0]]).log(), torch.eye(3)
    says = "largest log 5, weights 1/5, 2/5 and 1: their sum is 8/5"
    yield Case(hand, says, "of scores log 1, log 2, log 5", items=ITEMS, run=asked)
    scores, value = drawn(rng)
    rows = "each query has a largest score of its own; weights are exp(score - largest), not divided by anything"
    yield Case((scores, value), rows, "of random scores", items=ITEMS, run=asked, leading=2, double=True)
    one, single = drawn(rng, keys=1)
    yield Case((one, single), rows, "of a piece of one key", items=ITEMS, run=asked)
    large = "with scores in the thousands exp overflows, unless the row's largest score is subtracted first"
    yield Case((3e3 * scores, value), large, "of large scores", large, items=ITEMS, run=asked, tolerance=1e-4)
    low = "with scores near -4000 all weights are rounded to 0, unless the row's largest score is subtracted first"
    yield Case((scores - 4e3, value), low, "of low scores", low, items=ITEMS, run=asked, tolerance=1e-3)
    scores = scores.clone()
    scores[1, :, 2:] = -torch.inf
    what = "of queries that see nothing (largest -inf, written as -1e+30, total 0, mixed 0)"
    yield Case((scores, value), EMPTY, what, EMPTY, items=ITEMS, run=asked)
    none, zero = torch.full_like(scores, -torch.inf), "where a query sees nothing, total and mixed are 0 exactly"
    yield Case((none, value), zero, "of a piece that no query sees", EMPTY, items=ITEMS, run=asked, tolerance=1e-14)


def pairs(rng):
    one, other = summarize(*drawn(rng)), summarize(*drawn(rng, keys=3))
    says = "both pieces are brought to the larger of the two largest scores, sums and mixtures alike, and added"
    yield Case((one, other), says, "of two random pieces", items=ITEMS, run=asked)
    yield Case((other, one), says, "of the same two pieces, exchanged", items=ITEMS, run=asked)
    yield Case(
        tuple(tuple(x.double() for x in part) for part in (one, other)), says, "of pieces in float64", items=ITEMS
    )
    yield Case(
        tuple(tuple(x[0, 0] for x in part) for part in (one, other)), says, "of pieces (T,), (T,), (T, K)", items=ITEMS
    )
    (scores, value), (more, values) = drawn(rng), drawn(rng)
    far = summarize(3e3 * more, values)
    overflow = "a factor overflows: each is exp(its own largest - the common largest), at most 1"
    yield Case((summarize(3e3 * scores, value), far), says, "of large scores", overflow, items=ITEMS, tolerance=1e-4)
    scores, more = scores.clone(), more.clone()
    scores[:, 0], more[0, :, 1:] = -torch.inf, -torch.inf
    half = summarize(scores, value)
    what = "of queries that see nothing of one piece, or of both (-1e+30 stands for -inf)"
    yield Case((half, summarize(more, values)), "", what, BOTH, items=ITEMS, run=asked)
    yield Case((summarize(more, values), half), "", what, BOTH, items=ITEMS, run=asked)
    third = merge(half, one)
    yield Case((third, other), says, "of a merged piece and a third one", items=ITEMS, run=asked)


LARGEST, WEIGHTS = "scores.amax(dim=-1)", "(scores - largest.clamp(min=lowest)[..., None]).exp()"
SUM, RETURN = "weights.sum(dim=-1)", "return largest, weights.sum(dim=-1), weights @ value"
SUMMARIES = {
    "the weights are divided by their sum; that comes last, when all pieces are merged": {
        WEIGHTS: "scores.softmax(dim=-1).nan_to_num()"
    },
    "the mixture is divided by the sum of the weights; that comes last, when all pieces are merged": {
        RETURN: f"{RETURN} / {SUM}.clamp(min=1e-30)[..., None]"
    },
    "exp of the scores themselves: subtract the row's largest score first": {WEIGHTS: "scores.exp()"},
    "the largest score of all queries is subtracted; each query has its own": {
        LARGEST: "scores.amax().expand(scores.shape[:-1])"
    },
    "the largest is taken over the queries (dim -2); it is over the keys, dim=-1": {
        LARGEST: "scores.amax(dim=-2, keepdim=True).amax(dim=-1).expand(scores.shape[:-1])"
    },
    "the smallest score is subtracted; it is the largest": {
        LARGEST: "scores.masked_fill(scores == -torch.inf, torch.inf).amin(dim=-1)"
    },
    "largest is not below 0 here; it is the row's largest score, whatever its sign": {
        LARGEST: f"{LARGEST}.clamp(min=0)"
    },
    "the scores are divided by sqrt(K); they come ready": {WEIGHTS: f"({WEIGHTS[:-6]} / value.shape[-1] ** 0.5).exp()"},
    "total is the number of keys that are seen; it is the sum of their weights": {
        SUM: "(scores > -torch.inf).to(scores).sum(dim=-1)"
    },
    "total is the mean of the weights; it is their sum": {SUM: "weights.mean(dim=-1)"},
    "total is the log of the sum; it is the sum": {SUM: "weights.sum(dim=-1).log()"},
    "total has a last axis of 1; it has one number for each query": {SUM: "weights.sum(dim=-1, keepdim=True)"},
    "largest has a last axis of 1; it has one number for each query": {"return largest,": "return largest[..., None],"},
    "total and mixed are exchanged; the order is largest, total, mixed": {
        RETURN: "return largest, weights @ value, weights.sum(dim=-1)"
    },
    "the weights are returned; mix the values with them": {" weights @ value": " weights"},
    EMPTY: {".clamp(min=lowest)": ""},
    "where a query sees nothing, largest is -inf, and not a finite number": {
        "return largest,": "return largest.clamp(min=lowest),"
    },
    "where a query sees nothing, largest is -inf, and not 0": {
        "return largest,": "return largest.masked_fill(largest == -torch.inf, 0.0),"
    },
    "hidden scores are set to a low number, and where all are hidden they get weights of 1; weights there are 0": {
        "    largest =": "    scores = scores.clamp(min=-1e9)\n    largest ="
    },
}
ADDED = "first * one[1] + second * other[1]"
MIXED = "first[..., None] * one[2] + second[..., None] * other[2]"
FIRST, SECOND = "(one[0] - reference).exp()", "(other[0] - reference).exp()"
MERGES = {
    "nothing is rescaled: a piece's weights are relative to its own largest score, so bring both to the larger one": {
        ADDED: "one[1] + other[1]",
        MIXED: "one[2] + other[2]",
    },
    "the mixtures are not rescaled, only the totals are": {MIXED: "one[2] + other[2]"},
    "the totals are not rescaled, only the mixtures are": {ADDED: "one[1] + other[1]"},
    "only the second piece is rescaled; the first needs it where the second has the larger score": {
        FIRST: "torch.ones_like(reference)"
    },
    "only the first piece is rescaled; the second needs it where the first has the larger score": {
        SECOND: "torch.ones_like(reference)"
    },
    "the factors are exchanged: each piece's is exp(its own largest - the common largest)": {
        f"{FIRST}, {SECOND}": f"{SECOND}, {FIRST}",
    },
    "the factors have the wrong sign: exp(own largest - common largest) is at most 1": {
        FIRST: "(reference - one[0]).exp()",
        SECOND: "(reference - other[0]).exp()",
    },
    "exp is missing: weights are exponentials, so factors are, too": {
        FIRST: "one[0] - reference",
        SECOND: "other[0] - reference",
    },
    "the common largest is that of the first piece": {"torch.maximum(one[0], other[0])": "one[0]"},
    "the common largest is that of the second piece": {"torch.maximum(one[0], other[0])": "other[0]"},
    "the common largest is one number for all queries; each has its own": {
        "torch.maximum(one[0], other[0])": "torch.maximum(one[0], other[0]).amax().expand_as(one[0])"
    },
    "the two mixtures are averaged; they are sums, so add them": {MIXED: f"({MIXED}) / 2"},
    "the mixture is divided by the total; that comes last, when all pieces are merged": {
        MIXED: f"({MIXED}) / total.clamp(min=1e-30)[..., None]"
    },
    "only the first piece is left": {ADDED: "first * one[1]", MIXED: "first[..., None] * one[2]"},
    BOTH: {".clamp(min=torch.finfo(largest.dtype).min)": ""},
    "where a query sees nothing of either piece, largest is -inf, and not a finite number": {
        "return largest,": "return reference,"
    },
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="(summarize, merge): summarize(scores (..., T, S), value (..., S, K)) -> largest (..., T), "
    "total (..., T), mixed (..., T, K); merge(one, other) of two such triples -> a triple",
    hints=(
        "The weights of a piece are right up to one factor for each query, because they are relative to the piece's\n"
        "own largest score. Who knows both largest scores knows that factor. The division by the total comes last.",
        "largest (..., T) over the keys; weights (..., T, S) of 1 at most; total (..., T); mixed (..., T, K).\n"
        "merge: a factor (..., T) for each piece, at most 1; with an axis behind it, (..., T, 1), it scales mixed.",
        "summarize: weights = exp(scores minus the row's largest); a finite number in place of -inf\n"
        "           return the largest, the sum of the weights, the values mixed with the weights\n"
        "merge:     common = the larger of the two largest; again a finite number in place of -inf\n"
        "           factor of a piece = exp(its largest minus common)\n"
        "           return the larger largest; totals times factors, added; mixtures times factors, added",
    ),
    parts=(Lab(summarize, pieces, SUMMARIES, run=asked), Lab(merge, pairs, MERGES, run=asked)),
)
