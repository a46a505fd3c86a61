"""6.1 BERT's block, for a padded batch."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from minibert.course.lab import Case, Exercise, Lab, exchanged
from minibert.course.modules import SmoothDropout, expect_parameters, module_gradients, run_module
from minibert.course.tools import expect_steady, make_module


class BertBlock(nn.Module):
    """One post-norm block: x (B, T, D), mask (B, T) bool, True on real tokens -> (B, T, D)."""

    def __init__(self, D, H, F, dropout):
        super().__init__()
        self.heads = H
        self.query, self.key, self.value, self.output = (nn.Linear(D, D) for _ in range(4))
        self.widen, self.narrow = nn.Linear(D, F), nn.Linear(F, D)
        self.attention_norm = nn.LayerNorm(D, eps=1e-12)
        self.feed_forward_norm = nn.LayerNorm(D, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def attend(self, x, mask):
        parts = (self.query(x), self.key(x), self.value(x))
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)  # (B, H, T, K)
        scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5  # (B, H, T, T)
        scores = scores.masked_fill(~mask[:, None, None, :], float("-inf"))
        mixed = self.dropout(scores.softmax(dim=-1)) @ value  # (B, H, T, K)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def forward(self, x, mask):
        x = self.attention_norm(x + self.dropout(self.attend(x, mask)))
        inner = functional.gelu(self.widen(x))  # (B, T, F)
        return self.feed_forward_norm(x + self.dropout(self.narrow(inner)))


D, H, F = 12, 3, 20  # all sizes differ, so that a transpose cannot hide
SIZES = (D, H, F, 0.5)


def real(answer):
    """The learner's class with an output of 0 at padding, where any finite number may stand."""

    def blank(module, inputs, output):
        return output * inputs[1][..., None] if isinstance(output, Tensor) and output.dim() == 3 else output

    def make(*sizes):
        module = answer(*sizes)
        if isinstance(module, nn.Module):
            module.register_forward_hook(blank)
        return module

    return make


def run(answer, *question):
    return run_module(real(answer), *question, dropout=SmoothDropout)  # in whatever order its axes lie


def slopes(answer, *question):
    return module_gradients(real(answer), *question)


def draw(rng, sizes):
    """Random weights; the gains are near 1, and the last one is large, so that what is printed is not near 0."""
    weights = {name: torch.randn(p.shape, generator=rng) for name, p in BertBlock(*sizes).state_dict().items()}
    weights = {name: (0.8 if x.dim() == 2 else 0.5) * x for name, x in weights.items()}
    weights["attention_norm.weight"] += 1
    weights["feed_forward_norm.weight"] = 9 * (1 + weights["feed_forward_norm.weight"])
    return weights


def quiet(weights):
    """Both sub-layers silent, plain norms; the values are seen by whoever leaves out `output`."""
    plain = {name: torch.ones(D) if name.endswith("norm.weight") else 0 * x for name, x in weights.items()}
    return plain | {"value.bias": torch.tensor([0.0, 3, 0]).repeat(4)}


