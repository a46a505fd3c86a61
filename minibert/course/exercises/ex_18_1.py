"""18.1 RMSNorm, and what makes it equal to LayerNorm. Over any axes, in half precision too."""

import torch

from minibert.course.lab import Case, Exercise, Lab


def rms_norm(x, weight, eps):
    """x (..., *S) with a root mean square of 1 over its last axes, times weight (*S) -> (..., *S), dtype of x."""
    axes = tuple(range(-weight.dim(), 0))  # as many axes at the end as the weight has
    wide = x.to(torch.promote_types(x.dtype, torch.float32))  # float64 stays float64
    mean_square = wide.square().mean(dim=axes, keepdim=True)
    return (wide / (mean_square + eps).sqrt()).to(x.dtype) * weight


def centred(matrix, bias):
    """A linear layer, matrix (D, F) and bias (D,) or None, whose outputs are as before minus their mean."""
    return matrix - matrix.mean(dim=0, keepdim=True), None if bias is None else bias - bias.mean()


def clear(rng, shape, dtype, axes, eps, size=1.0):
    """Half-precision numbers whose norm is nowhere near the middle of two such numbers, so that rounding is certain."""
    bits = 8 if dtype == torch.bfloat16 else 11
    while True:
        x = (size * torch.randn(*shape, generator=rng)).to(dtype)
        exact = x.double() / (x.double().square().mean(axes, keepdim=True) + eps).sqrt()
        mantissa = exact.abs().frexp().mantissa * 2**bits
        if ((mantissa % 1 - 0.5).abs() > 2e-3).all() and (exact.abs() > 1e-3).all():
            return x


def norms(rng):
    hand, ones = torch.tensor([[3.0, 4.0]]), torch.ones(2)
    yield Case((hand, ones, 3.5), "the mean square is 12.5; 12.5 + 3.5 = 16; x / 4", "the norm of (3, 4), eps 3.5,")
    yield Case((hand, ones, 0.0), "the mean square is (9 + 16) / 2 = 12.5", "the norm of (3, 4), eps 0,")
    x, weight = 2 * torch.randn(2, 5, 6, generator=rng) + 1, torch.randn(6, generator=rng)
    yield Case((x, weight, 1e-5), "look at one vector of 6 numbers", gradient=True, double=True)
    yield Case((x[0, 0], weight, 1e-5), "x may be one vector", "output for x (6,)")
    yield Case((x[None], weight, 1e-5), "any number of axes in front", "output for x (1, 2, 5, 6)")
    for shape in ((5, 6), (2, 5, 6)):
        weight = torch.randn(shape, generator=rng)
        says = f"weight has {len(shape)} axes: the mean square is taken over the last {len(shape)} axes of x"
        other = torch.randn(3, 2, 5, 6, generator=rng) * torch.tensor([1.0, 4, 9]).view(3, 1, 1, 1)
        yield Case((other, weight, 1e-5), says, f"output for x (3, 2, 5, 6) and weight {shape}")
    yield Case((1e-3 * x, weight[0, 0], 1e-5), "for small x eps shows", "output for a small x", tolerance=1e-6)
    yield Case((1e-3 * x, weight[0, 0], 1e-6), "eps is the number that comes in", "output for a small x, eps 1e-6,")
    zeros = "0 / 0: eps stands inside the root, with the mean"
    yield Case((0 * x, weight[0, 0], 1e-5), "", "output for zeros", zeros, gradient=True)
    yield Case((0 * x.half(), weight[0, 0].half(), 1e-9), "", "output for zeros in float16", f"{zeros}, in float32")
    exact = "float64 is computed in float64 from beginning to end"
    yield Case((x.double(), weight[0, 0].double(), 1e-5), exact, "output in float64", tolerance=1e-10, certain=True)
    half = "half precision: the norm in float32, then rounded to x's dtype, then times weight"
    for dtype, shape in ((torch.bfloat16, (6, 24)), (torch.bfloat16, (2, 3, 4)), (torch.float16, (5, 12))):
        axes = (-2, -1) if len(shape) == 3 else (-1,)
        weight = torch.randn(shape[-len(axes) :], generator=rng).to(dtype)
        name = f"output for x {shape}, weight {tuple(weight.shape)} in {str(dtype)[6:]}"
        yield Case((clear(rng, shape, dtype, axes, 1e-5), weight, 1e-5), half, name)
    large = "300 squared is more than float16 can hold: to float32 first"
    x = clear(rng, (2, 8), torch.float16, (-1,), 1e-5, 400.0)
    yield Case((x, torch.ones(8).half(), 1e-5), large, "output for large numbers in float16", large, certain=True)


