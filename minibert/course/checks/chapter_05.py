"""Chapter 5, attention: the checks of its exercises. Exercise 5.1 is the model for all others."""

import math

import torch
from torch import Tensor

from minibert.course.checks.chapter_05_heads import check_heads
from minibert.course.checks.chapter_05_padding import check_padding_test
from minibert.course.exercise import Exercise, Wrong
from minibert.course.expect import expect_close, expect_steady
from minibert.course.tools import call, expect_tensor


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> Tensor:
    """The right answer (with scale K ** -0.5): hidden keys get weight 0, a query that sees nothing gets zeros."""
    scores = (query @ key.mT * scale).masked_fill(~mask, -1e30)  # (..., T, S)
    return (scores.softmax(dim=-1) * mask) @ value


def _check_attention(answer, rng: torch.Generator) -> None:
    # Shape and steadiness, with all sizes different so that a transpose cannot hide.
    query = torch.randn(2, 3, 4, 6, generator=rng)  # (B, H, T, K)
    key, value = (torch.randn(2, 3, 5, 6, generator=rng) for _ in range(2))  # (B, H, S, K)
    everything = torch.ones(2, 1, 4, 5, dtype=torch.bool)
    # Three numbers by hand: K = 4, the scores over sqrt(4) are log 1, log 2, log 5, so the weights are 1/8, 2/8, 5/8.
    one = torch.tensor([[[[2.0, 0, 0, 0]]]])  # (1, 1, 1, 4)
    keys = torch.zeros(1, 1, 3, 4)
    keys[0, 0, :, 0] = torch.tensor([math.log(w) for w in (1, 2, 5)])
    values = 8 * torch.eye(3, 4)[None, None]
    seen = torch.ones(1, 1, 1, 3, dtype=torch.bool)
    turned = "the mask is turned round: True marks the keys that may be seen"
    first = expect_tensor("output", call(answer, one, keys, values, seen), (1, 1, 1, 4), if_nan=turned)
    expect_tensor("output", expect_steady(answer, query, key, value, everything), (2, 3, 4, 6))
    suspects = {
        turned: torch.zeros(1, 1, 1, 4),
        "the scores are divided by K; divide by its square root, sqrt(K)": _attend(one, keys, values, seen, 1 / 4),
        "the scores are not divided by sqrt(K)": _attend(one, keys, values, seen, 1.0),
        "the scores are multiplied by sqrt(K); divide by it": _attend(one, keys, values, seen, 2.0),
        "the scores are divided by the root of the number of keys, not of K": _attend(one, keys, values, seen, 3**-0.5),
        "softmax over the queries (dim -2): each query shares its attention among the keys, dim=-1": values.sum(
            -2, True
        ),
    }
    hand = torch.tensor([[[[1.0, 2.0, 5.0, 0.0]]]])
    expect_close("output", first, hand, "the weights of this query are 1/8, 2/8 and 5/8", suspects)

    # Hiding the third key leaves the weights 1/3 and 2/3.
    part = torch.tensor([[[[True, True, False]]]])
    suspects = {
        "the mask is applied after the softmax, so the weights no longer sum to 1; set the scores of hidden keys to "
        "-inf before it": torch.tensor([[[[1.0, 2.0, 0.0, 0.0]]]]),
        "the scores of hidden keys are set to 0, and exp(0) is 1, a share like any other; set them to -inf": (
            torch.tensor([[[[2.0, 4.0, 2.0, 0.0]]]])
        ),
        turned: torch.tensor([[[[0.0, 0.0, 8.0, 0.0]]]]),
        "the mask is not used": hand,
    }
    cause = "with the third key hidden the weights are 1/3, 2/3 and 0"
    masked = call(answer, one, keys, values, part)
    expect_close("output", masked, torch.tensor([[[[8 / 3, 16 / 3, 0.0, 0.0]]]]), cause, suspects)

    # Parity at random, with a mask of its own for each text, and one that broadcasts over heads and queries.
    mask = torch.rand(2, 1, 4, 5, generator=rng) < 0.6
    mask[..., 0] = True
    for name, keep in (("a mask (B, 1, T, S)", mask), ("a mask (B, 1, 1, S)", mask[:, :, :1])):
        want = _attend(query, key, value, keep, 6**-0.5)
        suspects = {
            "softmax over the queries (dim -2): each query shares its attention among the keys, dim=-1": (
                (query @ key.mT * 6**-0.5).masked_fill(~keep, -1e30).softmax(dim=-2) @ value
            ),
            "the scores are divided by 2, which is sqrt(K) for K = 4 only": _attend(query, key, value, keep, 0.5),
        }
        expect_close("output", call(answer, query, key, value, keep), want, f"random inputs with {name}", suspects)

    # Properties: large scores stay finite; what is hidden cannot matter; a query that sees nothing gets zeros.
    cause = (
        "with inputs a thousand times larger exp overflows, or all shares that may be seen are rounded to 0: mask the "
        "scores before the softmax, and leave exp to torch.softmax; shares repaired afterwards come too late"
    )
    huge = expect_tensor("output", call(answer, query * 1e3, key, value, mask), (2, 3, 4, 6), if_nan=cause)
    # Scores of thousands are rounded in the fourth decimal, in another way by each order of the operations.
    expect_close("output", huge, _attend(query * 1e3, key, value, mask, 6**-0.5), cause, None, 5e-3)
    low = torch.tensor([[[[-4e4, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]]])  # scores -40,000, 0, 0: one key is visible
    only = torch.tensor([[[[True, False, False]]]])
    cause = (
        "the scores of hidden keys are set to a number such as -1e4, and the visible one is lower still; set them "
        "to -inf"
    )
    name = "with scores -40000, 0, 0, and only the first key visible, the output"
    expect_close(name, call(answer, one, low, values, only), values[:, :, :1], cause)
    shifted = value + 100 * ~mask[:, :, :1].mT  # (B, 1, S, 1) broadcast: only values of hidden keys change
    want = _attend(query, key, value, mask[:, :, :1], 6**-0.5)
    expect_close(
        "output", call(answer, query, key, shifted, mask[:, :, :1]), want, "hidden keys still matter", None, 1e-4
    )
    mask = mask.clone()
    mask[1, :, 2:] = False  # two queries of the second text, which is all padding for them
    output = call(answer, query, key, value, mask)
    if isinstance(output, Tensor) and output.isnan().any():
        raise Wrong(
            "NaN where a query may see no key at all (a row of padding)",
            "zeros in that row",
            "softmax over scores that are all -inf is 0/0 = NaN: put zeros where the row of the mask is empty",
        )
    cause = "a query that may see no key at all gets zeros"
    expect_close("output", output, _attend(query, key, value, mask, 6**-0.5), cause)


EXERCISES = [
    Exercise(
        number="5.1",
        title="Scaled dot-product attention with a mask",
        minutes=20,
        difficulty=2,
        signature="attention(query (..., T, K), key and value (..., S, K), mask (..., T, S) bool) -> (..., T, K)",
        hints=(
            "Each query asks every key how well it fits (a dot product), turns the answers into shares that sum to 1,\n"
            "and takes that mixture of the values. A hidden key must drop out before the shares are made, not after.",
            "scores (..., T, S) from query (..., T, K) and key turned round (..., K, S), hidden where mask is False;\n"
            "shares (..., T, S) sum to 1 over S; output (..., T, K) from shares and value (..., S, K).\n"
            "A row of the mask without any True gives a row of zeros.",
            "scores = every query with every key, over the square root of K\n"
            "scores = minus infinity wherever the mask is False\n"
            "shares = softmax along the keys\n"
            "shares = 0 wherever the mask is False   (repairs the rows that see nothing)\n"
            "return the mixture of the values",
        ),
        check=_check_attention,
    ),
    Exercise(
        number="5.2",
        title="Split the width into heads, and merge them again",
        minutes=15,
        difficulty=2,
        signature="(split_heads, merge_heads): split_heads(x (B, T, D), heads) -> (B, H, T, K), "
        "merge_heads(x (B, H, T, K)) -> (B, T, D)",
        hints=(
            "Each head owns K neighbouring entries of every token. Cutting the last axis in two keeps all numbers in\n"
            "place; only then may axes change places. The way back does the same steps in reverse order.",
            "split: (B, T, D) is cut into (B, T, H, K), then the axes of T and H are exchanged: (B, H, T, K).\n"
            "merge: (B, H, T, K), the same axes exchanged: (B, T, H, K), then the last two become one: (B, T, H K).\n"
            "After an exchange of axes the numbers no longer lie in order, which `view` minds and `reshape` does not.",
            "split: K = width / heads\n"
            "       cut the last axis into heads and K\n"
            "       exchange the second and the third axis\n"
            "merge: exchange the second and the third axis\n"
            "       join the last two axes",
        ),
        check=check_heads,
        kind="value",
    ),
    Exercise(
        number="5.3",
        title="Write the test of padding invariance",
        minutes=25,
        difficulty=3,
        signature="padding_test(attention) -> None, or AssertionError; "
        "attention(x (B, T, D), mask (B, T) bool) -> (B, T, D)",
        hints=(
            "Padding must not matter: a text read alone, and the same text in a batch with padding behind it, must\n"
            "get the same vectors. You need no right answer from anywhere; attention is compared with itself.",
            "two texts of different lengths, (1, 5, D) and (1, 3, D); a batch x (2, 7, D) that holds both, with other\n"
            "random numbers behind them, and its mask (2, 7); compare (5, D) and (3, D) of the batch with the texts\n"
            "read alone.",
            "make two random texts of different lengths\n"
            "make a wider batch of random numbers, and put the texts at the beginning of its rows\n"
            "mask = True where a text is, False behind it\n"
            "together = attention of the batch\n"
            "for each text: alone = attention of the text, with a mask that is all True\n"
            "               assert that its part of together is close to alone (the sixth decimal may differ)",
        ),
        check=check_padding_test,
    ),
]
