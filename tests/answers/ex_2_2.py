"""Answers to 2.2, find the leak and close it: (sees, closed_states)."""

import torch
from torch.nn import functional

from minibert.course.exercise import STUB


def stub(*arguments):
    raise NotImplementedError(STUB)


def by_lists(predict, ids, vocabulary):
    words, rows = ids.tolist(), []
    before = predict(ids)
    for place in range(len(words)):
        moved = [False] * len(words)
        for word in set(range(vocabulary)) - {words[place]}:
            after = predict(torch.tensor([*words[:place], word, *words[place + 1 :]]))
            for t in range(len(words)):
                if not torch.allclose(after[t], before[t], rtol=0, atol=1e-4):
                    moved[t] = True
        rows.append(moved)
    return torch.tensor(rows).T


def by_spread(predict, ids, vocabulary):
    columns = []
    for place in range(ids.numel()):
        several = ids.repeat(vocabulary, 1)
        several[:, place] = torch.arange(vocabulary)
        predicted = torch.stack([predict(row) for row in several])  # (V, T, V)
        columns.append((predicted - predict(ids)).norm(dim=-1).max(0).values.gt(1e-4))
    return torch.stack(columns, dim=1)


def in_place_and_back(predict, ids, vocabulary):
    own, before = ids.clone(), predict(ids)
    found = torch.full((len(ids), len(ids)), False)
    for place in range(len(ids)):
        for step in range(1, vocabulary):
            own[place] = (ids[place] + step) % vocabulary
            found[:, place] |= ((predict(own) - before).abs() > 1e-4).any(1)
        own[place] = ids[place]
    return found


def by_padding(forward, backward):
    left = functional.pad(forward, (0, 0, 1, 0))[:, :-1]
    return torch.cat((left, functional.pad(backward, (0, 0, 0, 1))[:, 1:]), -1)


def by_filling(forward, backward):
    size = forward.shape[-1]
    result = forward.new_zeros(*forward.shape[:2], 2 * size)
    result[:, 1:, :size] = forward[:, :-1]
    result[:, :-1, size:] = backward[:, 1:]
    return result


def by_rolling(forward, backward):
    left, right = forward.roll(1, 1), backward.roll(-1, 1)
    inside = torch.ones(forward.shape[1], 1)
    inside[0] = 0
    return torch.cat([left * inside, right * inside.flip(0)], dim=2)


def by_places(forward, backward):
    last, zero = forward.shape[1] - 1, torch.zeros_like(forward[:, 0])
    rows = [
        torch.cat([forward[:, t - 1] if t else zero, backward[:, t + 1] if t < last else zero], dim=-1)
        for t in range(last + 1)
    ]
    return torch.stack(rows, dim=1)


def differs(after, before, ids):
    return ((after - before).abs() > 1e-4).any(1)


def make(differs=differs, words=range):
    def sees(predict, ids, vocabulary):
        base, out = predict(ids), torch.zeros(len(ids), len(ids), dtype=torch.bool)
        for s in range(len(ids)):
            for v in words(vocabulary):
                x = ids.clone()
                x[s] = v
                out[:, s] |= differs(predict(x), base, ids)
        return out

    return sees


def once(change, moved=differs):
    """A test that makes one change, change(ids, place, V), for each place."""

    def answer(predict, ids, vocabulary):
        before = predict(ids)
        return torch.stack([moved(predict(change(ids, s, vocabulary)), before, ids) for s in range(len(ids))], dim=1)

    return answer


def put(ids, place, word):
    changed = ids.clone()
    changed[place] = word
    return changed


def of_the_answer(change):
    return lambda predict, ids, V: change(by_lists(predict, ids, V))


def gradients_of_ids(predict, ids, vocabulary):
    return predict(ids.float().requires_grad_()).sum(dim=-1) != 0


def changes_ids(predict, ids, vocabulary):
    before = predict(ids)
    seen = torch.zeros(len(ids), len(ids), dtype=torch.bool)
    for place in range(len(ids)):
        ids[place] = (ids[place] + 1) % vocabulary
        seen[:, place] = differs(predict(ids), before, ids)
    return seen


def rowwise(**tolerances):
    return lambda y, b, ids: torch.tensor([not torch.allclose(p, q, **tolerances) for p, q in zip(y, b, strict=True)])


