"""10.2 A head with dropout. It makes the logits of classes from the states of a batch of texts."""

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from minibert.course.exercise import Exercise, Wrong
from minibert.course.lab import Case, Lab
from minibert.course.modules import SmoothDropout, expect_parameters, module_gradients, run_module
from minibert.course.tools import Unsteady, expect_steady, make_module


class Head(nn.Module):
    """hidden (B, T, D), mask (B, T) bool, True on real tokens -> logits (B, C)."""

    def __init__(self, D, C, dropout):
        super().__init__()
        self.dense, self.scores = nn.Linear(D, D), nn.Linear(D, C)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden, mask):
        real = mask[:, :, None]  # (B, T, 1)
        mean = (hidden * real).sum(dim=1) / real.sum(dim=1)  # (B, D)
        inner = torch.tanh(self.dense(mean))
        return self.scores(self.dropout(inner))


D, C = 6, 4  # all sizes differ, so that an exchange cannot hide
TRAINING = "in train mode single numbers of what tanh gives become 0, the rest is divided by 1 - dropout"


def run(answer, *question):
    return run_module(answer, *question, dropout=SmoothDropout)


def twice(answer):
    """The learner's class, whose modules give what two calls return, one above the other."""

    def again(module, inputs, output):
        return torch.stack([output, module.forward(*inputs)]) if isinstance(output, Tensor) else output

    def make(*sizes):
        module = answer(*sizes)
        if isinstance(module, nn.Module):
            module.register_forward_hook(again)
        return module

    return make


