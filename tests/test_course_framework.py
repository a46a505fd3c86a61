"""The framework behind the checks: it cannot be hung, leaves no trace, and makes sense of any answer."""

import random
import re
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from minibert.course import check, examine, hint, passed, plan
from minibert.course import exercises as chapters_of
from minibert.course.exercise import Crash, Exercise, NotAttempted, Wrong
from minibert.course.explain import explain
from minibert.course.limits import GRACE, run_limited
from minibert.course.tools import call, copied, expect_like, expect_steady, expect_tensor, make_module, show

HINTS = ("one", "two", "three")


def exercise(*checks, solution=len) -> Exercise:
    parts = tuple(SimpleNamespace(name="answer", solution=solution, check=one) for one in checks)
    return Exercise(5, 1, "answer(x (N,)) -> (N,)", HINTS, parts, number="5.1")


@pytest.fixture
def replaced(monkeypatch):
    """Put another check behind 5.1."""

    def put(*checks, **more):
        monkeypatch.setattr(chapters_of, "exercises", lambda chapter: [exercise(*checks, **more)])

    return put


def one_call(answer, rng):
    expect_tensor("output", call(answer, torch.ones(3)), (3,))


def endless(*_):
    while True:
        pass


def stubborn(*_):
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


def catches_everything_for_a_while(*_):
    for _ in range(3):
        try:
            while True:
                pass
        except BaseException:
            pass


def sleeps(*_):
    time.sleep(60)  # one call into C that lets other threads run: left behind


@pytest.mark.parametrize("answer", [endless, stubborn, catches_everything_for_a_while, sleeps])
def test_endless_code_is_given_up_in_time(answer):
    outcomes, before = [], set(threading.enumerate())
    waiter = threading.Thread(target=lambda: outcomes.append(examine("5.1", answer, seconds=0.2)), daemon=True)
    waiter.start()
    waiter.join(60)
    assert outcomes and outcomes[0].status == "too slow" and "never ends" in outcomes[0].message
    if answer is catches_everything_for_a_while:  # no further case is asked of it, and so its thread ends
        assert _ends(lambda: all(t in before or t.name != "minibert check" for t in threading.enumerate()))


def _ends(condition) -> bool:
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("answer", [stubborn, catches_everything_for_a_while])
def test_the_thread_of_an_endless_loop_ends(answer):
    """Also when it catches the request to stop: it is repeated."""
    before = set(threading.enumerate())
    assert run_limited(answer, 0.1) == (False, None)
    for _ in range(200):
        left = [t for t in threading.enumerate() if t not in before and t.name == "minibert check"]
        if not left:
            break
        time.sleep(0.05)
    assert not left
    assert GRACE <= 2


def test_code_that_prints_endlessly_keeps_the_memory(replaced, capsys):
    def chatters(x):
        while True:
            print("x" * 10_000)

    replaced(one_call)
    assert examine("5.1", chatters, seconds=0.3).status == "too slow"
    assert capsys.readouterr() == ("", "")