MEAN, ROOT, WIDE = "wide.square().mean(dim=axes, keepdim=True)", "(mean_square + eps).sqrt()", "(wide / "
CAST, PROMOTED = ".to(x.dtype) * weight", "x.to(torch.promote_types(x.dtype, torch.float32))"
AXES = "tuple(range(-weight.dim(), 0))"
LAST = {AXES: "(-1,)"}
CENTRE = {WIDE: "((wide - wide.mean(axes, keepdim=True)) / "}
SMALL = "eps is added inside the root, to the mean square; this adds it to the root"
NORM = {
    "the mean is subtracted: that is LayerNorm": {MEAN: "wide.var(dim=axes, keepdim=True, correction=0)"} | CENTRE,
    "the mean is subtracted above, and the root is that of the mean square": CENTRE,
    "this divides by the standard deviation; RMSNorm subtracts no mean, not there either": {
        MEAN: "wide.var(dim=axes, keepdim=True, correction=0)"
    },
    "this divides by the standard deviation, and with D - 1; the mean square of all D numbers is meant": {
        MEAN: "wide.var(dim=axes, keepdim=True)"
    },
    "the mean is subtracted (LayerNorm), and the variance has D - 1 (Bessel)": {
        MEAN: "wide.var(dim=axes, keepdim=True)"
    }
    | CENTRE,
    "the sum of squares is divided by D - 1; a mean divides by D": {
        MEAN: "wide.square().sum(dim=axes, keepdim=True) / (weight.numel() - 1)"
    },
    "the sum of squares is not divided by the number of values: this is the vector's norm": {
        ".mean(dim=axes": ".sum(dim=axes"
    },
    "the vectors get a norm of 1 (F.normalize); their root mean square shall be 1": {
        MEAN: "wide.square().sum(dim=-1, keepdim=True)",
        ROOT: "mean_square.sqrt().clamp(min=eps)",
    },
    "the mean of |x| is no root mean square": {MEAN: "wide.abs().mean(dim=axes, keepdim=True).square()"},
    "x is multiplied by the root; divide by it": {"wide / (mean": "wide * (mean"},
    "x is divided by its largest number, not by a root mean square": {
        MEAN: "wide.abs().amax(dim=axes, keepdim=True)",
        ROOT: "(mean_square + eps)",
    },
    "the result is rounded to bfloat16, whatever the dtype of x": {CAST: ".to(torch.bfloat16).to(x.dtype) * weight"},
    "the root is missing: x is divided by the mean square": {ROOT: "(mean_square + eps)"},
    f"{SMALL}": {ROOT: "(mean_square.sqrt() + eps)"},
    "eps is not used": {ROOT: "mean_square.sqrt()"},
    "eps is a floor here (clamp, max); it is added to the mean square": {ROOT: "mean_square.clamp(min=eps).sqrt()"},
    "eps is squared; it is added as it is": {"+ eps": "+ eps**2"},
    "eps is always 1e-5 here; use the one that comes in": {"+ eps": "+ 1e-5"},
    "eps is always 1e-6 here; use the one that comes in": {"+ eps": "+ 1e-6"},
    "eps is PyTorch's own here, because none is passed on": {"+ eps": "+ torch.finfo(wide.dtype).eps"},
    "only the last axis is taken; there are as many as weight has": LAST,
    "the last two axes are taken; as many are as weight has": {AXES: "tuple(range(-min(2, x.dim()), 0))"},
    "all axes are taken; only as many as weight has, from the end": {AXES: "tuple(range(x.dim()))"},
    "all axes but the first are taken; only as many as weight has, from the end": {
        AXES: "tuple(range(1, x.dim())) or (0,)"
    },
    "the mean is taken along the first axis; the last ones are normalised": {AXES: "tuple(range(weight.dim()))"},
    "the mean is taken along the axis before the last": {AXES: "(-2,) if x.dim() > 1 else (-1,)"},
    "each axis is normalised for itself, one after the other; all of them have one mean square": {
        "    return (wide / (mean_square + eps).sqrt())": "    for axis in axes:\n"
        "        wide = wide / (wide.square().mean(dim=axis, keepdim=True) + eps).sqrt()\n"
        "    return wide"
    },
    "weight is not used": {CAST: ".to(x.dtype)"},
    "weight is added; it is a factor": {CAST: ".to(x.dtype) + weight"},
    "the factor is 1 + weight (Gemma's); it is weight": {CAST: ".to(x.dtype) * (1 + weight)"},
    "x is divided by weight": {CAST: ".to(x.dtype) / weight"},
    "weight multiplies before the result is rounded to x's dtype; round first, then multiply": {
        CAST: " * weight).to(x.dtype)",
        "return (wide": "return ((wide",
    },
    "the result has more bits than x: round it to x's dtype before weight multiplies": {CAST: " * weight"},
    "the squares, their mean and the root are not in float32: half precision rounds each of them": {PROMOTED: "x"},
    "the squares are taken in half precision; convert x to float32 first": {
        MEAN: "x.square().to(wide.dtype).mean(dim=axes, keepdim=True)"
    },
    "the root is rounded to x's dtype before x is divided; only the quotient is rounded": {
        ROOT: f"{ROOT}.to(x.dtype)",
        WIDE: "(x / ",
    },
    "float64 is rounded to float32; it is computed in float64": {PROMOTED: "x.float()"},
}