def cases(rng):
    weights, x = draw(rng, SIZES), torch.randn(3, 5, D, generator=rng)
    mask = torch.arange(5) < torch.tensor([[5], [3], [4]])
    turned = "softmax over nothing: the mask is turned (True marks real tokens), or rows of padding see no key at all"
    plain, seen = torch.tensor([1.0, 2, 3]).repeat(4)[None, None], torch.ones(1, 1).bool()
    silent, hand = quiet(weights), "with attention and feed-forward silenced, x = (1, 2, 3, 1, 2, 3, ...), the output"
    only = "attention must pass through `output`, feed-forward through `narrow`; here both of these are zero"
    yield Case((SIZES, silent, False, plain, seen), only, hand, turned, 1e-4)
    generic = "random weights: check scale, mask, split and merge of the heads, order of sums and norms, in this order"
    yield Case((SIZES, weights, False, x, mask), generic, if_nan=turned, tolerance=2e-5)
    alone = "a text gives other numbers beside padding than alone: hide the keys that are padding"
    yield Case((SIZES, weights, False, x[1:2, :3], mask[1:2, :3]), alone, "output for a text alone", tolerance=2e-5)
    last = "padding may stand in front: the mask says where"
    yield Case((SIZES, weights, False, x.flip(1), mask.flip(1)), last, "output with padding in front", tolerance=2e-5)
    bent = silent | {"narrow.bias": torch.arange(D) % 2.0}
    for size, gain in ((1e-3, 1.0), (1.0, 1e-3)):  # eps shows where the variance is small: before either of the norms
        small = bent | {"attention_norm.weight": torch.full((D,), gain), "narrow.bias": gain * bent["narrow.bias"]}
        name = "output where the variance is small"
        yield Case((SIZES, small, False, size * plain, seen), "is the norms' eps 1e-12?", name, tolerance=1e-4)
    for sizes, shape in (((10, 2, 6, 0.5), (2, 7)), ((6, 1, 9, 0.5), (1, 2)), ((4, 4, 7, 0.5), (2, 1))):
        other, full = torch.randn(*shape, sizes[0], generator=rng), torch.ones(shape).bool()
        name = f"output for D={sizes[0]}, H={sizes[1]}, F={sizes[2]}, (B, T) = {shape}"
        yield Case((sizes, draw(rng, sizes), False, other, full), "sizes come from D, H, F and x", name, tolerance=2e-5)
    double = {name: value.double() for name, value in weights.items()}
    cause = "the output has the dtype of x and of the weights: a .float() or a new float32 tensor on the way"
    yield Case((SIZES, double, False, x.double(), mask), cause, "output in float64", certain=True)
    huge, name = weights | {"query.weight": 300 * weights["query.weight"]}, "output for scores of hundreds"
    cause = "exp overflows for large scores: leave it to torch.softmax"
    yield Case((SIZES, huge, False, x, mask), cause, name, cause, 5e-3)
    low = weights | {"query.weight": -60 * torch.eye(D), "key.weight": 60 * torch.eye(D)}  # far below -1e4
    cause = "hidden scores are set to a number such as -1e4, and the visible ones are lower still; set them to -inf"
    name = "output for scores below -10000 at all real tokens"
    yield Case((SIZES, low, False, 3 * x[1:2, 2:], mask[1:2, 2:]), cause, name, tolerance=1e-3)
    for p in (0.5, 0.2, 0.0):
        cause = "dropout with probability `dropout`, on the attention weights and on what each sub-layer gives back"
        sizes, name = (D, H, F, p), f"output in train mode, with dropout {p:g},"
        yield Case((sizes, weights, True, x, mask), cause, name, tolerance=2e-5)
    learn = "the output is right, its gradient is not"
    yield Case((SIZES, weights, False, x, mask), learn, "the gradient", tolerance=1e-4, run=slopes)


def before(answer, rng):
    for sizes in (SIZES, (10, 2, 6, 0.1)):
        expect_parameters(make_module(answer, *sizes), BertBlock(*sizes))
    x = torch.randn(2, 5, D, generator=rng)
    expect_steady(make_module(answer, *SIZES), x, torch.ones(2, 5).bool())


FIRST = "self.attention_norm(x + self.dropout(self.attend(x, mask)))"
SECOND = "self.feed_forward_norm(x + self.dropout(self.narrow(inner)))"
SPLIT, MERGE = "part.unflatten(-1, (self.heads, -1)).transpose(1, 2)", "mixed.transpose(1, 2).flatten(2)"
GELU, WIDE, PARTS, ROOT = "functional.gelu(", "self.widen(x)", "parts = (", "query.shape[-1] ** 0.5"
SOFTMAX, INF = "scores.softmax(dim=-1)", 'float("-inf")'
WEIGHTS = f"self.dropout({SOFTMAX})"
HIDE = f"scores.masked_fill(~mask[:, None, None, :], {INF})"
KEEP, HIDDEN = "[:, None, None, :]", "(~mask[:, None, None, :], float"
DROP_FIRST, DROP_SECOND = "self.dropout(self.attend(x, mask))", "self.dropout(self.narrow(inner))"
ADD_FIRST, ADD_SECOND = f"x + {DROP_FIRST}", f"x + {DROP_SECOND}"
NO_FIRST, NO_SECOND = {DROP_FIRST: "self.attend(x, mask)"}, {DROP_SECOND: "self.narrow(inner)"}
NO_WEIGHTS, NO_MASK, START = {WEIGHTS: SOFTMAX}, {HIDE: "scores"}, {"x = self.a": "start, x = x, self.a"}
INSIDE = {"self.narrow(inner)": "self.narrow(self.dropout(inner))"}
BEHIND = {"self.narrow(inner)": "functional.gelu(self.narrow(inner))"}


def eps(value, *names):
    """A patch of the eps of these norms, or of both."""
    made = "self.{} = nn.LayerNorm(D, eps={})".format
    return {made(name, "1e-12"): made(name, value) for name in names or ("attention_norm", "feed_forward_norm")}


