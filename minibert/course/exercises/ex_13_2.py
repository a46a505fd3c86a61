"""13.2 A matrix as uint8 with a zero point for each output channel, and a product in whole numbers."""

import torch

from minibert.course.lab import Case, Exercise, Lab


def quantize_rows(weight):
    """weight (O, I) float32 -> numbers (O, I) uint8, scale (O, 1) float32, zero (O, 1) uint8."""
    low = weight.amin(dim=1, keepdim=True).clamp(max=0.0)  # (O, 1); 0 lies in every range
    high = weight.amax(dim=1, keepdim=True).clamp(min=0.0)
    scale = (high - low) / 255
    scale = torch.where(scale > 0, scale, 1.0)  # a row of zeros
    zero = torch.round(-low / scale)
    numbers = (torch.round(weight / scale) + zero).clamp(0, 255)
    return numbers.to(torch.uint8), scale, zero.to(torch.uint8)


def integer_product(x, x_scale, numbers, scale, zero):
    """The product (N, O) float32 of rounded activations x (N, I) int8, scales (N, 1), and a rounded matrix."""
    sums = x.long() @ numbers.long().T  # (N, O)
    sums = sums - x.long().sum(dim=1, keepdim=True) @ zero.long().T  # the zero point stands in each of the I terms
    return sums.float() * x_scale * scale.T


def clear(rng, O, I, size=1.0, shift=0.0, sign=0):
    """A matrix whose quotients are not near the middle of two whole numbers, so that rounding is certain."""
    while True:
        weight = size * (torch.randn(O, I, generator=rng) + shift) * torch.logspace(-1, 1, O)[:, None]
        weight = sign * weight.abs() if sign else weight
        low, high = weight.amin(1, keepdim=True).clamp(max=0).double(), weight.amax(1, keepdim=True).clamp(min=0)
        quotients = torch.cat([weight, -low], dim=1) / ((high - low) / 255)
        if ((quotients % 1 - 0.5).abs() > 1e-3).all():
            return weight


NONE = "0 / 0 in a row of zeros: its scale is 1, its numbers and its zero point are 0"


def matrices(rng):
    items = ("numbers", "scale", "zero")
    hand = torch.tensor([[-1.0, 0.0, 1.55], [0.0, 2.55, 0.5]])
    rows = "row 0 spans -1 to 1.55: scale 0.01, zero 100; row 1 spans 0 to 2.55: scale 0.01, zero 0"
    yield Case((hand,), rows, "of the matrix by hand", items=items)
    usual = (
        "for each row: scale = (high - low) / 255, zero = round(-low / scale), numbers = round(weight / scale) + zero"
    )
    yield Case((clear(rng, 4, 9),), usual, "of a matrix (4, 9)", items=items)
    yield Case((clear(rng, 3, 3),), usual, "of a matrix (3, 3)", items=items)
    yield Case((clear(rng, 5, 8, size=1e-3),), usual, "of a matrix of small numbers", items=items)
    inside = "0 lies in every range: low is 0 at most, high 0 at least"
    yield Case((clear(rng, 4, 9, sign=1),), inside, "of a matrix without negative numbers", items=items)
    yield Case((clear(rng, 4, 7, sign=-1),), inside, "of a matrix without positive numbers", items=items)
    positive = clear(rng, 4, 9, shift=6.0)
    yield Case((positive,), inside, "of a matrix whose numbers all lie above 0", items=items)
    zeros = clear(rng, 3, 6)
    zeros[1] = 0
    yield Case((zeros,), NONE, "of a matrix with a row of zeros", NONE, items=items)
    edge = torch.tensor([[-101.5, 153.5, 0.0], [-100.0, 155.0, 3.0]])
    clip = "both halves are rounded up here, 102 + 154 = 256, and 256 does not fit in uint8: clamp to 0 ... 255 first"
    yield Case((edge,), clip, "of (-101.5, 153.5, 0)", items=items, certain=True)