TESTS = {
    "mean of the changes": (make(lambda y, b, i: (y - b).abs().mean(1) > 1e-4), "mean of the changes"),
    "no abs": (make(lambda y, b, i: (y - b > 1e-4).any(1)), "without abs"),
    "range(V - 1)": (make(words=lambda V: range(V - 1)), "last word is never tried"),
    "range(1, V)": (make(words=lambda V: range(1, V)), "word 0 is never tried"),
    "the true word's entry": (
        make(lambda y, b, i: (y - b)[torch.arange(len(i)), i].abs() > 1e-4),
        "entry of the true word",
    ),
    "allclose(atol=1e-4)": (make(rowwise(atol=1e-4)), "rtol"),
    "allclose": (make(rowwise()), "defaults take rounding for a change"),
    "the largest entries": (make(lambda y, b, i: (y.amax(1) - b.amax(1)).abs() > 1e-4), "largest entries are compared"),
    "most likely words": (make(lambda y, b, i: y.argmax(1) != b.argmax(1)), "most likely words"),
    "sums of rows": (make(lambda y, b, i: (y.sum(1) - b.sum(1)).abs() > 1e-4), "sums of rows"),
    "exactly equal": (make(lambda y, b, i: (y != b).any(1)), "rounding"),
    "a limit of 0.5": (make(lambda y, b, i: ((y - b).abs() > 0.5).any(1)), "small changes"),
    "a limit of 2e-3": (make(lambda y, b, i: ((y - b).abs() > 2e-3).any(1)), "small changes|some entry"),
    "one other word": (once(lambda i, s, V: put(i, s, (i[s] + 1) % V)), "one other word is not enough"),
    "the last word": (once(lambda i, s, V: put(i, s, V - 1)), "only the last word"),
    "one random word": (once(lambda i, s, V: put(i, s, torch.randint(V, ()))), "two calls|expected"),
    "a word outside": (once(lambda i, s, V: put(i, s, V)), "from 0 to 5"),
    "a mask of -1": (once(lambda i, s, V: put(i, s, -1)), "from 0 to 5"),
    "cuts the word out": (once(lambda i, s, V: torch.cat([i[:s], i[s + 1 :]])), "predict wants ids"),
    "all behind": (once(lambda i, s, V: torch.cat([i[:s], (i[s:] + 1) % V])), "expected"),
    "a batch": (lambda p, i, V: p(i[None]), r"predict wants ids \(1,\)"),
    "one hot": (lambda p, i, V: p(functional.one_hot(i, V)), r"predict wants ids \(1,\)"),
    "gradients of ids": (gradients_of_ids, "dtype float32"),
    "changes ids": (changes_ids, "your code changes an input"),
    "all true": (of_the_answer(torch.ones_like), "see everything"),
    "all false": (of_the_answer(torch.zeros_like), "no change is noticed"),
    "no leak, as hoped": (lambda p, i, V: ~torch.eye(len(i), dtype=torch.bool), "expected"),
    "transposed": (of_the_answer(lambda m: m.mT), "rows and columns"),
    "turned round": (of_the_answer(lambda m: ~m), "True and False are exchanged"),
    "numbers": (of_the_answer(lambda m: m.long()), "dtype int64"),
    "a list": (of_the_answer(lambda m: m.tolist()), "a list of 1"),
    "the diagonal": (of_the_answer(lambda m: m.diagonal()), r"shape \(1,\)"),
    "no return": (of_the_answer(lambda m: None), "return"),
    "not written": (stub, "sees is not written"),
}


def moved(x, steps):
    return functional.pad(x, (0, 0, max(steps, 0), max(-steps, 0)))[:, max(-steps, 0) :][:, : x.shape[1]]


def moved_in_place(forward, backward):
    forward[:, 1:] = forward[:, :-1].clone()
    forward[:, 0] = 0
    return torch.cat([forward, moved(backward, -1)], dim=-1)


STATES = {
    "not moved": (lambda f, b: torch.cat([f, b], -1), "each reader is not moved"),
    "one half not moved": (lambda f, b: torch.cat([moved(f, 1), b], -1), "the backward half is not moved"),
    "both to the left": (lambda f, b: torch.cat([moved(f, -1), moved(b, -1)], -1), "forward half is moved the wrong"),
    "after joining": (lambda f, b: moved(torch.cat([f, b], -1), 1), "backward half is moved the wrong"),
    "rolled": (lambda f, b: torch.cat([f.roll(1, 1), b.roll(-1, 1)], -1), "each reader is rolled"),
    "ones at the ends": (lambda f, b: by_padding(f - 1, b - 1) + 1, "filled with ones"),
    "two steps each": (lambda f, b: torch.cat([moved(f, 2), moved(b, -2)], -1), "two places"),
    "along the entries": (lambda f, b: torch.cat([moved(f.mT, 1).mT, moved(b.mT, -1).mT], -1), "along K"),
    "interleaved": (lambda f, b: torch.stack([moved(f, 1), moved(b, -1)], -1).flatten(-2), "entries of both"),
    "joined along T": (lambda f, b: torch.cat([moved(f, 1), moved(b, -1)], 1), "joined along T"),
    "forward only": (lambda f, b: moved(f, 1), r"shape \(1, 3, 1\)"),
    "first place cut": (lambda f, b: by_padding(f, b)[:, 1:], r"shape \(1, 2, 2\)"),
    "a list": (lambda f, b: [moved(f, 1), moved(b, -1)], "a list of 2"),
    "backward reversed": (lambda f, b: torch.cat([moved(f, 1), b.flip(1)], -1), "turned round, and not moved"),
    "one text only": (lambda f, b: by_padding(f[:1], b[:1]).expand(len(f), -1, -1), "differ"),
    "needs two words": (lambda f, b: by_padding(f, b) / (f.shape[1] > 1), "NaN"),
    "moves in place": (moved_in_place, "your code changes an input"),
    "copies": (lambda f, b: by_padding(f.clone().detach(), b), "no gradient leads back from the output to f"),
    "float32": (lambda f, b: by_padding(f.float(), b.float()), "dtype"),
    "no return": (lambda f, b: None, "return"),
    "not written": (stub, "closed_states is not written"),
}
RIGHT = {
    "lists, padding": (by_lists, by_padding),
    "spread, filling": [by_spread, by_filling],
    "in place and back, rolling": (in_place_and_back, by_rolling),
    "any, places": (make(), by_places),
}
WRONG = (
    {f"sees: {name}": ((answer, by_padding), says) for name, (answer, says) in TESTS.items()}
    | {f"states: {name}": ((by_lists, answer), says) for name, (answer, says) in STATES.items()}
    | {"one function": (by_lists, "closed_states"), "three": ((by_lists, by_padding, stub), "3 things")}
)
