"""Exercise 8.2: the mean cross-entropy over the places that have a label, and what other averages would give."""

from math import log

import torch
from torch import Tensor
from torch.nn import functional

from minibert.course.exercise import Wrong
from minibert.course.expect import expect_close, expect_steady
from minibert.course.tools import call, expect_tensor, show

NOTHING = -100


def _nats(logits: Tensor, labels: Tensor) -> Tensor:
    """Minus the log-probability of each label, -100 read as label 0: (B, T, V), (B, T) -> (B, T)."""
    return -logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The right answer."""
    labelled = labels != NOTHING
    return (_nats(logits, labels) * labelled).sum() / labelled.sum().clamp(min=1)


def _suspects(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """What the well-known mistakes would give."""
    nats, labelled = _nats(logits, labels), labels != NOTHING
    total, count = (nats * labelled).sum(), labelled.sum()
    rows = [(row * there).sum() / there.sum() for row, there in zip(nats, labelled, strict=True) if there.any()]
    size, texts, vocab = labels.numel(), len(labels), logits.shape[-1]
    above = labels > 0
    twice = logits.softmax(-1)
    over_places = -logits.log_softmax(1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    base = -(logits - logits.logsumexp((0, 1, 2))).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return {
        "the sum is divided by all places, B T; divide by the number of places that have a label": total / size,
        "-100 is read as the label of token 0, and all places are averaged: leave these places out": nats.mean(),
        "-100 is read as the label of token 0: leave these places out of the sum, too": nats.sum() / count,
        "-100 is read as a place from the end of the vocabulary, or as its last token: leave these places out": (
            -logits.log_softmax(-1).gather(-1, labels.where(labelled, vocab - 1)[..., None]).mean()
        ),
        "the sum, not the mean: divide by the number of places that have a label": total,
        "the mean of the texts' own means: a label in a text with few of them weighs more; divide the sum of all by "
        "the number of all": sum(rows) / len(rows),
        "the mean of the texts' own means, where texts without a label count as 0: divide the sum of all by the "
        "number of all": sum(rows) / texts,
        "the sum is divided by the number of texts; divide by the number of places that have a label": total / texts,
        "label 0 is left out: 0 is a token like others, only -100 marks a place without label": (
            (nats * above).sum() / above.sum().clamp(min=1)
        ),
        "softmax twice: cross_entropy takes logits and applies log_softmax itself": _loss(twice, labels),
        "the sign is missing: the loss is *minus* the log-probability": -total / count,
        "the sign is missing, and it is a sum: minus the log-probability, divided by the number of labels": -total,
        "logarithms to base 2: nats are natural logarithms": total / count / log(2),
        "the softmax runs over the places of a text (dim 1) or the texts, not over the vocabulary (dim -1)": (
            (over_places * labelled).sum() / count
        ),
        "the softmax runs over all numbers at once, not over the vocabulary of each place": (base * labelled).sum()
        / count,
        "the logits are used as if they were log-probabilities: log_softmax is missing": (
            -(logits.gather(-1, labels.clamp(min=0)[..., None])[..., 0] * labelled).sum() / count
        ),
        "the probability itself, without the logarithm": ((-nats).exp() * labelled).sum() / count,
        "one minus the probability, without the logarithm": ((1 - (-nats).exp()) * labelled).sum() / count,
        "the mean over the vocabulary too, B T V numbers": total / size / vocab,
        "only the first text is looked at": rows[0],
        "perplexity, exp of the loss: the loss itself is asked for": (total / count).exp(),
        "the (B, T, V) numbers are laid out as (B, V, T) by view or reshape: exchange axes by transpose, or flatten "
        "the first two": functional.cross_entropy(
            logits.reshape(texts, vocab, -1), labels, ignore_index=NOTHING, reduction="sum"
        )
        / count,
    }


def check_loss(answer, rng: torch.Generator) -> None:
    """Numbers by hand, random parity, nothing masked, gradients, huge scores.

    >>> from minibert.course.checks.chapter_08_mutants import SOLUTIONS
    >>> check_loss(SOLUTIONS["8.2"], torch.Generator().manual_seed(0))
    """
    shares = [[[1, 2, 1], [1, 1, 6], [3, 4, 1], [2, 2, 4]], [[5, 1, 2], [2, 5, 1], [1, 4, 3], [1, 1, 2]]]
    sure = torch.tensor(shares).log()  # (2, 4, 3)
    labels = torch.tensor([[1, NOTHING, 0, NOTHING], [2, NOTHING, NOTHING, NOTHING]])
    output = _scalar("the loss", expect_steady(answer, sure, labels))
    # (ln 2 + ln 8/3 + ln 4) / 3 = 1.02: the labelled places have the probabilities 1/2, 3/8 and 1/4.
    cause = "the labels have the probabilities 1/2, 3/8 and 1/4, so the loss is (ln 2 + ln 8/3 + ln 4) / 3"
    suspects = _suspects(sure, labels)
    expect_close("the loss", output, torch.tensor((log(2) + log(8 / 3) + log(4)) / 3), cause, suspects)

    logits = torch.randn(3, 7, 11, generator=rng) * 2
    labels = torch.full((3, 7), NOTHING)
    labels[0, [1, 4, 6]] = torch.randint(1, 11, (3,), generator=rng)
    labels[1, [0, 5]] = torch.tensor([0, 10])  # token 0 is a label like others; text 2 has none at all
    for name, given in (("some places labelled", labels), ("every place labelled", labels.clamp(min=0))):
        got = _scalar("the loss", call(answer, logits, given))
        want = _loss(logits, given)
        expect_close(f"with {name}, the loss", got, want, f"random logits (3, 7, 11), {name}", _suspects(logits, given))

    _check_nothing_masked(answer, rng)
    _check_gradient(answer, logits, labels)
    far = logits.clone()
    far[labels != NOTHING] *= 1e4
    cause = "exp of a score of 10,000 overflows, or the log of a probability of 0 is taken: use log_softmax"
    got = expect_tensor("the loss of huge scores", call(answer, far, labels), (), None, if_nan=cause)
    expect_close("the loss of huge scores", got, _loss(far, labels), cause, None, 1e-4)


def _scalar(name: str, got) -> Tensor:
    if isinstance(got, float | int):
        cause = "a Python number has no gradient, so nothing could be learned from it: no .item() and no float()"
        raise Wrong(f"{name} is a Python number", "a tensor of shape ()", cause)
    if isinstance(got, Tensor) and got.dim() > 0:
        cause = "each place has its own loss; the mean over the labelled places is asked for"
        raise Wrong(f"{name} has shape {tuple(got.shape)}", "()", cause)
    return expect_tensor(name, got, ())


def _check_nothing_masked(answer, rng: torch.Generator) -> None:
    logits = torch.randn(1, 4, 5, generator=rng).requires_grad_()
    none = torch.full((1, 4), NOTHING)

    def run():
        given = logits.detach().clone().requires_grad_()
        loss = answer(given, none.clone())
        if isinstance(loss, Tensor) and loss.requires_grad:
            loss.backward()
        return loss, given.grad

    loss, gradient = call(run)
    if isinstance(loss, Tensor) and loss.isnan().any():
        raise Wrong(
            "NaN where no place has a label",
            "0",
            "a mean over nothing is 0/0. Six tokens at 15 % have no masked one in 38 % of all draws, and one NaN ruins "
            "every weight: divide by max(count, 1)",
        )
    expect_close("with no label at all, the loss", _scalar("with no label at all, the loss", loss), torch.tensor(0.0))
    if gradient is not None and not bool((gradient == 0).all()):
        cause = "the loss is 0, but its gradient is not: a NaN was replaced afterwards; divide by max(count, 1) instead"
        raise Wrong(f"with no label at all, the gradient has {show(gradient.flatten()[:3])}", "zeros", cause)


def _check_gradient(answer, logits: Tensor, labels: Tensor) -> None:
    want = logits.clone().requires_grad_()
    _loss(want, labels).backward()

    def run():
        given = logits.clone().requires_grad_()
        loss = answer(given, labels.clone())
        if not loss.requires_grad:
            return None
        loss.backward()
        return given.grad

    got = call(run)
    if got is None:
        cause = "detach(), .item(), .data, torch.no_grad() or a new torch.tensor(...) cuts the way back"
        raise Wrong("no gradient reaches the logits", "a loss that one can learn from", cause)
    cause = "the gradient of a labelled place is (probabilities - 1 at the label) / count, and 0 elsewhere"
    expect_close("the gradient", got, want.grad, cause)
