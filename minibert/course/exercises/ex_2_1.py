"""2.1 The scalar mix. ELMo's layers are mixed with learned weights."""

import torch
from torch import Tensor, nn

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.modules import expect_parameters, module_gradients, run_module
from minibert.course.tools import make_module, show


class ScalarMix(nn.Module):
    """gamma times the layers, mixed with learned weights: (L, B, T, D) -> (B, T, D)."""

    def __init__(self, layers):
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(layers))
        self.gamma = nn.Parameter(torch.ones(()))

    def forward(self, states):
        weights = torch.softmax(self.scores, dim=0)  # (L,): over the layers, before there are other axes
        return self.gamma * torch.einsum("l,lbtd->btd", weights, states)


TOKENS = "the weights are made from the states, so every token gets its own; ELMo has one a layer, for all tokens"
LINEAR = f"twice the states must give twice the output. Perhaps {TOKENS}; or something else acts on the states"
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


def doubled(answer, *inputs):
    """How far the output for states twice as large is from twice the output; what is no output stays as it is."""
    *rest, states = inputs
    once, twice = run_module(answer, *rest, states), run_module(answer, *rest, 2 * states)
    right = isinstance(once, Tensor) and isinstance(twice, Tensor) and once.shape == states.shape[1:]
    return twice - 2 * once if right else once


def cases(rng):
    def weights(scores, gamma):
        return {"scores": torch.as_tensor(scores), "gamma": torch.tensor(gamma)}

    hand = torch.tensor([6.0, 12.0, 18.0]).view(3, 1, 1, 1)
    thirds = weights(torch.tensor([1.0, 2.0, 3.0]).log(), 2.0)
    states, drawn = torch.randn(5, 2, 3, 4, generator=rng), torch.randn(5, generator=rng)  # (L, B, T, D) all differ
    drawn[0] = drawn[1:].max() + 1.0  # the scores differ from each other and from their order
    mixed = weights(drawn, -0.7)
    large = "output for states twice as large, minus twice the output,"
    yield Case(((5,), mixed, False, states), LINEAR, large, tolerance=1e-4, run=doubled)
    cause = "the weights are 1/6, 2/6 and 3/6, the mixture is 1 + 4 + 9 = 14, gamma doubles it"
    yield Case(((3,), thirds, False, hand), cause, "for scores ln 1, ln 2, ln 3, states 6, 12, 18, gamma 2, the output")
    yield Case(((5,), mixed, False, states), "five layers, two texts of three tokens, width 4")
    yield Case(((5,), mixed, True, states), "the mix has no dropout", "output in train mode")
    zeros = weights([0.0] * 5, 1.0)
    yield Case(((5,), zeros, False, states), START, "output with all scores 0", if_nan=NO_ZERO)
    steep = weights([500.0, 0.0, -500.0], 1.0)
    yield Case(((3,), steep, False, states[:3]), OVERFLOW, "output with scores 500, 0 and -500", if_nan=OVERFLOW)
    yield Case(((1,), weights([0.3], 2.0), False, states[:1]), "one layer has the weight 1", "output with one layer")
    double = {name: weight.double() for name, weight in mixed.items()}
    cause = "a mix in float64 gives float64: a .float() or a new float32 tensor on the way"
    yield Case(((5,), double, False, states.double()), cause, "output in float64", certain=True)
    cause = "the output is right, the gradient is not"
    yield Case(((5,), mixed, False, states), cause, "the gradient", run=module_gradients)


SOFTMAX, SUM = "torch.softmax(self.scores, dim=0)", 'torch.einsum("l,lbtd->btd", weights, states)'
OUTPUT, WIDE = f"self.gamma * {SUM}", "self.scores[:, None, None, None]"
COLD = "self.scores / len(self.scores) ** 0.5"
INSIDE = "torch.softmax(self.gamma * self.scores, dim=0)"
OVER = "softmax over {} of the states; it belongs over the scores of the layers"


def of_states(scores, axis):
    return {SUM: f"(torch.softmax({scores}, dim={axis}) * states).sum(dim=0)"}


