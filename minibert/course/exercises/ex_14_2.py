"""14.2 The norms of a pre-norm encoder. They stand around sub-layers that are given."""

import torch
from torch import nn
from torch.nn import functional

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.modules import expect_parameters, module_gradients, run_module
from minibert.course.tools import make_module


class PreNorm(nn.Module):
    """ModernBERT's encoder around given sub-layers: x (..., T, D), two lists of L functions -> (..., T, D)."""

    def __init__(self, D, L):
        super().__init__()
        norms = [nn.LayerNorm(D, eps=1e-5, bias=False) for _ in range(2 * L + 1)]
        self.embedding_norm, self.final_norm, *rest = norms
        self.attention_norm = nn.ModuleList([nn.Identity(), *rest[: L - 1]])  # layer 0 reads what was just normalised
        self.feed_forward_norm = nn.ModuleList(rest[L - 1 :])

    def forward(self, x, attention, feed_forward):
        x = self.embedding_norm(x)
        for layer, mix in enumerate(attention):
            x = x + mix(self.attention_norm[layer](x))
            x = x + feed_forward[layer](self.feed_forward_norm[layer](x))
        return self.final_norm(x)


def mixing(A, B):
    """A stand-in for attention: each token takes from itself and from the mean of all."""
    return lambda x: torch.tanh(x @ A.to(x)) + x.mean(-2, keepdim=True) @ B.to(x)


def working(A, B):
    """A stand-in for a feed-forward layer: each token for itself."""
    return lambda x: functional.gelu(x @ A.to(x)) @ B.to(x)


def sub_layers(rng, D, L):
    """L functions of each kind, no two alike."""
    draw = lambda: torch.randn(D, D, generator=rng) / D**0.5  # noqa: E731
    return [mixing(draw(), draw()) for _ in range(L)], [working(draw(), 2 * draw()) for _ in range(L)]


def run(answer, sizes, weights, *inputs):
    return run_module(answer, sizes, weights, False, *inputs)


def slopes(answer, sizes, weights, *inputs):
    return module_gradients(answer, sizes, weights, False, *inputs)


def gains(rng, sizes):
    return {name: 1 + 0.5 * torch.randn(p.shape, generator=rng) for name, p in PreNorm(*sizes).state_dict().items()}


def cases(rng):
    ones = {name: torch.ones(3) for name in PreNorm(3, 1).state_dict()}
    silent, hand = ([lambda x: 0 * x], [lambda x: 0 * x]), torch.tensor([[1.0, 2, 3]])
    cause = "nothing is added, so the two norms around the layers are left: x = (1, 2, 3) has mean 2 and variance 2/3"
    yield Case(((3, 1), ones, hand, *silent), cause, "output with silent sub-layers, L = 1,")
    double = (
        "one layer: x + attention(x) behind the embedding norm, then plus feed-forward of the copy that its norm makes"
    )
    yield Case(
        ((6, 1), gains(rng, (6, 1)), torch.randn(4, 6, generator=rng), *sub_layers(rng, 6, 1)),
        double,
        "output for one layer",
    )
    sizes = (7, 3)
    weights, layers = gains(rng, sizes), sub_layers(rng, *sizes)
    generic = "follow one token: which norm does it meet, and is what it meets added to x or put in its place?"
    x = 3 * torch.randn(2, 5, 7, generator=rng) + 2
    yield Case((sizes, weights, x, *layers), generic, "output for three layers", tolerance=2e-5)
    for shape in ((5, 7), (2, 1, 4, 7)):
        other, name = torch.randn(*shape, generator=rng), f"output for x {shape}"
        yield Case((sizes, weights, other, *layers), "any number of axes may stand in front", name, tolerance=2e-5)
    for D, L in ((4, 2), (5, 6)):
        own, name = sub_layers(rng, D, L), f"output for D={D}, L={L}"
        other = torch.randn(2, 3, D, generator=rng)
        yield Case(((D, L), gains(rng, (D, L)), other, *own), generic, name, tolerance=5e-5)
    small = "where the variance is small, eps shows: it is 1e-5"
    tiny = 2e-3 * torch.randn(2, 5, 7, generator=rng)
    quiet = {name: 1e-3 * gain if name == "embedding_norm.weight" else gain for name, gain in weights.items()}
    still = [lambda x: 0 * x] * 3
    yield Case((sizes, weights, tiny, *layers), small, "output for a small x", tolerance=5e-5)
    yield Case((sizes, quiet, x, still, still), small, "output where little is added to a small stream", tolerance=5e-5)
    wide = {name: gain.double() for name, gain in weights.items()}
    cause = "the output has the dtype of x and of the weights: a .float() or a new float32 tensor on the way"
    yield Case((sizes, wide, x.double(), *layers), cause, "output in float64", certain=True)
    trains = lambda answer, *given: run_module(answer, *given[:2], True, *given[2:])  # noqa: E731
    same = "nothing here is drawn by chance, so train mode changes nothing"
    yield Case((sizes, weights, x, *layers), same, "output in train mode", tolerance=2e-5, run=trains)
    learn = "the output is right, its gradient is not"
    yield Case((sizes, weights, x, *layers), learn, "the gradient", tolerance=2e-4, run=slopes)


