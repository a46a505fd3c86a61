"""Exercise 2.1: is this ELMo's scalar mix, and if not, what else is it?"""

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from minibert.course.checks.chapter_01_blame import blame
from minibert.course.exercise import Wrong
from minibert.course.expect import expect_close, expect_steady, make_module
from minibert.course.tools import call, copied, expect_tensor, kind_of

TOKENS = (
    "the shares are made from the states, so that every token gets its own; ELMo has one share for each layer, the "
    "same for all tokens"
)
OVERFLOW = "exp of a large score is infinite: torch.softmax subtracts the largest score first"


def _mix(states: Tensor, shares: Tensor, gamma: Tensor | float) -> Tensor:
    """Layers in given shares (L,): (L, B, T, D) -> (B, T, D). The right shares are the softmax of the scores."""
    return gamma * torch.tensordot(shares, states, dims=1)


def _mistakes(states: Tensor, scores: Tensor, gamma: Tensor) -> dict[str, Tensor]:
    shares, layers = scores.softmax(0), len(scores)
    right = _mix(states, shares, gamma)
    along = scores.view(-1, 1, 1, 1)
    mixes = {
        "there is no softmax: the scores themselves are no shares, they may be negative": (scores, gamma),
        "softmax over an axis of length 1, which is 1 everywhere: take it of the scores (L,), before any view": (
            torch.ones(layers),
            gamma,
        ),
        "the scores are divided by their sum: that is no softmax, and 0 may stand below the line": (
            scores / scores.sum(),
            gamma,
        ),
        "exp without dividing by the sum: the shares do not sum to 1": (scores.exp(), gamma),
        "sigmoids: they do not sum to 1 over the layers": (scores.sigmoid(), gamma),
        "log_softmax gives the logarithms of the shares": (scores.log_softmax(0), gamma),
        "gamma is not used, or stands where softmax does not notice it, added to the scores": (shares, 1.0),
        "gamma stands inside the softmax, where it only sharpens the shares; it scales the result": (
            (gamma * scores).softmax(0),
            1.0,
        ),
        "gamma stands inside the softmax as well as outside": ((gamma * scores).softmax(0), gamma),
        "the sign of gamma is lost: it is used as it is, without abs, relu or softmax": (shares, gamma.abs()),
        "gamma is applied twice": (shares, gamma**2),
        "the result is divided by gamma": (shares, 1 / gamma),
        "exp of gamma: gamma itself is the factor": (shares, gamma.exp()),
        "the mixture is divided by the number of layers, though its shares sum to 1 already: sum, not mean": (
            shares / layers,
            gamma,
        ),
        "the plain average of the layers: the scores are not used, or only once, in __init__, before they learn": (
            torch.full((layers,), 1 / layers),
            gamma,
        ),
        "the layers are taken in reverse order": (shares.flip(0), gamma),
        "only the layer with the highest score is taken": (functional.one_hot(scores.argmax(), layers).float(), gamma),
        "only the last layer is taken": (functional.one_hot(torch.tensor(layers - 1), layers).float(), gamma),
        "softmax of the scores with the sign turned": ((-scores).softmax(0), gamma),
        "softmax is taken twice": (shares.softmax(0), gamma),
    }
    found = {name: _mix(states, *parts) for name, parts in mixes.items()}
    found["gamma is added to the mixture; it is a factor"] = _mix(states, shares, 1.0) + gamma
    found["the tokens of a text are averaged; each keeps its own mixture"] = right.mean(1, True).expand_as(right)
    found["the texts of the batch are averaged"] = right.mean(0, True).expand_as(right)
    normed = functional.layer_norm(states, states.shape[-1:])
    found["each layer is normalised first; the mix takes the layers as they are"] = _mix(normed, shares, gamma)
    found[TOKENS] = gamma * (torch.softmax(along * states, 0) * states).sum(0)
    for axis, what in ((1, "the texts"), (2, "the tokens"), (3, "the entries")):
        wrong = (gamma * (along * states).softmax(axis) * states).sum(0)
        found[f"softmax over {what} of the states; it belongs over the scores of the layers"] = wrong
    return found


def _parameters(module: nn.Module, layers: int) -> tuple[nn.Parameter, nn.Parameter]:
    """The learner's scores and gamma, known to be parameters of the right shapes, and the only ones."""
    found = dict(module.named_parameters(remove_duplicate=False))
    for name, shapes in (("scores", ((layers,),)), ("gamma", ((), (1,)))):
        wanted = f"{name} {shapes[0]}, an nn.Parameter"
        if name not in found:
            there, have = getattr(module, name, None), ", ".join(found) or "none"
            cause = f"self.{name} = nn.Parameter(...)"
            if there is not None:
                cause = f"self.{name} is {kind_of(there)}, which no optimizer will find: wrap it, {cause}"
            raise Wrong(f"there is no parameter {name}; there are: {have}", wanted, cause)
        if tuple(found[name].shape) not in shapes:
            cause = "one number for each layer, shared by all texts, tokens and entries" if name == "scores" else ""
            raise Wrong(f"{name} has shape {tuple(found[name].shape)}", wanted, cause or "one number for the whole mix")
        if not found[name].requires_grad:
            raise Wrong(f"{name} does not learn", wanted, "requires_grad is switched off")
    if surplus := sorted(set(found) - {"scores", "gamma"}):
        cause = "the mix has L + 1 numbers to learn, and no others"
        raise Wrong(f"there are more parameters: {', '.join(surplus[:4])}", "scores and gamma", cause)
    return found["scores"], found["gamma"]


