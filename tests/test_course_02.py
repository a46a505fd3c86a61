"""Chapter 2's checks accept what is right in another way, and never pass what a stranger may think of."""

import re

import pytest
import torch
from torch import nn
from torch.nn import functional

from minibert.course import examine
from minibert.course.checks.chapter_02_models import Predictor
from minibert.course.checks.chapter_02_mutants import SOLUTIONS
from minibert.course.exercise import STUB

Mix, (sees, closed) = SOLUTIONS["2.1"], SOLUTIONS["2.2"]


def stub(*arguments):
    raise NotImplementedError(STUB)


class ByLoop(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.softmax = nn.Softmax(dim=0)
        self.gamma = nn.Parameter(torch.tensor([1.0]))
        self.scores = nn.Parameter(torch.ones(layers))

    def forward(self, hidden):
        mixture = 0
        for share, layer in zip(self.softmax(self.scores), hidden, strict=True):
            mixture = mixture + share * layer
        return mixture * self.gamma


class ByProduct(Mix):
    def forward(self, states):
        shares = functional.softmax(self.scores.view(-1, 1, 1, 1), dim=0)
        return torch.mul(shares, states).mul(self.gamma).sum(0)


class ByExp(Mix):
    def forward(self, states):
        shares = (self.scores - self.scores.max()).exp()
        flat = (shares / shares.sum()) @ states.reshape(len(states), -1)
        return self.gamma * flat.view(*states.shape[1:])


class ByMovedAxis(Mix):
    def forward(self, states):
        return self.gamma * (states.movedim(0, -1) @ self.scores.log_softmax(0).exp())


@pytest.mark.parametrize("answer", [ByLoop, ByProduct, ByExp, ByMovedAxis])
@pytest.mark.parametrize("seed", range(4))
def test_the_mix_may_be_written_in_other_ways(answer, seed):
    assert examine("2.1", answer, seed).message == "2.1 passed"


def mix(function):
    """A class whose forward is function(scores, gamma, states)."""
    return type("Mix", (Mix,), {"forward": lambda self, states: function(self.scores, self.gamma, states)})


def made(change):
    """A class whose __init__ ends with change(self, layers)."""

    def __init__(self, layers):
        Mix.__init__(self, layers)
        change(self, layers)

    return type("Mix", (Mix,), {"__init__": __init__, "forward": Mix.forward})


def weighted(shares, states):
    return torch.tensordot(shares, states, dims=1)


def replaced(name, make):
    def change(self, layers):
        delattr(self, name)
        setattr(self, name, make(layers))

    return made(change)


MIXES = {
    "abs of gamma": (mix(lambda s, g, x: g.abs() * weighted(s.softmax(0), x)), "sign of gamma is lost"),
    "relu of gamma": (mix(lambda s, g, x: g.relu() * weighted(s.softmax(0), x)), "output"),
    "exp of gamma": (mix(lambda s, g, x: g.exp() * weighted(s.softmax(0), x)), "exp of gamma"),
    "gamma squared": (mix(lambda s, g, x: g * g * weighted(s.softmax(0), x)), "applied twice"),
    "gamma added": (mix(lambda s, g, x: g + weighted(s.softmax(0), x)), "added to the mixture"),
    "over gamma": (mix(lambda s, g, x: weighted(s.softmax(0), x) / g), "divided by gamma"),
    "gamma with the scores": (mix(lambda s, g, x: weighted((g + s).softmax(0), x)), "softmax does not notice"),
    "inside and outside": (mix(lambda s, g, x: g * weighted((g * s).softmax(0), x)), "inside the softmax as well"),
    "softmax twice": (mix(lambda s, g, x: g * weighted(s.softmax(0).softmax(0), x)), "softmax is taken twice"),
    "log_softmax": (mix(lambda s, g, x: g * weighted(s.log_softmax(0), x)), "logarithms of the shares"),
    "exp": (mix(lambda s, g, x: g * weighted(s.exp(), x)), "without dividing"),
    "softmin": (mix(lambda s, g, x: g * weighted((-s).softmax(0), x)), "sign turned"),
    "reversed": (mix(lambda s, g, x: g * weighted(s.softmax(0), x.flip(0))), "reverse order"),
    "the average": (mix(lambda s, g, x: g * x.mean(0) + 0 * s.sum()), "plain average"),
    "the last layer": (mix(lambda s, g, x: g * x[-1] + 0 * s.sum()), "last layer"),
    "the best layer": (mix(lambda s, g, x: g * x[s.argmax()]), "highest score"),
    "over texts": (
        mix(lambda s, g, x: g * ((s[:, None, None, None] * x).softmax(1) * x).sum(0)),
        "softmax over the texts",
    ),
    "over tokens": (
        mix(lambda s, g, x: g * ((s[:, None, None, None] * x).softmax(2) * x).sum(0)),
        "softmax over the tokens",
    ),
    "attention over layers": (
        mix(lambda s, g, x: g * ((x * x[-1]).sum(-1, True).softmax(0) * x).sum(0) + 0 * s.sum()),
        "made from the states",
    ),
    "averages the batch": (
        mix(lambda s, g, x: g * weighted(s.softmax(0), x).mean(0, True).expand_as(x[0])),
        "texts of the batch",
    ),
    "not summed": (mix(lambda s, g, x: g * s.softmax(0)[:, None, None, None] * x), r"\(5, 2, 3, 4\)"),
    "a residual": (mix(lambda s, g, x: g * weighted(s.softmax(0), x) + x[0]), ""),
    "a unit vector": (mix(lambda s, g, x: functional.normalize(g * weighted(s.softmax(0), x), dim=-1)), ""),
    "gelu": (mix(lambda s, g, x: functional.gelu(g * weighted(s.softmax(0), x))), ""),
    "in place": (mix(lambda s, g, x: x.mul_(g * s.softmax(0)[:, None, None, None]).sum(0)), "changes an input"),
    "gamma as a number": (mix(lambda s, g, x: g.item() * weighted(s.softmax(0), x)), "no gradient reaches gamma"),
    "without states": (mix(lambda s, g, x: g * weighted(s.softmax(0), x.detach())), "reaches the states"),
    "a list of scores": (
        replaced("scores", lambda n: nn.ParameterList([nn.Parameter(torch.zeros(1)) for _ in range(n)])),
        "(?s)no parameter scores.*wrap it",
    ),
    "a Linear": (replaced("scores", lambda n: nn.Linear(n, 1, bias=False)), "no parameter scores"),
    "(L, 1, 1, 1)": (replaced("scores", lambda n: nn.Parameter(torch.zeros(n, 1, 1, 1))), r"shape \(5, 1, 1, 1\)"),
    "three layers always": (replaced("scores", lambda n: nn.Parameter(torch.zeros(3))), r"(?s)shape \(3,\).*\(5,\)"),
    "a gamma for each layer": (replaced("gamma", lambda n: nn.Parameter(torch.ones(n))), "one number for the whole"),
    "frozen gamma": (replaced("gamma", lambda n: nn.Parameter(torch.ones(()), False)), "gamma does not learn"),
    "one parameter more": (made(lambda self, n: setattr(self, "bias", nn.Parameter(torch.zeros(4)))), "bias"),
    "gamma at random": (made(lambda self, n: nn.init.normal_(self.gamma)), "gamma as 1"),
    "scores 0, 1, 2": (made(lambda self, n: self.scores.data.copy_(torch.arange(n))), "equal numbers"),
    "not a module": (type("Mix", (), {"__init__": lambda self, layers: None}), "nn.Module"),
    "no super": (type("Mix", (nn.Module,), {"__init__": lambda s, n: setattr(s, "scores", nn.Parameter())}), "super"),
    "an instance": (Mix(3), "the class itself"),
    "no return": (mix(lambda s, g, x: None), "return"),
}


@pytest.mark.parametrize("name", MIXES)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_strangers_mix_gets_a_helpful_no(name, seed):
    answer, says = MIXES[name]
    outcome = examine("2.1", answer, seed)
    assert outcome.status in ("wrong", "error") and re.search(says, outcome.message), outcome.message


def test_shares_that_are_computed_once_do_not_learn():
    class Once(Mix):
        def __init__(self, layers):
            super().__init__(layers)
            self.kept = torch.softmax(self.scores, dim=0)

        def forward(self, states):
            return self.gamma * weighted(self.kept, states)

    assert "in __init__" in examine("2.1", Once).message


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
        columns.append((predicted - predict(ids)).norm(dim=-1).max(0).values.gt(2e-4))
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


@pytest.mark.parametrize("test", [by_lists, by_spread, in_place_and_back])
@pytest.mark.parametrize("states", [by_padding, by_filling, by_rolling, by_places])
@pytest.mark.parametrize("seed", range(3))
def test_a_leak_may_be_found_and_closed_in_other_ways(test, states, seed):
    assert examine("2.2", (test, states), seed).message == "2.2 passed"
    assert examine("2.2", [test, states], seed).message == "2.2 passed"


def finds(change, moved=lambda a, b: (a - b).abs().amax(-1) > 1e-4):
    """A test that makes one change, change(ids, place, V), for each place."""

    def answer(predict, ids, vocabulary):
        before = predict(ids)
        return torch.stack([moved(predict(change(ids, s, vocabulary)), before) for s in range(len(ids))], dim=1)

    return answer


def put(ids, place, word):
    changed = ids.clone()
    changed[place] = word
    return changed


def exchanged(ids, place, V):
    changed, other = ids.clone(), (place + 1) % len(ids)
    changed[place], changed[other] = ids[other], ids[place]
    return changed


def all_behind(ids, place, V):
    changed = ids.clone()
    changed[place:] = (changed[place:] + 1) % V
    return changed


def of_the_answer(change):
    return lambda predict, ids, V: change(sees(predict, ids, V))


TESTS = {
    "the last word of the vocabulary": (finds(lambda i, s, V: put(i, s, V - 1)), ""),
    "a word outside": (finds(lambda i, s, V: put(i, s, V)), "from 0 to 5"),
    "a mask of -1": (finds(lambda i, s, V: put(i, s, -1)), "from 0 to 5"),
    "exchanges neighbours": (finds(exchanged), ""),
    "changes all behind": (finds(all_behind), ""),
    "cuts the word out": (finds(lambda i, s, V: torch.cat([i[:s], i[s + 1 :]])), "predict wants ids"),
    "a batch": (lambda p, i, V: p(i[None]), r"predict wants ids \(3,\)"),
    "floats": (lambda p, i, V: p(i.float()), "dtype float32"),
    "one hot": (lambda p, i, V: p(functional.one_hot(i, V)), r"shape \(3, 6\)"),
    "one random word": (finds(lambda i, s, V: put(i, s, torch.randint(V, ()))), ""),
    "two other words": (
        lambda p, i, V: (
            finds(lambda i, s, V: put(i, s, (i[s] ^ 1) % V))(p, i, V)
            | finds(lambda i, s, V: put(i, s, int(i[s]) // 2 * 2))(p, i, V)
        ),
        "",
    ),
    "all true": (of_the_answer(torch.ones_like), "see everything"),
    "all false": (of_the_answer(torch.zeros_like), "no change is noticed"),
    "no leak, as hoped": (lambda p, i, V: ~torch.eye(len(i), dtype=torch.bool), "forward reader"),
    "the past": (lambda p, i, V: torch.ones(len(i), len(i)).tril(-1).bool(), "sees itself"),
    "rows": (of_the_answer(lambda m: m.any(1, True).expand_as(m)), ""),
    "transposed": (of_the_answer(lambda m: m.mT), "rows and columns"),
    "numbers": (of_the_answer(lambda m: m.long()), "dtype int64"),
    "a list": (of_the_answer(lambda m: m.tolist()), "a list of 3"),
    "the number of leaks": (of_the_answer(lambda m: m.sum()), "shape"),
    "the diagonal": (of_the_answer(lambda m: m.diagonal()), r"shape \(3,\)"),
    "flat": (of_the_answer(lambda m: m.flatten()), r"shape \(9,\)"),
    "no return": (of_the_answer(lambda m: None), "return"),
    "exact": (finds(lambda i, s, V: put(i, s, (i[s] + 2) % V), lambda a, b: (a != b).any(-1)), "rounding"),
    "means of rows": (
        finds(lambda i, s, V: put(i, s, (i[s] + 2) % V), lambda a, b: a.mean(-1) > b.mean(-1) + 1e-4),
        "",
    ),
    "signed differences": (finds(lambda i, s, V: put(i, s, (i[s] + 2) % V), lambda a, b: (a - b)[:, 0] > 1e-4), ""),
    "the first entry": (
        lambda p, i, V: finds(lambda i, s, V: put(i, s, (i[s] + 2) % V), lambda a, b: (a - b)[:, 0].abs() > 1)(p, i, V),
        "",
    ),
}


@pytest.mark.parametrize("name", TESTS)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_strangers_search_gets_a_helpful_no(name, seed):
    answer, says = TESTS[name]
    outcome = examine("2.2", (answer, closed), seed)
    assert outcome.status in ("wrong", "error") and re.search(says, outcome.message), outcome.message


def moved(x, steps):
    return functional.pad(x, (0, 0, max(steps, 0), max(-steps, 0)))[:, max(-steps, 0) :][:, : x.shape[1]]


STATES = {
    "not moved": (lambda f, b: torch.cat([f, b], -1), "each reader is not moved"),
    "both to the left": (lambda f, b: torch.cat([moved(f, -1), moved(b, -1)], -1), "forward half is moved the wrong"),
    "after joining": (lambda f, b: moved(torch.cat([f, b], -1), 1), "backward half is moved the wrong"),
    "zeros at the wrong end": (
        lambda f, b: torch.cat([f.roll(1, 1) * (torch.arange(f.shape[1]) < f.shape[1] - 1)[:, None], moved(b, -1)], -1),
        "(?s)expected.*0, 20",
    ),
    "ones at the ends": (lambda f, b: closed(f - 1, b - 1) + 1, ""),
    "two steps each": (lambda f, b: torch.cat([moved(f, 2), moved(b, -2)], -1), "two places"),
    "along the texts": (
        lambda f, b: torch.cat(
            [moved(f.transpose(0, 1), 1).transpose(0, 1), moved(b.transpose(0, 1), -1).transpose(0, 1)], -1
        ),
        "along B",
    ),
    "along the entries": (lambda f, b: torch.cat([moved(f.mT, 1).mT, moved(b.mT, -1).mT], -1), "along K"),
    "interleaved": (lambda f, b: torch.stack([moved(f, 1), moved(b, -1)], -1).flatten(-2), "entries of the two"),
    "stacked": (lambda f, b: torch.stack([moved(f, 1), moved(b, -1)]), "dimension too many"),
    "joined along T": (lambda f, b: torch.cat([moved(f, 1), moved(b, -1)], 1), r"shape \(1, 6, 1\)"),
    "averaged": (lambda f, b: (moved(f, 1) + moved(b, -1)) / 2, r"shape \(1, 3, 1\)"),
    "forward only": (lambda f, b: moved(f, 1), r"shape \(1, 3, 1\)"),
    "first place cut": (lambda f, b: closed(f, b)[:, 1:], "ends are cut off"),
    "one place more": (lambda f, b: functional.pad(closed(f, b), (0, 0, 0, 1)), r"shape \(1, 4, 2\)"),
    "a list": (lambda f, b: [moved(f, 1), moved(b, -1)], "a list of 2"),
    "backward reversed": (lambda f, b: torch.cat([moved(f, 1), b.flip(1)], -1), "turned round, and not moved"),
    "backward reversed, moved": (lambda f, b: torch.cat([moved(f, 1), moved(b.flip(1), -1)], -1), "turned round"),
    "one batch only": (lambda f, b: closed(f[:1], b[:1]).expand(len(f), -1, -1), "differ"),
    "needs two words": (lambda f, b: closed(f, b) / (f.shape[1] > 1), "NaN"),
    "copies": (lambda f, b: closed(f.clone().detach(), b), "no gradient reaches forward"),
    "no return": (lambda f, b: None, "return"),
}


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_strangers_states_get_a_helpful_no(name, seed):
    answer, says = STATES[name]
    outcome = examine("2.2", (sees, answer), seed)
    assert outcome.status in ("wrong", "error") and re.search(says, outcome.message), outcome.message


def test_a_model_is_a_black_box_and_the_check_leaves_no_trace_in_it():
    looked_at = []

    def curious(predict, ids, vocabulary):
        looked_at.append(vars(predict))
        return sees(predict, ids, vocabulary)

    before = set(vars(Predictor))
    assert examine("2.2", (curious, closed)).status == "passed"
    assert looked_at and not any(looked_at), "nothing tells what the model reads but its predictions"
    assert set(vars(Predictor)) == before, "a grader takes any change of the package for an attempt at cheating"


def test_two_stubs_are_not_attempted_and_one_is_half_an_answer():
    assert examine("2.2", (stub, stub)).status == "not attempted"
    assert "closed_states is not written" in examine("2.2", (sees, stub)).message
    assert "sees is not" in examine("2.2", (stub, closed)).message
    for answer in (sees, (sees,), (1, 2), {}, (sees, closed, closed)):
        outcome = examine("2.2", answer)
        assert outcome.status == "wrong" and "closed_states" in outcome.message, outcome


@pytest.mark.parametrize("seed", range(30, 40))
def test_no_seed_makes_a_right_answer_wrong(seed):
    for number, answer in SOLUTIONS.items():
        assert examine(number, answer, seed).status == "passed"
    assert examine("2.1", ByExp, seed).status == "passed"
    assert examine("2.2", (by_spread, by_rolling), seed).status == "passed"
    other = finds(lambda ids, place, V: put(ids, place, (ids[place] + 1) % V))
    assert examine("2.2", (other, closed), seed).status == "wrong"
