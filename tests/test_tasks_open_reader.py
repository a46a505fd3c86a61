"""The rota of 2.3: a duty follows from the nearest name and the nearest day, and from nothing less."""

from collections import defaultdict

import pytest
import torch

from minibert.tasks.open_reader import DUTIES, HIDDEN, PAD, own_rota


def nearest(rota, side: int) -> list[tuple[int, ...]]:
    """The words of each sentence on one side of its duty, the nearest first."""
    found = []
    for row, place in zip(rota.rows.tolist(), rota.places.tolist(), strict=True):
        words = row[:place][::-1] if side < 0 else [word for word in row[place + 1 :] if word != PAD]
        found.append(tuple(words))
    return found


@pytest.mark.parametrize("seed", [0, 1, 1234])
def test_the_duty_follows_from_the_nearest_name_and_day_and_from_no_side_alone(seed):
    rota = own_rota(seed)
    duties = rota.rows[torch.arange(len(rota.rows)), rota.places].tolist()
    assert len(set(duties)) == DUTIES and not (rota.rows == HIDDEN).any()
    left, right = nearest(rota, -1), nearest(rota, 1)
    fillers = set.intersection(*({words[0] for words in side} for side in (left, right)))  # a name or day never touches
    meant, alone = defaultdict(set), defaultdict(set)
    for before, after, duty in zip(left, right, duties, strict=True):
        name, day = (next(word for word in words if word not in fillers) for words in (before, after))
        meant[name, day].add(duty)
        alone[name].add(duty), alone[day].add(duty)
    assert len(meant) == DUTIES**2 and all(len(one) == 1 for one in meant.values())
    assert all(len(one) == DUTIES for one in alone.values()) and len(alone) == 2 * DUTIES


def test_another_seed_is_another_rota_and_the_answers_are_hidden():
    one, other = own_rota(0), own_rota(1)
    assert not torch.equal(one.asked[:, :5], other.asked[:, :5])
    each = torch.arange(len(one.asked))
    assert (one.asked[each, one.asked_places] == HIDDEN).all() and (one.asked == HIDDEN).sum() == len(each)
    shown = one.asked.clone()
    shown[each, one.asked_places] = one.answers
    assert set(one.answers.tolist()) == set(one.rows[torch.arange(len(one.rows)), one.places].tolist())
    assert not set(map(tuple, one.asked.tolist())) & set(map(tuple, shown.tolist()))
