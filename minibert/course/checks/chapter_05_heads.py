"""Exercise 5.2: splitting the width into heads and merging them again."""

import torch
from torch import Tensor

from minibert.course.exercise import NotAttempted, Wrong
from minibert.course.expect import expect_close, expect_steady
from minibert.course.tools import call, expect_tensor, kind_of

INTERLEAVED = (
    "the heads are interleaved: head 0 takes every H-th entry; each head owns K neighbouring entries, so the last axis "
    "is cut into (H, K), heads first"
)


def split(x: Tensor, heads: int) -> Tensor:
    """The right answer: (B, T, D) -> (B, H, T, K).

    >>> split(torch.tensor([[[11, 12], [21, 22]]]), 2).tolist()
    [[[[11], [21]], [[12], [22]]]]
    """
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def check_heads(answer, rng: torch.Generator) -> None:
    """The check of exercise 5.2; `answer` is the pair (split_heads, merge_heads).

    Raises:
        Wrong: what was seen, what was expected, the likely cause.
        NotAttempted: both functions are still the stub.

    >>> check_heads((split, lambda x: x.transpose(1, 2).flatten(2)), torch.Generator().manual_seed(0))
    """
    if type(answer) not in (tuple, list) or len(answer) != 2 or not all(callable(one) for one in answer):
        raise Wrong(
            f"the answer is {kind_of(answer)}",
            "both functions: (split_heads, merge_heads)",
            "pass the functions themselves, without parentheses behind their names",
        )
    split_heads, merge_heads = answer
    hand = torch.tensor([[[11.0, 12, 13, 14], [21, 22, 23, 24]]])  # (B, T, D) = (1, 2, 4); 23: token 2, entry 3
    try:
        first = call(split_heads, hand, 2)
    except NotAttempted:
        _report_half_done(merge_heads, "merge_heads is written and split_heads is not")
        raise
    _check_split(split_heads, first, hand, rng)
    try:
        merged = call(merge_heads, split(hand, 2))
    except NotAttempted:
        raise Wrong("split_heads is right, merge_heads is not written yet", "the way back", "") from None
    _check_merge(merge_heads, merged, hand, rng)
    x = torch.randn(2, 5, 12, generator=rng)
    back = call(merge_heads, call(split_heads, x, 3))
    expect_close("merge_heads(split_heads(x, 3))", back, x, "merging undoes splitting")


def _report_half_done(other, seen: str) -> None:
    try:
        call(other, torch.zeros(1, 2, 2, 2))
    except NotAttempted:
        return
    except Wrong:
        pass
    raise Wrong(seen, "both functions", "")


def _check_split(split_heads, first, hand: Tensor, rng: torch.Generator) -> None:
    x = torch.randn(2, 5, 12, generator=rng)  # all sizes differ, so that an exchange of axes cannot hide
    name = "split_heads(x, 3) of x (2, 5, 12)"
    expect_tensor(name, call(split_heads, x, 3), (2, 3, 5, 4))
    suspects = {
        "view straight to (B, H, T, K) cuts the numbers in their order in memory, so a head mixes tokens; view to "
        "(B, T, H, K) first, then transpose the two middle axes": hand.view(1, 2, 2, 2),
        INTERLEAVED: hand.view(1, 2, 2, 2).permute(0, 3, 1, 2),
        "tokens and entries of a head are exchanged: the result is (B, H, K, T)": split(hand, 2).mT,
        "the heads are in reverse order": split(hand, 2).flip(1),
    }
    cause = "head 0 has entries 1 and 2 of each token, head 1 has entries 3 and 4"
    expect_close("split_heads([[[11, 12, 13, 14], [21, 22, 23, 24]]], 2)", first, split(hand, 2), cause, suspects)
    got = expect_steady(split_heads, x, 3)
    expect_close(name, got, split(x, 3), "head h reads entries h K to (h + 1) K of every token, of every text")
    for heads in (1, 2, 12):
        name = f"split_heads(x, {heads}) of x (2, 5, 12)"
        got = call(split_heads, x.double(), heads)
        expect_close(name, got, split(x.double(), heads), "K = D / H must follow from `heads`, and nothing else")
    _expect_gradient("split_heads", call(split_heads, x.requires_grad_(), 3))


def _check_merge(merge_heads, merged, hand: Tensor, rng: torch.Generator) -> None:
    parts = torch.randn(2, 3, 5, 4, generator=rng)  # (B, H, T, K), in order in memory, as a matrix product leaves it
    want = parts.transpose(1, 2).flatten(2)
    name = "merge_heads(x) of x (2, 3, 5, 4)"
    expect_tensor(name, call(merge_heads, parts), (2, 5, 12))
    split_hand = split(hand, 2)  # (1, 2, 2, 2)
    suspects = {
        "reshape straight from (B, H, T, K) puts the tokens of one head side by side; transpose first, so that the "
        "heads of one token are neighbours": split_hand.reshape(1, 2, 4),
        INTERLEAVED: split_hand.permute(0, 2, 3, 1).reshape(1, 2, 4),
        "the heads are put together in reverse order": split_hand.flip(1).transpose(1, 2).reshape(1, 2, 4),
    }
    cause = "token 1 gets head 0's 11, 12 and head 1's 13, 14 back"
    expect_close("merge_heads([[[[11, 12], [21, 22]], [[13, 14], [23, 24]]]])", merged, hand, cause, suspects)
    got = expect_steady(merge_heads, parts)
    suspects = {
        "heads and tokens changed places, or the texts of the batch were mixed": parts.reshape(2, 5, 12),
        INTERLEAVED: parts.permute(0, 2, 3, 1).reshape(2, 5, 12),
    }
    expect_close(name, got, want, "the heads of one token stand side by side, head 0 first", suspects)
    for shape in ((1, 1, 3, 2), (3, 4, 1, 2), (2, 2, 6, 1)):
        x = torch.randn(*shape, generator=rng, dtype=torch.float64)
        got = call(merge_heads, x)
        expect_close(f"merge_heads(x) of x {shape}", got, x.transpose(1, 2).flatten(2), "D = H K, whatever they are")
    _expect_gradient("merge_heads", call(merge_heads, parts.requires_grad_()))


def _expect_gradient(name: str, got) -> None:
    if not got.requires_grad:
        raise Wrong(
            f"{name} cuts the gradient: its result knows nothing of x",
            "a result that x can be trained through",
            "detach, .data, numpy, tolist or torch.tensor(...) on the way; move the numbers with view and transpose",
        )