def dropped(answer, sizes, weights, *inputs):
    """What dropout does in train mode, seen in the output alone, so that it may also be written by hand."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        still = run_module(answer, sizes, weights, False, *inputs, dropout=nullcontext)
        trained = run_module(twice(answer), sizes, weights, True, *inputs, dropout=nullcontext)
    if not isinstance(still, Tensor) or not isinstance(trained, Tensor) or trained.shape[1:] != still.shape:
        return trained
    (first, second), still = (trained - weights["scores.bias"]).detach(), (still - weights["scores.bias"]).detach()
    kept, places = first != 0, "single numbers"
    for axis, name in ((-1, "whole texts"), (0, "the same places of all texts")):
        if not kept.all() and torch.equal(kept.any(dim=axis), kept.all(dim=axis)):
            places = name
    return {
        "share of zeros": round(1 - kept.double().mean().item(), 1),  # of 3,600: chance moves it by 0.008
        "what becomes zero": places,
        "where it is not zero, times (1 - dropout)": torch.where(kept, first * (1 - sizes[-1]), still),
        "the next call": "the same" if torch.equal(first, second) else "drops others",
    }


def cases(rng):
    sizes = (D, C, 0.3)
    w = {name: torch.randn(p.shape, generator=rng) / 2 for name, p in Head(*sizes).state_dict().items()}
    x, mask = torch.randn(3, 5, D, generator=rng), torch.arange(5) < torch.tensor([[5], [3], [2]])
    x[~mask] *= 40.0  # at padding may stand anything
    one = torch.ones(1, 1).bool()
    plain = {"dense.weight": torch.eye(2), "scores.weight": torch.tensor([[1.0, 1.0], [1.0, -1.0], [0.0, 2.0]])}
    plain |= {"dense.bias": torch.zeros(2), "scores.bias": torch.tensor([0.0, 0.0, 1.0])}
    hand, real = torch.tensor([[[1.0, 0.0], [3.0, 1.0], [50.0, 50.0]]]), torch.tensor([[True, True, False]])
    says = "the mean of the two real tokens is (2, 0.5), its tanh (0.964, 0.462)"
    yield Case(((2, 3, 0.3), plain, False, hand, real), says, "logits of two tokens and a pad")
    order = "mean over the real tokens, dense, tanh, dropout, scores, in this order"
    yield Case((sizes, w, False, x, mask), order, "logits with random weights", double=False)
    alone = "a text gives other logits beside padding than alone: its mean is over its own real tokens"
    yield Case((sizes, w, False, x[1:2, :3], mask[1:2, :3]), alone, "logits of a text alone")
    front = "padding may stand in front or between: the mask says where"
    gaps = torch.tensor([[0, 1, 0, 1, 1], [0, 0, 0, 0, 1], [1, 1, 1, 1, 1]]).bool()
    yield Case((sizes, w, False, x, gaps), front, "logits with padding in front")
    yield Case((sizes, w, False, x[:1, :1], one), order, "logits of one text of one token")
    for d, c, shape in ((3, 1, (2, 4)), (4, 7, (5, 2))):
        other = {name: torch.randn(p.shape, generator=rng) for name, p in Head(d, c, 0.1).state_dict().items()}
        full, some = torch.randn(*shape, d, generator=rng), torch.ones(shape).bool()
        yield Case(((d, c, 0.1), other, False, full, some), "sizes come from D and C", f"logits for D={d}, C={c}")
    double = {name: value.double() for name, value in w.items()}
    cause = "the output has the dtype of `hidden` and of the weights: a .float() or a new float32 tensor on the way"
    yield Case((sizes, double, False, x.double(), mask), cause, "logits in float64", certain=True)
    seen = w | {"scores.weight": torch.eye(D), "scores.bias": 3 + torch.arange(float(D))}
    many, full = torch.randn(600, 3, D, generator=rng), torch.ones(600, 3).bool()
    for share in (0.3, 0.6):
        name = f"with dropout {share} in train mode (scores: identity), the output"
        yield Case(((D, D, share), seen, many, full), TRAINING, name, run=dropped, tolerance=1e-4)
    nothing = "nothing is dropped with dropout 0: use the probability that was passed in"
    yield Case(((D, C, 0.0), w, True, x, mask), nothing, "in train mode with dropout 0 the logits", certain=True)
    learn = "the output is right, its gradient is not"
    yield Case((sizes, w, False, x, mask), learn, "the gradient", run=module_gradients, tolerance=1e-4)


EVERYWHERE = "dropout in eval mode, too: F.dropout needs training=self.training, nn.Dropout obeys eval() by itself"


def before(answer, rng):
    for sizes in ((D, C, 0.3), (5, 3, 0.1)):
        expect_parameters(make_module(answer, *sizes), Head(*sizes))
    head, x = make_module(answer, D, C, 0.5), torch.randn(2, 5, D, generator=rng)
    try:
        expect_steady(head, x, torch.ones(2, 5).bool())
    except Unsteady as finding:
        raise Wrong(finding.seen, finding.expected, EVERYWHERE) from None


MEAN, INNER, DROP = (
    "(hidden * real).sum(dim=1) / real.sum(dim=1)",
    "torch.tanh(self.dense(mean))",
    "self.dropout(inner)",
)
KEEP = "(torch.rand_like(inner) >= self.dropout.p)"
MISTAKES = {
    "padding is in the mean: only tokens where the mask is True count": {MEAN: "hidden.mean(dim=1)"},
    "the sum is divided by T, padding included; divide by the number of real tokens": {
        "real.sum(dim=1)": "hidden.shape[1]"
    },
    "the sum is not divided: it is the mean of the real tokens": {MEAN: "(hidden * real).sum(dim=1)"},
    "the sum is divided by the real tokens of the whole batch; each text has its own number": {
        "real.sum(dim=1)": "real.sum()"
    },
    "padding counts, and only the sum is divided by the real tokens": {"(hidden * real).sum": "hidden.sum"},
    "this reads the first token only; it is the mean of the real tokens": {MEAN: "hidden[:, 0]"},
    "this reads the last token, which may be padding; it is the mean of the real tokens": {MEAN: "hidden[:, -1]"},
    "this is the maximum over the real tokens; it is the mean": {
        MEAN: "hidden.masked_fill(~real, float('-inf')).amax(dim=1)"
    },
    "the mask of the first text is used for all; each text has its own": {"mask[:, :, None]": "mask[:1, :, None]"},
    "the mask is taken the other way round: True marks real tokens": {
        "mask[:, :, None]": "~mask[:, :, None]",
        "/ real.sum(dim=1)": "/ real.sum(dim=1).clamp(min=1)",
    },
    "nothing is dropped in train mode": {DROP: "inner"},
    EVERYWHERE: {DROP: "nn.functional.dropout(inner, self.dropout.p)"},
    "what is kept is not scaled: divide it by 1 - dropout, so that the mean stays": {
        DROP: f"(inner * {KEEP} if self.training else inner)"
    },
    "the scale stands in eval mode (times 1 - dropout); what is kept in train mode is divided by 1 - dropout": {
        DROP: f"(inner * ({KEEP} if self.training else 1 - self.dropout.p))"
    },
    "what is kept is multiplied by 1 - dropout; divide by it": {
        DROP: f"(inner * {KEEP} * (1 - self.dropout.p) if self.training else inner)"
    },
    "`dropout` is the share that is dropped, not the one that is kept": {
        "nn.Dropout(dropout)": "nn.Dropout(1 - dropout)"
    },
    "dropout has a probability of its own, 0.1, not the one passed in": {"nn.Dropout(dropout)": "nn.Dropout(0.1)"},
    "whole texts are dropped; single numbers are": {DROP: "self.dropout(torch.ones_like(inner[:, :1])) * inner"},
    "the same places are dropped in all texts; each number is drawn for itself": {
        DROP: "self.dropout(torch.ones_like(inner[:1])) * inner"
    },
    "dropout falls on the states, before the mean; it falls on what tanh gives": {
        DROP: "inner",
        "(hidden * real)": "(self.dropout(hidden) * real)",
    },
    "dropout falls on the mean, before dense; it falls on what tanh gives": {
        DROP: "inner",
        "dense(mean)": "dense(self.dropout(mean))",
    },
    "dropout falls between dense and tanh; it falls on what tanh gives": {
        DROP: "inner",
        INNER: "torch.tanh(self.dropout(self.dense(mean)))",
    },
    "dropout falls on the logits; it falls on what tanh gives, before scores": {
        f"self.scores({DROP})": "self.dropout(self.scores(inner))"
    },
    "dropout falls twice: only what tanh gives is dropped": {"dense(mean)": "dense(self.dropout(mean))"},
    "there is no tanh between dense and scores": {INNER: "self.dense(mean)"},
    "ReLU between dense and scores; it is tanh": {"torch.tanh(": "torch.relu("},
    "tanh stands before dense; it stands after it": {INNER: "self.dense(torch.tanh(mean))"},
    "each token goes through dense and tanh, and then the mean is taken; first the mean": {
        MEAN: "(torch.tanh(self.dense(hidden)) * real).sum(dim=1) / real.sum(dim=1)",
        INNER: "mean",
    },
    "dense and tanh are missing": {INNER: "mean"},
    "a softmax stands after the scores; logits are asked, the loss has its own softmax": {
        f"self.scores({DROP})": f"self.scores({DROP}).softmax(dim=-1)"
    },
    "tanh stands after the scores, too; logits have no bounds": {
        f"self.scores({DROP})": f"torch.tanh(self.scores({DROP}))"
    },
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="Head(D, C, dropout), an nn.Module: forward(hidden (B, T, D), mask (B, T) bool) -> logits (B, C)",
    hints=(
        "What stands at padding must not matter, whatever it is. And a head that is asked twice in eval mode gives\n"
        "the same answer, while in train mode it must get along without a part of what it knows, another each time.",
        "hidden (B, T, D), mask (B, T) -> (B, T, 1) -> sum over T (B, D) over a count (B, 1). dense keeps D, scores\n"
        "makes C of it. Dropout keeps the shape (B, D).",
        "mean = sum of the real tokens' states over how many there are\n"
        "inner = tanh of dense of mean\n"
        "in train mode: each number of inner becomes 0 with probability dropout, the others grow by 1 / (1 - dropout)\n"
        "logits = scores of that",
    ),
    parts=(Lab(Head, cases, MISTAKES, run, before),),
    seconds=20.0,
)