def products(rng):
    def whole(low, high, *shape):
        return torch.randint(low, high, shape, generator=rng)

    hand = torch.tensor([[2]]).to(torch.int8), torch.tensor([[0.5]]), torch.tensor([[130]]), torch.tensor([[0.1]])
    yield Case(
        (*hand[:2], hand[2].to(torch.uint8), hand[3], torch.tensor([[100]]).to(torch.uint8)),
        "0.5 · 0.1 · 2 · (130 - 100) = 3",
        "the product by hand",
    )
    for N, I, O in ((4, 5, 3), (2, 64, 7), (3, 1, 2)):
        x, scales = whole(-127, 128, N, I).to(torch.int8), torch.rand(N, 1, generator=rng) + 0.1
        numbers, zero = whole(0, 256, O, I).to(torch.uint8), whole(1, 256, O, 1).to(torch.uint8)
        scale = torch.rand(O, 1, generator=rng) + 0.1
        cause = "x · x_scale times (numbers - zero) · scale, added up over I"
        name = f"the product of x ({N}, {I}) and numbers ({O}, {I})"
        yield Case((x, scales, numbers, scale, 0 * zero), cause, f"{name}, all zero points 0")
        yield Case((x, scales, numbers, scale, zero), cause, name)
    large = torch.full((2, 300), 127).to(torch.int8), torch.full((3, 300), 255).to(torch.uint8)
    sums = "sums of products need more than 8 or 16 bits: convert before you multiply"
    yield Case(
        (large[0], scales[:2], large[1], torch.ones(3, 1), zero[:1].expand(3, 1).clone()),
        sums,
        "the product of large numbers",
    )


