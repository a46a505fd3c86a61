"""Calls across two processes: what they carry, and what the judge makes of messages that mean harm."""

import collections
import os
import pickle
import queue
import random
import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from minibert.course.check import judged
from minibert.course.exercises import chapters, exercises
from minibert.course.explain import Told, where
from minibert.course.meter import metered
from minibert.course.modules import FixedDropout, module_gradients, run_module
from minibert.course.tools import call
from minibert.grading.parcel import Message, Parcel
from minibert.grading.wire import Gone, Mirror, Wire


class Net(nn.Module):
    """With all that a module can have."""

    def __init__(self, width: int, dropout: float = 0.5):
        super().__init__()
        self.layer, self.norm, self.drop = nn.Linear(width, width, bias=False), nn.LayerNorm(width), nn.Dropout(dropout)
        self.shift, self.tied = nn.Parameter(torch.ones(width)), self.layer
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def forward(self, x, times=1):
        self.calls += 1
        return self.drop(self.norm(self.layer(x))) * times + self.shift


def change(things):
    things[0].add_(1)
    things.append("new")
    things[1]["a"] = 2


def fails(x):
    return x @ undefined  # noqa: F821


def counts():
    yield from (1, (2, "three"))


THINGS = {
    "values": lambda: [
        None, True, ..., 1, 10**40, 2.5, "ä\ud800", b"\x00x", b"", (1, (2,)), [], {1: [2]}, {1, 2}, frozenset("a"),
        range(3), torch.Size([1]), torch.float16, collections.Counter("aab"), collections.OrderedDict(a=1),
        np.float32(2.5), np.int64(3),
    ],
    "tensors": lambda: [
        torch.ones(0, 3), torch.tensor(True), torch.arange(24).view(2, 3, 4).transpose(0, 2), torch.ones(3).bfloat16(),
        torch.ones(2, 1).expand(2, 5), torch.tensor([1 + 2j]).conj(), torch.zeros(2, 2)[:, 1], torch.tensor([2**40]),
    ],
    "same": lambda x: x,
    "twice": lambda x: 2 * x,
    "asks": lambda function, *arguments: function(*arguments),
    "slope": lambda function, x: torch.autograd.grad(function(x.requires_grad_()).sum(), x)[0],
    "draws": lambda generator: torch.rand(3, generator=generator),
    "rolls": lambda dice: dice.random(),
    "object": object,
    "Net": Net, "Linear": nn.Linear, "change": change, "fails": fails, "counts": counts,
    "squares": lambda x: x @ x.T,
}  # fmt: skip


@pytest.fixture(scope="module")
def ends() -> tuple[Wire, Wire]:
    asked, answered = queue.Queue(), queue.Queue()
    there = Wire(asked.get, lambda *pieces: answered.put(b"".join(pieces)), is_judge=False)
    here = Wire(answered.get, lambda *pieces: asked.put(b"".join(pieces)), is_judge=True)
    there.forget(THINGS.get)

    def serve():
        while (message := asked.get()) is not None:
            there.serve(message)

    threading.Thread(target=serve, daemon=True).start()
    yield here, there
    asked.put(None)


@pytest.fixture
def get(ends):
    return lambda name: ends[0].call(0, "", name)


def test_values_arrive_as_they_are(get):
    for found, sent in zip(get("values")(), THINGS["values"](), strict=True):
        assert type(found) is type(sent) and found == sent
    for found, sent in zip(get("tensors")(), THINGS["tensors"](), strict=True):
        assert found.dtype == sent.dtype and torch.equal(found, sent)
    turned = torch.arange(24).view(2, 3, 4).transpose(0, 2)
    assert get("asks")(lambda x: x.stride(), turned) == turned.stride(), "what a view refuses, it refuses there as well"
    assert list(get("counts")()) == [1, (2, "three")] and type(get("object")()).__name__ == "object"
    assert get("same")(get("twice")) is get("twice"), "one stand-in a function"


def test_exceptions_arrive_with_their_type_words_and_line(get):
    with pytest.raises(NameError, match="name 'undefined' is not defined") as caught:
        get("fails")(1)
    assert isinstance(caught.value, Told) and "return x @ undefined" in where(caught.value)

    class Mine(Exception):
        pass

    def raises(error):
        raise error

    mine = Mine("a")
    with pytest.raises(Mine) as caught:
        get("asks")(lambda: raises(mine))
    assert caught.value is mine, "through the other process and back"
    with pytest.raises(SystemExit):
        get("asks")(lambda: raises(SystemExit(3)))


