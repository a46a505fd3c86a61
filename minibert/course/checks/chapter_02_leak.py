"""Exercise 2.2: a test that finds what a prediction depends on, and states that have not read what they predict."""

import torch
from torch import Tensor
from torch.nn import functional

from minibert.course.checks.chapter_01_blame import blame
from minibert.course.checks.chapter_02_models import BLIND, MODELS, SUBTLE, Predictor, boxed, map_of
from minibert.course.exercise import NotAttempted, Wrong
from minibert.course.expect import expect_close, expect_steady
from minibert.course.tools import call, expect_tensor, kind_of


def closed(forward: Tensor, backward: Tensor) -> Tensor:
    """The right answer: the forward state of the place before, the backward state of the place behind, else zeros.

    >>> closed(torch.tensor([[[1.0], [2.0]]]), torch.tensor([[[3.0], [4.0]]])).tolist()
    [[[0.0, 4.0], [1.0, 0.0]]]
    """
    return torch.cat([_moved(forward, 1), _moved(backward, -1)], dim=-1)


def check_leak(answer, rng: torch.Generator) -> None:
    """The check of exercise 2.2; `answer` is the pair (sees, closed_states).

    Raises:
        Wrong: what was seen, what was expected, the likely cause.
        NotAttempted: both functions are still the stub.

    >>> from minibert.course.checks.chapter_02_mutants import SOLUTIONS
    >>> check_leak(SOLUTIONS["2.2"], torch.Generator().manual_seed(0))
    """
    if type(answer) not in (tuple, list) or len(answer) != 2 or not all(callable(one) for one in answer):
        cause = "pass the functions themselves, without parentheses behind their names"
        raise Wrong(f"the answer is {kind_of(answer)}", "both functions: (sees, closed_states)", cause)
    sees, closed_states = answer
    try:
        call(sees, boxed(Predictor(torch.eye(1, dtype=torch.bool), 4, rng)), torch.tensor([2]), 4)
    except NotAttempted:
        if _is_written(closed_states):
            raise Wrong("closed_states is written and sees is not", "both functions") from None
        raise
    except Wrong:
        pass  # the cases below say it better
    _check_sees(sees, rng)
    if not _is_written(closed_states):
        raise Wrong("sees is right, closed_states is not written yet", "the second function")
    _check_closed(closed_states, rng)


def _is_written(closed_states) -> bool:
    try:
        call(closed_states, torch.zeros(1, 2, 1), torch.zeros(1, 2, 1))
    except NotAttempted:
        return False
    except Wrong:
        pass
    return True


def _check_sees(sees, rng: torch.Generator) -> None:
    V, cases, models = 6, [], {}
    for _, T, make, _ in MODELS:
        ids = torch.randint(0, V - 1, (T,), generator=rng)
        ids[0], ids[-1] = 0, V - 1  # the ends of the vocabulary
        model = make(T, V, rng)
        cases.append((boxed(model), ids, V))
        models[cases[-1][0]] = model

    def mistakes_of(predict, ids, V):
        return _confusions(models[predict], ids)

    plain = [case for case, model in zip(cases, MODELS, strict=True) if model[2] not in SUBTLE]
    for case, (what, T, _, cause) in zip(cases, MODELS, strict=True):
        want, name = map_of(models[case[0]]), f"for {what}, sees"
        got = call(sees, *case)
        if isinstance(got, Tensor) and got.dtype != torch.bool and got.shape == want.shape:
            cause = "compare the difference with 1e-4, and keep the yes or no"
            raise Wrong(f"{name} holds numbers of dtype {str(got.dtype)[6:]}", "True and False", cause)
        got = expect_tensor(name, got, (T, T), torch.bool)
        if not torch.equal(got, want):
            place = tuple((got != want).nonzero()[0].tolist())
            expected = f"{bool(want[place])}; {int((got != want).sum())} of {T * T} entries are wrong"
            raise Wrong(
                f"{name}{list(place)} is {bool(got[place])}", expected, blame(sees, plain, mistakes_of) or cause
            )
        expect_steady(sees, *case)


def _confusions(model: Predictor, ids: Tensor) -> dict[str, Tensor]:
    want, size = map_of(model), len(ids)
    both = torch.cat([want[:, :-1] | want[:, 1:], want[:, -1:]], dim=1)
    itself = torch.eye(size, dtype=torch.bool)
    return {
        "rows and columns are exchanged: row t is a prediction, column s a word that was changed": want.T,
        "True and False are exchanged: True where the prediction moves": ~want,
        "the diagonal is left out, and it is the leak: does prediction t move when word t does?": want & ~itself,
        "only the diagonal: look at all rows after each change, not at the row of the changed word alone": (
            want & itself
        ),
        "changes add up: put the old word back (or copy ids anew) before you change the next": (
            want.float().cumsum(1) > 0
        ),
        "two words change at once, such as by exchanging neighbours: change one word only": both,
        BLIND: torch.zeros_like(want),
        "the new word is sometimes the old one, such as always word 0: then nothing can move": want & (ids != 0),
        "the most likely words are compared: a prediction may move, and its largest entry stay the largest": (
            model.top_moves(ids)
        ),
        "a change is said to move everything or nothing: compare row by row": want.any(0, True).expand_as(want),
        "every prediction is said to see everything: is the difference compared with 1e-4?": torch.ones_like(want),
    }


