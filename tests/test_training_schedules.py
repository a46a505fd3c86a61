"""Schedules against numbers worked by hand, and their classic mistakes."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibert.training.schedules import linear_decay, trapezoid


def check_bert(schedule):
    expected = {0: 0.0, 1: 1e-4, 5_000: 0.5, 9_999: 0.9999, 10_000: 0.99, 10_001: 0.989999, 500_000: 0.5}
    expected |= {999_999: 1e-6, 1_000_000: 0.0}
    for step, value in expected.items():
        assert math.isclose(schedule(step, 1_000_000, 10_000), value, abs_tol=1e-12), step


def test_berts_numbers():
    check_bert(linear_decay)
    assert linear_decay(0, 10) == 1.0 and linear_decay(12, 10) == 0.0


@pytest.mark.parametrize(
    "mutant",
    [
        lambda s, n, w: (s + 1) / w if s < w else 1 - s / n,  # warm-up from 1
        lambda s, n, w: s / w if s < w else (n - s) / (n - w),  # decay from the peak: the common repair
        lambda s, n, w: s / w if s <= w else 1 - s / n,  # peak reached once
        lambda s, n, w: min(s / w, 1 - s / n) if s else 1.0,  # step 0 at full rate
        lambda s, n, w: s / w * (1 - s / n) if s < w else 1 - s / n,  # decay inside the warm-up: no drop
    ],
)
def test_classic_bert_mistakes_turn_the_check_red(mutant):
    with pytest.raises(AssertionError):
        check_bert(mutant)


def check_trapezoid(schedule):
    values = {0: 0.0, 5: 0.5, 10: 1.0, 35: 1.0, 60: 1.0, 70: 0.5, 80: 0.292893, 90: 0.133975, 100: 0.0}
    for step, value in values.items():
        assert math.isclose(schedule(step, 100, 10, 40), value, abs_tol=5e-7), step


def test_the_1_sqrt_numbers():
    check_trapezoid(trapezoid)


@pytest.mark.parametrize(
    "shape, expected", [("1-sqrt", 0.292893), ("linear", 0.5), ("cosine", 0.5)], ids=["1-sqrt", "linear", "cosine"]
)
def test_shapes_and_floors(shape, expected):
    assert math.isclose(trapezoid(80, 100, 10, 40, shape), expected, abs_tol=5e-7)
    assert math.isclose(trapezoid(80, 100, 10, 40, shape, 0.1), 0.1 + 0.9 * expected, abs_tol=5e-7)
    assert trapezoid(60, 100, 10, 40, shape, 0.1) == 1.0
    assert math.isclose(trapezoid(100, 100, 10, 40, shape, 0.1), 0.1, abs_tol=1e-12)
    assert math.isclose(trapezoid(70, 100, 0, 40, "cosine"), (1 + math.sqrt(0.5)) / 2)


@pytest.mark.parametrize(
    "mutant",
    [
        lambda s, n, w, d: trapezoid(s, n, w, d, "linear"),
        lambda s, n, w, d: trapezoid(s, n, w, d, "cosine"),
        lambda s, n, w, d: trapezoid(s, n, w, d) if s < n - d else math.sqrt(1 - (s - n + d) / d),  # sqrt(1 - x)
        lambda s, n, w, d: trapezoid(s, n, 0, d),
        lambda s, n, w, d: trapezoid(s, n, w, d) if s <= n - d else 1 - math.sqrt((s - n + d) / n),  # x over the run
    ],
)
def test_classic_trapezoid_mistakes_turn_the_check_red(mutant):
    with pytest.raises(AssertionError):
        check_trapezoid(mutant)


@given(st.integers(1, 300), st.data())
def test_a_trapezoid_rises_stays_and_falls(total, data):
    warmup = data.draw(st.integers(0, total))
    decay = data.draw(st.integers(0, total - warmup))
    shape = data.draw(st.sampled_from(["1-sqrt", "linear", "cosine"]))
    floor = data.draw(st.floats(0, 1))
    values = [trapezoid(step, total, warmup, decay, shape, floor) for step in range(total + 3)]
    assert all(0.0 <= v <= 1.0 for v in values)
    rising, flat, falling = values[: warmup + 1], values[warmup : total - decay + 1], values[total - decay :]
    assert rising[:-1] == sorted(rising[:-1]) and set(flat[:-1]) <= {1.0}
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(falling))
    if decay:
        assert math.isclose(values[-1], floor, abs_tol=1e-12)


@given(st.integers(1, 300), st.data())
def test_bert_falls_from_one_minus_the_warm_up(total, data):
    warmup = data.draw(st.integers(0, total))
    values = [linear_decay(step, total, warmup) for step in range(total + 1)]
    assert all(0.0 <= v <= 1.0 for v in values) and values[-1] == 0.0
    if warmup:
        assert values[0] == 0.0 and math.isclose(values[warmup], 1 - warmup / total, abs_tol=1e-12)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: linear_decay(-1, 10), "count from 0"),
        (lambda: linear_decay(0, 0), "fit together"),
        (lambda: linear_decay(0, 10, 11), "fit together"),
        (lambda: trapezoid(0, 10, 6, 5), "fit together"),
        (lambda: trapezoid(0, 10, -1), "fit together"),
        (lambda: trapezoid(0, 10, shape="sqrt"), "choose '1-sqrt'"),
        (lambda: trapezoid(0, 10, floor=1.1), "floor must"),
    ],
)
def test_bad_input_is_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()
