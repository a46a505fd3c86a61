"""14.1 GeGLU, and how wide it may be."""

import torch
from torch import nn
from torch.nn import functional

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.modules import SmoothDropout, expect_parameters, module_gradients, run_module
from minibert.course.tools import expect_steady, make_module


class GeGLU(nn.Module):
    """ModernBERT's feed-forward layer, without biases: x (..., D) -> (..., D), F wide inside."""

    def __init__(self, D, F, dropout):
        super().__init__()
        self.gate_up = nn.Linear(D, 2 * F, bias=False)  # one matrix makes both: the gate's F rows, then those of `up`
        self.output = nn.Linear(F, D, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, dim=-1)  # (..., F) each
        return self.output(self.dropout(functional.gelu(gate) * up))


def gated_width(D, F, multiple):
    """The largest multiple of `multiple` with which GeGLU has no more parameters than BERT's layer of width F."""
    plain = 2 * D * F + F + D  # two matrices and their biases
    return plain // (3 * D) // multiple * multiple  # GeGLU has three times D rows or columns of the width


SIZES = (6, 10, 0.5)


def run(answer, *question):
    return run_module(answer, *question, dropout=SmoothDropout)


def draw(rng, sizes):
    return {name: torch.randn(p.shape, generator=rng) for name, p in GeGLU(*sizes).state_dict().items()}


def layers(rng):
    hand = {
        "gate_up.weight": torch.tensor([[1.0, 0], [0, 1], [0, 1], [1, 0]]),
        "output.weight": torch.tensor([[1.0, 0], [0, 1]]),
    }
    first = "the rows of gate_up: gate = (2, -1), up = (-1, 2); GELU of the gate is (1.9545, -0.1587), times up"
    yield Case(((2, 2, 0.0), hand, False, torch.tensor([[2.0, -1.0]])), first, "output for x = (2, -1)")
    weights, x = draw(rng, SIZES), torch.randn(3, 4, 6, generator=rng)
    generic = "random weights: which half goes through GELU, what is multiplied with what, and where `output` stands"
    yield Case((SIZES, weights, False, x), generic)
    for shape in ((6,), (5, 6), (2, 1, 3, 6)):
        axes, name = "any number of axes may stand in front: split along the last one (dim=-1)", f"output for x {shape}"
        yield Case((SIZES, weights, False, torch.randn(*shape, generator=rng)), axes, name, certain=True)
    large = {name: 3 * weight for name, weight in weights.items()}
    yield Case((SIZES, large, False, x), generic, "output with large weights", tolerance=1e-4)
    for sizes in ((4, 3, 0.1), (5, 8, 0.1)):
        name, other = f"output for D={sizes[0]}, F={sizes[1]}", torch.randn(2, sizes[0], generator=rng)
        yield Case((sizes, draw(rng, sizes), False, other), "the sizes come from D and F", name)
    double = {name: weight.double() for name, weight in weights.items()}
    cause = "the output has the dtype of x and of the weights: a .float() or a new float32 tensor on the way"
    yield Case((SIZES, double, False, x.double()), cause, "output in float64", certain=True)
    for p in (0.5, 0.2, 0.0):
        cause = "dropout with probability `dropout`, on the product of gate and up, before `output`"
        yield Case(((6, 10, p), weights, True, x), cause, f"output in train mode, with dropout {p:g},", tolerance=2e-5)
    learn = "the output is right, its gradient is not"
    yield Case((SIZES, weights, False, x), learn, "the gradient", tolerance=1e-4, run=module_gradients)


def before(answer, rng):
    for sizes in (SIZES, (4, 3, 0.1)):
        expect_parameters(make_module(answer, *sizes), GeGLU(*sizes))
    expect_steady(make_module(answer, *SIZES), torch.randn(50, 6, generator=rng))


GATED, DROP = "functional.gelu(gate) * up", "self.dropout(functional.gelu(gate) * up)"
SPLIT = "gate, up = self.gate_up(x).chunk(2, dim=-1)"
LAYER = {
    "the halves are swapped: the first F rows of gate_up make the gate, which goes through GELU": {
        SPLIT: "up, gate = self.gate_up(x).chunk(2, dim=-1)"
    },
    "GELU acts on both halves; only the gate goes through it": {GATED: "functional.gelu(gate) * functional.gelu(up)"},
    "GELU acts on the product; it acts on the gate, before the product": {GATED: "functional.gelu(gate * up)"},
    "there is no GELU: the gate goes through it": {GATED: "gate * up"},
    "the two halves are added; the gate is a factor": {GATED: "functional.gelu(gate) + up"},
    "the half `up` is not used: it is multiplied by GELU of the gate": {GATED: "functional.gelu(gate)"},
    "the gate is multiplied with itself, not with `up`": {GATED: "functional.gelu(gate) * gate"},
    "SiLU in place of GELU: that is SwiGLU, EuroBERT's": {GATED: "functional.silu(gate) * up"},
    "a sigmoid in place of GELU: that is GLU, the oldest of its kind": {GATED: "gate.sigmoid() * up"},
    "ReLU in place of GELU: that is ReGLU": {GATED: "functional.relu(gate) * up"},
    "GELU in its tanh form; ModernBERT has the exact one, by erf": {
        "functional.gelu(gate)": 'functional.gelu(gate, approximate="tanh")'
    },
    "GELU acts on x, before gate_up; it acts on the gate": {
        "self.gate_up(x)": "self.gate_up(functional.gelu(x))",
        GATED: "gate * up",
    },
    "GELU acts on what `output` gives; it acts on the gate": {
        "return self.output(": "return functional.gelu(self.output(",
        "self.dropout(functional.gelu(gate) * up))": "self.dropout(gate * up)))",
    },
    "the rows are taken in turn, one for the gate and one for `up`; the first F rows are the gate's": {
        SPLIT: "gate, up = self.gate_up(x)[..., ::2], self.gate_up(x)[..., 1::2]"
    },
    "the input is added (the residual path); the block does that, not this layer": {
        "return self.output(": "return x + self.output("
    },
    "there is no dropout: it falls on the product of gate and up, before `output`": {DROP: GATED},
    "dropout falls behind `output`; it falls on the product of gate and up, before `output`": {
        "return self.output(": "return self.dropout(self.output(",
        f"{DROP})": f"{GATED}))",
    },
    "dropout falls on the gate alone; it falls on the product of gate and up": {
        DROP: "self.dropout(functional.gelu(gate)) * up"
    },
    "dropout falls on the gate before GELU; it falls on the product of gate and up": {
        DROP: "functional.gelu(self.dropout(gate)) * up"
    },
    "dropout falls on x; it falls on the product of gate and up": {
        "self.gate_up(x)": "self.gate_up(self.dropout(x))",
        DROP: GATED,
    },
    "dropout has a probability of its own, 0.1; use the one that is passed in": {
        "nn.Dropout(dropout)": "nn.Dropout(0.1)"
    },
}