LOW, HIGH = "weight.amin(dim=1, keepdim=True).clamp(max=0.0)", "weight.amax(dim=1, keepdim=True).clamp(min=0.0)"
SCALE, ZERO = "(high - low) / 255", "torch.round(-low / scale)"
NUMBERS, KEPT = "(torch.round(weight / scale) + zero).clamp(0, 255)", "torch.where(scale > 0, scale, 1.0)"
ROWS = {
    "one scale serves the whole matrix; each row, an output channel, has its own": {
        LOW: "weight.amin().clamp(max=0.0).expand(len(weight), 1)",
        HIGH: "weight.amax().clamp(min=0.0).expand(len(weight), 1)",
    },
    "one scale serves the whole matrix, a single number; each row has its own, (O, 1)": {
        LOW: "weight.amin().clamp(max=0.0)",
        HIGH: "weight.amax().clamp(min=0.0)",
    },
    "each column has a scale; a row, which makes one output, has": {
        LOW: "weight.amin(dim=0, keepdim=True).clamp(max=0.0)",
        HIGH: "weight.amax(dim=0, keepdim=True).clamp(min=0.0)",
    },
    "the range is symmetric, from -max|w| to max|w|; it goes from the lowest to the highest number": {
        LOW: "-weight.abs().amax(dim=1, keepdim=True)",
        HIGH: "weight.abs().amax(dim=1, keepdim=True)",
    },
    "the zero point is 128 for every row: this is symmetric; it is round(-low / scale)": {
        ZERO: "torch.full_like(low, 128.0)"
    },
    "this is symmetric (the largest |w| becomes 127, the zero point is 128)": {
        SCALE: "torch.maximum(high, -low) / 127",
        ZERO: "torch.full_like(low, 128.0)",
    },
    "the scale is that of a symmetric range; the range of a row goes from its lowest to its highest number": {
        SCALE: "torch.maximum(high, -low) / 127.5"
    },
    "the zero point is subtracted; it is added": {" + zero).clamp": " - zero).clamp"},
    "the zero point is not added": {" + zero).clamp": ").clamp"},
    "the zero point has the wrong sign: -low / scale is 0 or more": {ZERO: "torch.round(low / scale)"},
    "the range need not hold 0 here; low is 0 at most, high 0 at least": {
        LOW: "weight.amin(dim=1, keepdim=True)",
        HIGH: "weight.amax(dim=1, keepdim=True)",
    },
    "the range is divided by 256; between 0 and 255 there are 255 steps": {SCALE: "(high - low) / 256"},
    "the range is divided by 254; uint8 goes from 0 to 255": {SCALE: "(high - low) / 254"},
    "the range is divided by 127; uint8 goes from 0 to 255": {SCALE: "(high - low) / 127"},
    "numbers are rounded down (floor, or a conversion to uint8); round them": {
        NUMBERS: "(torch.floor(weight / scale) + zero).clamp(0, 255)"
    },
    "halves are rounded up, as floor(x + 0.5) does; torch.round takes the even neighbour": {
        NUMBERS: "(torch.floor(weight / scale + 0.5) + zero).clamp(0, 255)"
    },
    "numbers are rounded up (ceil); round them": {NUMBERS: "(torch.ceil(weight / scale) + zero).clamp(0, 255)"},
    "the zero point is added before it is rounded; it is a whole number, round(-low / scale)": {
        ZERO: "-low / scale",
        NUMBERS: "torch.round(weight / scale + zero).clamp(0, 255)",
    },
    "numbers are cut off towards 0 (trunc, or a conversion to an integer); round them": {
        NUMBERS: "(torch.trunc(weight / scale) + zero).clamp(0, 255)"
    },
    "the zero point is rounded down (floor, or a conversion to uint8); round it": {ZERO: "torch.floor(-low / scale)"},
    "everything is rounded down (floor, or a conversion to uint8); round": {
        ZERO: "torch.floor(-low / scale)",
        NUMBERS: "(torch.floor(weight / scale) + zero).clamp(0, 255)",
    },
    "weight - low is rounded in one; the zero point is rounded by itself, and then added to round(weight / scale)": {
        NUMBERS: "torch.round((weight - low) / scale).clamp(0, 255)"
    },
    "numbers below the zero point are cut off: clamp after the zero point is added": {
        NUMBERS: "torch.round(weight / scale).clamp(0, 255) + zero"
    },
    "numbers are clamped to int8's range, -128 to 127; uint8 goes from 0 to 255": {
        NUMBERS: "(torch.round(weight / scale) + zero).clamp(-128, 127)"
    },
    "nothing is clamped: 256 becomes 0 in uint8": {".clamp(0, 255)": ""},
    "the scale is turned round: it is the width of a step, (high - low) / 255": {
        f"{SCALE}\n": "255 / (high - low)\n",
        "/ scale) + zero": "* scale) + zero",
        ZERO: "torch.round(-low * scale)",
    },
    NONE: {KEPT: "scale"},
    "a small number is added to every scale, which changes them all; only a row of zeros needs another": {
        KEPT: "scale + 1e-8"
    },
    "outliers are cut off (a quantile); the whole range counts": {
        LOW: "weight.quantile(0.05, dim=1, keepdim=True).clamp(max=0.0)",
        HIGH: "weight.quantile(0.95, dim=1, keepdim=True).clamp(min=0.0)",
    },
    "zero is the lowest weight itself; it is a whole number, round(-low / scale)": {"zero.to(torch.uint8)": "low"},
    "the numbers are floats; they are stored as uint8": {"numbers.to(torch.uint8)": "numbers"},
}
SUMS, CORRECTED = "x.long() @ numbers.long().T", "sums - x.long().sum(dim=1, keepdim=True) @ zero.long().T"
RETURN = "return sums.float() * x_scale * scale.T"
PRODUCT = {
    "the zero point is ignored: numbers - zero is meant": {CORRECTED: "sums"},
    "the zero point is added; numbers - zero is meant": {CORRECTED: CORRECTED.replace("sums -", "sums +")},
    "the zero point is subtracted once from each sum; it stands in each of the I terms, times x": {
        CORRECTED: "sums - zero.long().T"
    },
    "the zero point is subtracted I times; each time it is multiplied by x": {
        CORRECTED: "sums - x.shape[1] * zero.long().T"
    },
    "numbers - zero is computed in uint8, where 3 - 5 is 254: convert first": {
        SUMS: "x.long() @ (numbers - zero).long().T",
        CORRECTED: "sums",
    },
    "numbers go through int8, where 200 becomes -56": {"numbers.long()": "numbers.to(torch.int8).long()"},
    "numbers and zero go through int8, where 200 becomes -56": {
        "numbers.long()": "numbers.to(torch.int8).long()",
        "zero.long()": "zero.to(torch.int8).long()",
    },
    "x goes through uint8, where -1 becomes 255": {
        "x.long() @": "x.to(torch.uint8).long() @",
        "x.long().sum": "x.to(torch.uint8).long().sum",
    },
    "the sums are kept in 8 bits and run over: convert before you multiply": {SUMS: f"({SUMS}).to(torch.int8)"},
    "the sums are kept in 16 bits and run over: convert before you multiply": {SUMS: f"({SUMS}).to(torch.int16)"},
    "sums and zero points are counted in 8 bits, which run over: convert before you multiply": {
        CORRECTED: f"({CORRECTED}).to(torch.int8)"
    },
    "sums and zero points are counted in 16 bits, which run over: convert before you multiply": {
        CORRECTED: f"({CORRECTED}).to(torch.int16)"
    },
    "the sum of each row of x is kept in 8 bits and runs over": {
        "keepdim=True)": "keepdim=True).to(torch.int8).long()"
    },
    "the zero point is taken as 128 for all rows; each has its own": {
        "zero.long()": "torch.full_like(zero, 128).long()"
    },
    "the products are rounded to 8 bits before they are added up: convert before you multiply": {
        SUMS: "(x[:, None] * numbers.to(torch.int8)[None]).long().sum(-1)"
    },
    "x_scale is missing": {RETURN: "return sums.float() * scale.T"},
    "the scale of the matrix is missing": {RETURN: "return sums.float() * x_scale"},
    "the scales divide; they multiply": {RETURN: "return sums.float() / x_scale / scale.T"},
    "the zero point's part is subtracted before the scales reach it": {
        CORRECTED: "sums",
        RETURN: "return sums.float() * x_scale * scale.T - (x.long().sum(dim=1, keepdim=True) @ zero.long().T).float()",
    },
    "the zero point is subtracted from numbers · scale; subtract it from the numbers, then multiply by the scale": {
        CORRECTED: "sums",
        RETURN: f"{RETURN} - x_scale * (x.long().sum(dim=1, keepdim=True) @ zero.long().T)",
    },
    "the result is turned round: (N, O)": {RETURN: f"{RETURN[:7]}({RETURN[7:]}).T"},
}

EXERCISE = Exercise(
    minutes=30,
    difficulty=3,
    signature="(quantize_rows, integer_product): quantize_rows(weight (O, I)) -> numbers (O, I) uint8, scale (O, 1), "
    "zero (O, 1) uint8; integer_product(x (N, I) int8, x_scale (N, 1), numbers, scale, zero) -> (N, O) float32",
    hints=(
        "Draw a ruler with 256 marks for one row: where does its lowest number lie, where its highest, which mark is\n"
        "exactly 0? For the product: write out one sum of I terms, and see what the zero point adds to it.",
        "low, high, scale, zero: (O, 1), one for each row. The product (N, O) of whole numbers; what the zero point\n"
        "adds to it is the sum of each row of x, (N, 1), times the zero point of each output, (1, O).",
        "quantize_rows: lowest and highest of each row, and 0 between them\n"
        "               scale: their distance over 255, or one\n"
        "               zero: minus the lowest in steps, rounded; numbers: weight in steps, rounded; plus zero\n"
        "integer_product: widen the integers, multiply, take away what the zero points add; then both scales",
    ),
    parts=(Lab(quantize_rows, matrices, ROWS, in_pairs=False), Lab(integer_product, products, PRODUCT, in_pairs=False)),
)
