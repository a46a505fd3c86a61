"""17.1 One step of StableAdamW. It is taken for all tensors of a model."""

import torch

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.tools import call


def stable_adamw(weights, gradients, means, squares, step, lr, betas, eps, decay):
    """Step number `step`, from 1, of lists of tensors -> new weights, new means, new squares, three lists."""
    beta1, beta2 = ((beta - beta**step) / (1 - beta**step) for beta in betas)
    new_weights, new_means, new_squares = [], [], []
    for weight, gradient, mean, square in zip(weights, gradients, means, squares, strict=True):
        mean = beta1 * mean + (1 - beta1) * gradient
        square = beta2 * square + (1 - beta2) * gradient**2
        rms = (gradient**2 / square.clamp(min=eps**2)).mean().sqrt()  # (): one number for the tensor
        rate = lr / rms.clamp(min=1.0)
        weight = weight * (1 - rate * decay)
        new_weights.append(weight - rate * mean / (square.sqrt() + eps))
        new_means.append(mean)
        new_squares.append(square)
    return new_weights, new_means, new_squares


SHAPES = ((3, 5), (4,), (2, 2, 3), ())


def asked(answer, *inputs):
    """All new tensors in one row, once they are as many as there should be."""
    got = call(answer, *inputs)
    kinds = (list, tuple)
    if type(got) in kinds and len(got) == 3 and all(type(one) in kinds and len(one) == len(inputs[0]) for one in got):
        return tuple(tensor for one in got for tensor in one)
    return got


def cases(rng):
    def drawn(size=1.0, shapes=SHAPES):
        return [size * torch.randn(shape, generator=rng) for shape in shapes]

    def case(
        cause, name, gradients, step=20, betas=(0.9, 0.98), eps=1e-6, decay=0.3, state=1.0, lr=0.1, kind=torch.float32
    ):
        shapes = [tuple(gradient.shape) for gradient in gradients]
        means, squares = drawn(state / 4, shapes), [one**2 for one in drawn(state, shapes)]
        if step == 1:
            means, squares = ([torch.zeros(shape) for shape in shapes] for _ in range(2))
        lists = ([one.to(kind) for one in some] for some in (drawn(shapes=shapes), gradients, means, squares))
        items = tuple(f"{what}[{n}]" for what in ("weights", "means", "squares") for n in range(len(shapes)))
        return Case((*lists, step, lr, betas, eps, decay), cause, f"({name})", items=items, run=asked)

    hand = [torch.tensor([3.0, -4.0])]
    first = "at step 1 both betas become 0: means are the gradient, squares its square, and rms is 1"
    yield case(first, "step 1, gradient 3 and -4", hand, step=1, decay=0.0)
    usual = "b = (beta - beta**step) / (1 - beta**step) for both betas; look at the formulas line by line"
    yield case(usual, "step 20", drawn())
    yield case(usual, "step 20, without decay", drawn(), decay=0.0)
    yield case(usual, "step 2, other settings", drawn(), step=2, betas=(0.8, 0.95), eps=1e-3, lr=0.05)
    yield case(usual, "step 1, with decay", drawn(), step=1)
    bad = "a gradient that is much larger than its running average shortens the step of its own tensor: rate = lr / rms"
    mixed = [40 * one if place % 2 else one for place, one in enumerate(drawn())]
    yield case(bad, "a bad batch for two of the tensors, without decay", mixed, step=60, decay=0.0)
    yield case(bad, "a bad batch for two of the tensors, with decay", mixed, step=60, decay=0.5)
    spiky = drawn(0.1)
    spiky[0][0, 0] = 60.0
    yield case(bad, "a bad batch in one number of a tensor", spiky, step=60)
    small = "a gradient smaller than its average does not lengthen the step: rms counts as 1 at least"
    yield case(small, "small gradients", drawn(0.05), step=60)
    tiny = "where squares are smaller than eps**2, the gradient's square is divided by eps**2"
    yield case(tiny, "tiny gradients", drawn(1e-3), step=1, eps=1e-2)
    yield case(tiny, "a bad batch where squares are small", drawn(0.2), step=60, eps=1e-2, state=0.03)
    yield case(tiny, "a bad batch where squares are tiny", drawn(0.02), step=60, eps=1e-2, state=0.003)
    yield case(tiny, "a gradient of zeros", drawn(0.0), step=1)
    yield case(usual, "float64", drawn(), kind=torch.float64)


