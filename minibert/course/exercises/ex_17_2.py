"""17.2 A schedule without an end. When it begins, nobody knows how long it runs."""

import torch

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.tools import call


def multiplier(step, warmup, start, decay, floor, power):
    """What the learning rate is multiplied with at a step from 0; `start` is None as long as no decay has begun."""
    if step < warmup:
        return step / warmup
    if start is None or step < start:
        return 1.0
    share = min((step - start) / decay, 1.0)  # the part of the decay that is over; 1 from its end on
    return floor + (1.0 - floor) * (1.0 - share**power)


def asked(answer, steps, *settings):
    """The multipliers of several steps."""
    return tuple(call(answer, step, *settings) for step in steps)


def cases(rng):
    def case(warmup, start, decay, floor, steps, cause, power=0.5):
        settings = f"warmup {warmup}, start {start}, decay {decay}, floor {floor:g}, power {power:g}"
        items = tuple(f"the multiplier at step {step}" for step in steps)
        return Case(
            (steps, warmup, start, decay, floor, power), cause, f"({settings})", items=items, run=asked, tolerance=1e-6
        )

    up = "step / warmup during the warm-up: 0 at step 0, and 1 first at step `warmup`"
    down = "x = (step - start) / decay is the part of the decay that is over; the fall is 1 - x ** power"
    yield case(10, None, 40, 0.0, [0, 1, 5, 9, 10, 11, 500], up)
    yield case(10, 60, 40, 0.0, [0, 5, 10, 59, 60, 61, 70, 80, 90, 99, 100], down)
    yield case(10, 60, 40, 0.0, [101, 150, 9999], "after the decay the multiplier stays at floor")
    lifted = "floor + (1 - floor) (1 - x ** power): 1 at start, floor at the end"
    yield case(10, 60, 40, 0.2, [5, 10, 60, 64, 70, 90, 100, 120], lifted)
    yield case(0, 3, 9, 0.0, [0, 1, 2, 3, 4, 7, 12], "without warm-up the plateau begins at step 0")
    yield case(0, None, 9, 0.5, [0, 1, 100], "without warm-up and without a start of the decay all is plateau")
    for power in (1.0, 0.3, 2.0):
        yield case(2, 8, 16, 0.1, [8, 9, 12, 16, 20, 24], "the fall is 1 - x ** power", power=power)
    yield case(0, 0, 10, 0.2, [0, 1, 5, 10, 11], "the decay may begin at step 0; 0 is a step, and no None")
    short = "the decay may begin where the warm-up ends: there is no plateau then"
    yield case(7, 7, 4, 0.1, [6, 7, 8, 9, 10, 11, 12], short)
    yield case(4, 20, 1, 0.05, [19, 20, 21], "a decay of one step: 1 at its start, floor one step later")
    yield case(3, 5, 10**6, 0.0, [4, 5, 6, 250_005], down)
    for _ in range(4):
        warmup, gap, decay = (int(torch.randint(1, 60, (), generator=rng)) for _ in range(3))
        floor = round(float(torch.rand((), generator=rng)) / 2, 3)
        start = warmup + gap
        inside = torch.randint(0, start + decay + 5, (6,), generator=rng).tolist()
        yield case(warmup, start, decay, floor, [*inside, start, start + 1, start + decay - 1], down, 0.7)


