"""Answers to 9.3, five tests by properties; WRONG ones have one wrong test among four right ones."""

import random

import torch
from torch.nn import functional as F

from minibert.course.exercises import find


def seeded(*size, seed=1):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


def norm_at_width_two(norm):
    y = norm(torch.tensor([[1.0, 5.0], [-2.0, 9.0], [100.0, -1.0], [0.5, 1.5]]))
    torch.testing.assert_close(y.abs(), torch.ones(4, 2), atol=1e-3, rtol=0)
    assert y.sum(1).abs().max() < 1e-3


def norm_by_length(norm):
    y = norm(x=seeded(50, 3) * 5 + 7)
    assert all(abs(row.norm().item() - 3**0.5) < 1e-3 and abs(row.sum().item()) < 1e-3 for row in y)


def pool_with_more_padding(pool):
    hidden = seeded(3, 5, 4)
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])
    torch.testing.assert_close(pool(mask=mask, hidden=hidden)[2], hidden[2, 0])
    torch.testing.assert_close(pool(hidden, mask)[1], (hidden[1, 0] + hidden[1, 1]) / 2)


def pool_without_influence(pool):
    hidden, mask = seeded(2, 5, 4), torch.tensor([[True] * 4 + [False], [True] * 2 + [False] * 3])
    torch.testing.assert_close(pool(hidden, mask), pool(hidden.masked_fill(~mask[..., None], 77.0), mask))
    torch.testing.assert_close(pool(torch.ones(2, 5, 4), mask), torch.ones(2, 4))


def loss_by_gradient(loss):
    logits = torch.zeros(4, 2, requires_grad=True)
    loss(logits, torch.tensor([0, 1, 0, 1])).backward()
    pull = logits.grad.abs().sum(1)
    assert torch.allclose(pull, pull[:1].expand(4), atol=1e-5) and pull[0] > 0


def loss_pair_by_pair(loss):
    logits, labels = torch.tensor([[1.0, -2.0], [0.5, 3.0], [-1.0, 1.0]]), torch.tensor([0, 1, 0])
    alone = sum(loss(logits[i : i + 1], labels[i : i + 1]) for i in range(3)) / 3
    assert abs(loss(logits, labels) - alone) < 1e-4


def loss_by_mirror(loss):
    logits, labels = seeded(6, 2), torch.tensor([0, 0, 1, 0, 1, 0])
    assert torch.allclose(loss(logits, labels), loss(logits.flip(1), 1 - labels), atol=1e-4)


def bias_of_nothing(score):
    bias = torch.tensor([1.0, -2.0, 3.0])
    assert torch.allclose(score(torch.zeros(2, 4), torch.randn(3, 4), bias), bias.expand(2, 3), atol=1e-5)


def masking_by_three_counts(mask):
    ids = torch.arange(5, 1000).repeat(1500)
    inputs, labels = mask(ids, torch.Generator().manual_seed(3))
    assert torch.equal(labels[labels != -100], ids[labels != -100])
    chosen = (labels != -100).sum().item()
    counts = [((inputs == 4) & (labels != -100)).sum(), ((inputs == ids) & (labels != -100)).sum()]
    counts.append(chosen - sum(counts))
    expected = [0.8 * chosen, 0.1 * chosen, 0.1 * chosen]
    wobble = [abs(count.item() - want) / want for count, want in zip(counts, expected, strict=True)]
    assert max(wobble) < 0.03 and abs(chosen / len(ids) - 0.15) < 0.003


def masking_within_the_ids(mask):
    ids = torch.arange(500_000) % 995 + 5
    x, y = mask(ids.clone(), torch.Generator().manual_seed(1))
    chosen = y != -100
    assert abs(chosen.double().mean() - 0.15) < 0.005 and abs((x[chosen] == 4).double().mean() - 0.8) < 0.006
    assert abs((x[chosen] == ids[chosen]).double().mean() - 0.1) < 0.005
    strangers = x[chosen & (x != 4) & (x != ids)]
    assert strangers.min() >= 5 and strangers.max() <= 999


SOLUTION = find("9.3").solution
FIRST = (norm_at_width_two, pool_with_more_padding, loss_by_mirror, bias_of_nothing, masking_by_three_counts)