MISTAKES = {
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
    "exp of gamma: gamma itself is the factor": {OUTPUT: f"self.gamma.exp() * {SUM}"},
    "the sign of gamma is lost: it is used as it is, without abs": {OUTPUT: f"self.gamma.abs() * {SUM}"},
    "a negative gamma becomes 0: it is used as it is, without relu": {OUTPUT: f"self.gamma.relu() * {SUM}"},
    "gamma is made positive: it is used as it is, no softplus": {OUTPUT: f"nn.functional.softplus(self.gamma) * {SUM}"},
    "gamma becomes a number from 0 to 1: it is used as it is, no sigmoid": {OUTPUT: f"self.gamma.sigmoid() * {SUM}"},
    "the mixture is divided by the number of layers: sum, not mean": {SUM: f"{SUM} / len(states)"},
    "the weights are computed once, in __init__, before the scores have learned: compute them in forward": {
        SOFTMAX: "self.kept",
        "self.gamma = nn": "self.kept = torch.softmax(self.scores, dim=0)\n        self.gamma = nn",
    },
    "the largest weighted layer is taken; add them up": {SUM: "(weights[:, None, None, None] * states).amax(0)"},
    "the first layer, the word table, is left out": {"weights, states": "weights[1:], states[1:]"},
    "the scores are divided by sqrt(L), which belongs to attention": {SOFTMAX: f"({COLD}).softmax(dim=0)"},
    "it is normalised; only gamma scales it": {OUTPUT: f"nn.functional.layer_norm({OUTPUT}, states.shape[-1:])"},
    "this is the plain average of the layers: the scores are not used": {SUM: "states.mean(dim=0)"},
    "the layers are taken in reverse order": {SUM: SUM.replace("states)", "states.flip(0))")},
    "only the layer with the highest score is taken": {SUM: "states[self.scores.argmax()]"},
    "only the last layer is taken": {SUM: "states[-1]"},
    "the tokens of a text are averaged; each keeps its own": {SUM: f"{SUM}.mean(1, True).expand(states.shape[1:])"},
    "the texts of the batch are averaged": {SUM: f"{SUM}.mean(0, True).expand(states.shape[1:])"},
    "the layers are not added up": {SUM: "weights[:, None, None, None] * states"},
    f"{TOKENS}: the scores are multiplied with the states": of_states(f"{WIDE} * states", 0),
    f"{TOKENS}: the scores are added to the states": of_states(f"{WIDE} + states", 0),
    f"{TOKENS}: the mean of each state is added": of_states(f"{WIDE} + states.mean(-1, keepdim=True)", 0),
    OVER.format("the texts"): of_states(f"{WIDE} * states", 1),
    OVER.format("the tokens"): of_states(f"{WIDE} * states", 2),
    OVER.format("the entries"): of_states(f"{WIDE} * states", 3),
    "the mix has no dropout": {SUM: f"nn.functional.dropout({SUM}, 0.1, self.training)"},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="ScalarMix(layers), an nn.Module with the parameters scores (L,) and gamma (): "
    "forward(states (L, B, T, D)) -> (B, T, D)",
    hints=(
        "One weight for each layer, the same for all texts, tokens and entries, and one factor for the whole. The\n"
        "weights are positive and sum to 1, though the parameters behind them are free to be any numbers.",
        "scores (L,) become weights (L,), which sum to 1 over the layers. To meet states (L, B, T, D) they need\n"
        "three more axes at the end, (L, 1, 1, 1), or a loop over the layers. The sum over the first axis leaves\n"
        "(B, T, D), and gamma, one number, multiplies all of it.",
        "made: scores as a parameter of L zeros, gamma as a parameter that is 1\n"
        "called: weights = softmax of the scores, over their only axis, before they get any other\n"
        "        mixture = for each layer its weight times its states, added up\n"
        "        return gamma times the mixture",
    ),
    parts=(Lab(ScalarMix, cases, MISTAKES, run_module, before=expect_a_new_mix),),
)
