"""8.2 The loss at masked places only."""

from math import log

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.lab import Case, Exercise, Lab, Wrong, gradients
from minibert.course.tools import call


def masked_loss(logits, labels):
    """Mean cross-entropy over the places that have a label; 0 if there are none."""
    labelled = labels != -100  # (B, T)
    total = F.cross_entropy(logits[labelled], labels[labelled], reduction="sum")  # (M, V) and (M,)
    return total / labelled.sum().clamp(min=1)


def ask(answer, logits, labels):
    """The loss, once it is known to have no axis."""
    got = call(answer, logits, labels)
    if isinstance(got, Tensor) and got.dim() > 0:
        cause = "each place has its own loss; the mean over the labelled places is asked for"
        if got.shape == (1,):
            cause = "a dimension of length 1 is left: squeeze(), or no [None] and no keepdim"
        elif got.shape == labels.shape[:1]:
            cause = "there is one number for each text; one mean over all labelled places is asked for"
        raise Wrong(f"the loss has shape {tuple(got.shape)}", "()", cause)
    return got


def slope_of_nothing(answer, logits, labels):
    """The gradient where no place has a label."""
    try:
        return gradients(answer, logits, labels)
    except Wrong as finding:
        if type(finding) is not Wrong:
            raise
        raise Wrong(f"with no label at all, {finding.seen}", "a gradient of zeros", CONSTANT) from None


def cases(rng):
    # (ln 2 + ln 8/3 + ln 4) / 3 = 1.02: the labelled places have the probabilities 1/2, 3/8 and 1/4.
    odds = [[[1, 2, 1], [1, 1, 6], [3, 4, 1], [2, 2, 4]], [[5, 1, 2], [2, 5, 1], [1, 4, 3], [1, 1, 2]]]
    hand = torch.tensor(odds).log(), torch.tensor([[1, -100, 0, -100], [2, -100, -100, -100]])
    logits = torch.randn(3, 7, 11, generator=rng) * 2
    labels = torch.full((3, 7), -100)  # text 2 has no label at all
    labels[0, [1, 4, 6]] = torch.randint(1, 11, (3,), generator=rng)
    labels[1, [0, 5]] = torch.tensor([0, 10])  # the first and the last token of the vocabulary are labels like others
    every = torch.randint(11, (3, 7), generator=rng)
    nothing = torch.randn(1, 4, 5, generator=rng), torch.full((1, 4), -100)
    far = logits.clone()
    far[labels != -100] *= 1e4
    yield Case(hand, "the labels have the probabilities 1/2, 3/8 and 1/4, so the loss is (ln 2 + ln 8/3 + ln 4) / 3")
    yield Case((logits, labels), "random logits (3, 7, 11), some places labelled", double=True)
    yield Case((logits, every), "random logits (3, 7, 11), every place labelled")
    slope = "the gradient of a labelled place is (probabilities - 1 at the label) / count, and 0 elsewhere"
    yield Case((logits, labels), slope, "gradient of the loss", run=gradients)
    yield Case(nothing, "with no label at all the loss is 0", "loss of no label at all", NAN)
    yield Case(nothing, SLOPE, "gradient of the loss of no label at all", SLOPE, run=slope_of_nothing)
    yield Case((far, labels), EXP, "loss of huge logits", EXP, tolerance=1e-4)