BETA, RMS = "(beta - beta**step) / (1 - beta**step)", "(gradient**2 / square.clamp(min=eps**2)).mean().sqrt()"
RATE, DECAYED, UPDATE = (
    "lr / rms.clamp(min=1.0)",
    "weight * (1 - rate * decay)",
    "weight - rate * mean / (square.sqrt() + eps)",
)
MEAN, SQUARE = "beta1 * mean + (1 - beta1) * gradient", "beta2 * square + (1 - beta2) * gradient**2"
LOOP = "    for weight, gradient"
NOW = "ratio = gradient**2 / (beta2 * square + (1 - beta2) * gradient**2).clamp(min=eps**2)"
ALL = "    ratios = []\n    for gradient, square in zip(gradients, squares):\n"
ALL += f"        {NOW}\n        ratios.append(ratio)\n"
MISTAKES = {
    "the gradient is clipped to a norm of 1; StableAdamW leaves the gradient alone and shortens the step": {
        "        mean =": "        gradient = gradient / gradient.norm().clamp(min=1.0)\n        mean ="
    },
    "the gradient is divided by rms; it is the learning rate that is": {
        "        mean =": f"        {NOW}\n"
        "        gradient = gradient / ratio.mean().sqrt().clamp(min=1.0)\n        mean =",
        RATE: "torch.tensor(lr).to(mean)",
    },
    "rms is computed for each number; it is one for each tensor: the root of the mean over all its numbers": {
        RMS: "(gradient**2 / square.clamp(min=eps**2)).sqrt()"
    },
    "rms is one number for all tensors together; each tensor has its own": {
        LOOP: f"{ALL}    common = torch.cat([one.flatten() for one in ratios]).mean().sqrt()\n{LOOP}",
        RMS: "common",
    },
    "one tensor with a large rms shortens the step of all; each tensor has its own rate": {
        LOOP: f"{ALL}    common = max(one.mean() for one in ratios).sqrt()\n{LOOP}",
        RMS: "common",
    },
    "the decay takes lr, not the shortened rate: a bad batch shortens both": {DECAYED: "weight * (1 - lr * decay)"},
    "the step takes lr, not the shortened rate; only the decay is shortened": {
        UPDATE: "weight - lr * mean / (square.sqrt() + eps)"
    },
    "nothing is shortened: this is AdamW; the rate is lr / max(1, rms)": {RATE: "torch.tensor(lr).to(rms)"},
    "the decay is not multiplied by the rate": {DECAYED: "weight * (1 - decay)"},
    "the decay is added to the gradient (L2); it shrinks the weight by itself": {
        "        mean =": "        gradient = gradient + decay * weight\n        mean =",
        DECAYED: "weight",
    },
    "the weight is decayed after the step; first the decay, then the step": {
        "        weight = weight * (1 - rate * decay)\n": "",
        f"({UPDATE})": f"(({UPDATE}) * (1 - rate * decay))",
    },
    "there is no decay": {DECAYED: "weight"},
    "the decay makes weights grow: 1 - rate * decay": {DECAYED: "weight * (1 + rate * decay)"},
    "an rms below 1 lengthens the step; it counts as 1 then": {RATE: "lr / rms.clamp(min=1e-30)"},
    "the rate is lr / min(1, rms); a large rms must shorten the step": {RATE: "lr / rms.clamp(max=1.0, min=1e-30)"},
    "the rate is multiplied by rms; it is divided by it": {RATE: "lr * rms.clamp(min=1.0)"},
    "rms lacks its root: it is the root of the mean of the squares": {RMS: RMS.removesuffix(".sqrt()")},
    "rms is a sum; it is the root of the mean": {RMS: RMS.replace("mean", "sum")},
    "rms is the largest ratio; it is the root of the mean": {RMS: RMS.replace(".mean()", ".amax()")},
    "rms is taken of the mean gradient; it is of the gradient of this batch, which alone shows that it is bad": {
        RMS: RMS.replace("gradient**2", "mean**2")
    },
    "rms is taken of the gradient itself; it is of gradient / root of squares": {RMS: "(gradient**2).mean().sqrt()"},
    "rms compares with the squares before this step; they have the new gradient in them": {
        RMS: "rms_before",
        "        square =": f"        rms_before = {RMS}\n        square =",
    },
    "rms divides by max(squares, eps); it is eps squared, because squares are": {RMS: RMS.replace("eps**2", "eps")},
    "rms adds eps to the squares; it is max(squares, eps**2)": {RMS: "(gradient**2 / (square + eps)).mean().sqrt()"},
    "eps stands inside the root; the step divides by sqrt(squares) + eps": {
        UPDATE: "weight - rate * mean / (square + eps).sqrt()"
    },
    "eps is missing under the step: sqrt(squares) + eps": {
        UPDATE: "weight - rate * mean / square.sqrt().clamp(min=1e-30)"
    },
    "the root under the step is missing": {UPDATE: "weight - rate * mean / (square + eps)"},
    "the betas are not corrected: b = (beta - beta**step) / (1 - beta**step)": {BETA: "beta"},
    "the averages are kept without correction and corrected when they are used (as in AdamW); here the betas are": {
        BETA: "beta",
        UPDATE: "weight - rate * mean / (1 - beta1**step) / ((square / (1 - beta2**step)).sqrt() + eps)",
    },
    "this is AdamW: nothing is shortened, and the averages are kept without correction": {
        BETA: "beta",
        RATE: "torch.tensor(lr).to(mean)",
        UPDATE: "weight - rate * mean / (1 - beta1**step) / ((square / (1 - beta2**step)).sqrt() + eps)",
    },
    "the averages are corrected twice": {
        UPDATE: "weight - rate * mean / (1 - betas[0]**step) / ((square / (1 - betas[1]**step)).sqrt() + eps)"
    },
    "steps count from 1 here: this takes step + 1": {BETA: "(beta - beta**(step + 1)) / (1 - beta**(step + 1))"},
    "the two betas are exchanged": {"for beta in betas": "for beta in betas[::-1]"},
    "squares average the gradient, not its square": {SQUARE: SQUARE.replace("gradient**2", "gradient.abs()")},
    "the step follows the gradient, not its running mean": {UPDATE: UPDATE.replace("mean", "gradient")},
    "the old means and squares are returned": {
        "append(mean)": "append(means[len(new_means)])",
        "append(square)": "append(squares[len(new_squares)])",
    },
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="stable_adamw(weights, gradients, means, squares: lists of tensors, step, lr, betas, eps, decay) -> "
    "three lists: new weights, new means, new squares",
    hints=(
        "It is AdamW with two changes. The betas are corrected before the averages are made, so that at step 1 they\n"
        "are 0. And the learning rate of each tensor is divided by how far its gradient is above its own average.",
        "two numbers for the corrected betas; for each tensor: mean and square like the tensor, rms and rate ().\n"
        "rate takes the place of lr wherever the tensor's weights change: in the decay and in the step.",
        "b1, b2 = (beta minus beta to the power of step) over (1 minus beta to the power of step)\n"
        "for each tensor:\n"
        "    mean, square = b times the old one, plus (1 - b) times gradient, or gradient squared\n"
        "    rms = root of the mean of (gradient squared over square, which counts as eps squared at least)\n"
        "    rate = lr over rms, which counts as 1 at least\n"
        "    weight shrinks by rate times decay; then it loses rate times mean over (root of square, plus eps)",
    ),
    parts=(Lab(stable_adamw, cases, MISTAKES, run=asked, in_pairs=False),),
)
