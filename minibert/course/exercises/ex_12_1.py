"""12.1 A masked mean, and a weighted one over the layers in front of the last."""

import torch

from minibert.course.lab import Case, Exercise, Lab, gradients


def masked_mean(hidden, mask):
    """The mean over the real tokens: hidden (..., T, D), mask (..., T) -> (..., D); zeros where no token is real."""
    real = mask.bool().unsqueeze(-1)  # (..., T, 1)
    total = hidden.masked_fill(~real, 0.0).sum(dim=-2)  # (..., D); NaN times 0 would be NaN
    return total / real.sum(dim=-2).clamp(min=1)


def text_vectors(layers, mask, weights, count):
    """Weighted means (B, D) of the `count` layers in front of the last: layers (B, T, D), mask and weights (B, T)."""
    hidden = torch.stack(layers[-count - 1 : -1]).mean(dim=0)  # (B, T, D)
    padding = ~mask.bool()
    weights = weights.masked_fill(padding, 0.0).unsqueeze(-1)  # (B, T, 1)
    total = (hidden.masked_fill(padding.unsqueeze(-1), 0.0) * weights).sum(dim=1)  # (B, D)
    divisor = weights.sum(dim=1)  # (B, 1)
    return total / torch.where(divisor > 0, divisor, 1.0)