def make_hostile():
    def raises(error):
        def answer(*_):
            raise error

        return answer

    class Speechless(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    class Liar:
        def __call__(self, *_):
            return self

        def __eq__(self, other):
            return True

        def __getattr__(self, name):
            raise KeyError(name)

    def recursive(*_):
        return recursive()

    return {
        "sys.exit": raises(SystemExit(0)),
        "KeyboardInterrupt": raises(KeyboardInterrupt()),
        "generator exit": raises(GeneratorExit()),
        "an exception without words": raises(Speechless()),
        "two lines": raises(ValueError("first\nsecond")),
        "an address": raises(ValueError(f"no {object()!r}")),
        "endless recursion": recursive,
        "a liar": Liar(),
        "pretends to be wrong in our way": raises(Wrong("a", "b", "c")),
        "claims to be a stub with other words": raises(NotImplementedError("not yet")),
        "missing forward": nn.Module(),
    }


@pytest.mark.parametrize("name", make_hostile())
def test_no_exception_comes_out_and_no_traceback(name, capsys):
    check("5.1", make_hostile()[name])
    printed, errors = capsys.readouterr()
    assert printed.startswith("5.1 not yet\n") and errors == ""
    assert "Traceback" not in printed and "0x" not in printed and "second" not in printed.replace("seconds", "")
    assert len(printed.splitlines()) <= 4


def test_an_exception_shows_the_learners_line_and_the_cause(capsys):
    def attention(query, key, value, mask):
        scores = query @ key
        return scores

    check("5.1", attention)
    printed = capsys.readouterr().out
    line = attention.__code__.co_firstlineno + 1
    assert f"(line {line}, `scores = query @ key`)" in printed and "transpose(-2, -1) missing" in printed

    def helper(x):
        return nn.functional.softmax(x.long(), dim=-1)  # fails inside torch; the learner's line is this one

    def calls_helper(query, key, value, mask):
        return helper(query)

    message = examine("5.1", calls_helper).message
    assert f"line {helper.__code__.co_firstlineno + 1}, `return nn.functional.softmax" in message and "dtype" in message


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (lambda: torch.ones(2, 3) @ torch.ones(4, 5), "2x3 by 4x5.*transpose"),
        (lambda: torch.ones(2, 3) + torch.ones(2, 4), "broadcast: 3 against 4"),
        (lambda: torch.ones(2, 3).view(4, 2), r"6 numbers do not fill the shape \[4, 2\]"),
        (lambda: torch.ones(2, 3).T.view(6), "reshape, or contiguous"),
        (lambda: torch.ones(2, 3) @ torch.ones(3, 2).double(), "dtype"),
        (lambda: torch.ones(2, 3).softmax(5), "fewer dimensions"),
        (lambda: nn.Embedding(3, 2)(torch.tensor([5])), "larger than the table"),
        (lambda: nn.Embedding(3, 2)(torch.ones(2)), "dtype"),
        (lambda: torch.ones(2).masked_fill(torch.ones(2), 0), "mask.bool"),
        (lambda: bool(torch.ones(2) > 0), "one yes or no"),
        (lambda: nn.Module()(3), "no method forward"),
        (lambda: torch.arange(3).softmax(-1), "dtype"),
        (lambda: None + 1, "^$"),
        (lambda: None.shape, "something is None"),
        (lambda: [1].shape, "torch.stack"),
        (lambda: missing_name, "missing_name is misspelt"),  # noqa: F821
        (lambda: torch.ones(6).view(2, 6 / 2), "divide with //"),
        (lambda: range(6 / 2), "divide with //"),
        (lambda: {}["x"], "no such key"),
        (lambda: torch.ones(2)[3], "larger than the table"),
    ],
)
def test_messages_of_torch_are_explained(code, says):
    with pytest.raises(Exception) as caught:
        code()
    assert re.search(says, explain(caught.value)), explain(caught.value)


def test_random_states_grad_mode_and_dtype_are_as_before(replaced, capsys):
    def noisy(x):
        torch.manual_seed(1), np.random.seed(1), random.seed(1)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        print("printed"), print("to stderr", file=sys.stderr)
        return torch.rand(3, dtype=torch.float32) + random.random() + float(np.random.rand())

    replaced(one_call)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            for answer in (noisy, endless, lambda x: 1 / 0):
                examine("5.1", answer, seconds=0.2 if answer is endless else 20)
                assert torch.equal(torch.get_rng_state(), states[0])
                assert (np.random.get_state()[1] == states[1]).all() and random.getstate() == states[2]
                assert torch.is_grad_enabled() == grad and torch.get_default_dtype() == torch.float32
    assert passed("5.1", noisy) and capsys.readouterr() == ("", "")


def test_global_random_numbers_follow_the_seed(replaced):
    seen = []

    def draws(x):
        seen.append(torch.rand(3))
        return seen[-1]

    replaced(one_call)
    for seed in (3, 3, 4):
        examine("5.1", draws, seed)
    assert torch.equal(seen[0], seen[1]) and not torch.equal(seen[0], seen[2])