def _moved(states: Tensor, steps: int, ends: str = "zeros") -> Tensor:
    """States (B, T, K) moved to the right by `steps` (negative: to the left); `ends` says what fills the gap."""
    if ends == "rolled":
        return states.roll(steps, dims=1)
    if ends == "repeated":
        places = (torch.arange(states.shape[1]) - steps).clamp(0, states.shape[1] - 1)
        return states[:, places]
    padding = (0, 0, steps, 0) if steps > 0 else (0, 0, 0, -steps)
    return functional.pad(states, padding)[:, max(0, -steps) :][:, : states.shape[1]]


NOTHING = "; who has read nothing yet has zeros"
MOVES = {  # how the forward half may have been moved; the backward half is its mirror image
    "is not moved: at t it has read the word at t itself": (0, "zeros"),
    "is moved the wrong way: its state then has read the word at t and one more": (-1, "zeros"),
    "is rolled: the gap at the end is filled from the other end, where it has read the whole text" + NOTHING: (
        1,
        "rolled",
    ),
    "is repeated at the end, and this state has read the word itself" + NOTHING: (1, "repeated"),
    "is moved by two places: it misses the direct neighbour": (2, "zeros"),
}


def _wrong_states(forward: Tensor, backward: Tensor) -> dict[str, Tensor]:
    found = {}
    for how, (steps, ends) in MOVES.items():
        left, right = _moved(forward, steps, ends), _moved(backward, -steps, ends)
        found[f"each reader {how}"] = torch.cat([left, right], dim=-1)
        found[f"the forward half {how}"] = torch.cat([left, _moved(backward, -1)], dim=-1)
        found[f"the backward half {how}"] = torch.cat([_moved(forward, 1), right], dim=-1)
    left, right = closed(forward, backward).chunk(2, dim=-1)
    found["the halves are exchanged: forward comes first"] = torch.cat([right, left], dim=-1)
    found["the backward states are turned round; they stand in the order of the text already"] = closed(
        forward, backward.flip(1)
    )
    found["the backward states are turned round, and not moved"] = torch.cat([left, backward.flip(1)], dim=-1)
    found["the entries of the two readers are mixed; they stand side by side, forward first"] = torch.stack(
        [left, right], dim=-1
    ).flatten(-2)
    other = [_moved(forward.mT, 1).mT, _moved(backward.mT, -1).mT]
    found["the entries are moved, along K; places lie along T, dim=1"] = torch.cat(other, dim=-1)
    other = [_moved(forward.transpose(0, 1), 1).transpose(0, 1), _moved(backward.transpose(0, 1), -1).transpose(0, 1)]
    found["the texts are moved, along B; places lie along T, dim=1"] = torch.cat(other, dim=-1)
    return found


SHAPES = ((2, 5, 3), (3, 1, 4), (2, 2, 1), (1, 7, 2))  # (B, T, K)


def _check_closed(closed_states, rng: torch.Generator) -> None:
    hand = torch.tensor([[[1.0], [2.0], [3.0]]]), torch.tensor([[[10.0], [20.0], [30.0]]])
    got = call(closed_states, *hand)
    if isinstance(got, Tensor) and got.dim() == 3 and got.shape[1] < 3 and got.shape[::2] == (1, 2):
        cause = "the ends are cut off; each place gets a state, with zeros for the reader who has read nothing yet"
        raise Wrong(f"for texts of 3 places the result has {got.shape[1]}", "3 places", cause)
    name = "for forward 1, 2, 3 and backward 10, 20, 30, the result"
    expect_tensor(name, got, (1, 3, 2))
    drawn = [tuple(torch.randn(*shape, generator=rng) for _ in range(2)) for shape in SHAPES]
    cases = [hand, *drawn]
    if not torch.equal(got.detach(), closed(*hand)):
        cause = "the places get 0 and 20, 1 and 30, 2 and 0: one step before in each direction of reading"
        expect_close(name, got, closed(*hand), blame(closed_states, cases, _wrong_states) or cause)
    for forward, backward in drawn:
        got, want = expect_steady(closed_states, forward, backward), closed(forward, backward)
        cause = "a text of one word has zeros only" if forward.shape[1] == 1 else "random states"
        if isinstance(got, Tensor) and got.shape == want.shape and not torch.equal(got.detach().to(want), want):
            cause = blame(closed_states, cases, _wrong_states) or cause
        expect_close(f"for states {tuple(forward.shape)}, the result", got, want, cause)
    for place, name in enumerate(("forward", "backward")):
        states = [torch.randn(2, 3, 2, generator=rng) for _ in range(2)]
        states[place].requires_grad_()
        if not call(closed_states, *states).requires_grad:
            cause = "detach, .data, numpy or torch.tensor(...) on the way"
            raise Wrong(f"no gradient reaches {name}", "states that both readers can be trained through", cause)
