"""2.1 The scalar mix of a padded batch. ELMo's layers are brought to one size, and mixed with learned weights."""

import torch
from torch import Tensor, nn

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.modules import expect_parameters, module_gradients, run_module
from minibert.course.tools import make_module, show


class ScalarMix(nn.Module):
    """gamma times the layers, each of size 1, mixed with learned weights: (L, B, T, D), (B, T) -> (B, T, D)."""

    def __init__(self, layers):
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(layers))
        self.gamma = nn.Parameter(torch.ones(()))

    def forward(self, states, mask):
        kept = states.masked_fill(mask[..., None] == 0, 0.0)  # (L, B, T, D): zeros on padding
        sizes = (kept.square().sum(dim=(1, 2, 3)) / (mask.sum() * states.shape[-1])).sqrt()  # (L,)
        weights = torch.softmax(self.scores, dim=0)  # (L,): over the layers, before there are other axes
        return self.gamma * torch.einsum("l,lbtd->btd", weights / sizes, kept)


TOKENS = "the weights are made from the states, so every token gets its own; ELMo has one a layer, for all tokens"
SCALE = (
    "each layer is divided by its own root mean square over the real tokens, so it does not matter how large its "
    f"numbers are. Perhaps {TOKENS}; or something else acts on the states"
)
PADDING = "what stands on padding has no part in the sizes, and the output there is 0"
OVERFLOW = "exp of a large score is infinite: torch.softmax subtracts the largest score first"
START = "a new mix is the plain average of the layers: scores begin as equal numbers, zeros, and gamma as 1"
NO_ZERO = "the scores are divided by their sum, and that division by their sum is 0 / 0 for zeros; exp comes first"


def expect_a_new_mix(answer, rng):
    module = make_module(answer, 5)
    expect_parameters(module, ScalarMix(5))
    for name, parameter in ScalarMix(5).named_parameters():
        found = dict(module.named_parameters())[name].detach()
        if not torch.equal(found, parameter.detach()):
            raise Wrong(f"{name} of a new mix is {show(found)}", show(parameter), START)


def scaled(answer, sizes, weights, train, states, mask):
    """How far the output for layers of other sizes is from the output; what is no output stays as it is."""
    factors = torch.tensor([0.1, 3.0, 1.0, 20.0, 0.5])[:, None, None, None]
    once, other = (run_module(answer, sizes, weights, train, x, mask) for x in (states, factors * states))
    right = isinstance(once, Tensor) and isinstance(other, Tensor) and once.shape == states.shape[1:]
    return other - once if right else once


def cases(rng):
    def weights(scores, gamma):
        return {"scores": torch.as_tensor(scores), "gamma": torch.tensor(gamma)}

    hand = torch.tensor([[6.0, 6.0, 99.0], [12.0, -12.0, 99.0], [18.0, 18.0, 99.0]]).view(3, 1, 3, 1)
    thirds = weights(torch.tensor([1.0, 2.0, 3.0]).log(), 6.0)
    states, drawn = torch.randn(5, 2, 4, 3, generator=rng), torch.randn(5, generator=rng)  # (L, B, T, D) all differ
    states *= torch.tensor([1.0, 2.0, 0.3, 4.0, 1.5])[:, None, None, None]
    states[:, :, :1] += 1.0  # the mean of a layer is not 0
    states[:, 1, 2:] *= 7.0  # which the second text does not have
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    drawn[0] = drawn[1:].max() + 1.0  # the scores differ from each other and from their order
    mixed, every = weights(drawn, -0.7), torch.ones(2, 4, dtype=torch.int64)
    large = "output for layers of other sizes, minus the output,"
    cause = "the layers divided by their root mean square, 6, 12 and 18, are 1 or -1; weights 1/6, 2/6, 3/6, gamma 6"
    yield Case(((3,), thirds, False, hand, torch.tensor([[1, 1, 0]])), cause, "for the example by hand the output")
    yield Case(((5,), mixed, False, states, every), SCALE, large, tolerance=1e-4, run=scaled)
    yield Case(((5,), mixed, False, states, every), "five layers, two texts of four tokens, width 3, no padding")
    yield Case(((5,), mixed, False, states, mask), PADDING, "with two tokens of padding the output")
    yield Case(((5,), mixed, True, states, mask), "the mix has no dropout", "output in train mode")
    zeros = weights([0.0] * 5, 1.0)
    yield Case(((5,), zeros, False, states, mask), START, "output with all scores 0", if_nan=NO_ZERO)
    steep = weights([500.0, 0.0, -500.0], 1.0)
    yield Case(((3,), steep, False, states[:3], mask), OVERFLOW, "output with scores 500, 0 and -500", if_nan=OVERFLOW)
    one = weights([0.3], 2.0)
    yield Case(((1,), one, False, states[:1], mask), "one layer has the weight 1", "output with one layer")
    double = {name: weight.double() for name, weight in mixed.items()}
    cause = "a mix in float64 gives float64: a .float() or a new float32 tensor on the way"
    yield Case(((5,), double, False, states.double(), mask), cause, "output in float64", certain=True)
    cause = "the output is right, the gradient is not"
    yield Case(((5,), mixed, False, states, mask), cause, "the gradient", tolerance=1e-4, run=module_gradients)


