"""Exercise 4.1: are these BERT's embeddings, and if not, what is different?"""

import itertools

import torch
from torch import Tensor, nn

from minibert.course.checks.chapter_04_sums import embed, suspects_of
from minibert.course.exercise import Crash, Wrong
from minibert.course.expect import expect_close, expect_dropout, expect_steady, make_module
from minibert.course.tools import call, expect_tensor

V, D, P = 11, 6, 7  # all sizes differ, so that an exchange cannot hide
EPS = "the norm's eps is {:g}, BERT's is 1e-12; nn.LayerNorm has 1e-5 unless told otherwise"
NO_EPS = "there is no eps, or it stands outside the root: (variance + eps) under one root, with eps 1e-12"


def _weights(module: nn.Module, sizes: tuple[int, int, int]) -> dict[str, nn.Parameter]:
    """The learner's parameters by the names that the exercise prescribes."""
    v, d, p = sizes
    wanted = {"token": (v, d), "position": (p, d), "segment": (2, d), "norm": (d,)}
    wanted = {f"{name}.weight": shape for name, shape in wanted.items()} | {"norm.bias": (d,)}
    found = dict(module.named_parameters(remove_duplicate=False))
    for name, shape in wanted.items():
        if name not in found:
            have = ", ".join(found) or "none"
            kind = "nn.LayerNorm" if name.startswith("norm") else "nn.Embedding"
            hint = f"make self.{name.partition('.')[0]} an {kind}"
            raise Wrong(f"there is no parameter {name}; there are: {have}", f"{name} {shape}", hint)
        if tuple(found[name].shape) != shape:
            cause = "a table has a row for each id, position or segment: nn.Embedding(rows, D)"
            raise Wrong(f"{name} has shape {tuple(found[name].shape)}", f"{shape} for V={v}, D={d}, P={p}", cause)
    for one, other in itertools.combinations(wanted, 2):
        if found[one] is found[other]:
            raise Wrong(f"{one} and {other} are the same parameter", "each has numbers of its own")
    if surplus := sorted(set(found) - set(wanted)):
        raise Wrong(f"there are more parameters: {', '.join(surplus[:4])}", "token, position, segment and norm")
    return {name: found[name] for name in wanted}


def _fill(parameters: dict[str, nn.Parameter], rng: torch.Generator) -> dict[str, Tensor]:
    with torch.no_grad():
        for name, parameter in parameters.items():
            drawn = torch.randn(parameter.shape, generator=rng)
            parameter.copy_(1 + 0.5 * drawn if name == "norm.weight" else drawn)
    return {name: parameter.detach().clone() for name, parameter in parameters.items()}


def check_embeddings(answer, rng: torch.Generator) -> None:
    """Parts, a sum by hand, the batch at random, sentence A by default, the limit, eps, gradients, dropout.

    Raises:
        Wrong: what was seen, what was expected, the likely cause.

    >>> from minibert.course.checks.chapter_04_mutants import SOLUTIONS
    >>> check_embeddings(SOLUTIONS["4.1"], torch.Generator().manual_seed(0))
    """
    module = make_module(answer, V, D, P, 0.3)
    w = _fill(_weights(module, (V, D, P)), rng)
    ids = torch.randint(0, V, (3, 5), generator=rng)
    ids[0, 0], ids[0, 1] = 0, V - 1  # the ends of the table
    sides = torch.tensor([[0, 0, 1, 1, 1], [0, 0, 0, 0, 0], [1, 0, 1, 0, 1]])

    # By hand: rows (1, 0, 0), (0, 2, 0) and (0, 0, 3) sum to (1, 2, 3), of mean 2 and variance 2/3.
    small = make_module(answer, 2, 3, 4, 0.3)
    tables = _weights(small, (2, 3, 4))
    with torch.no_grad():
        tables["token.weight"].copy_(torch.tensor([[9.0, 9, 1], [1, 0, 0]]))
        tables["position.weight"].copy_(torch.tensor([[0.0, 2, 0], [4, 4, 0], [5, 1, 5], [7, 1, 1]]))
        tables["segment.weight"].copy_(torch.tensor([[1.0, 1, 5], [0, 0, 3]]))
        tables["norm.weight"].fill_(1.0)
        tables["norm.bias"].zero_()
    hand = {name: table.detach().clone() for name, table in tables.items()}
    one, second = torch.tensor([[1], [1]]), torch.tensor([[1], [1]])  # (B, T) = (2, 1), all of it position 0
    got = expect_tensor("output", call(small, one, second), (2, 1, 3))
    expect_tensor("output", expect_steady(module, ids, sides), (3, 5, D))
    want = torch.tensor([[[-(1.5**0.5), 0.0, 1.5**0.5]]]).expand(2, 1, 3)
    name = "for rows (1, 0, 0) + (0, 2, 0) + (0, 0, 3), twice, the output"
    cause = "the sum is (1, 2, 3), its mean 2, its variance (1 + 0 + 1) / 3"
    expect_close(name, got, want, cause, suspects_of(hand, one, second), 1e-4)
    name, cause = "without segment_ids, the output", "segment_ids None means sentence A everywhere: row 0 is added"
    expect_close(name, call(small, one, None), embed(hand, one, None), cause, suspects_of(hand, one, None), 1e-4)

    # eps shows where the variance is small. At a variance of about 1e-12 it decides half of the result.
    for size in (1e-3, 1e-6):
        with torch.no_grad():
            for name in ("token.weight", "position.weight", "segment.weight"):
                tables[name].copy_(size * hand[name])
        now = {name: table.detach().clone() for name, table in tables.items()}
        suspects = {EPS.format(eps): embed(now, one, second, eps=eps) for eps in (1e-5, 1e-6, 1e-7, 1e-8)}
        suspects[NO_EPS] = embed(now, one, second, eps=0.0)
        name = f"for rows {size:g} times as large, the output"
        expect_close(name, call(small, one, second), embed(now, one, second), "is its eps 1e-12?", suspects, 1e-3)

    cause = "random tables and ids"
    expect_close("output", call(module, ids, sides), embed(w, ids, sides), cause, suspects_of(w, ids, sides))
    cause = "segment_ids may be left out: give the parameter the default None"
    _expect_answer("output without segment_ids", module, (ids,), embed(w, ids, None), cause)

    _check_limit(module, w, rng)

    _check_gradient(module, ids, sides)
    _check_dropout(answer, rng)