def test_a_module_that_is_handed_in_stays_as_it_is(replaced):
    class Trampling(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

        def forward(self, x):
            with torch.no_grad():
                self.weight.add_(1)
            self.train(not self.training)
            self.extra = 1
            return x * self.weight

    replaced(one_call)
    module = Trampling().train()
    examine("5.1", module)
    assert module.training and not hasattr(module, "extra") and module.weight.tolist() == [1, 1, 1]


def test_changed_inputs_are_noticed_at_any_depth():
    for change, argument in (
        (lambda x: x.add_(1), torch.ones(2)),
        (lambda x: x[0].add_(1), [torch.ones(2)]),
        (lambda x: x.append(1), [1]),
        (lambda x: x["a"].zero_(), {"a": torch.ones(2)}),
        (lambda x: x.update(b=1), {"a": 1}),
        (lambda x: x["a"].append(1), {"a": [1]}),
        (lambda x: x.resize_(3), torch.ones(2)),
    ):
        before = show(argument) if not isinstance(argument, dict) else repr(argument)
        with pytest.raises(Wrong, match="your code changes"):
            call(change, argument)
        assert before == (show(argument) if not isinstance(argument, dict) else repr(argument)), "ours is never changed"
    assert call(lambda x: x.isnan().all().item(), torch.tensor([float("nan")])) is True
    assert call(lambda *, x: x, x=3) == 3


def test_generators_and_gradients_survive_copying():
    rng = torch.Generator().manual_seed(3)
    first, second = (call(lambda g: torch.rand(2, generator=g), rng) for _ in range(2))
    assert torch.equal(first, second), "each call gets the generator in the state it was handed in"
    assert copied(torch.ones(2, requires_grad=True)).requires_grad
    handle = threading.Lock()
    assert copied(handle) is handle


def test_two_calls_may_differ_by_rounding_and_by_no_more():
    calls = iter([0.0, 1e-7, 0.0, 1e-4])
    assert expect_steady(lambda x: x + next(calls), torch.ones(3)).tolist() == [1.0] * 3
    with pytest.raises(Wrong, match="two calls"):
        expect_steady(lambda x: x + next(calls), torch.ones(3))


def test_a_module_must_be_one_and_follow_the_mode():
    class Always(nn.Module):
        def forward(self, x):
            return nn.functional.dropout(x, 0.5)

    x = torch.ones(64)
    assert not make_module(nn.Dropout, 0.5).training
    expect_steady(make_module(nn.Dropout, 0.5), x)
    with pytest.raises(Wrong, match=r"self\.training"):
        expect_steady(make_module(Always), x)

    class Deaf(nn.Module):
        def train(self, mode=True):
            return super().train(True)

    with pytest.raises(Wrong, match="still in train mode"):
        make_module(Deaf)
    with pytest.raises(Wrong, match=r"class Name\(nn.Module\)"):
        make_module(dict)

    class NoSuper(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 2)

    with pytest.raises(Crash, match=r"super\(\).__init__"):
        make_module(NoSuper)


@pytest.mark.parametrize(
    ("got", "says"),
    [
        (None, "return"),
        ([1.0, 2.0], "torch.stack"),
        (np.ones(2), "numpy"),
        ((torch.ones(2), 1), "one tensor only"),
        (1.0, "plain Python number"),
        (torch.ones(3), "dimension 0 has 3 entries where 2 belong"),
        (torch.ones(2, 1), "too many"),
        (torch.ones(2).double(), "float64"),
        (torch.tensor([1.0, float("nan")]), r"1 of 2 numbers are NaN, the first at index \(1,\)"),
        (torch.tensor([1.0, float("-inf")]), "infinity"),
        (torch.tensor([1.0, 2.001]), "2.001"),
    ],
)
def test_results_of_the_wrong_kind_are_named(got, says):
    with pytest.raises(Wrong, match=says):
        expect_like("output", got, torch.tensor([1.0, 2.0]))


def test_comparisons_refuse_what_only_looks_equal():
    class AlwaysEqual(torch.Tensor):
        def __eq__(self, other):
            return True

        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            return (
                True if function is torch.allclose else super().__torch_function__(function, types, args, kwargs or {})
            )

    with pytest.raises(Wrong):
        expect_like("output", torch.zeros(2).as_subclass(AlwaysEqual), torch.ones(2))
    for got, want in ((True, 1), (1.0, 1), ((1,), [1]), ([1, 2], [1]), ("a", "b"), ({"a": 1}, {"a": 2})):
        with pytest.raises(Wrong):
            expect_like("count", got, want)
    for got in (True, None, "1", float("nan"), torch.ones(2), 1.01, [1.0]):
        with pytest.raises(Wrong):
            expect_like("share", got, 1.0)
    for got in (1, 1.0, torch.tensor(1.0), np.float32(1.0)):
        expect_like("share", got, 1.0)
    large = torch.zeros(4, 5)
    with pytest.raises(Wrong) as caught:
        expect_like("output", large + torch.eye(4, 5), large)
    assert caught.value.seen == "output[0, 0] is 1; 4 of 20 numbers differ"


@pytest.mark.parametrize("solution", [len, nn.Linear])
def test_the_wrong_kind_of_answer_is_named(replaced, solution):
    replaced(lambda answer, rng: None, solution=solution)
    for answer in (5, "5", [1], torch.ones(2), *{len, nn.Linear} - {solution}):
        outcome = examine("5.1", answer)
        assert outcome.status == "wrong" and "this is something else" in outcome.message, outcome
    assert passed("5.1", solution)
    replaced(lambda answer, rng: None, lambda answer, rng: None)
    for answer in (len, (len,), (len, 5)):
        outcome = examine("5.1", answer)
        assert outcome.status == "wrong"
        assert "this is something else" in outcome.message or "the answer is one thing" in outcome.message, outcome
    assert outcome.credit == 0.5 and passed("5.1", (len, len))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2) | st.tuples(inner)
    ),
    max_leaves=5,
)
SHAPES = st.lists(st.integers(0, 3), max_size=4)


