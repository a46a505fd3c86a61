"""5.1 Scaled dot-product attention with a mask."""

import torch

from minibert.course.lab import Case, Exercise, Lab


def attention(query, key, value, mask):
    """Mixtures of the values: query (..., T, K), key and value (..., S, K), mask (..., T, S) -> (..., T, K)."""
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5  # (..., T, S)
    weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)  # (..., T, S)
    return weights.masked_fill(~mask, 0.0) @ value  # (..., T, K); a row that sees nothing is NaN until here


def cases(rng):
    one, keys, values = torch.tensor([[[[2.0, 0, 0, 0]]]]), torch.zeros(1, 1, 3, 4), 8 * torch.eye(3, 4)[None, None]
    keys[0, 0, :, 0] = torch.tensor([1.0, 2.0, 5.0]).log()  # K = 4: the scores over sqrt(4) are log 1, log 2, log 5
    seen, part = torch.tensor([[[[True, True, True]]]]), torch.tensor([[[[True, True, False]]]])
    query = torch.randn(2, 3, 4, 6, generator=rng)  # (B, H, T, K); all sizes differ, so that a transpose cannot hide
    key, value = (torch.randn(2, 3, 5, 6, generator=rng) for _ in range(2))  # (B, H, S, K)
    mask = torch.rand(2, 1, 4, 5, generator=rng) < 0.6
    mask[..., 0], mask[0, 0, 0, 4] = True, False
    full, columns = mask.expand(2, 3, 4, 5), mask[:, :, :1]
    empty = full.clone()
    empty[1, :, 2:] = False
    low = torch.tensor([[[[-4e4, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]]])
    turned = "the mask is turned round: True marks the keys that may be seen"
    yield Case((one, keys, values, seen), "the weights of this query are 1/8, 2/8 and 5/8", if_nan=turned)
    yield Case((query, key, value, torch.ones(2, 1, 4, 5).bool()), "random inputs, every key visible", if_nan=turned)
    yield Case((one, keys, values, part), "with the third key hidden the weights are 1/3, 2/3 and 0")
    yield Case((query, key, value, mask), "random inputs with a mask (B, 1, T, S)")
    own = torch.ones(5, 5).bool().tril().expand(2, 3, 5, 5)  # a query sees itself and what is in front of it
    yield Case((key, query[..., :1, :] + key, value, own), "T may equal S: the mask's rows are queries, columns keys")
    yield Case((query, key, value, columns), "random inputs with a mask (B, 1, 1, S)")
    yield Case((query, key, value, full), "random inputs", leading=2, double=True, gradient=True)
    huge = "with inputs a thousand times larger exp overflows: leave exp to torch.softmax"
    low_fill = "inputs a thousand times larger: visible scores fall below -1000, hidden ones must be lower: -inf"
    yield Case((query * 1e3, key, value, mask), low_fill, if_nan=huge, tolerance=5e-3)
    only = "with scores -40000, 0, 0, and only the first key visible, the output"
    yield Case((one, low, values, torch.tensor([[[[True, False, False]]]])), "hidden scores must be lower still", only)
    yield Case((query, key, value + 100 * ~columns.mT, columns), "hidden keys still matter", tolerance=1e-4)
    nan = "NaN where a query may see no key (a row of padding): softmax over -inf alone is 0/0; put zeros there"
    slope = "the output is right and its gradient is NaN: 0 times NaN is NaN, so mask the weights, not the output"
    yield Case((query, key, value, empty), "a query that may see no key at all gets zeros", if_nan=nan)
    yield Case((query, key, value, empty), slope, "output with empty rows", if_nan=slope, gradient=True)


ROOT, INF, ZEROS = "query.shape[-1] ** 0.5", 'float("-inf")', ".masked_fill(~mask, 0.0) @"
SOFTMAX, PLAIN = f"scores.masked_fill(~mask, {INF}).softmax(dim=-1)", "scores.softmax(dim=-1)"
SOFT, REPAIR = "(scores {} mask).softmax(dim=-1)", " / weights.sum(dim=-1, keepdim=True).clamp(min=1e-9) @"
BLANK, RETURN = " * mask.any(-1, keepdim=True) @", f"return weights{ZEROS} value"
MISTAKES = {
    "the scores are divided by K; divide by its square root, sqrt(K)": {ROOT: "query.shape[-1]"},
    "the scores are not divided by sqrt(K)": {f" / {ROOT}": ""},
    "the scores are multiplied by sqrt(K); divide by it": {f"/ {ROOT}": f"* {ROOT}"},
    "the scores are divided by the root of the number of keys, not of K": {ROOT: "key.shape[-2] ** 0.5"},
    "the scores are divided by the root of the number of queries, not of K": {ROOT: "query.shape[-2] ** 0.5"},
    "the scores are divided by the root of the size of axis 1; K is the last one's": {ROOT: "query.shape[1] ** 0.5"},
    "the scores are divided by 2, which is sqrt(K) for K = 4 only": {ROOT: "2"},
    "the scores are divided by 8, which is sqrt(K) for K = 64 only": {ROOT: "8"},
    "softmax over the queries (dim -2): each query divides its attention among the keys, dim=-1": {"dim=-1": "dim=-2"},
    "softmax along axis 1: each query divides its attention among the keys, dim=-1": {"dim=-1": "dim=1"},
    "there is no softmax: scores are no weights, they may be negative": {SOFTMAX: "scores.masked_fill(~mask, 0.0)"},
    "the weights are returned; mix the values with them": {RETURN: "return weights.masked_fill(~mask, 0.0)"},
    "a causal mask on top; only `mask` counts": {"(~mask, f": "(~mask | torch.ones_like(scores).bool().triu(1), f"},
    "the keys are mixed, not the values": {"@ value  #": "@ key  #"},
    "the mask is turned round: True marks keys that may be seen": {"(~mask, f": "(mask, f", "(~mask, 0": "(mask, 0"},
    "the mask is not used": {SOFTMAX: PLAIN, ZEROS: " @"},
    "the mask is applied after the softmax, so the weights no longer sum to 1: set scores to -inf": {SOFTMAX: PLAIN},
    "the mask is added to the scores as 0 and 1; use masked_fill": {SOFTMAX: SOFT.format("+"), ZEROS: " @"},
    "hidden scores are set to 0, and exp(0) is 1; set them to -inf": {SOFTMAX: SOFT.format("*"), ZEROS: " @"},
    "the weights are repaired after the softmax, when all may be 0": {SOFTMAX: f"{PLAIN} * mask", ZEROS: REPAIR},
    "exp overflows for large scores: leave it to torch.softmax": {SOFTMAX: "scores.exp() * mask", ZEROS: REPAIR},
    "hidden scores are set to -100, and with large inputs visible ones are lower still": {INF: "-100", ZEROS: BLANK},
    "hidden scores are set to -1e4, and the visible one is lower still": {INF: "-1e4", ZEROS: BLANK},
    "hidden scores are set to a number such as -1e4, and the visible one is lower still": {INF: "-1e4"},
    "a query that may see no key at all gets zeros, not the mean of all values": {INF: "-1e9", ZEROS: " @"},
    "hidden scores are set to -100, too high; and a query that sees no key gets a mean": {INF: "-100", ZEROS: " @"},
    "a query that sees some keys gets zeros, as if it saw none": {RETURN: f"{RETURN} * mask.all(-1, True)"},
    "NaN where a query may see no key: softmax over -inf alone is 0/0; put zeros there": {ZEROS: " @"},
    "the output is right and its gradient is NaN: mask the weights": {RETURN: "return (weights @ value).nan_to_num()"},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="attention(query (..., T, K), key and value (..., S, K), mask (..., T, S) bool) -> (..., T, K)",
    hints=(
        "Each query asks every key how well it fits (a dot product), turns the answers into weights that sum to 1,\n"
        "and takes that mixture of the values. A hidden key must drop out before the weights are made, not after.",
        "scores (..., T, S) from query (..., T, K) and key turned round (..., K, S), hidden where mask is False;\n"
        "weights (..., T, S) sum to 1 over S; output (..., T, K) from weights and value (..., S, K).\n"
        "A row of the mask without any True gives a row of zeros.",
        "scores = every query with every key, over the square root of K\n"
        "scores = minus infinity wherever the mask is False\n"
        "weights = softmax along the keys\n"
        "weights = 0 wherever the mask is False   (repairs the rows that see nothing)\n"
        "return the mixture of the values",
    ),
    parts=(Lab(attention, cases, MISTAKES),),
)