UP, PASSED, FALL = "step / warmup", "min((step - start) / decay, 1.0)", "floor + (1.0 - floor) * (1.0 - share**power)"
BEFORE, PLATEAU = "if step < warmup:", "if start is None or step < start:"
MISTAKES = {
    "the decay is counted from step 0, not from its start: x = (step - start) / decay": {
        PASSED: "min(step / (start + decay), 1.0)"
    },
    "x is the step over the length of the decay; take the start off first": {PASSED: "min(step / decay, 1.0)"},
    "a start of 0 is taken for None; 0 is a step like any other": {PLATEAU: "if not start or step < start:"},
    "the whole schedule falls from step 0, as in BERT's; between warm-up and start it is 1": {
        "        return 1.0\n": "        return 1.0 if start is None else 1.0 - step / (start + decay)\n"
    },
    "the decay is counted from the end of the warm-up; it begins at `start`": {
        PASSED: "max(0.0, min((step - warmup) / (start + decay - warmup), 1.0))"
    },
    "the decay ends at step `decay`; that is its length, it ends at start + decay": {
        PASSED: "min((step - start) / max(decay - start, 1), 1.0)"
    },
    "`start` is counted from the end of the warm-up; it is a step, counted from 0": {
        PLATEAU: "if start is None or step < start + warmup:",
        PASSED: "min((step - start - warmup) / decay, 1.0)",
    },
    "the decay is off by one: at step `start` the multiplier is still 1": {
        PASSED: "min((step - start + 1) / decay, 1.0)"
    },
    "the decay is off by one: it begins a step too late": {PASSED: "max(0.0, min((step - start - 1) / decay, 1.0))"},
    "the decay is off by one: it reaches floor at step start + decay, not one earlier": {
        PASSED: "min((step - start) / max(decay - 1, 1), 1.0) if step > start or decay > 1 else 0.0"
    },
    "the decay is off by one: it reaches floor at step start + decay, not one later": {
        PASSED: "min((step - start) / (decay + 1), 1.0)"
    },
    "the warm-up is off by one: step 0 has the multiplier 0, step `warmup` is the first with 1": {
        UP: "(step + 1) / warmup"
    },
    "the warm-up is off by one: it reaches 1 at step `warmup`": {UP: "step / max(warmup - 1, 1)"},
    "the warm-up is off by one: it has `warmup` steps, and divides by one more": {UP: "(step + 1) / (warmup + 1)"},
    "there is no warm-up": {BEFORE: "if False:"},
    "the warm-up rises as a root; it is linear": {UP: "(step / warmup) ** 0.5"},
    "the decay is always 1 - sqrt(x); power says which root or power of x it is": {"share**power": "share**0.5"},
    "the decay is always linear; it is 1 - x ** power": {"share**power": "share"},
    "this is (1 - x) ** power; it is 1 - x ** power": {"(1.0 - share**power)": "(1.0 - share) ** power"},
    "this is (1 - x ** power) squared; it is 1 - x ** power": {FALL: f"{FALL} ** 2"},
    "this is 1 - x ** (1 / power); it is 1 - x ** power": {"share**power": "share ** (1 / power)"},
    "the decay is a cosine; it is 1 - x ** power": {
        "(1.0 - share**power)": "(1.0 + __import__('math').cos(3.141592653589793 * share)) / 2"
    },
    "the decay cuts off at floor; it reaches floor at its end only: floor + (1 - floor) (1 - x ** power)": {
        FALL: "max(floor, 1.0 - share**power)"
    },
    "floor is added and the fall not shortened: at the start this is more than 1": {
        FALL: "floor + (1.0 - share**power)"
    },
    "floor is not used: the decay ends there": {FALL: "1.0 - share**power"},
    "after the decay the multiplier is 1 again; it stays at floor": {
        PLATEAU: "if start is None or step < start or step > start + decay:"
    },
    "after the decay the multiplier is 0; it stays at floor": {FALL: f"({FALL}) if step <= start + decay else 0.0"},
    "after the decay the fall goes on; x is 1 at most": {PASSED: "(step - start) / decay"},
    "without a start nothing decays: `start` None is a plateau without end": {
        PLATEAU: "start = warmup if start is None else start\n    if step < start:"
    },
    "with warmup 0 this divides by 0; there is no warm-up then": {BEFORE: "if step <= warmup:"},
    "with warmup 0 the multiplier of step 0 is 1": {BEFORE: "if step == 0:\n        return 0.0\n    if step < warmup:"},
}

EXERCISE = Exercise(
    minutes=15,
    difficulty=2,
    signature="multiplier(step, warmup, start, decay, floor, power) -> float",
    hints=(
        "Four stretches, one after the other: up, plateau, down, floor. Say of each at which step it begins, and look\n"
        "at that step: both neighbours must agree there.",
        "numbers only. The warm-up has the steps 0 ... warmup - 1; the plateau ends before `start`; x goes from 0 at\n"
        "`start` to 1 at start + decay, and stays 1.",
        "during the warm-up: the share of it that is over\n"
        "no start yet, or not there yet: one\n"
        "else: x = steps since the start, as a share of the decay, one at most\n"
        "      fall from one to floor as x to the given power rises from zero to one",
    ),
    parts=(Lab(multiplier, cases, MISTAKES, run=asked, in_pairs=False),),
)
