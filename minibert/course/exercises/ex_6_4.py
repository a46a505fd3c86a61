"""6.4 Open task: the vectors of a batch for a quarter of the work. The check counts multiplications."""

import torch
from torch.nn import functional

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.meter import metered
from minibert.course.tools import call
from minibert.tasks.open_batch import HEADS, padded_batch, padded_vectors, small_bert


def vectors(weights, heads, ids, mask):
    """The pooled vector of each text: ids (B, T), mask (B, T) bool, padding at the end -> (B, D)."""

    def dense(x, name, rows=slice(None)):
        return functional.linear(x, weights[f"{name}.weight"][rows], weights[f"{name}.bias"][rows])

    def norm(x, name):
        return functional.layer_norm(x, (D,), weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-12)

    tables = [weights[f"embeddings.{name}.weight"] for name in ("token", "position", "segment")]
    D, layers = tables[0].shape[1], sum(name.endswith("attention.output.weight") for name in weights)
    lengths = mask.sum(dim=1).tolist()
    place = torch.cat([torch.arange(length) for length in lengths])  # (N,): the real tokens, text after text
    x = norm(tables[0][ids[mask]] + tables[1][place] + tables[2][0], "embeddings.norm")  # (N, D)
    for i in range(layers):
        own, last = f"blocks.{i}.", i == layers - 1
        asks = x[place == 0] if last else x  # the last block is read at [CLS] only: one query for each text
        query = dense(asks, own + "attention.query_key_value", slice(D)).split(1 if last else lengths)
        key, value = dense(x, own + "attention.query_key_value", slice(D, None)).chunk(2, dim=-1)
        mixed = []
        for parts in zip(query, key.split(lengths), value.split(lengths), strict=True):  # text by text
            q, k, v = (part.unflatten(-1, (heads, -1)).transpose(0, 1)[None] for part in parts)  # (1, H, T, K)
            mixed.append(functional.scaled_dot_product_attention(q, k, v)[0].transpose(0, 1).flatten(1))
        x = norm(asks + dense(torch.cat(mixed), own + "attention.output"), own + "attention_norm")
        inner = functional.gelu(dense(x, own + "feed_forward.input"))
        x = norm(x + dense(inner, own + "feed_forward.output"), own + "feed_forward_norm")
    return torch.tanh(dense(x, "pooler.dense"))


BAR = 0.25  # of the padded batch's work; without padding it is 0.27, with a last block for [CLS] alone 0.20 besides
PADDED = "the padding is computed, too: 70 % of the places. Keep the real tokens, and let each text attend to itself"
HALF = (
    "much padding is still computed: bring the real tokens of all texts into one (N, D), or sort the texts by length "
    "and pad a few at a time"
)
WHOLE = "no padding is left, but the last block is computed for all tokens: whose row is read after it?"
PAIRS = "scores between tokens of different texts are computed and then hidden: let each text attend to itself alone"
UNSEEN = "what runs outside torch (numpy, Python) or in another thread is not counted: stay in torch, in one thread"
ACROSS = "a token sees the tokens of other texts: softmax is taken within one text"
PLACES = "positions are counted on from text to text; each text begins at 0"
ALONE = "in the last block [CLS] sees only itself: one query, but the keys and values of all tokens of the text"
ORDER = "the vectors come in another order than the texts: undo the sorting"
HIDDEN = "this is the hidden state of [CLS]; the pooler, tanh of a dense layer, is missing"
MEAN = "the mean of the tokens goes into the pooler; it reads the row of [CLS]"


def expect_cheap(counts, weights, heads, ids, mask):
    """Refuse more than a quarter of the padded batch's work, and less than there can be."""
    whole = sum(metered(padded_vectors, weights, heads, ids, mask)[1][:2])
    work, blocks = sum(counts[:2]), sum(name.endswith("attention.output.weight") for name in weights)
    F, D = weights["blocks.0.feed_forward.input.weight"].shape
    seen = f"{work / 1e6:.1f} million multiplications and written numbers, the padded batch takes {whole / 1e6:.1f}"
    if counts[0] < (blocks - 1) * int(mask.sum()) * (4 * D * D + 2 * D * F):
        raise Wrong(seen, "at least the matrices of all blocks but the last, for the real tokens", UNSEEN)
    if work > BAR * whole:
        cause = PADDED if work > 0.65 * whole else HALF if work > 0.29 * whole else WHOLE
        cause = PAIRS if cause == HALF and counts[3] >= int(mask.sum()) ** 2 else cause
        raise Wrong(seen, f"at most {BAR * whole / 1e6:.1f} million", cause)


def measured(answer, *given):
    """The vectors, once their cost is known to be low enough."""
    output, counts = call(lambda *inputs: metered(answer, *inputs), *given)
    expect_cheap(tuple(map(int, counts)), *given)
    return output