NAN = "NaN where no place has a label (38 % of texts of six tokens), and it ruins all weights: divide by max(count, 1)"
SLOPE = "the loss is 0, but its gradient is not: a NaN was replaced afterwards; divide by max(count, 1) instead"
EXP = "exp of a logit of 10,000 overflows, or the log of a probability of 0 is taken: use log_softmax"
CONSTANT = "a constant is returned; the sum over nothing by max(count, 1) is 0, too, and has a gradient of zeros"
CE = 'F.cross_entropy(logits[labelled], labels[labelled], reduction="sum")'
COUNT, RETURN = "labelled.sum().clamp(min=1)", "return total / labelled.sum().clamp(min=1)"
HEAD, PICK = "F.cross_entropy(logits[", "gather(1, labels[labelled][:, None])"
CHANCE = f"logits[labelled].softmax(-1).{PICK}"
ZERO = 'F.cross_entropy(logits.mT, labels.clamp(min=0), reduction="sum")'
LAST = 'F.cross_entropy(logits.mT, labels.where(labelled, logits.shape[-1] - 1), reduction="sum")'
TEXTS = "return sum((F.cross_entropy(x, y) for x, y in zip(logits, labels) if (y != -100).any()), logits.sum() * 0) / "
MISTAKES = {
    "the places without label are averaged, and those with one left out: the mask is turned round": {
        CE: 'F.cross_entropy(logits.mT, labels.clamp(min=0), reduction="none")[~labelled].sum()',
        COUNT: "(~labelled).sum().clamp(min=1)",
    },
    "the mean of the texts' own means, which is NaN where a text has no label: divide the sum of all by the number of "
    "all": {RETURN: "return sum(F.cross_entropy(x, y) for x, y in zip(logits, labels)) / len(labels)"},
    "something is added to the number of labels, so the mean is too small": {COUNT: "(labelled.sum() + 1e-3)"},
    "the sum is divided by all places, B T; divide by those that have a label": {COUNT: "labels.numel()"},
    "-100 is read as token 0, and all places are averaged: leave these places out": {CE: ZERO, COUNT: "labels.numel()"},
    "-100 is read as the label of token 0: leave these places out of the sum, too": {CE: ZERO},
    "-100 is read as the last token, and all places are averaged": {CE: LAST, COUNT: "labels.numel()"},
    "-100 is read as the last token of the vocabulary: leave these places out of the sum, too": {CE: LAST},
    "the sum, not the mean: divide by the number of places that have a label": {RETURN: "return total"},
    "the mean of the texts' own means: a label in a text with few of them weighs more; divide the sum of all by the "
    "number of all": {RETURN: f"{TEXTS} max(1, sum((y != -100).any() for y in labels))"},
    "the mean of the texts' own means, 0 without a label: pool all labels": {RETURN: f"{TEXTS} len(labels)"},
    "the sum is divided by the number of texts; divide by the places that have a label": {COUNT: "len(labels)"},
    "1 is added to the number of labels; that is needed only where there are none": {".clamp(min=1)": ".add(1)"},
    "label 0 is left out: 0 is a token like others, only -100 marks a place without label": {"!= -100": "> 0"},
    "the last token, V - 1, is left out": {"labels != -100": "(labels >= 0) & (labels < logits.shape[-1] - 1)"},
    "softmax twice: cross_entropy has its own log_softmax": {"logits[labelled]": "logits[labelled].softmax(-1)"},
    "the sign is missing: the loss is *minus* the log-probability": {RETURN: RETURN.replace("total", "-total")},
    "logarithms to base 2: nats are natural logarithms": {RETURN: f"{RETURN} / {log(2)}"},
    "the softmax runs over the places (dim 1), not over the vocabulary": {HEAD: "F.nll_loss(logits.log_softmax(1)["},
    "the softmax runs over the texts (dim 0), not over the vocabulary": {HEAD: "F.nll_loss(logits.log_softmax(0)["},
    "the softmax runs over all numbers at once": {HEAD: "F.nll_loss(logits.flatten().log_softmax(0).view_as(logits)["},
    "the logits are used as if they were log-probabilities: log_softmax is missing": {"F.cross_entropy": "F.nll_loss"},
    "the probability itself, without the logarithm": {CE: f"{CHANCE}.sum()"},
    "minus the probability, without the logarithm": {CE: f"-{CHANCE}.sum()"},
    "one minus the probability, without the logarithm": {CE: f"(1 - {CHANCE}).sum()"},
    "the mean over the vocabulary too, B T V numbers": {COUNT: "logits.numel()"},
    "only the first text is looked at": {"labelled =": "logits, labels = logits[:1], labels[:1]\n    labelled ="},
    "the labels are shifted by one place, as for a model that predicts the next token; here each place has its own": {
        "labelled =": "logits, labels = logits[:, :-1], labels[:, 1:]\n    labelled ="
    },
    "perplexity, exp of the loss: the loss itself is asked for": {RETURN: f"return (total / {COUNT}).exp()"},
    "this is the accuracy; the loss is asked for": {CE: "(logits.argmax(-1) == labels)[labelled].to(logits).sum()"},
    "label smoothing: the probability of the label alone counts": {'="sum"': '="sum", label_smoothing=0.1'},
    "(B, T, V) is laid out as (B, V, T) by view or reshape: exchange axes by transpose": {
        CE: 'F.cross_entropy(logits.reshape(len(labels), -1, labels.shape[1]), labels, reduction="sum")'
    },
    NAN: {".clamp(min=1)": ""},
    SLOPE: {
        CE: "F.cross_entropy(logits.mT, labels.clamp(min=0), reduction='none').mul(labelled).sum()",
        RETURN: "return torch.where(labelled.any(), total / labelled.sum(), 0.0)",
    },
    "exp of a large logit overflows": {CE: f"-(x := logits[labelled].exp()).div(x.sum(-1, True)).{PICK}.log().sum()"},
    "the log of a probability that is rounded to 0 is infinite: use log_softmax": {CE: f"-{CHANCE}.log().sum()"},
    "a number added to the probability hides how wrong it is: log_softmax": {CE: f"-({CHANCE} + 1e-9).log().sum()"},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="masked_loss(logits (B, T, V), labels (B, T)) -> a tensor of shape ()",
    hints=(
        "Most places have no label. They must not be in the sum, and they must not be in the number by which you\n"
        "divide. What is that number when nothing was masked at all?",
        "labelled (B, T) bool has M places that are True; their rows of the logits are (M, V), their labels (M,);\n"
        "a loss for each of them (M,), and one mean ().",
        "labelled = where the label is not -100\n"
        "rows = the logits there; targets = the labels there\n"
        "total = the sum of minus the log-probability of each target\n"
        "return total over the number of targets, or over 1 if there are none",
    ),
    parts=(Lab(masked_loss, cases, MISTAKES, run=ask),),
)
