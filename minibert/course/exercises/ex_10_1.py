"""10.1 One step of AdamW. It is taken for all tensors of a model, some of them frozen."""

import torch

from minibert.course.exercise import Exercise
from minibert.course.exercises.ex_17_1 import asked
from minibert.course.lab import Case, Lab


def adamw(weights, gradients, means, squares, step, lr, betas, eps, decay):
    """Step number `step`, from 1, of lists of tensors -> new weights, new means, new squares, three lists."""
    beta1, beta2 = betas
    new_weights, new_means, new_squares = [], [], []
    for weight, gradient, mean, square in zip(weights, gradients, means, squares, strict=True):
        if gradient is not None:  # else it is frozen
            mean = beta1 * mean + (1 - beta1) * gradient
            square = beta2 * square + (1 - beta2) * gradient**2
            if weight.dim() > 1:  # biases and norms do not decay
                weight = weight * (1 - lr * decay)
            size = mean / (1 - beta1**step)
            root = (square / (1 - beta2**step)).sqrt()
            weight = weight - lr * size / (root + eps)
        new_weights.append(weight)
        new_means.append(mean)
        new_squares.append(square)
    return new_weights, new_means, new_squares


SHAPES = ((3, 5), (4,), (2, 2, 3), (), (6, 1), (1,))


def cases(rng):
    def case(cause, name, size=1.0, step=20, shapes=SHAPES, given=None, frozen=(), dtype=torch.float32, **changed):
        def drawn(by):
            return [by * torch.randn(shape, generator=rng) for shape in shapes]

        settings = dict(lr=0.1, betas=(0.9, 0.98), eps=1e-6, decay=0.3) | changed
        gradients, means, squares = given or drawn(size), drawn(size / 4), [one**2 for one in drawn(size)]
        if step == 1:
            means, squares = ([torch.zeros(shape) for shape in shapes] for _ in range(2))
        lists = [[one.to(dtype) for one in some] for some in (drawn(1.0), gradients, means, squares)]
        lists[1] = [None if place in frozen else one for place, one in enumerate(lists[1])]
        items = tuple(f"{what}[{n}]" for what in ("weights", "means", "squares") for n in range(len(shapes)))
        return Case((*lists, step, *settings.values()), cause, f"({name})", items=items, run=asked)

    hand = [torch.tensor([3.0, -4.0])]
    first = (
        "at step 1 mean is a tenth of the gradient; divided by 1 - 0.9 it is the gradient, and its root of squares too"
    )
    yield case(first, "step 1, gradient 3 and -4", step=1, shapes=((2,),), given=hand)
    usual = "mean and square are kept as running averages, and corrected where they are used; look line by line"
    yield case(usual, "step 20, without decay", decay=0.0)
    yield case(usual, "step 1, with decay", step=1)
    yield case(usual, "step 20, with decay")
    yield case(usual, "step 2, other settings", step=2, betas=(0.7, 0.95), eps=1e-3, lr=0.05, decay=1.5)
    yield case(usual, "step 100,000", step=100_000, betas=(0.9, 0.99999))
    yield case("eps counts where the gradients are as small as eps", "small gradients", 1e-3, eps=1e-3)
    yield case("eps counts where the gradients are as small as eps", "small gradients, step 2", 1e-3, 2, eps=1e-3)
    none = "where a gradient is 0 and always was, the weight only decays: eps keeps this from being 0 / 0"
    yield case(none, "gradients of zeros, step 1", 0.0, 1)
    still = "without a gradient (None) a tensor is frozen: weight, mean and square stay as they are, without decay"
    yield case(still, "two tensors are frozen", frozen=(0, 3))
    yield case(still, "all tensors are frozen, step 3", step=3, frozen=range(6))
    vectors = "tensors with less than two axes are biases and gains of norms: they learn, and do not decay"
    yield case(vectors, "biases only", shapes=((7,), (), (1,)))
    yield case(
        "tensors with two axes or more decay, however long an axis is", "a row and a column", shapes=((1, 1), (1, 4))
    )
    yield case(usual, "float64", dtype=torch.float64)