def test_what_is_changed_there_is_changed_here(get):
    things = [torch.zeros(2), {"a": 1}]
    get("change")(things)
    assert things[0].tolist() == [1, 1] and things[1:] == [{"a": 2}, "new"]
    for kind, name in ((torch.Generator, "draws"), (random.Random, "rolls")):
        mine, theirs = kind(), kind()
        (mine.manual_seed if kind is torch.Generator else mine.seed)(5)
        (theirs.manual_seed if kind is torch.Generator else theirs.seed)(5)
        for _ in range(2):
            assert np.array_equal(np.array(get(name)(theirs)), np.array(THINGS[name](mine)))


def test_gradients_cross_both_ways(get):
    x = torch.ones(3, requires_grad=True)
    get("twice")(get("twice")(x)).sum().backward()
    assert x.grad.tolist() == [4, 4, 4]
    assert get("slope")(lambda x: get("twice")(x) ** 2, torch.ones(2)).tolist() == [8, 8]
    with torch.no_grad():
        assert not get("twice")(x).requires_grad
    assert not get("twice")(x.detach()).requires_grad


def test_a_module_is_its_parameters_here_and_its_code_there(get):
    module, x = get("Net")(4), torch.randn(2, 4)
    assert isinstance(module, Mirror) and type(module).__name__ == "Net" and module.norm.eps == 1e-5
    assert [name for name, _ in module.named_parameters()] == [name for name, _ in Net(4).named_parameters()]
    assert module.tied.weight is module.layer.weight and "calls" not in module.state_dict()
    assert not module.eval().drop.training and module.train().norm.training
    right = Net(4).eval()
    right.load_state_dict(module.eval().state_dict())
    assert torch.equal(module(x, times=3), right(x, times=3)) and module.calls == 1
    module(x).pow(2).sum().backward()
    right(x).pow(2).sum().backward()
    assert all(torch.allclose(a.grad, b.grad) for a, b in zip(module.parameters(), right.parameters(), strict=True))
    with torch.no_grad():
        module.shift.fill_(9.0)
    copied = call(lambda one: one, module)
    assert copied.shift.tolist() == [9] * 4 and copied.shift is not module.shift