def cases(rng):
    seed = int(torch.randint(2**31, (), generator=rng))
    weights = small_bert(seed)
    generic = "compare the hidden states block by block with one_page's, for one text"
    for lengths, name in (((9,), "one text"), ((7, 7, 7), "texts of one length"), ((3, 11, 1, 8), "four texts")):
        yield Case((weights, HEADS, *padded_batch(seed, lengths)), generic, f"the vectors of {name}", tolerance=2e-5)
    two = {name: one for name, one in weights.items() if not name.startswith("blocks.2.")}
    batch = padded_batch(seed + 1, (4, 6))
    yield Case((two, 2, *batch), "layers and heads are those of the weights and of `heads`", tolerance=2e-5)
    name = "the vectors of the batch"
    yield Case((weights, HEADS, *padded_batch(seed)), generic, name, tolerance=2e-5, run=measured)


def sorted_by_length(weights, heads, ids, mask):
    """Ten texts of similar length at a time, padded to the longest of them."""
    pooled = torch.empty(len(ids), len(weights["pooler.dense.bias"]))
    for some in mask.sum(dim=1).argsort().split(10):
        longest = int(mask[some].sum(dim=1).max())
        pooled[some] = padded_vectors(weights, heads, ids[some, :longest], mask[some, :longest])
    return pooled


ASKS, ONE, SUM = "x[place == 0] if last else x", "split(1 if last else lengths)", "tables[1][place] + tables[2][0]"
KEYS, RETURN = "key.split(lengths), value.split(lengths)", 'return torch.tanh(dense(x, "pooler.dense"))'
LINEAR = 'functional.linear(x, weights[f"{name}.weight"][rows], weights[f"{name}.bias"][rows])'
PRODUCT = 'x.numpy() @ weights[f"{name}.weight"][rows].numpy().T + weights[f"{name}.bias"][rows].numpy()'
OWNER = "(place == 0).cumsum(dim=0)"  # (N,): the number of the text that a token is of
OWN = f"attn_mask=({OWNER}[place == 0] if last else {OWNER})[:, None] == {OWNER}"
EVERY = {ASKS: "x", ONE: "split(lengths)"}  # all rows go through the last block
MISTAKES = {
    PADDED: padded_vectors,
    HALF: sorted_by_length,
    WHOLE: EVERY | {RETURN: RETURN.replace("(x,", "(x[place == 0],")},
    PAIRS: {ONE: "split(len(asks))", KEYS: "[key], [value]", "attention(q, k, v)": f"attention(q, k, v, {OWN})"},
    UNSEEN: {LINEAR: f"torch.from_numpy({PRODUCT})"},
    ACROSS: {KEYS: "[key] * len(lengths), [value] * len(lengths)"},
    PLACES: {SUM: "tables[1][torch.arange(len(place)) % len(tables[1])] + tables[2][0]"},
    ALONE: {KEYS: "*((y[place == 0].split(1) if last else y.split(lengths)) for y in (key, value))"},
    ORDER: {RETURN: RETURN.replace("(x,", "(x[mask.sum(dim=1).argsort()],")},
    HIDDEN: {RETURN: "return x"},
    MEAN: EVERY | {RETURN: RETURN.replace("(x,", "(torch.stack([one.mean(dim=0) for one in x.split(lengths)]),")},
    "the pooler's tanh is missing": {RETURN: RETURN.replace("torch.tanh", "")},
    "the segment table is left out; a single text is segment 0 throughout": {SUM: "tables[1][place]"},
    "the position table is left out": {SUM: "tables[2][0]"},
    "the norm after the embeddings is missing": {"x = norm(tables[0]": "x = (lambda y, name: y)(tables[0]"},
    "GELU in its tanh form; BERT has the exact one, by erf": {'.input"))': '.input"), approximate="tanh")'},
    "no activation between the two feed-forward layers; BERT has GELU": {"functional.gelu(": "("},
    "the residual path around attention is missing: x + attention(x)": {"norm(asks + dense(": "norm(dense("},
    "the residual path around the feed-forward layer is missing": {"norm(x + dense(inner": "norm(dense(inner"},
    "the heads are not split: one head of width D instead of H of width K": {"(heads, -1)": "(1, -1)"},
}

EXERCISE = Exercise(
    minutes=60,
    difficulty=5,
    signature="vectors(weights: a dict of tensors, heads, ids (B, T) int64, mask (B, T) bool) -> (B, D)",
    hints=(
        "Two things are computed that nobody reads. One is padding. For the other, ask which rows the pooler reads,\n"
        "and what the last block needs of all other rows.",
        "x (N, D): the real tokens of all texts; every dense layer and norm works on it as it is. Attention needs the\n"
        "borders of the texts (cu_seqlens): queries, keys and values (1, H, T, K) of one text at a time.\n"
        "In the last block queries (B, D), one for each text; keys and values (N, D); from there on x is (B, D).",
        "x = norm of: token rows of the real ids, position rows that begin anew in each text, segment 0\n"
        "for each block:\n"
        "    rows = the [CLS] rows in the last block, else all rows\n"
        "    queries from rows; keys and values from x; attention text by text\n"
        "    x = the rest of the block, on rows\n"
        "return the pooler of x",
    ),
    parts=(Lab(vectors, cases, MISTAKES, in_pairs=False, in_order=True),),
    seconds=30.0,
)