def _expect_answer(name: str, module: nn.Module, inputs: tuple, want: Tensor, cause: str) -> None:
    try:
        got = call(module, *inputs)
    except Crash as crash:
        raise Crash(crash.seen, crash.expected, cause) from None
    expect_close(name, got, want, cause)


def _check_limit(module: nn.Module, w: dict[str, Tensor], rng: torch.Generator) -> None:
    full = torch.randint(0, V, (2, P), generator=rng)
    name, cause = f"output for T = P = {P}", f"T = P = {P} tokens are allowed: positions 0 ... {P - 1}"
    _expect_answer(name, module, (full, None), embed(w, full, None), cause)
    seen, wanted = f"a text of {P + 1} tokens with {P} positions gives", "a ValueError that names both numbers"
    why = "a table without this row has no answer; to say so helps more than whatever comes out otherwise"
    try:
        call(module, torch.randint(0, V, (1, P + 1), generator=rng), None)
    except Crash as crash:
        kind, _, words = crash.seen.partition(":")
        if kind != "ValueError":
            raise Wrong(f"{seen} {crash.seen}", wanted, f"compare T with P first; {why}") from None
        words = words.partition(" (line")[0]
        if str(P) in words and str(P + 1) in words:
            return
        cause = "tell the reader how many tokens came and how many fit"
        raise Wrong(f"the message of the ValueError is:{words}", f"it names {P + 1} and {P}", cause) from None
    raise Wrong(f"{seen} numbers", wanted, f"cut, clamped or wrapped round, in silence; {why}")


def _check_gradient(module: nn.Module, ids: Tensor, sides: Tensor) -> None:
    module.zero_grad()
    output = call(module, ids, sides)
    if output.requires_grad:
        output.pow(3).sum().backward()
    parameters = _weights(module, (V, D, P))
    silent = [name for name, parameter in parameters.items() if parameter.grad is None or not parameter.grad.any()]
    if silent:
        cause = "detach, .data, no_grad or torch.tensor(...) on the way: the tables must be able to learn"
        raise Wrong(f"no gradient reaches {', '.join(silent)}", "the loss reaches every table", cause)


def _check_dropout(answer, rng: torch.Generator) -> None:
    share, ids = 0.3, torch.randint(0, V, (40, P), generator=rng)
    expect_dropout(make_module(answer, V, D, P, 0.0), 0.0, ids, None)
    module = make_module(answer, V, D, P, share)
    w = _fill(_weights(module, (V, D, P)), rng)
    expect_dropout(module, share, ids, None)
    trained = call(module.train(), ids, None).detach()
    kept = trained != 0
    wanted = f"zeros in a share of {share:g}, all else divided by {1 - share:g}"
    if kept.all():
        cause = "dropout stands before the norm, which fills the holes again; dropout comes last"
        raise Wrong("in train mode no number of the output is zero", wanted, cause)
    dropped = 1 - kept.float().mean().item()
    if abs(dropped - share) > 0.1:
        cause = "use the dropout that was passed in, and use it once"
        raise Wrong(f"with dropout {share:g} a share of {dropped:.1g} of the output is zero", wanted, cause)
    if torch.equal(kept.any(dim=-1), kept.all(dim=-1)):
        raise Wrong("dropout falls on whole tokens", "it falls on single numbers: nn.Dropout")
    want = embed(w, ids, None) / (1 - share) * kept
    cause = "dropout comes last, behind the norm, and only there"
    expect_close("output in train mode, where it is not zero,", trained, want, cause)
