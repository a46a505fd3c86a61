"""Chapter 5's checks accept what is right in another way, and tell a half-written answer from an empty one."""

import pytest
import torch

from minibert.course import examine
from minibert.course.exercise import STUB


def stub(*arguments):
    raise NotImplementedError(STUB)


def split_by_slices(x, heads):
    size = x.shape[-1] // heads
    return torch.stack([x[..., head * size : (head + 1) * size] for head in range(heads)], dim=1)


def split_by_einsum_of_axes(x, heads):
    return torch.stack(x.chunk(heads, dim=-1)).movedim(0, 1)


def merge_by_cat(x):
    return torch.cat(list(x.unbind(dim=1)), dim=-1)


def merge_by_contiguous_view(x):
    return x.permute(0, 2, 1, 3).contiguous().view(x.shape[0], x.shape[2], -1)


@pytest.mark.parametrize("split", [split_by_slices, split_by_einsum_of_axes])
@pytest.mark.parametrize("merge", [merge_by_cat, merge_by_contiguous_view])
def test_heads_may_be_split_and_merged_in_other_ways(split, merge):
    assert examine("5.2", (split, merge)).status == "passed"
    assert examine("5.2", [split, merge]).status == "passed"


def test_two_stubs_are_not_attempted_and_one_is_half_an_answer():
    assert examine("5.2", (stub, stub)).status == "not attempted"
    assert "merge_heads is not written" in examine("5.2", (split_by_slices, stub)).message
    assert "split_heads is not" in examine("5.2", (stub, merge_by_cat)).message


@pytest.mark.parametrize("answer", [split_by_slices, (1, 2), "split", {}, (split_by_slices, merge_by_cat, stub)])
def test_other_things_than_two_functions_are_named(answer):
    outcome = examine("5.2", answer)
    assert outcome.status == "wrong" and "split_heads" in outcome.message


def two_texts(generator, width=4, padding=1):
    long, short = torch.randn(4, width, generator=generator), torch.randn(2, width, generator=generator)
    x = torch.randn(2, 4 + padding, width, generator=generator)
    x[0, :2], x[1, :4] = short, long
    mask = torch.tensor([[1, 1, 0, 0] + [0] * padding, [1, 1, 1, 1] + [0] * padding])
    return short, long, x, mask


@pytest.mark.parametrize("padding", [0, 1, 12])
@pytest.mark.parametrize("as_bool", [True, False])
def test_a_padding_test_may_be_written_in_other_ways(padding, as_bool):
    def by_testing(attention):
        short, long, x, mask = two_texts(torch.Generator().manual_seed(0), 16, padding)
        mask = mask.bool() if as_bool else mask
        together = attention(mask=mask, x=x)
        torch.testing.assert_close(together[0, :2], attention(short[None], mask[:1, :2])[0])
        torch.testing.assert_close(together[1, :4], attention(long[None], mask[1:, :4])[0])

    def by_difference(attention):
        short, long, x, mask = two_texts(torch.Generator().manual_seed(1), 3, padding)
        wide, together = torch.cat([x, torch.randn(2, 9, 3)], dim=1), attention(x, mask)
        wider = attention(wide, torch.cat([mask, torch.zeros(2, 9, dtype=torch.long)], dim=1))
        for row, text in enumerate((short, long)):
            alone = attention(text[None], torch.ones(1, len(text)))[0]
            assert (together[row, : len(text)] - alone).abs().max() < 1e-4, "padding leaks"
            assert (wider[row, : len(text)] - alone).abs().max() < 1e-4, "padding leaks"

    assert examine("5.3", by_testing).message == "5.3 passed"
    assert examine("5.3", by_difference).message == "5.3 passed"


def test_a_padding_test_that_knows_too_little_never_passes():
    def only_nan(attention):
        _, _, x, mask = two_texts(torch.Generator().manual_seed(0))
        assert attention(x, mask).isfinite().all()

    def always_fails(attention):
        raise AssertionError("no")

    def swallows(attention):
        try:
            attention(None, None)
        except Exception:
            pass

    for test in (only_nan, always_fails, swallows, lambda: None, lambda attention: attention):
        outcome = examine("5.3", test)
        assert outcome.status in ("wrong", "error") and "Traceback" not in outcome.message, outcome


@pytest.mark.parametrize("seed", [0, 26, 74, 107, 137])  # with these seeds two scores of thousands lie close together
def test_attention_may_round_in_another_order(seed):
    def divides_last(query, key, value, mask):
        scores = (query @ key.mT / query.shape[-1] ** 0.5).masked_fill(~mask, float("-inf"))
        return scores.softmax(-1).masked_fill(~mask, 0) @ value

    def divides_first(query, key, value, mask):
        bias = torch.zeros(mask.shape).masked_fill(~mask, -1e30)
        return ((query * query.shape[-1] ** -0.5) @ key.mT + bias).softmax(-1).where(mask, 0.0) @ value

    assert examine("5.1", divides_last, seed).message == "5.1 passed"
    assert examine("5.1", divides_first, seed).message == "5.1 passed"