def test_dropout_falls_as_the_judge_says(get):
    weights, x = Net(4).state_dict(), torch.randn(5, 4)
    for ask in (run_module, module_gradients):
        found, want = (ask(kind, (4, 0.3), weights, True, x) for kind in (get("Net"), Net))
        pairs = zip(found.values(), want.values(), strict=True) if ask is module_gradients else [(found, want)]
        assert all(torch.allclose(one, other) for one, other in pairs)

    class Sevens(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            return args[0] * 7 if function is functional.dropout else function(*args, **(kwargs or {}))

    with Sevens():
        assert get("asks")(functional.dropout, torch.ones(1), 0.5).item() == 7
    assert FixedDropout


class Bomb:
    def __reduce__(self):
        return os.system, ("exit 1",)


def message(kind="value", head=None, body=None, specs=(), numbers=()) -> bytes:
    parcel = Parcel(None)
    parcel.specs, parcel.numbers = list(specs), list(numbers)
    return b"".join(parcel.message(kind, head, body))


PICKLE = pickle.dumps(Bomb())
ONE = ["float32", [1], [0], False, False]
MODULE = ["module", 0, "Net", ["list", ["tuple", "x", "Net", ["dict"], ["dict"], ["dict"]]]]
HARM = {
    "nothing": b"",
    "no JSON": b"\0\0\0\4pipe",
    "a pickle": PICKLE,
    "a pickle as a value": message(
        body=["pickle", ["bytes", ["array", ["tensor", 0]]]],
        numbers=[PICKLE],
        specs=[["uint8", [len(PICKLE)], [0], False, False]],
    ),
    "nested": b"\0\1\x86\xa0" + b"[" * 100_000,
    "too much JSON": b"\xff\xff\xff\xff" + b"1" * 100,
    "a wrong dtype": message(body=["tensor", 0], specs=[["os", [1], [0], False, False]], numbers=[b"1234"]),
    "a huge shape": message(body=["tensor", 0], specs=[["float32", [10**12], [0], False, False]], numbers=[b"1234"]),
    "axes": message(body=["tensor", 0], specs=[["float32", [1], [7], False, False]], numbers=[b"1234"]),
    "an unknown kind": message(body=["eval", "1"]),
    "an unknown tensor": message(body=["tensor", 5]),
    "a generator": message(body=["Generator", ["tensor", 0]], specs=[ONE], numbers=[b"1234"]),
    "a module without parts": message(body=MODULE),
    "a part of no class": message(body=["module", 0, "Net", ["list", ["tuple", "x", "functional", 1, 2, 3]]]),
    "no pair": message(body=3),
    "an error of no type": message("error", body=["tuple", "eval", "E", "", "", 0, -1]),
    "an error of a name": message("error", body=["tuple", "ValueError", "\0", "", "", 0, -1]),
    "an error too short": message("error", body=["tuple"]),
    "changes of nothing": message(body=["tuple", 1, ["list", ["tuple", 7, 8]]]),
}


@pytest.mark.parametrize("name", HARM)
def test_a_message_that_means_harm_is_an_exception(name):
    wire = Wire(lambda: HARM[name], lambda *pieces: None, is_judge=True)
    with pytest.raises((Gone, Exception)):
        wire.call(0, "", 1)


CALLS = [
    [0, "", True, -1],
    [0, "train", True, -1],
    [99, "", True, -1],
    ["0", "", True, -1],
    [0, "", "yes", -1],
    3,
    None,
]


@pytest.mark.parametrize("head", CALLS)
def test_a_submission_calls_only_what_it_was_given(head):
    """The judge says so to the other end and goes on waiting."""
    sent, told = [], []
    asks = message("call", head, ["tuple", ["tuple"], ["dict"]])
    answers = iter([asks, message(body=["tuple", 5, ["list"]])])
    wire = Wire(lambda: next(answers), lambda *pieces: sent.append(b"".join(pieces)), is_judge=True)
    wire.mine.append(lambda: told.append(1))
    assert wire.call(0, "", 1) == 5
    assert Message(sent[1]).kind == ("value" if told else "error") and bool(told) == (head == CALLS[0])


@given(st.data())
def test_damaged_messages_never_do_more_than_raise(data):
    whole = bytearray(message(body=["tuple", ["tensor", 0], ["list"]], specs=[ONE], numbers=[b"1234"]))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    answers = iter([bytes(whole)])
    wire = Wire(lambda: next(answers), lambda *pieces: None, is_judge=True)
    try:
        wire.call(0, "", 1)
    except (Gone, Exception):
        pass


EXERCISES = {one.number: one for chapter in chapters() for one in exercises(chapter) if one.parts}
LONG = {"2.2", "8.1", "9.1", "9.3"}  # thousands of calls; 5.3 is a test that a learner writes, too
LONG |= {number for number, one in EXERCISES.items() if one.seconds > 100}  # those that train something


@pytest.mark.parametrize("number", sorted(EXERCISES.keys() - LONG))
def test_answers_are_judged_across_the_wire_as_they_are_here(ends, number):
    """The solution, and the first mistake of each thing that is asked for."""
    here, there = ends
    exercise = EXERCISES[number]
    answers = [exercise.solution]
    for place, part in enumerate(exercise.parts):
        for wrong in list(part.wrong.values())[:1]:
            parts = [other.solution for other in exercise.parts]
            parts[place] = wrong
            answers.append(tuple(parts) if len(parts) > 1 else wrong)
    for answer in answers:
        THINGS["answer"] = lambda answer=answer: answer
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            expected = judged(exercise, answer, 7, 60.0)
            torch.manual_seed(0)
            found = judged(exercise, here.call(0, "", "answer")(), 7, 60.0)
        assert found == expected
        here.forget()
        there.forget(THINGS.get)


def test_what_a_call_costs_is_counted_in_the_process_where_it_runs(get):
    x = torch.ones(3, 5)
    (found, there), (want, here) = metered(get("squares"), x), metered(THINGS["squares"], x)
    assert torch.equal(found, want) and there == here == (3 * 3 * 5, 9, 1, 9)