def layers(rng):
    x = torch.tensor([[1.0, 2], [3, 4], [5, 9]])
    yield Case((x, None), "the columns' means are 3 and 5: each output minus the mean of all outputs", "the answer")
    bias = torch.tensor([1.0, 2, 6])
    yield Case((x, bias), "the bias has the mean 3, which leaves the outputs, too", "with bias (1, 2, 6) the answer")
    for D, F in ((5, 4), (3, 7), (4, 4), (1, 3)):
        matrix, bias = torch.randn(D, F, generator=rng) + 1, torch.randn(D, generator=rng) - 2
        name = f"for a matrix ({D}, {F}) and a bias the answer"
        yield Case((matrix, bias), "the outputs are the D rows", name, items=("the matrix", "the bias"), double=True)
    zeros = "a bias of zeros is a bias: ask whether it is None"
    yield Case((matrix, 0 * bias), zeros, "with a bias of zeros the answer", certain=True)
    exact = "float64 is computed in float64 from beginning to end"
    inputs = [torch.randn(*size, generator=rng, dtype=torch.float64) for size in ((5, 3), (5,))]
    yield Case(tuple(inputs), exact, "in float64 the answer", tolerance=1e-10, certain=True)
    yield Case((matrix, None), "without a bias there is none afterwards", "without a bias the answer")


COLUMNS, BIAS = "matrix.mean(dim=0, keepdim=True)", "bias - bias.mean()"
CENTRED = {
    "the mean is taken along each row; a row makes one output, and the mean is that of the outputs": {"dim=0": "dim=1"},
    "one mean of the whole matrix is subtracted; each column has its own": {COLUMNS: "matrix.mean()"},
    "the bias keeps its mean, and so do the outputs": {BIAS: "bias"},
    "the bias is left out": {f"None if bias is None else {BIAS}": "None"},
    "the matrix is not changed": {f" - {COLUMNS}": ""},
    "the columns are also divided by their deviation; the norm that follows does that": {
        f"matrix - {COLUMNS}": f"(matrix - {COLUMNS}) / (matrix.std(dim=0) + 1e-5)"
    },
    "the first output is subtracted from all; the mean is": {COLUMNS: "matrix[:1]", BIAS: "bias - bias[0]"},
    "matrix and bias have one mean here; every column has its own, and the bias, too": {
        COLUMNS: "(matrix.mean() if bias is None else torch.cat([matrix, bias[:, None]], 1).mean())",
        BIAS: "bias - torch.cat([matrix, bias[:, None]], 1).mean()",
    },
    "the mean is added; the outputs shall lose it": {"matrix - ": "matrix + ", "bias - ": "bias + "},
    "the sum is subtracted, not the mean": {COLUMNS: "matrix.sum(dim=0, keepdim=True)", BIAS: "bias - bias.sum()"},
    "a bias of zeros where there was none": {"None if bias is None": "torch.zeros(len(matrix)) if bias is None"},
    "the result is turned round; it is a matrix (D, F) as it came": {
        COLUMNS: f"{COLUMNS}).mT",
        "matrix - ": "(matrix - ",
    },
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="(rms_norm, centred): rms_norm(x (..., *S), weight (*S), eps) -> (..., *S); "
    "centred(matrix (D, F), bias (D,) or None) -> (matrix, bias)",
    hints=(
        "The shape of weight says what belongs together: all numbers that share one mean square. Half precision can\n"
        "hold x, but not its squares or their sum. For `centred`: which of the two axes of the matrix makes outputs,\n"
        "and what is the mean of a sum?",
        "rms_norm: mean square (..., 1) with one 1 for each axis of weight, so that it broadcasts over x (..., *S).\n"
        "centred: output d of input f has the entry matrix[d, f]; the mean over D outputs is one number for each f.",
        "rms_norm: wide = x in float32, or better where it is better\n"
        "          scale = root of: mean of the squares over as many last axes as weight has, plus eps\n"
        "          the quotient goes back to the type of x, and then meets the weight\n"
        "centred:  from every column of the matrix take away its mean; from the bias, if there is one, its own",
    ),
    parts=(Lab(rms_norm, norms, NORM), Lab(centred, layers, CENTRED)),
)
