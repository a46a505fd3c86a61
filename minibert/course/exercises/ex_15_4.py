"""15.4 Open task: four times the length, and the loss stays. The check measures on stories of its own."""

from collections.abc import Mapping

import torch
from torch import Tensor

from minibert.course.lab import Exercise, Lab, Wrong
from minibert.course.modules import expect_weights
from minibert.course.tools import call, kind_of, show
from minibert.tasks.open_tasks import (
    LONG,
    SHORT,
    THETA,
    encoder,
    held_out_loss,
    hide,
    long_rows,
    masked_loss,
    short_encoder,
)


def stretch(weights, rows):
    """Weights and a theta with which rows of 96 tokens cost what rows of 24 did: (weights, theta)."""
    theta, steps, rate = 160_000.0, 120, 4e-3
    model = encoder(weights, theta).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    for step in range(steps):
        batch = rows[torch.arange(4 * step, 4 * step + 4) % len(rows)]  # (4, 96)
        loss = masked_loss(model, *hide(batch, 0.3, seed=step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        optimizer.step()
    return model.state_dict(), theta


KEPT, ALLOWED = 1.05, 1.15  # times the loss that the given weights have on rows of 24: on rows of 96, and of 24
UNCHANGED = (
    "nothing is changed: at distances that training never showed, the rotation meets the weights for the first time"
)
THETA_ONLY = (
    "a larger theta alone slows the rotation and does not teach the weights what is new: tune them on `rows`, too"
)
MISMATCH = "the weights fit theta = 10,000, and another theta is returned: tune with the theta that you return"
LOST = "nothing is left of what the encoder knew: a lower learning rate, and rows of 96 tokens with 30 % of them hidden"
MORE = "on the way, and not there: more steps, a higher learning rate, or a learning rate that falls to 0"
FORGOT = "the short rows are forgotten: a lower learning rate, or one that falls to 0"
PAIR = "return weights, theta: a dictionary like the one that came in, and a number"


def taken(got, weights: dict[str, Tensor]) -> tuple[dict[str, Tensor], float]:
    """The weights and the theta that an answer gives back."""
    if type(got) not in (tuple, list) or len(got) != 2 or not isinstance(got[0], Mapping):
        raise Wrong(f"stretch returns {kind_of(got)}", "(weights, theta)", PAIR)
    theta = got[1].item() if isinstance(got[1], Tensor) and got[1].numel() == 1 else got[1]
    if isinstance(theta, bool) or not isinstance(theta, int | float) or not 1 < theta < 1e12:
        raise Wrong(f"theta is {show(theta)}", "a number above 1", PAIR)
    return expect_weights(got[0], weights, PAIR), float(theta)


def measure(answer, rng):
    """Stretch an encoder that read stories of this seed, and compare the losses on rows of both lengths."""
    seed = int(torch.randint(2**31, (), generator=rng))
    weights = short_encoder(seed)
    new, theta = taken(call(answer, weights, long_rows(seed)), weights)
    before = held_out_loss(weights, THETA, seed, SHORT)
    short, long = (held_out_loss(new, theta, seed, length) for length in (SHORT, LONG))
    if long <= KEPT * before and short <= ALLOWED * before:
        return
    seen = f"the loss on rows of {LONG} tokens is {show(round(long, 2))}, on rows of {SHORT} {show(round(short, 2))}"
    expected = f"at most {show(round(KEPT * before, 2))} and {show(round(ALLOWED * before, 2))}"
    raise Wrong(seen, expected, likely(weights, new, theta, seed, short / before, long / before))


def likely(weights, new, theta, seed, short, long):
    """What to try first; short and long are times the loss that there was."""
    if all(torch.equal(new[name], one) for name, one in weights.items()):
        return UNCHANGED if theta == THETA else THETA_ONLY
    if theta != THETA and held_out_loss(new, THETA, seed, LONG) < 0.9 * held_out_loss(new, theta, seed, LONG):
        return MISMATCH
    if long <= KEPT:
        return FORGOT
    return LOST if short > 1.6 else MORE


MISTAKES = {
    UNCHANGED: {"return model.state_dict(), theta": "return weights, 10_000.0"},
    THETA_ONLY: {"return model.state_dict(), theta": "return weights, theta"},
    MISMATCH: {"encoder(weights, theta).train()": "encoder(weights).train()"},
    MORE: {"4e-3": "1e-4"},
    LOST: {"4e-3": "0.1"},
    PAIR: {"return model.state_dict(), theta": "return model"},
    "your code changes": {"return model.state_dict(), theta": "rows[:] = 0\n    return model.state_dict(), theta"},
}

EXERCISE = Exercise(
    minutes=60,
    difficulty=4,
    signature="stretch(weights: a dict of tensors, rows (R, 96) int64) -> (weights, theta)",
    hints=(
        "Which angles has the encoder never met? A larger theta keeps the slow pairs within what they know. But what\n"
        "to make of long rows the weights must still learn, and that takes far fewer tokens than learning to read.",
        "rows (240, 96); hide(rows of a batch, rate, seed) -> inputs and labels, both (B, 96); masked_loss(model,\n"
        "inputs and labels) -> a scalar with a gradient; encoder(weights, theta) -> the model. 100 steps of 4 rows\n"
        "take seconds.",
        "model = the encoder with the given weights and the theta of your choice, in train mode\n"
        "for some dozen steps: the next few rows, some tokens hidden anew; the loss; one step of AdamW;\n"
        "                      a learning rate that falls to 0\n"
        "give back the weights of the model and this theta",
    ),
    parts=(Lab(stretch, lambda rng: [], MISTAKES, after=measure, coarse=True),),
    seconds=120.0,
)