MISTAKES = {
    "the norm stands before the sub-layers (pre-norm); BERT adds first and normalises the sum": {
        FIRST: "x + self.dropout(self.attend(self.attention_norm(x), mask))",
        WIDE: "self.widen(self.feed_forward_norm(x))",
        SECOND: ADD_SECOND,
    },
    "the norm stands inside the sum, x + norm(f(x)); BERT adds first and normalises the sum": {
        FIRST: "x + self.attention_norm(self.dropout(self.attend(x, mask)))",
        SECOND: "x + self.feed_forward_norm(self.dropout(self.narrow(inner)))",
    },
    "both residual paths are missing: x + f(x)": {ADD_FIRST: DROP_FIRST, ADD_SECOND: DROP_SECOND},
    "the residual path around attention is missing: x + attention(x)": {ADD_FIRST: DROP_FIRST},
    "the residual path around the feed-forward layer is missing: x + feed_forward(x)": {ADD_SECOND: DROP_SECOND},
    "the second sum adds the input, not the first norm's output": START | {ADD_SECOND: f"start + {DROP_SECOND}"},
    "the first sum, x + attention(x), is not normalised": {FIRST: FIRST.replace("self.attention_norm", "")},
    "the second sum, x + feed_forward(x), is not normalised": {SECOND: SECOND.replace("self.feed_forward_norm", "")},
    "neither sum is normalised": {"= self.attention_norm(x": "= (x", "return self.feed_forward_norm(": "return ("},
    "the first norm stands behind both sums": {"return self.feed_forward_norm(": "return self.attention_norm("},
    "the feed-forward layer reads the block's input": START | {WIDE: "self.widen(start)"},
    "both norms are swapped: attention_norm is first": exchanged("self.attention_norm(x", "self.feed_forward_norm(x"),
    "the norms' eps is 1e-5, BERT's is 1e-12; nn.LayerNorm has 1e-5 unless told otherwise": eps("1e-5"),
    "the norms' eps is 1e-6, BERT's is 1e-12; nn.LayerNorm has 1e-5 unless told otherwise": eps("1e-6"),
    "the first norm's eps is 1e-5, BERT's is 1e-12": eps("1e-5", "attention_norm"),
    "the second norm's eps is 1e-5, BERT's is 1e-12": eps("1e-5", "feed_forward_norm"),
    "GELU in its tanh form; BERT has the exact one, by erf": {WIDE: f'{WIDE}, approximate="tanh"'},
    "ReLU between widen and narrow; BERT has GELU": {GELU: "torch.relu("},
    "SiLU between widen and narrow; BERT has GELU": {GELU: "functional.silu("},
    "no activation between widen and narrow: two linear maps in a row are one; BERT has GELU": {GELU: "("},
    "GELU stands behind narrow; it belongs between widen and narrow": {GELU: "("} | BEHIND,
    "an activation behind narrow; BERT has none there": BEHIND,
    "padding is zero, not hidden, and gets a weight": NO_MASK | {PARTS: f"x = x * mask[..., None]\n        {PARTS}"},
    "the mask is not used, or hides queries instead of keys: padding is looked at": NO_MASK,
    "the mask is turned round: True marks real tokens": {"(~mask": "(mask"},
    "the mask of the first text is used for all; each text has its own": {HIDDEN: "(~mask[:1, None, None, :], float"},
    "the mask is added to the scores as 0 and 1; hide scores with masked_fill": {HIDE: f"scores + mask{KEEP}"},
    "hidden scores are set to 0, and exp(0) is 1, a weight like any; set them to -inf": {HIDE: f"scores * mask{KEEP}"},
    "the mask is applied after the softmax: weights no longer sum to 1": NO_MASK | {WEIGHTS: f"{WEIGHTS} * mask{KEEP}"},
    "hidden scores are set to a number such as -1e4, and visible ones are lower; set them to -inf": {INF: "-1e4"},
    "exp overflows for large scores: leave it to torch.softmax": {SOFTMAX: "scores.exp() / scores.exp().sum(-1, True)"},
    "the scores are not divided by sqrt(K)": {f" / {ROOT}": ""},
    "the scores are divided by sqrt(D); each head is K = D / H wide: sqrt(K)": {ROOT: "x.shape[-1] ** 0.5"},
    "the scores are divided by K; divide by its square root, sqrt(K)": {ROOT: "query.shape[-1]"},
    "the scores are divided by sqrt(H); each head is K = D / H wide: sqrt(K)": {ROOT: "self.heads ** 0.5"},
    "the heads are not split: one head of width D instead of H of width K": {SPLIT: "part[:, None]"},
    "H and K are exchanged: H heads, each K = D / H wide": {"(self.heads, -1)": "(-1, self.heads)"},
    "heads are made by view alone, which mixes tokens": {SPLIT: "part.reshape(len(x), self.heads, x.shape[1], -1)"},
    "the matrix `output` behind the heads is not used": {f"self.output({MERGE})": MERGE},
    "query and key are swapped": {"(self.query(x), self.key(x),": "(self.key(x), self.query(x),"},
    "key and value are swapped": {"self.key(x), self.value(x))": "self.value(x), self.key(x))"},
    "softmax over the queries (dim -2): each query divides its attention among the keys, dim=-1": {"dim=-1": "dim=-2"},
    "softmax over the heads (dim 1): each query divides its attention among the keys, dim=-1": {"dim=-1": "dim=1"},
    "there is no softmax: scores are no weights": {HIDE: f"scores * mask{KEEP}", SOFTMAX: "scores"},
    "the heads are not swapped back before they are laid side by side": {MERGE: "mixed.reshape(x.shape)"},
    "the heads are merged entry by entry, not head by head": {MERGE: "mixed.permute(0, 2, 3, 1).flatten(2)"},
    "the feed-forward half is missing": {SECOND: "x"},
    "dropout is missing on the attention weights, behind the softmax": NO_WEIGHTS,
    "dropout falls on the values; it belongs on the attention weights": NO_WEIGHTS | {MERGE: f"self.dropout({MERGE})"},
    "dropout falls on the scores, before the softmax": {WEIGHTS: "self.dropout(scores).softmax(dim=-1)", INF: "-1e9"},
    "no dropout on what the attention gives back, before x is added": NO_FIRST,
    "no dropout on what the feed-forward layer gives back, before x is added": NO_SECOND,
    "no dropout at all: it falls on attention weights and on sub-layers": NO_WEIGHTS | NO_FIRST | NO_SECOND,
    "no dropout on what the attention and the feed-forward layer give back": NO_FIRST | NO_SECOND,
    "dropout touches the residual path; drop out the sub-layer's output, before x is added": {
        ADD_FIRST: "self.dropout(x + self.attend(x, mask))",
        ADD_SECOND: "self.dropout(x + self.narrow(inner))",
    },
    "dropout falls behind the norms; drop out the sub-layer's output, before x is added": {
        FIRST: "self.dropout(self.attention_norm(x + self.attend(x, mask)))",
        SECOND: "self.dropout(self.feed_forward_norm(x + self.narrow(inner)))",
    },
    "BERT drops nothing between widen and narrow, only what narrow gives back": INSIDE,
    "dropout falls between widen and narrow, not behind narrow": {DROP_SECOND: "self.narrow(self.dropout(inner))"},
    "dropout has a probability of its own, 0.1, not the one passed in": {"nn.Dropout(dropout)": "nn.Dropout(0.1)"},
    "F.dropout needs training=self.training, nn.Dropout obeys eval() by itself": {
        DROP_FIRST: "functional.dropout(self.attend(x, mask), self.dropout.p)",
        DROP_SECOND: "functional.dropout(self.narrow(inner), self.dropout.p)",
    },
}

EXERCISE = Exercise(
    minutes=35,
    difficulty=3,
    signature="BertBlock(D, H, F, dropout), an nn.Module: forward(x (B, T, D), mask (B, T) bool) -> (B, T, D)",
    hints=(
        "Two sub-layers, attention and feed-forward. Around each: run it, drop out, add what came in, and only\n"
        "then normalise. The norm stands behind the sum, so whatever leaves the block is normalised.",
        "query, key, value: (B, T, D) -> (B, H, T, K), K = D / H: first split D into (H, K), then swap T and H.\n"
        "scores and weights (B, H, T, T); the mask (B, T) becomes (B, 1, 1, T), so that it hides keys.\n"
        "mixed (B, H, T, K) -> swap back -> (B, T, D); widen -> (B, T, F); narrow -> (B, T, D).",
        "heads = attention of chapter 5 on the split query, key, value, with the mask over the keys\n"
        "x = first norm of: x plus dropped-out output matrix of the heads laid side by side\n"
        "x = second norm of: x plus dropped-out narrow of (exact GELU of widen of x)\n"
        "both norms with an eps of 1e-12",
    ),
    parts=(Lab(BertBlock, cases, MISTAKES, run, before),),
)