def instead(place, test):
    """The solution's tests with one of them replaced; what the solution says of a million tokens is kept."""
    return (*SOLUTION[:place], test, *SOLUTION[place + 1 :])


def asserts(place, claim):
    """A test that asserts whatever `claim` says of the function."""

    def test(given):
        assert claim(given)

    return instead(place, test)


def lenient_norm(norm):
    y = norm(seeded(20, 4) + 3)
    return y.mean(-1).abs().max() < 0.1 and (y.square().mean(-1) - 1).abs().max() < 0.1


def tiny_norm(norm):
    return torch.allclose(norm(1e-3 * seeded(20, 4)).square().mean(-1), torch.ones(20), atol=1e-3)


def first_text(pool):
    hidden, mask = seeded(1, 6, 3), torch.arange(6)[None] < 4
    return torch.allclose(pool(hidden, mask), pool(hidden[:, :4], mask[:, :4]), atol=1e-5)


def always_fails(given):
    raise AssertionError("no")


def swallows(given):
    try:
        given()
    except Exception:
        pass


def special_ids(mask):
    mask(torch.arange(1000), torch.Generator().manual_seed(0))


def changes_something(score):
    bias, rest = seeded(7), (seeded(3, 4), seeded(7, 4))
    return not torch.allclose(score(*rest, bias), score(*rest, torch.zeros(7)))


def equal_to_torch(norm):
    x = seeded(4, 8)
    return torch.equal(norm(x), F.layer_norm(x, (8,)))


def empty_text(pool):
    return not pool(seeded(2, 6, 3), torch.zeros(2, 6).bool()).any()


def sums_of_scores(score):
    bias, hidden, table = seeded(7), seeded(3, 4), seeded(7, 4)
    return torch.allclose(
        (score(hidden, table, bias) - score(hidden, table, 0 * bias)).sum(), 3 * bias.sum(), atol=1e-4
    )


def labels_agree(mask):
    ids = torch.arange(5, 1000).repeat(1100)
    inputs, labels = mask(ids, torch.Generator().manual_seed(1))
    return torch.equal(labels[labels != -100], ids[labels != -100]) and torch.equal(
        inputs[labels == -100], ids[labels == -100]
    )


RIGHT = {
    "one": FIRST,
    "other": [norm_by_length, pool_without_influence, loss_by_gradient, bias_of_nothing, masking_within_the_ids],
    "pair by pair": instead(2, loss_pair_by_pair),
}
WRONG = {
    "equal to torch's": (asserts(0, equal_to_torch), "norm_test: (?s:.)*last bit"),
    "standard deviation": (
        asserts(0, lambda norm: (norm(seeded(9, 4)).std(-1) - 1).abs().max() < 1e-3),
        "correction=0",
    ),
    "a tolerance of 0.1": (asserts(0, lenient_norm), "norm_test: (?s:.)*1e-3 or below"),
    "tiny inputs": (asserts(0, tiny_norm), "eps of 1e-5"),
    "shapes only": (asserts(0, lambda norm: norm(seeded(3, 4)).shape == (3, 4)), "Bessel"),
    "an empty text": (asserts(1, empty_text), "texts are not empty"),
    "sums of scores": (asserts(3, sums_of_scores), "entry by entry"),
    "labels agree": (asserts(4, labels_agree), "count all three"),
    "one text": (asserts(1, first_text), "two texts of different lengths"),
    "not negative": (asserts(2, lambda loss: loss(seeded(8, 2), torch.tensor([0, 1] * 4)) >= 0), "mirror images"),
    "floats as labels": (instead(2, lambda loss: loss(torch.zeros(2, 2), torch.tensor([0.0, 1.0]))), "calls loss with"),
    "changes something": (asserts(3, changes_something), "adds the bias twice"),
    "special ids": (instead(4, special_ids), "calls mask with"),
    "always fails": (instead(1, always_fails), "never calls pool"),
    "swallows": (instead(3, swallows), "calls score with"),
    "never calls": (asserts(0, lambda norm: random.random() >= 0), "never calls norm"),
    "returns": (instead(0, lambda norm: norm(seeded(2, 4)).sum() < 1), "returns (?s:.)*assert"),
    "three tests": (FIRST[:3], "3 things"),
}
