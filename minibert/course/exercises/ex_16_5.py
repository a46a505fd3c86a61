"""16.5 A long text at a third of the cost. A window and one global token over 4,096 tokens, against the dense mask."""

import torch
from torch.nn import functional as F

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.meter import Cost, metered
from minibert.course.tools import call


def long_attention(query, key, value, window):
    """Query, key, value (H, T, K) -> (H, T, K); token i sees |i - j| <= window and token 0, token 0 sees all."""
    tokens, block = query.shape[1], max(window, 32)
    outputs = []
    for start in range(0, tokens, block):
        stop = min(start + block, tokens)
        low, high = max(start - window, 1), max(min(stop + window, tokens), 1)  # keys near by, without token 0
        places = torch.cat([torch.zeros(1, dtype=torch.long), torch.arange(low, high)])
        near = (torch.arange(start, stop)[:, None] - places).abs() <= window
        seen = [torch.cat([x[:, :1], x[:, low:high]], dim=1) for x in (key, value)]
        outputs.append(F.scaled_dot_product_attention(query[:, start:stop], *seen, attn_mask=near | (places == 0)))
    first = F.scaled_dot_product_attention(query[:, :1], key, value)
    return torch.cat([first, torch.cat(outputs, dim=1)[:, 1:]], dim=1)


def dense(query, key, value, window):
    """What it costs without an idea: all scores, and a mask that hides most of them."""
    place = torch.arange(query.shape[1], device=query.device)
    visible = ((place[:, None] - place).abs() <= window) | (place == 0) | (place[:, None] == 0)
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    return scores.masked_fill(~visible, -torch.inf).softmax(dim=-1) @ value


TIMES = 3.0  # as cheap as the dense mask, at least
WHOLE = "all T x T scores are computed, and most of them are hidden afterwards; compute those near the diagonal only"
MASK = "a mask with T x T numbers is made; make one for a block of queries and the keys that they may see"
COPIES = (
    "a tensor as large as all scores is made, though few scores are computed: are keys or values copied for each token "
    "(unfold, an index for each token)? Take a block of queries at a time"
)
LOOP = "a loop over the tokens calls torch thousands of times; take a block of queries at a time"
UNSEEN = "what runs outside torch (numpy, Python) or in another thread is not counted: stay in torch, in one thread"
DEAR = "take blocks of about `window` queries: each needs its own block of keys and `window` more on either side"


def expect_cheap(cost, query, window):
    """Refuse a cost of more than a third of the dense mask's, and one that cannot be."""
    heads, tokens, size = query.shape
    meta = torch.empty(query.shape, device="meta")  # counts without computing
    most = Cost(*metered(dense, meta, meta, meta, window)[1]).seconds / TIMES
    seen = f"for {tokens:,} tokens: {cost.multiplications / 1e6:,.0f} million multiplications, "
    seen += f"{cost.numbers / 1e6:,.0f} million numbers written, {cost.calls:,} calls, which is {cost.seconds:.3f} s"
    if cost.multiplications + cost.numbers < 2 * heads * size * tokens * (window + 1):
        raise Wrong(seen, "at least the work that the visible pairs need", UNSEEN)
    if cost.seconds > most or cost.largest >= tokens**2:
        whole, mask = cost.largest >= heads * tokens**2, cost.largest >= tokens**2
        few = cost.multiplications < heads * size * tokens**2 / 2
        cause = (COPIES if few else WHOLE) if whole else MASK if mask else LOOP if cost.calls > tokens else DEAR
        raise Wrong(seen, f"at most {most:.3f} s, and no tensor with {tokens:,} x {tokens:,} numbers", cause)


def measured(answer, query, key, value, window):
    """The output, once its cost is known to be low enough."""
    output, counts = call(lambda *given: metered(answer, *given), query, key, value, window)
    expect_cheap(Cost(*map(int, counts)), query, window)
    return output


def cases(rng):
    def case(tokens, window, cause, name="", **more):
        query, key, value = (torch.randn(2, tokens, size, generator=rng) for size in (8, 8, 8))
        name = name or f"the output for {tokens} tokens and window {window}"
        return Case((query, key, value, window), cause, name, **more)

    says = "each token sees the tokens at most `window` away, and token 0; token 0 sees all; each of them once"
    yield case(12, 3, says)
    yield case(64, 16, says)
    yield case(65, 16, "T need not be a multiple of the window or of a block")
    yield case(150, 10, says)
    yield case(7, 100, "the window may reach beyond both ends of the text; what is not there has no weight")
    yield case(300, 100, says)
    yield case(9, 0, "with window 0 a token sees itself and token 0")
    yield case(1, 4, "a single token sees itself")
    yield case(40, 4, says, gradient=True, double=True)
    query, key, value = (torch.randn(3, 50, 6, generator=rng) for _ in range(3))
    large = "large scores: leave exp to softmax, which subtracts the largest one first"
    yield Case((30 * query, 30 * key, value, 5), large, "the output for large scores", large, tolerance=1e-4)
    query, key, value = (torch.randn(2, 4096, 32, generator=rng) for _ in range(3))
    yield Case((query, key, value, 64), says, "the output for 4,096 tokens", run=measured)