SOFTMAX, SUM = "torch.softmax(self.scores, dim=0)", 'torch.einsum("l,lbtd->btd", weights / sizes, kept)'
OUTPUT, WIDE, NORMAL = f"self.gamma * {SUM}", "self.scores[:, None, None, None]", "(kept / sizes[:, None, None, None])"
COLD = "self.scores / len(self.scores) ** 0.5"
INSIDE = "torch.softmax(self.gamma * self.scores, dim=0)"
OVER = "softmax over {} of the states; it belongs over the scores of the layers"
SIZES = "(kept.square().sum(dim=(1, 2, 3)) / (mask.sum() * states.shape[-1])).sqrt()"


def of_states(scores, axis):
    return {SUM: f"(torch.softmax({scores}, dim={axis}) * {NORMAL}).sum(dim=0)"}


def of_sizes(sizes):
    """Other sizes than one a layer, of shape (L or 1, B or 1, T or 1, 1)."""
    return {SIZES: sizes, SUM: "(weights[:, None, None, None] * kept / sizes).sum(dim=0)"}


MISTAKES = {
    "the layers are not divided by their root mean square": {"weights / sizes": "weights"},
    "padding counts in the root mean square: divide by the number of real tokens, not of all places": {
        "mask.sum() * states.shape[-1]": "mask.numel() * states.shape[-1]"
    },
    "what stands on padding counts in the root mean square": {SIZES: "states.square().mean(dim=(1, 2, 3)).sqrt()"},
    "the output is not 0 on padding": {"weights / sizes, kept": "weights / sizes, states"},
    "padding is not left out at all: the mask is not used": {
        "states.masked_fill(mask[..., None] == 0, 0.0)": "states",
        "mask.sum()": "mask.numel()",
    },
    "the mask is turned round: 1 marks real tokens": {"== 0, 0.0": "== 1, 0.0", "mask.sum()": "(1 - mask).sum()"},
    "the layers are multiplied by their size; divide": {"weights / sizes": "weights * sizes"},
    "the root is missing: this is the mean square": {").sqrt()": ")"},
    "the sum of squares is not divided by how many numbers there are: a norm, not a root mean square": {
        " / (mask.sum() * states.shape[-1])": ""
    },
    "the width D is forgotten: a token has D numbers": {"(mask.sum() * states.shape[-1])": "mask.sum()"},
    "one size for all layers together; each layer has its own": {SIZES: f"{SIZES}.square().mean().sqrt()"},
    "each token is divided by its own size; a layer has one": of_sizes("kept.square().mean(-1, True).sqrt() + 1e-9"),
    "each text is divided by its own size; a layer has one": of_sizes(
        "(kept.square().sum((2, 3), True) / (mask.sum(1)[:, None, None] * kept.shape[-1])).sqrt()"
    ),
    "the mean of the absolute numbers is taken; the root mean square squares them": {
        SIZES: "kept.abs().sum(dim=(1, 2, 3)) / (mask.sum() * states.shape[-1])"
    },
    "the mean is subtracted, as in a standard deviation or a layer norm; only divide by the root mean square": {
        SIZES: f"{SIZES}.square().sub((kept.sum((1, 2, 3)) / (mask.sum() * kept.shape[-1])).square()).sqrt()"
    },
    "the sizes stand inside the softmax; they divide the layers": {
        SOFTMAX: "torch.softmax(self.scores / sizes, dim=0)",
        "weights / sizes": "weights",
    },
    "there is no softmax: the scores themselves are no weights, they may be negative": {SOFTMAX: "self.scores"},
    "softmax over an axis of length 1 is 1 everywhere: use (L,)": {SOFTMAX: "self.scores[:, None].softmax(1)[:, 0]"},
    NO_ZERO: {SOFTMAX: "self.scores / self.scores.sum()"},
    "exp without dividing by the sum: the weights do not sum to 1": {SOFTMAX: "self.scores.exp()"},
    "sigmoids: they do not sum to 1 over the layers": {SOFTMAX: "self.scores.sigmoid()"},
    "log_softmax gives the logarithms of the weights": {SOFTMAX: "self.scores.log_softmax(dim=0)"},
    "softmax of the scores with the sign turned": {SOFTMAX: "torch.softmax(-self.scores, dim=0)"},
    "softmax is taken twice": {SOFTMAX: f"{SOFTMAX}.softmax(dim=0)"},
    "gamma stands inside the softmax, where it only sharpens; it scales the result": {SOFTMAX: INSIDE, OUTPUT: SUM},
    "gamma stands inside the softmax as well as outside": {SOFTMAX: INSIDE},
    "gamma is added to the scores, which softmax does not notice": {SOFTMAX: INSIDE.replace("*", "+"), OUTPUT: SUM},
    "gamma is not used": {OUTPUT: SUM},
    "gamma is added to the mixture; it is a factor": {OUTPUT: f"self.gamma + {SUM}"},
    "gamma is applied twice": {OUTPUT: f"self.gamma**2 * {SUM}"},
    "the result is divided by gamma": {OUTPUT: f"{SUM} / self.gamma"},
    "the sign of gamma is lost: it is used as it is, without abs": {OUTPUT: f"self.gamma.abs() * {SUM}"},
    "a negative gamma becomes 0: it is used as it is, without relu": {OUTPUT: f"self.gamma.relu() * {SUM}"},
    "gamma is made positive: it is used as it is, no softplus": {OUTPUT: f"nn.functional.softplus(self.gamma) * {SUM}"},
    "gamma becomes a number from 0 to 1: it is used as it is, no sigmoid": {OUTPUT: f"self.gamma.sigmoid() * {SUM}"},
    "the mixture is divided by the number of layers: sum, not mean": {SUM: f"{SUM} / len(states)"},
    "the weights are computed once, in __init__, before the scores have learned: compute them in forward": {
        SOFTMAX: "self.kept",
        "self.gamma = nn": "self.kept = torch.softmax(self.scores, dim=0)\n        self.gamma = nn",
    },
    "the first layer, the word table, is left out": {"weights / sizes, kept": "(weights / sizes)[1:], kept[1:]"},
    "the scores are divided by sqrt(L), which belongs to attention": {SOFTMAX: f"({COLD}).softmax(dim=0)"},
    "this is the plain average of the layers: the scores are not used": {SUM: f"{NORMAL}.mean(dim=0)"},
    "the layers are taken in reverse order": {"weights / sizes, kept": "weights / sizes.flip(0), kept.flip(0)"},
    "only the layer with the highest score is taken": {SUM: f"{NORMAL}[self.scores.argmax()]"},
    "only the last layer is taken": {SUM: f"{NORMAL}[-1]"},
    "the tokens of a text are averaged; each keeps its own": {SUM: f"{SUM}.mean(1, True).expand(states.shape[1:])"},
    "the texts of the batch are averaged": {SUM: f"{SUM}.mean(0, True).expand(states.shape[1:])"},
    "the layers are not added up": {SUM: f"weights[:, None, None, None] * {NORMAL}"},
    f"{TOKENS}: the scores are multiplied with the states": of_states(f"{WIDE} * {NORMAL}", 0),
    f"{TOKENS}: the scores are added to the states": of_states(f"{WIDE} + {NORMAL}", 0),
    OVER.format("the texts"): of_states(f"{WIDE} * {NORMAL}", 1),
    OVER.format("the tokens"): of_states(f"{WIDE} * {NORMAL}", 2),
    OVER.format("the entries"): of_states(f"{WIDE} * {NORMAL}", 3),
    "the mix has no dropout": {SUM: f"nn.functional.dropout({SUM}, 0.1, self.training)"},
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="ScalarMix(layers), an nn.Module with the parameters scores (L,) and gamma (): "
    "forward(states (L, B, T, D), mask (B, T) int64) -> (B, T, D)",
    hints=(
        "One weight for each layer, the same for all texts, tokens and entries, and one factor for the whole. And one\n"
        "size for each layer: how large its numbers are, on real tokens alone.",
        "states (L, B, T, D), on padding 0 -> squares added up over B, T and D: (L,), divided by the number of real\n"
        "tokens times D, and the root. scores (L,) become weights (L,), which sum to 1. To meet the states both need\n"
        "three more axes at the end, (L, 1, 1, 1), or a loop over the layers. The sum over L leaves (B, T, D).",
        "made: scores as a parameter of L zeros, gamma as a parameter that is 1\n"
        "called: put zeros where the mask is 0\n"
        "        size of a layer = root of (its sum of squares / (real tokens times D))\n"
        "        weights = softmax of the scores, over their only axis\n"
        "        mixture = for each layer its weight times its states divided by its size, added up\n"
        "        return gamma times the mixture",
    ),
    parts=(Lab(ScalarMix, cases, MISTAKES, run_module, before=expect_a_new_mix),),
)