def widths(rng):
    def case(D, F, multiple, cause=""):
        own = f"BERT's layer has {2 * D * F + F + D:,} parameters, GeGLU {3 * D} for each unit of its width"
        return Case((D, F, multiple), cause or own, f"gated_width({D}, {F}, {multiple})")

    yield case(768, 3072, 64)
    yield case(1024, 4096, 64)
    yield case(10, 30, 1)
    yield case(5, 7, 1, "the biases count: 82 parameters are room for 5 units of 15; 70 without biases are room for 4")
    yield case(6, 9, 1, "the biases count: 123 parameters are room for 6 units of 18; 108 fill 6 exactly")
    yield case(9, 8, 8, "a width of 8 needs 216 parameters, and there are 161: no multiple but 0 fits")
    yield case(2, 2, 1, "as many parameters as BERT's layer are allowed: 12 fill 2 units of 6 exactly")
    for _ in range(6):
        D, F = (int(n) for n in torch.randint(20, 3000, (2,), generator=rng))
        yield case(D, F, int(torch.randint(2, 100, (), generator=rng)))
    yield case(3, 1, 1, "the biases count: 6 and 4 parameters are room for 1 unit of 9")


PLAIN, UNITS = "2 * D * F + F + D", "plain // (3 * D) // multiple * multiple"
WIDTH = {
    "GeGLU has three matrices of D times its width: gate, up and output; this counts two": {"(3 * D)": "(2 * D)"},
    "GeGLU has three matrices of D times its width: gate, up and output; this counts four": {"(3 * D)": "(4 * D)"},
    "the biases of BERT's layer, F + D numbers, count too; without them the width is two thirds of F": {
        PLAIN: "2 * D * F"
    },
    "the bias of BERT's first layer, F numbers, is forgotten": {PLAIN: "2 * D * F + D"},
    "the bias of BERT's second layer, D numbers, is forgotten": {PLAIN: "2 * D * F + F"},
    "as many parameters as BERT's layer are allowed; this demands fewer": {PLAIN: "2 * D * F + F + D - 1"},
    "BERT's layer is counted as one matrix; it has two, D to F and F to D": {PLAIN: "D * F + F"},
    "GeGLU is given biases; ModernBERT's has none": {UNITS: "(plain - D) // (3 * D + 2) // multiple * multiple"},
    "the width is rounded to the nearest multiple; the largest one that still fits is asked for": {
        UNITS: "round(plain / (3 * D) / multiple) * multiple"
    },
    "the width is rounded up, which costs more parameters than BERT's layer has": {
        UNITS: "-(-plain // (3 * D) // multiple) * multiple"
    },
    "the width is not rounded down to a multiple of `multiple`": {UNITS: "plain // (3 * D)"},
    "this counts the multiples; the width itself is asked for": {UNITS: "plain // (3 * D) // multiple"},
    "the multiple is 64 here, whatever `multiple` says": {UNITS: "plain // (3 * D) // 64 * 64"},
    "the width of gate_up, 2 F, is given; F is asked for": {UNITS: "2 * (plain // (3 * D) // multiple * multiple)"},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="(GeGLU, gated_width): GeGLU(D, F, dropout) is an nn.Module: forward(x (..., D)) -> (..., D); "
    "gated_width(D, F, multiple) -> int",
    hints=(
        "One matrix makes two vectors for each token. One of them, the gate, goes through GELU and says how much of\n"
        "the other passes. What passes is mapped back to D. For the width, count the numbers of both layers.",
        "gate_up (2 F, D): x (..., D) -> (..., 2 F), cut into gate (..., F) and up (..., F); output (D, F).\n"
        "BERT's layer: a matrix and a bias there, a matrix and a bias back. GeGLU of width W: 2 W rows of D numbers,\n"
        "then D rows of W numbers.",
        "layer:  both = gate_up of x, cut in the middle of its last axis\n"
        "        inner = exact GELU of the first half, times the second half; drop out\n"
        "        give back output of inner\n"
        "width:  parameters of BERT's layer, over the parameters of one unit of GeGLU's width, rounded down,\n"
        "        then rounded down again to a multiple",
    ),
    parts=(Lab(GeGLU, layers, LAYER, run, before), Lab(gated_width, widths, WIDTH)),
)