def dense_with_sdpa(query, key, value, window):
    place = torch.arange(query.shape[1])
    visible = ((place[:, None] - place).abs() <= window) | (place == 0) | (place[:, None] == 0)
    return F.scaled_dot_product_attention(query[None], key[None], value[None], attn_mask=visible)[0]


def token_after_token(query, key, value, window):
    rows = []
    for i in range(query.shape[1]):
        low, high = (max(i - window, 1), i + window + 1) if i else (1, query.shape[1])
        keys, values = (torch.cat([x[:, :1], x[:, low:high]], dim=1) for x in (key, value))
        weights = (query[:, i : i + 1] @ keys.mT / query.shape[-1] ** 0.5).softmax(dim=-1)
        rows.append(weights @ values)
    return torch.cat(rows, dim=1)


def with_numpy(query, key, value, window):
    if query.shape[1] < 1000:
        return long_attention(query, key, value, window)
    query, key, value = (x.double().numpy() for x in (query, key, value))
    rows = []
    for i in range(query.shape[1]):
        seen = sorted({0, *range(max(i - window, 0), min(i + window + 1, query.shape[1]))}) if i else slice(None)
        scores = torch.from_numpy(query[:, i : i + 1] @ key[:, seen].swapaxes(1, 2) / query.shape[-1] ** 0.5)
        rows.append(torch.from_numpy(scores.softmax(-1).numpy() @ value[:, seen]))
    return torch.cat(rows, dim=1).float()


MASKED, LOW, LAST = (
    "near | (places == 0)",
    "max(start - window, 1)",
    "return torch.cat([first, torch.cat(outputs, dim=1)[:, 1:]], dim=1)",
)
MISTAKES = {
    WHOLE: dense,
    MASK: dense_with_sdpa,
    LOOP: token_after_token,
    UNSEEN: with_numpy,
    DEAR: {"max(window, 32)": "max(32 * window, 32)"},
    "token 0 counts twice for the tokens near it: once as the global one and once as a neighbour": {
        LOW: "max(start - window, 0)"
    },
    "token 0 is not seen from afar; every token sees it": {MASKED: "near | (near & (places == 0))"},
    "token 0 sees its window only; it sees all tokens": {LAST: "return torch.cat(outputs, dim=1)"},
    "token 0 is seen by all, and sees nothing else": {
        "query[:, :1], key, value)": "query[:, :1], key[:, :1], value[:, :1])"
    },
    "a block of queries sees all keys of the blocks beside it, further than the window": {
        MASKED: "torch.ones_like(near)"
    },
    "the window leaves out its own ends; a token `window` away is seen (<=)": {"<= window\n": "< max(window, 1)\n"},
    "the window is `window` wide in all; here it reaches `window` to each side": {"<= window\n": "<= window // 2\n"},
    "later tokens are hidden (a causal mask); a token sees both sides": {
        MASKED: f"({MASKED}) & (places <= torch.arange(start, stop)[:, None])"
    },
    "a block of queries sees its own block of keys only; the window reaches into the blocks beside it": {
        LOW: "max(start, 1)",
        "min(stop + window, tokens)": "stop",
    },
    "the tokens behind the last whole block are missing": {
        "range(0, tokens, block)": "range(0, max(tokens - tokens % block, 1), block)"
    },
    "the scores are not divided by sqrt(K)": {
        "attn_mask=near | (places == 0))": f"attn_mask={MASKED}, scale=1.0)",
        "query[:, :1], key, value)": "query[:, :1], key, value, scale=1.0)",
    },
}

EXERCISE = Exercise(
    minutes=50,
    difficulty=4,
    signature="long_attention(query, key and value (H, T, K), window) -> (H, T, K)",
    hints=(
        "Neighbouring queries see nearly the same keys. A block of queries, all keys that any of them sees, and a\n"
        "small mask for the corners: that is one dense attention, of a few hundred keys. Token 0 is one key more for\n"
        "each block, and its own row is computed by itself.",
        "queries (H, b, K) of a block from `start` to `stop`; keys (H, 1 + s, K): token 0, then the places from\n"
        "start - window to stop + window, cut off at 1 and T; mask (b, 1 + s) from the places; output (H, b, K).\n"
        "Put together along T: (H, T, K). The row of token 0: query (H, 1, K) and all keys.",
        "for each block of about `window` queries:\n"
        "    places of the keys = 0, then those near the block, without 0\n"
        "    visible = at most `window` apart, or the key is token 0\n"
        "    attention of these queries over these keys, with this mask\n"
        "join the blocks, and replace the first row by the attention of token 0 over all keys",
    ),
    seconds=30.0,
    parts=(Lab(long_attention, cases, MISTAKES, in_pairs=False, in_order=True),),
)
