"""Exercise 2.2: the solution, tests that overlook a leak, and states that have read too much or too little."""

import torch
from torch.nn import functional

from minibert.course.exercise import Mutant


def _sees(predict, ids, vocabulary):
    before = predict(ids)  # (T, V)
    seen = torch.zeros(len(ids), len(ids), dtype=torch.bool)
    for place in range(len(ids)):
        for word in range(vocabulary):
            changed = ids.clone()
            changed[place] = word
            seen[:, place] |= (predict(changed) - before).abs().amax(dim=-1) > 1e-4
    return seen


def _closed_states(forward, backward):
    nothing = torch.zeros_like(forward[:, :1])  # (B, 1, K)
    left = torch.cat([nothing, forward[:, :-1]], dim=1)  # (B, T, K)
    right = torch.cat([backward[:, 1:], nothing], dim=1)
    return torch.cat([left, right], dim=-1)  # (B, T, 2 K)


def _finds(moved, words=None, keep=False):
    """A test that tells by `moved(after, before)` (T,) what has changed, trying `words(old, V)` at each place."""

    def sees(predict, ids, vocabulary):
        before, changed = predict(ids), ids.clone()
        seen = torch.zeros(len(ids), len(ids), dtype=torch.bool)
        for place in range(len(ids)):
            for word in words(int(ids[place]), vocabulary) if words else range(vocabulary):
                changed = changed if keep else ids.clone()
                changed[place] = word
                seen[:, place] |= moved(predict(changed), before)
        return seen

    return sees


def _differs(after, before):
    return (after - before).abs().amax(dim=-1) > 1e-4


def _transposed(predict, ids, vocabulary):
    return _sees(predict, ids, vocabulary).T


def _turned_round(predict, ids, vocabulary):
    return ~_sees(predict, ids, vocabulary)


def _skips_itself(predict, ids, vocabulary):
    return _sees(predict, ids, vocabulary) & ~torch.eye(len(ids), dtype=torch.bool)


def _itself_only(predict, ids, vocabulary):
    return _sees(predict, ids, vocabulary) & torch.eye(len(ids), dtype=torch.bool)


def _whole_prediction(predict, ids, vocabulary):
    return _sees(predict, ids, vocabulary).any(dim=0).expand(len(ids), len(ids))


def _differences(predict, ids, vocabulary):
    return _sees(predict, ids, vocabulary).float()


def _asks_for_gradients(predict, ids, vocabulary):
    x = ids.float().requires_grad_()
    return predict(x).sum(dim=-1) != 0


def _changes_ids(predict, ids, vocabulary):
    before = predict(ids)
    seen = torch.zeros(len(ids), len(ids), dtype=torch.bool)
    for place in range(len(ids)):
        ids[place] = (ids[place] + 1) % vocabulary
        seen[:, place] = _differs(predict(ids), before)
    return seen


def _joined(left, right):
    def closed_states(forward, backward):
        return torch.cat([left(forward), right(backward)], dim=-1)

    return closed_states


def _to_the_right(states):
    return functional.pad(states, (0, 0, 1, 0))[:, :-1]


def _to_the_left(states):
    return functional.pad(states, (0, 0, 0, 1))[:, 1:]


def _as_it_is(states):
    return states


def _rolled_right(states):
    return states.roll(1, dims=1)


def _rolled_left(states):
    return states.roll(-1, dims=1)


def _first_repeated(states):
    return torch.cat([states[:, :1], states[:, :-1]], dim=1)


def _last_repeated(states):
    return torch.cat([states[:, 1:], states[:, -1:]], dim=1)


def _two_to_the_right(states):
    return torch.zeros_like(states) if states.shape[1] < 2 else functional.pad(states, (0, 0, 2, 0))[:, :-2]


def _without_the_ends(forward, backward):
    return torch.cat([forward[:, :-2], backward[:, 2:]], dim=-1)


def _added(forward, backward):
    return _to_the_right(forward) + _to_the_left(backward)