def _filled(answer, scores: Tensor, gamma: float) -> nn.Module:
    module = make_module(answer, len(scores))
    with torch.no_grad():
        for parameter, value in zip(_parameters(module, len(scores)), (scores, torch.tensor(gamma)), strict=True):
            parameter.copy_(value.expand_as(parameter))
    return module


def _answer_to(answer, states: Tensor, scores: Tensor, gamma: Tensor):
    got = call(_filled(answer, scores, float(gamma)), states)
    return got.detach() if isinstance(got, Tensor) else got


def _other_cause(answer, states: Tensor, scores: Tensor, gamma: Tensor) -> str:
    once, twice = (_answer_to(answer, factor * states, scores, gamma) for factor in (1, 2))
    if torch.allclose(twice, 2 * once, rtol=1e-3, atol=1e-4):
        return ""
    return f"states twice as large do not give an output twice as large: {TOKENS}"


def check_mix(answer, rng: torch.Generator) -> None:
    """Parts, shares 1/6, 2/6, 3/6 by hand, random states, the start, linearity, large scores, gradients.

    Raises:
        Wrong: what was seen, what was expected, the likely cause.

    >>> from minibert.course.checks.chapter_02_mutants import SOLUTIONS
    >>> check_mix(SOLUTIONS["2.1"], torch.Generator().manual_seed(0))
    """
    # By hand: scores ln 1, ln 2, ln 3 are the shares 1/6, 2/6, 3/6; of 6, 12 and 18 they make 1 + 4 + 9 = 14.
    scores = torch.tensor([math.log(1), math.log(2), math.log(3)])
    hand = torch.tensor([6.0, 12.0, 18.0]).view(3, 1, 1, 1)
    states = torch.randn(5, 2, 3, 4, generator=rng)  # (L, B, T, D), all different
    drawn = torch.randn(5, generator=rng)
    start = make_module(answer, 5)
    _parameters(start, 5)
    cause = "at the start all scores are 0: a division by their sum is 0 / 0; softmax divides by the sum of their exp"
    expect_tensor("the output of a new mix", call(start, states), (2, 3, 4), if_nan=cause)
    expect_steady(start, states)
    cases = [(hand, scores, torch.tensor(2.0)), (states, drawn, torch.tensor(-0.7))]
    causes = (
        "the shares are 1/6, 2/6 and 3/6, the mixture is 1 + 4 + 9 = 14, gamma doubles it",
        "five layers, two texts of three tokens, width 4",
    )
    names = ("for scores ln 1, ln 2, ln 3, states 6, 12, 18 and gamma 2, the output", "output")
    for name, case, cause in zip(names, cases, causes, strict=True):
        given, free, gamma = case
        got, right = _answer_to(answer, *case), _mix(given, free.softmax(0), gamma)
        if isinstance(got, Tensor) and got.shape == right.shape and not torch.allclose(got, right, 1e-4, 1e-5):
            cause = blame(partial(_answer_to, answer), cases, _mistakes) or _other_cause(answer, *cases[1]) or cause
        expect_close(name, got, right, cause)
    module, right = _filled(answer, drawn, -0.7), _mix(states, drawn.softmax(0), -0.7)
    expect_close("output in train mode", call(copied(module).train(), states), right, "the mix has no dropout")

    cause = "a new mix is the average of the layers: scores begin as equal numbers (zeros), gamma as 1"
    mean = states.mean(0)
    expect_close("the output of a new mix", call(start, states), mean, cause)
    steep = _filled(answer, torch.tensor([500.0, 0.0, -500.0]), 1.0)
    three = states[:3]
    expect_tensor("with scores 500, 0 and -500 the output", call(steep, three), (2, 3, 4), if_nan=OVERFLOW)
    expect_close("with scores 500, 0 and -500 the output", call(steep, three), three[0], OVERFLOW)
    one = _filled(answer, torch.tensor([0.3]), 2.0)
    expect_close("with one layer the output", call(one, three[:1]), 2 * three[0], "one layer has the share 1")
    _check_gradient(module, states)


def _check_gradient(module: nn.Module, states: Tensor) -> None:
    module.zero_grad()
    output = call(module, states)
    if output.requires_grad:
        output.pow(3).sum().backward()
    for name, parameter in zip(("scores", "gamma"), _parameters(module, len(states)), strict=True):
        if parameter.grad is None or not parameter.grad.any():
            cause = "detach, .data, .item(), no_grad or torch.tensor(...) on the way"
            raise Wrong(f"no gradient reaches {name}", "the loss reaches scores and gamma", cause)
    if not call(module, states.detach().requires_grad_()).requires_grad or not _reaches(module, states):
        raise Wrong("no gradient reaches the states", "the mix can be trained through", "detach or .data on the way")


def _reaches(module: nn.Module, states: Tensor) -> bool:
    def slope(given):
        return torch.autograd.grad(module(given).sum(), given, allow_unused=True)[0]

    found = call(slope, states.detach().requires_grad_())
    return found is not None and bool(found.any())