RAGGED = [[1, 1, 1, 1, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 1]]
HOLES = [[0, 0, 1, 1, 1], [1, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
EMPTY = [[1, 1, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 0, 0]]
NONE = "0 / 0: a text without real tokens gets a vector of zeros"
HAND = "((1, 2) + (3, 4)) / 2: the sum over the real tokens, divided by their number; the mask leaves (5, 9) out"
ONE = "(3 (5, 10) + 1 (7, 0)) / 4: the one layer in front of the last (-2), its states weighted, over the weights' sum"
SMALL = "the mask says where padding stands: anywhere; and divide by the sum of the weights, however small it is"
RIGHT = "ask the mask for each token: padding may stand in front of a text, or inside it"
TIMES_0 = (
    "padding holds NaN or infinity, and 0 times NaN is NaN: replace it (masked_fill, torch.where), do not multiply"
)


def means(rng):
    hand = torch.tensor([[[1.0, 2], [3, 4], [5, 9]]])
    yield Case((hand, torch.tensor([[True, True, False]])), HAND, "the mean of two tokens")
    hidden = torch.randn(3, 5, 4, generator=rng) + 1
    ragged, holes, empty = (torch.tensor(rows).bool() for rows in (RAGGED, HOLES, EMPTY))
    usual = "padding neither adds to the sum nor to the number by which it is divided"
    yield Case((hidden, ragged), usual, gradient=True, leading=1, double=True)
    yield Case((hidden, torch.ones(3, 5).bool()), "without padding it is the plain mean", "output without padding")
    yield Case((hidden, holes), RIGHT, "output with padding anywhere")
    yield Case((hidden, ragged.long()), "the mask may be int64, 1 and 0: mask.bool()", "output with a mask in int64")
    yield Case((hidden[:, :1], torch.ones(3, 1).long()), usual, "output for texts of one token")
    none = hidden * torch.tensor([[0, 1, 1, 1, 1], [1, 0, 1, 1, 1], [1, 1, 1, 1, 0]])[..., None]
    zero = "the mask says what is real; a state of zeros is the state of a token like any other"
    yield Case((none, ragged), zero, "output where a real token's state is 0")
    yield Case((hidden, empty), NONE, "output with an empty text", NONE, gradient=True)
    for name, what in (("infinity", torch.inf), ("NaN", torch.nan)):
        filled = hidden.masked_fill(~ragged[..., None], what)
        yield Case((filled, ragged), TIMES_0, f"output with {name} in the padding", TIMES_0, gradient=True)


def weighted(rng):
    hand = [torch.tensor([[[x, 2 * x], [x + 2, 0.0]]]) for x in (1.0, 5.0, 100.0)]
    both = torch.ones(1, 2).bool()
    yield Case((hand, both, torch.tensor([[3.0, 1.0]]), 1), ONE, "a mean by hand")
    layers = [(n + 1) * torch.randn(3, 5, 4, generator=rng) for n in range(7)]
    weights = torch.rand(3, 5, generator=rng) + 0.1
    ragged, holes, empty = (torch.tensor(rows).bool() for rows in (RAGGED, HOLES, EMPTY))
    for count in (1, 2, 4, 6):
        layer = f"the mean of layers {', '.join(str(n) for n in range(-count - 1, -1))} (-1, the last, is left out)"
        yield Case((layers, ragged, weights, count), layer, f"output for count {count}")
    yield Case((layers, holes.long(), 0.01 * weights, 2), SMALL, "output for small weights")
    some = weights * torch.tensor([[0, 1, 1, 0, 1], [0, 1, 1, 1, 1], [0, 1, 1, 1, 0]])
    yield Case((layers, ragged, some, 2), "", "output where [CLS] and [SEP] have the weight 0")
    yield Case((layers, empty, weights, 2), NONE, "output with an empty text", NONE)
    none = weights * torch.tensor([[1], [0], [1]])
    yield Case((layers, ragged, none, 2), NONE, "output where all weights of a text are 0", NONE)
    filled = [one.masked_fill(~ragged[..., None], torch.nan) for one in layers]
    yield Case((filled, ragged, weights, 3), TIMES_0, "output with NaN in the padding", TIMES_0)
    doubles = [one.double() for one in layers]
    yield Case((doubles, ragged, weights.double(), 2), "", "output in float64", tolerance=1e-9)
    slope = "the output is right, its gradient is not"
    yield Case((*layers[:3], ragged, weights), slope, "the gradient of the output", run=slopes_of_three)


def slopes_of_three(answer, *inputs):
    """The gradients at three layers and at the weights."""

    def asked(one, two, three, mask, weights):
        return answer([one, two, three], mask, weights, 2) + 0.0 * three.sum()  # the last is left out

    return gradients(asked, *inputs)


TOTAL, REAL = "hidden.masked_fill(~real, 0.0).sum(dim=-2)", "mask.bool().unsqueeze(-1)"
COUNT = "real.sum(dim=-2).clamp(min=1)"
RETURN = f"return total / {COUNT}"
MEAN = {
    "padding is in the mean: it adds to the sum and to the number of tokens": {
        REAL: "torch.ones_like(mask).bool().unsqueeze(-1)"
    },
    "the sum is right and is divided by T; divide by the number of real tokens": {COUNT: "hidden.shape[-2]"},
    "this is the sum; the mean is asked": {RETURN: "return total"},
    "the mask is turned round: it is 1 on real tokens": {REAL: "~mask.bool().unsqueeze(-1)"},
    "this is the state of the first token ([CLS]); the mean of all real ones is asked": {
        RETURN: "return hidden[..., 0, :]"
    },
    "[CLS], the first token, is left out; it is real like the others": {
        REAL: "(mask.bool() & (torch.arange(mask.shape[-1]) > 0)).unsqueeze(-1)"
    },
    "[CLS] and [SEP], the first and the last real token, are left out; they are real like the others": {
        REAL: "(mask.bool() & (mask.cumsum(-1) > 1) & (mask.flip(-1).cumsum(-1).flip(-1) > 1)).unsqueeze(-1)"
    },
    "this is the largest number of each channel; the mean is asked": {
        RETURN: "return hidden.masked_fill(~real, -torch.inf).amax(dim=-2)"
    },
    NONE: {COUNT: "real.sum(dim=-2)"},
    TIMES_0: {TOTAL: "(hidden * real).sum(dim=-2)"},
    "as many tokens as are real are taken from the left end; padding may stand in front of a text, or inside it": {
        REAL: "(torch.arange(mask.shape[-1]) < mask.sum(dim=-1, keepdim=True)).unsqueeze(-1)"
    },
    "real tokens are guessed from their states (not 0); a real token's state may be 0: only the mask knows": {
        REAL: "((hidden != 0).any(dim=-1) & mask.bool()).unsqueeze(-1)"
    },
    "the sum is divided by the number of real tokens in the whole batch; each text has its own": {
        COUNT: "real.sum().clamp(min=1)"
    },
    "the sum is divided by the root of the number of tokens": {COUNT: f"{COUNT}.sqrt()"},
    "the divisor is one too large": {COUNT: "(real.sum(dim=-2) + 1)"},
    "the divisor is one too small": {COUNT: "(real.sum(dim=-2) - 1).clamp(min=1)"},
    "the mean is brought to a norm of 1; nobody asked for that": {
        RETURN: f"return torch.nn.functional.normalize(total / {COUNT}, dim=-1)"
    },
    "an empty text gets the mean of its padding; it gets zeros": {
        REAL: "(mask.bool() | ~mask.bool().any(dim=-1, keepdim=True)).unsqueeze(-1)"
    },
}
LAYERS, HIDDEN = "layers[-count - 1 : -1]", "torch.stack(layers[-count - 1 : -1]).mean(dim=0)"
WEIGHTS, SUM = "weights.masked_fill(padding, 0.0).unsqueeze(-1)", "divisor = weights.sum(dim=1)"
RESULT = "return total / torch.where(divisor > 0, divisor, 1.0)"
WEIGHTED = {
    "the last layer is among them: it is left out": {LAYERS: "layers[-count:]"},
    "the last layer is among them, besides the `count` in front of it": {LAYERS: "layers[-count - 1 :]"},
    "these are the first `count` layers; it is those in front of the last": {LAYERS: "layers[:count]"},
    "these are layers 1 to `count`, counted from the beginning; it is those in front of the last": {
        LAYERS: "layers[1 : count + 1]"
    },
    "this is one layer, the one that lies `count` layers in front of the last; take the mean of all that lie between": {
        LAYERS: "layers[-count - 1 : len(layers) - count]"
    },
    "this is the second-to-last layer whatever `count` is": {LAYERS: "layers[-2:-1]"},
    "these are all layers but the last, whatever `count` is": {LAYERS: "layers[:-1]"},
    "one layer is missing: `count` of them lie in front of the last": {LAYERS: "layers[-max(count, 2) : -1]"},
    "the layers are added up; their mean is asked": {HIDDEN: HIDDEN.replace("mean", "sum")},
    "the layers stand side by side, (B, count D); their mean is asked": {HIDDEN: f"torch.cat({LAYERS}, dim=-1)"},
    "the weights are not used": {WEIGHTS: "torch.ones_like(weights).masked_fill(padding, 0.0).unsqueeze(-1)"},
    "padding is in the mean, with its weights": {
        WEIGHTS: "weights.unsqueeze(-1)",
        "hidden.masked_fill(padding.unsqueeze(-1), 0.0) *": "hidden *",
    },
    "the weights of padding are in the divisor": {
        f"    {SUM}": "    divisor = given.sum(dim=1, keepdim=True)",
        "    weights =": "    given = weights\n    weights =",
    },
    "the sum is divided by the number of real tokens; divide by the sum of their weights": {
        SUM: "divisor = (~padding).sum(dim=1, keepdim=True)"
    },
    "the sum is divided by T; divide by the sum of the weights of the real tokens": {
        RESULT: "return total / mask.shape[1]"
    },
    "the sum is not divided by the sum of the weights": {RESULT: "return total"},
    "the weights go through a softmax; they are shares as they are": {
        WEIGHTS: "weights.masked_fill(padding, -1e4).softmax(dim=1).unsqueeze(-1)"
    },
    "the weights are squared: they multiply twice": {"0.0) * weights)": "0.0) * weights**2)"},
    NONE: {RESULT: "return total / divisor"},
    "the divisor is 1 at least; weights may add up to less": {RESULT: "return total / divisor.clamp(min=1.0)"},
    TIMES_0: {"hidden.masked_fill(padding.unsqueeze(-1), 0.0) *": "hidden *"},
    "the vectors are brought to a norm of 1; nobody asked for that": {
        RESULT: "return torch.nn.functional.normalize(total, dim=-1)"
    },
    "the weights count the places (1, 2, 3, ...); use those that come in": {
        WEIGHTS: "(~padding).cumsum(dim=1).to(weights).masked_fill(padding, 0.0).unsqueeze(-1)"
    },
    "the mask is turned round: it is 1 on real tokens": {"~mask.bool()": "mask.bool()"},
    "the divisor is the sum of the weights of the whole batch; each text has its own": {SUM: "divisor = weights.sum()"},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="(masked_mean, text_vectors): masked_mean(hidden (..., T, D), mask (..., T)) -> (..., D); "
    "text_vectors(layers: list of (B, T, D), mask (B, T), weights (B, T), count) -> (B, D)",
    hints=(
        "A mean is a sum and a number to divide by. Ask of both: does padding get into it? And what happens to each\n"
        "of them when a text has no real token at all?",
        "masked_mean: the mask needs one more axis at its end, (..., T, 1), to meet hidden (..., T, D). Sum (..., D),\n"
        "number of tokens (..., 1). text_vectors: `count` layers become one (B, T, D); the weights, 0 on padding,\n"
        "take the place of the mask, their sum (B, 1) that of the number of tokens.",
        "masked_mean:  put 0 where no token is real; add up over the tokens; divide by the number of real ones, or 1\n"
        "text_vectors: mean of the layers from the second-to-last backwards, `count` of them\n"
        "              weights of padding become 0, and so do the states there\n"
        "              add up weight times state, divide by the weights' sum, by 1 where that is 0",
    ),
    parts=(Lab(masked_mean, means, MEAN), Lab(text_vectors, weighted, WEIGHTED)),
)