def _halves_exchanged(forward, backward):
    return torch.cat([_to_the_left(backward), _to_the_right(forward)], dim=-1)


def _turned_in_time(forward, backward):
    return _closed_states(forward, backward.flip(1))


def _moved_in_place(forward, backward):
    forward[:, 1:] = forward[:, :-1].clone()
    forward[:, 0] = 0
    return torch.cat([forward, _to_the_left(backward)], dim=-1)


def _without_gradient(forward, backward):
    return _closed_states(forward, backward.detach())


def _not_written(*arguments):
    raise NotImplementedError("write your answer here")


TESTS = [
    ("rows and columns exchanged", _transposed, "rows and columns are exchanged"),
    ("True and False exchanged", _turned_round, "True and False are exchanged"),
    ("skips the diagonal", _skips_itself, "diagonal is left out"),
    ("the diagonal only", _itself_only, "only the diagonal"),
    ("everything or nothing", _whole_prediction, "compare row by row"),
    ("changes add up", _finds(_differs, keep=True), "changes add up"),
    ("one other word", _finds(_differs, lambda old, V: [(old + 1) % V]), "one other word is not enough"),
    ("always word 0", _finds(_differs, lambda old, V: [0]), "sometimes the old one"),
    (
        "compares the most likely word",
        _finds(lambda a, b: a.argmax(-1) != b.argmax(-1)),
        "most likely words are compared",
    ),
    ("compares sums of rows", _finds(lambda a, b: (a.sum(-1) - b.sum(-1)).abs() > 1e-4), "all entries of a row"),
    ("exactly equal", _finds(lambda a, b: (a != b).any(-1)), "rounding"),
    ("a tolerance of 0.5", _finds(lambda a, b: (a - b).abs().amax(-1) > 0.5), "small changes are changes"),
    ("numbers instead of yes and no", _differences, "holds numbers of dtype float32"),
    ("gradients of ids", _asks_for_gradients, "predict wants ids"),
    ("changes ids", _changes_ids, "your code changes an input"),
]
STATES = [
    ("nothing moved", _joined(_as_it_is, _as_it_is), "each reader is not moved"),
    ("the forward half not moved", _joined(_as_it_is, _to_the_left), "the forward half is not moved"),
    ("the backward half not moved", _joined(_to_the_right, _as_it_is), "the backward half is not moved"),
    ("moved the wrong way", _joined(_to_the_left, _to_the_right), "each reader is moved the wrong way"),
    ("both to the right", _joined(_to_the_right, _to_the_right), "the backward half is moved the wrong way"),
    ("rolled", _joined(_rolled_right, _rolled_left), "each reader is rolled"),
    ("one half rolled", _joined(_rolled_right, _to_the_left), "the forward half is rolled"),
    ("the ends repeated", _joined(_first_repeated, _last_repeated), "each reader is repeated at the end"),
    ("the last state repeated", _joined(_to_the_right, _last_repeated), "the backward half is repeated"),
    ("two steps", _joined(_two_to_the_right, _to_the_left), "the forward half is moved by two"),
    ("the ends cut off", _without_the_ends, "the ends are cut off"),
    ("halves added", _added, r"(?s)shape \(1, 3, 1\).*\(1, 3, 2\)"),
    ("halves exchanged", _halves_exchanged, "halves are exchanged"),
    ("the backward states turned round", _turned_in_time, "turned round"),
    ("moves in place", _moved_in_place, "your code changes an input"),
    ("cuts the gradient", _without_gradient, "no gradient reaches backward"),
]
LEAKS = [
    *(Mutant(name, (sees, _closed_states), says) for name, sees, says in TESTS),
    *(Mutant(name, (_sees, states), says) for name, states, says in STATES),
    Mutant("closed_states not written", (_sees, _not_written), "closed_states is not written yet"),
    Mutant("sees not written", (_not_written, _closed_states), "closed_states is written and sees is not"),
    Mutant("one function only", _sees, "pass them all|both functions"),
]