MEAN, SQUARE = "beta1 * mean + (1 - beta1) * gradient", "beta2 * square + (1 - beta2) * gradient**2"
SIZE, ROOT, STEP = (
    "mean / (1 - beta1**step)",
    "(square / (1 - beta2**step)).sqrt()",
    "weight - lr * size / (root + eps)",
)
SHRUNK, VECTORS, FROZEN = "weight * (1 - lr * decay)", "if weight.dim() > 1:", "if gradient is not None:"
FIRST = f"            mean = {MEAN}"
DECAYS = f"            {VECTORS}  # biases and norms do not decay\n                weight = {SHRUNK}\n"
L2 = f"            gradient = gradient + decay * weight if weight.dim() > 1 else gradient\n{FIRST}"
NO_ROOT, NO_SIZE = {ROOT: "square.sqrt()"}, {SIZE: "mean"}
MISTAKES = {
    "the decay is added to the gradient (L2, as in Adam); AdamW shrinks the weight itself, past mean and square": {
        FIRST: L2,
        SHRUNK: "weight",
    },
    "the decay is added to all gradients (L2), those of biases too; AdamW shrinks the matrices themselves": {
        FIRST: L2.replace(" if weight.dim() > 1 else gradient", ""),
        SHRUNK: "weight",
    },
    "the decay is added to the corrected mean and divided by the root, too; AdamW shrinks the weight itself": {
        STEP: "weight - lr * (size + (decay * weight if weight.dim() > 1 else 0)) / (root + eps)",
        SHRUNK: "weight",
    },
    "mean and square are not corrected (as in BERT's first code): divide them by 1 - beta ** step": NO_ROOT | NO_SIZE,
    "square is not corrected: divide it by 1 - beta2 ** step": NO_ROOT,
    "mean is not corrected: divide it by 1 - beta1 ** step": NO_SIZE,
    "the corrections are exchanged: 1 - beta1 ** step for mean, 1 - beta2 ** step for square": {
        SIZE: "mean / (1 - beta2**step)",
        ROOT: ROOT.replace("beta2", "beta1"),
    },
    "square is corrected with beta1; it has beta2": {ROOT: ROOT.replace("beta2", "beta1")},
    "mean is corrected with beta2; it has beta1": {SIZE: "mean / (1 - beta2**step)"},
    "the averages are multiplied by 1 - beta ** step; they are too small and are divided by it": {
        SIZE: "mean * (1 - beta1**step)",
        ROOT: "(square * (1 - beta2**step)).sqrt()",
    },
    "the corrected mean and square are returned; the plain ones are kept, and corrected only where they are used": {
        "append(mean)": "append(mean if gradient is None else size)",
        "append(square)": "append(square if gradient is None else root**2)",
    },
    "square is corrected after the root: divide it by 1 - beta2 ** step first": {
        ROOT: "square.sqrt() / (1 - beta2**step)"
    },
    "eps stands inside the root; the step divides by the root plus eps": {
        ROOT: "(square / (1 - beta2**step) + eps).sqrt()",
        STEP: "weight - lr * size / root",
    },
    "eps is added before square is corrected; correct, take the root, then add eps": {
        STEP: "weight - lr * size * (1 - beta2**step) ** 0.5 / (square.sqrt() + eps)"
    },
    "there is no eps: the step divides by the root plus eps": {"(root + eps)": "root.clamp(min=1e-30)"},
    "there is no eps: where a gradient always was 0 this is 0 / 0": {"(root + eps)": "root"},
    "eps is the smallest that the root may be; it is added to the root": {"(root + eps)": "root.clamp(min=eps)"},
    "the root is missing: the step divides by the root of the squares": {ROOT: ROOT.removesuffix(".sqrt()")},
    "steps count from 1: this takes step + 1": {
        SIZE: "mean / (1 - beta1**(step + 1))",
        ROOT: ROOT.replace("step", "(step + 1)"),
    },
    "steps count from 1: this takes step - 1, and divides by 0 at the first": {
        SIZE: "mean / (1 - beta1**(step - 1))",
        ROOT: ROOT.replace("step", "(step - 1)"),
    },
    "biases and norms decay here; tensors with less than two axes are left out": {VECTORS: "if True:"},
    "tensors with one axis decay here; less than two axes means () and (n,)": {VECTORS: "if weight.dim() > 0:"},
    "only tensors with two axes decay here; those with three or more do, too": {VECTORS: "if weight.dim() == 2:"},
    "tensors with one row or column count as vectors here; what counts is the number of axes": {
        VECTORS: "if weight.squeeze().dim() > 1:"
    },
    "biases decay and matrices do not; it is the other way round": {VECTORS: "if weight.dim() < 2:"},
    "biases and norms do not learn here; they do, only without decay": {
        STEP: "weight - (lr if weight.dim() > 1 else 0) * size / (root + eps)"
    },
    "there is no decay": {SHRUNK: "weight"},
    "the decay makes weights grow: 1 - lr * decay": {SHRUNK: "weight * (1 + lr * decay)"},
    "the decay is not multiplied by lr": {SHRUNK: "weight * (1 - decay)"},
    "the weight is decayed after the step; first the decay, then the step": {
        DECAYS: "",
        f"weight = {STEP}": f"weight = ({STEP}) * (1 - lr * decay * (weight.dim() > 1))",
    },
    "a frozen tensor (gradient None) decays; without a gradient nothing changes": {
        "        new_weights.append(": "        if gradient is None and weight.dim() > 1:\n"
        f"            weight = {SHRUNK}\n        new_weights.append("
    },
    "a frozen tensor's mean and square fade, or it moves on by its old mean; without a gradient nothing changes": {
        "        if gradient": "        still = weight\n"
        "        gradient = torch.zeros_like(weight) if gradient is None else gradient\n        if gradient",
    },
    "frozen tensors are left out of the lists; they stay in their place": {
        "        if gradient": "        if gradient is None:\n            continue\n        if gradient"
    },
    "the two betas are exchanged": {"beta1, beta2 = betas": "beta2, beta1 = betas"},
    "square averages the gradient, not its square": {SQUARE: SQUARE.replace("gradient**2", "gradient.abs()")},
    "square has one number for a whole tensor; each number has its own": {
        SQUARE: SQUARE.replace("gradient**2", "(gradient**2).mean()")
    },
    "square adds up all squares (as in Adagrad); it is a running average": {SQUARE: "square + gradient**2"},
    "the gradient is clipped here; it is used as it is": {
        FIRST: f"            gradient = gradient / gradient.norm().clamp(min=1)\n{FIRST}"
    },
    "square averages the square of mean; it is the square of the gradient": {
        SQUARE: SQUARE.replace("gradient**2", "mean**2")
    },
    "the step follows the gradient, not its running mean": {SIZE: "gradient"},
    "the step uses the mean from before this step; it has the new gradient in it": {
        FIRST: f"            before = mean\n{FIRST}",
        SIZE: "before / (1 - beta1**step)",
    },
    "the weight moves up the gradient; it goes down: minus": {STEP: STEP.replace("weight - ", "weight + ")},
    "1 - beta weighs the old average and beta the new gradient; it is the other way round": {
        MEAN: "(1 - beta1) * mean + beta1 * gradient",
        SQUARE: "(1 - beta2) * square + beta2 * gradient**2",
    },
    "the new gradient is added at full weight; it gets 1 - beta": {
        MEAN: "beta1 * mean + gradient",
        SQUARE: "beta2 * square + gradient**2",
    },
    "this is plain gradient descent; the step is the corrected mean over the corrected root": {
        STEP: "weight - lr * gradient"
    },
    "the root of square is returned; square itself is kept": {
        "append(square)": "append(square if gradient is None else square.sqrt())"
    },
    "means and squares are exchanged in what is returned": {
        "return new_weights, new_means, new_squares": "return new_weights, new_squares, new_means"
    },
    "the old means and squares are returned": {
        "append(mean)": "append(means[len(new_means)])",
        "append(square)": "append(squares[len(new_squares)])",
    },
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="adamw(weights, gradients, means, squares: lists of tensors, step, lr, betas, eps, decay) -> "
    "three lists: new weights, new means, new squares",
    hints=(
        "Each number of the model gets a step of its own size: how much gradients agree (their mean) over how large\n"
        "they are (the root of their mean square). Early averages are too small, because they began at 0. The decay\n"
        "has nothing to do with any of this: it shrinks the weight.",
        "mean, square, and both after the correction: shaped like the tensor. Two numbers correct them, the same for\n"
        "all tensors of a step. What is kept is uncorrected. A tensor without gradient takes its three places, too.",
        "for each tensor that has a gradient:\n"
        "    mean, square = beta times the old one, plus (1 - beta) times gradient, or gradient squared\n"
        "    if it is a matrix or larger: the weight shrinks by lr times decay\n"
        "    both averages over (1 minus beta to the power of step), in names of their own\n"
        "    the weight loses lr times the one, over (root of the other, plus eps)\n"
        "put weight, mean and square into the lists, changed or not",
    ),
    parts=(Lab(adamw, cases, MISTAKES, run=asked, in_pairs=False),),
)
