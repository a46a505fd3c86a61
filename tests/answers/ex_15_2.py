"""Answers to 15.2, a test of relativity."""

import torch


def draw(T=5, K=8):
    return torch.randn(2, T, K, generator=torch.Generator().manual_seed(3))


def all_shifts(scores):
    q, k = draw()
    at = torch.arange(5)
    first = scores(q, k, at)
    for start in range(1, 1996, 4):
        torch.testing.assert_close(scores(q, k, at + start), first, atol=2e-3, rtol=0)
    assert (scores(q, k, 2 * at) - first).abs().max() > 0.01


def constant_content(scores):
    query, key = torch.ones(8, 4), torch.ones(8, 4)
    far = scores(query=query, key=key, positions=torch.arange(8) + 1991)
    one = scores(query, key, torch.arange(8))
    assert torch.allclose(far, one, atol=1e-3)
    for row in range(1, 7):  # the same distance, the same score
        assert torch.allclose(one[row, 1:], one[row - 1, :-1], atol=1e-3)
    assert one[0].std() > 0.01
    mixed, other = draw(8, 4)
    assert torch.allclose(scores(mixed, other, torch.arange(8)), scores(mixed, other, torch.arange(8) + 508), atol=1e-3)


def shifts(*numbers, atol=2e-3, matter=True, pick=lambda x: x):
    def test(scores):
        q, k = draw()
        at = torch.tensor([0, 3, 4, 8, 20])
        here = scores(q, k, at)
        for number in numbers:
            assert torch.allclose(pick(scores(q, k, at + number)), pick(here), atol=atol)
        if matter:
            assert not torch.allclose(scores(q, k, at * 3), here, atol=0.01)

    return test


def passes(scores):
    scores(*draw(), torch.arange(5))


def floats(scores):
    scores(*draw(), torch.arange(5.0))


def too_far(scores):
    scores(*draw(), torch.arange(5) + 5000)


def three_axes(scores):
    scores(torch.randn(1, 5, 8), torch.randn(1, 5, 8), torch.arange(5))


def returns(scores):
    q, k = draw()
    return torch.allclose(scores(q, k, torch.arange(5)), scores(q, k, torch.arange(5) + 7), atol=1e-3)


def swallows(scores):
    try:
        scores()
    except Exception:
        pass


def always_fails(scores):
    scores(*draw(), torch.arange(5))
    raise AssertionError("no")


def not_nan(scores):
    q, k = draw()
    here = scores(q, k, torch.arange(5))
    for number in (1, 509, 999, 1990):
        assert not (scores(q, k, torch.arange(5) + number) - here).abs().max() > 1e-3
    assert not (scores(q, k, torch.arange(5) * 2) - here).abs().max() < 1e-2


RIGHT = {"all shifts": all_shifts, "constant content": constant_content, "two shifts": shifts(1, 505, 1937)}
WRONG = {
    "one small shift": (shifts(1), "shift far"),
    "even shifts": (shifts(10, 1900), "odd number"),
    "no change": (shifts(1, 1937, matter=False), "change the distances"),
    "a wide tolerance": (shifts(1, 501, atol=0.2), "15.2 not yet"),
    "equal bits": (shifts(1, 1937, atol=0.0), "tolerance of 0.001"),
    "across no border": (shifts(1, 1937), "begins again somewhere"),
    "the diagonal": (shifts(1, 1937, pick=torch.diagonal), "15.2 not yet"),
    "the first row": (shifts(1, 1937, pick=lambda x: x[0]), "all rows"),
    "the mean": (shifts(1, 1937, pick=torch.mean), "compare all scores"),
    "passes": (passes, "the same number to all"),
    "floats": (floats, "calls scores with"),
    "too far": (too_far, "calls scores with"),
    "three axes": (three_axes, "calls scores with"),
    "returns": (returns, "returns (?s:.)*assert"),
    "swallows": (swallows, "calls scores with"),
    "always fails": (always_fails, "15.2 not yet"),
    "not for NaN": (not_nan, "NaN"),
}