DOUBLED = (
    "the input of layer 0 is normalised twice: the embedding norm has done it, so attention_norm[0] is nn.Identity()"
)


def before(answer, rng):
    for sizes in ((7, 3), (4, 1)):
        module = make_module(answer, *sizes)
        if (name := "attention_norm.0.weight") in dict(module.named_parameters()):
            raise Wrong(f"there is a parameter {name}", "none: layer 0 has no attention norm", DOUBLED)
        expect_parameters(module, PreNorm(*sizes))


EMBED, LAST = "        x = self.embedding_norm(x)\n", "return self.final_norm(x)"
MIX, WORK = (
    "x = x + mix(self.attention_norm[layer](x))",
    "x = x + feed_forward[layer](self.feed_forward_norm[layer](x))",
)
FIRST, SECOND = "self.attention_norm[layer](x)", "self.feed_forward_norm[layer](x)"
NEXT = "\n            "
MISTAKES = {
    DOUBLED: {FIRST: "(self.attention_norm[layer] if layer else self.embedding_norm)(x)"},
    "the residual path is normalised: x itself stays as it is, and only what a sub-layer reads is normalised": {
        MIX: f"x = {FIRST}{NEXT}x = x + mix(x)",
        WORK: f"x = {SECOND}{NEXT}x = x + feed_forward[layer](x)",
    },
    "the residual path is normalised before attention; only what attention reads is normalised": {
        MIX: f"x = {FIRST}{NEXT}x = x + mix(x)"
    },
    "the residual path is normalised before the feed-forward layer; only what that layer reads is normalised": {
        WORK: f"x = {SECOND}{NEXT}x = x + feed_forward[layer](x)"
    },
    "the sums are normalised (post-norm, as in BERT); normalise what a sub-layer reads": {
        MIX: "x = self.attention_norm[layer](x + mix(x))",
        WORK: "x = self.feed_forward_norm[layer](x + feed_forward[layer](x))",
    },
    "what the sub-layers give is normalised; normalise what they read": {
        MIX: "x = x + self.attention_norm[layer](mix(x))",
        WORK: "x = x + self.feed_forward_norm[layer](feed_forward[layer](x))",
    },
    "the final norm and the embedding norm are missing": {EMBED: "", LAST: "return x"},
    "the final norm is missing: without it the sum of all layers leaves the encoder as large as it has grown": {
        LAST: "return x"
    },
    "the embedding norm is missing: it stands before layer 0": {EMBED: ""},
    "the embedding norm normalises what attention 0 reads, and the residual path starts without it": {
        EMBED: "",
        FIRST: "(self.attention_norm[layer] if layer else self.embedding_norm)(x)",
    },
    "the last norm is the embedding norm once more; final_norm is a norm of its own": {
        LAST: "return self.embedding_norm(x)"
    },
    "the first norm is final_norm; embedding_norm and final_norm are exchanged": {
        "x = self.embedding_norm(x)": "x = self.final_norm(x)",
        LAST: "return self.embedding_norm(x)",
    },
    "the final norm acts after each layer; it stands once, behind the last": {
        WORK: f"{WORK}{NEXT}x = self.final_norm(x)"
    },
    "attention reads x without a norm; from layer 1 on it has one": {FIRST: "x"},
    "the feed-forward layers read x without a norm": {SECOND: "x"},
    "the feed-forward layer of layer 0 reads x without a norm; only the attention of layer 0 goes without": {
        SECOND: "(self.feed_forward_norm[layer](x) if layer else x)"
    },
    "the feed-forward layers read through attention_norm; feed_forward_norm is theirs": {
        SECOND: "(self.attention_norm[layer] if layer else self.embedding_norm)(x)"
    },
    "all feed-forward layers read through the first one's norm; each layer has its own": {
        SECOND: "self.feed_forward_norm[0](x)"
    },
    "both sub-layers read the same x (a parallel block); the feed-forward layer reads what attention left": {
        MIX: f"start, x = x, x + mix({FIRST})",
        SECOND: "self.feed_forward_norm[layer](start)",
    },
    "no residual path: x + attention(norm(x)), then x + feed_forward(norm(x))": {
        MIX: f"x = mix({FIRST})",
        WORK: f"x = feed_forward[layer]({SECOND})",
    },
    "the residual path around attention is missing": {MIX: f"x = mix({FIRST})"},
    "the residual path around the feed-forward layer is missing": {WORK: f"x = feed_forward[layer]({SECOND})"},
    "the second sum adds the layer's input; it adds what attention left": {
        MIX: f"start, x = x, x + mix({FIRST})",
        WORK: f"x = start + feed_forward[layer]({SECOND})",
    },
    "the feed-forward layer comes first; attention does": {
        f"{MIX}{NEXT}{WORK}": f"{WORK}{NEXT}{MIX}",
    },
    "only layer 0 is run": {"enumerate(attention):": "enumerate(attention[:1]):"},
    "the layers run from the last to the first": {"enumerate(attention):": "reversed(list(enumerate(attention))):"},
    "layer 0's attention runs in every layer": {"x + mix(": "x + attention[0]("},
    "layer 0's feed-forward layer runs in every layer": {"x + feed_forward[layer](": "x + feed_forward[0]("},
    "the norms' eps is 1e-12, BERT's; ModernBERT's is 1e-5": {"eps=1e-5": "eps=1e-12"},
    "the norms' eps is 1e-6; ModernBERT's is 1e-5": {"eps=1e-5": "eps=1e-6"},
    "the mean is not subtracted (RMSNorm); ModernBERT has LayerNorm without a bias": {
        "nn.LayerNorm(D, eps=1e-5, bias=False)": "nn.RMSNorm(D, eps=1e-5)"
    },
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="PreNorm(D, L), an nn.Module: forward(x (..., T, D), attention, feed_forward: lists of L functions) "
    "-> (..., T, D)",
    hints=(
        "x is a path from the embeddings to the end, and nothing on it is ever normalised between its two ends. A\n"
        "sub-layer reads a normalised copy, and what it says is added to the path.",
        "2 L + 1 norms of D gains: embedding_norm, final_norm, L - 1 in attention_norm (an nn.ModuleList that begins\n"
        "with nn.Identity()), L in feed_forward_norm. All shapes stay (..., T, D).",
        "x = embedding norm of x\n"
        "for each layer: x plus attention of the copy that this layer's attention norm makes\n"
        "                x plus feed-forward of the copy that this layer's other norm makes\n"
        "give back the final norm of x",
    ),
    parts=(Lab(PreNorm, cases, MISTAKES, run, before),),
)