def test_one_blank_of_several_is_not_the_stub():
    assert examine("5.2", (..., None)).status == "not attempted" == examine("5.2", ...).status
    assert examine("5.2", (..., lambda x, H: x)).status != "not attempted"
    assert examine("5.2", ()).status == "wrong"


@given(JUNK)
def test_junk_never_passes_and_never_raises(answer):
    assert examine("5.1", answer).status in ("wrong", "not attempted")


@given(JUNK | SHAPES.map(torch.zeros) | SHAPES.map(lambda s: np.zeros(s, dtype=np.float32)))
def test_functions_that_return_junk_never_pass(result):
    outcome = examine("5.1", lambda query, key, value, mask: result)
    assert outcome.status == "wrong" and "cannot make sense" not in outcome.message, outcome.message


@given(st.integers(0, 6))
def test_functions_with_another_number_of_parameters_hear_of_the_signature(count):
    names = ", ".join(f"p{i}" for i in range(count))
    answer = eval(f"lambda {names}: None")
    outcome = examine("5.1", answer)
    assert outcome.status == ("wrong" if count == 4 else "error")
    assert count == 4 or "attention(query" in outcome.message


def test_not_attempted_is_told_from_torch_refusing(replaced):
    with pytest.raises(NotAttempted):
        call(lambda: (_ for _ in ()).throw(NotImplementedError()))
    with pytest.raises(Crash):
        call(lambda: torch.arange(3).softmax(-1))


@pytest.mark.parametrize("number", ["", "5", "5.99", "99.1", "a.b", "5.1.1", 5.1, None, "٥.١"])
def test_unknown_exercises_are_refused(number):
    for function in (lambda: check(number, 1), lambda: hint(number, 1), lambda: passed(number, 1)):
        with pytest.raises(ValueError, match=r"exercise"):
            function()


def test_bad_arguments_are_refused():
    for level in (0, 4, True, "1", 1.0):
        with pytest.raises(ValueError, match="hint level"):
            hint("5.1", level)
    for seed in (-1, 1.5, True, "1", 2**63):
        with pytest.raises(ValueError, match="seed"):
            examine("5.1", 1, seed)
    for seconds in (0, -1, "1", float("nan"), True):
        with pytest.raises(ValueError, match="seconds"):
            examine("5.1", 1, seconds=seconds)
    for chapter in (99, "5", True, 5.0):
        with pytest.raises(ValueError, match="no exercises for chapter"):
            plan(chapter)
    for fields in (dict(number="five"), dict(hints=("a", "b")), dict(difficulty=9), dict(minutes=0)):
        good = dict(number="5.1", title="t", minutes=1, difficulty=1, signature="f()", hints=HINTS, parts=())
        with pytest.raises(ValueError):
            Exercise(**(good | fields))


def test_a_check_that_fails_by_itself_still_answers(replaced, capsys):
    replaced(lambda answer, rng: answer.nonsense)
    check("5.1", len)
    assert "cannot make sense of this answer" in capsys.readouterr().out


def test_hints_and_the_plan_are_printed(capsys):
    for level in (1, 2, 3):
        hint("5.1", level)
    plan()
    printed = capsys.readouterr().out
    assert all(f"5.1, hint {level} of 3" in printed for level in (1, 2, 3)) and "20 min" in printed
