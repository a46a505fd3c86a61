"""5.2 Split the width into heads, and merge them again."""

import torch

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.meter import metered
from minibert.course.tools import call


def split_heads(x, heads):
    """(B, T, D) -> (B, H, T, K)."""
    batch, tokens, width = x.shape
    return x.view(batch, tokens, heads, width // heads).transpose(1, 2)


def merge_heads(x):
    """(B, H, T, K) -> (B, T, D)."""
    batch, heads, tokens, size = x.shape
    return x.transpose(1, 2).reshape(batch, tokens, heads * size)  # reshape: after a transpose `view` may refuse


HAND = torch.tensor([[[11.0, 12, 13, 14], [21, 22, 23, 24]]])  # (B, T, D) = (1, 2, 4); 23: token 2, entry 3


def split_cases(rng):
    hand = "head 0 has entries 1 and 2 of each token, head 1 has entries 3 and 4"
    yield Case((HAND, 2), hand, "the output for [[[11, 12, 13, 14], [21, 22, 23, 24]]] and 2 heads")
    x = torch.randn(2, 5, 12, generator=rng)  # all sizes differ, so that an exchange of axes cannot hide
    order = "head h has the entries from h K up to (h + 1) K of every token, of every text"
    yield Case((x, 3), order, "the output for x (2, 5, 12) and 3 heads", gradient=True, double=True)
    for shape, heads in (((2, 5, 12), 1), ((2, 5, 12), 2), ((2, 5, 12), 12), ((1, 1, 6), 3), ((3, 2, 20), 4)):
        cause = "K = D / H must follow from the shape of x and from `heads`, and from nothing else"
        yield Case((torch.randn(shape, generator=rng), heads), cause, f"the output for x {shape} and {heads} heads")
    turned = torch.randn(2, 12, 5, generator=rng).mT  # (2, 5, 12), but its numbers lie in another order in memory
    yield Case((turned, 3), "x may be a transposed tensor", "the output for a transposed x (2, 5, 12) and 3 heads")


COPIED = "cut the last axis in two and exchange axes, and no number moves: no loop over heads, no stack, no cat"


def expect_a_view(answer, rng):
    """Refuse a split that copies numbers; they are counted, wherever the answer runs."""
    x = torch.randn(2, 5, 12, generator=rng)
    _, (_, numbers, _, _) = call(lambda *given: metered(answer, *given), x, 3)
    if numbers:
        raise Wrong(f"{numbers} numbers are copied for x (2, 5, 12)", "0: a view that shares the memory of x", COPIED)


def merge_cases(rng):
    split = split_heads(HAND, 2)
    hand = "token 1 gets head 0's 11, 12 and head 1's 13, 14 back"
    yield Case((split,), hand, "the output for [[[[11, 12], [21, 22]], [[13, 14], [23, 24]]]]")
    x = torch.randn(2, 3, 5, 4, generator=rng)  # (B, H, T, K), in order in memory, as a matrix product leaves it
    order = "the heads of one token stand side by side, head 0 first"
    yield Case((x,), order, "the output for x (2, 3, 5, 4)", gradient=True, double=True)
    for shape in ((1, 1, 3, 2), (3, 4, 1, 2), (2, 2, 6, 1), (4, 5, 3, 7)):
        yield Case((torch.randn(shape, generator=rng),), "D = H K, whatever they are", f"the output for x {shape}")
    back = split_heads(torch.randn(2, 5, 12, generator=rng), 3)
    yield Case((back,), "merging undoes splitting", "the output for what split_heads(x, 3) returns")


SPLIT = "return x.view(batch, tokens, heads, width // heads).transpose(1, 2)"
VIEW = "x.view(batch, tokens, heads, width // heads)"
SPLIT_MISTAKES = {
    "view straight to (B, H, T, K) mixes tokens; view to (B, T, H, K) first, then transpose the two middle axes": {
        SPLIT: "return x.reshape(batch, heads, tokens, width // heads)"
    },
    "the heads are interleaved: head 0 takes every H-th entry; each owns K neighbours, so cut into (H, K)": {
        SPLIT: "return x.reshape(batch, tokens, width // heads, heads).permute(0, 3, 1, 2)"
    },
    "tokens and entries of a head are exchanged: it is (B, H, K, T)": {".transpose(1, 2)": ".permute(0, 2, 3, 1)"},
    "the axes of tokens and heads are not exchanged: the result is (B, T, H, K)": {".transpose(1, 2)": ""},
    "the heads stand in front of the texts: the result is (H, B, T, K)": {".transpose(1, 2)": ".permute(2, 0, 1, 3)"},
    "H and K are exchanged: there are `heads` heads, K = D / heads": {VIEW: "x.view(batch, tokens, -1, heads)"},
    "the heads stand along the tokens, (B, H T, K)": {SPLIT: "return torch.cat(x.chunk(heads, dim=-1), dim=1)"},
    "texts and heads share one axis, (B H, T, K)": {".transpose(1, 2)": ".transpose(1, 2).flatten(0, 1)"},
    "each head is cut out `heads` entries wide; there are `heads` heads, each of width K = D / heads": {
        SPLIT: "return torch.stack([x[..., h * heads : (h + 1) * heads] for h in range(heads)], dim=1)"
    },
    "the heads are in reverse order": {".transpose(1, 2)": ".transpose(1, 2).flip(1)"},
    "the tokens are split among the heads; each head has all tokens": {SPLIT: "return x.view(batch, heads, -1, width)"},
    "the heads have width 4 here whatever `heads` says": {VIEW: "x.reshape(batch, tokens, -1, 4)"},
    "there are two heads here whatever `heads` says": {VIEW: "x.reshape(batch, tokens, 2, -1)"},
    "there are three heads here whatever `heads` says": {VIEW: "x.reshape(batch, tokens, 3, -1)"},
    "only the first text of the batch is split": {SPLIT: "return x[:1].unflatten(-1, (heads, -1)).transpose(1, 2)"},
    COPIED: {SPLIT: f"{SPLIT}.clone()"},
    "the numbers are divided by sqrt(K), too; splitting changes none": {SPLIT: f"{SPLIT} / (width // heads) ** 0.5"},
}
MERGE = "return x.transpose(1, 2).reshape(batch, tokens, heads * size)"
MERGE_MISTAKES = {
    "reshape from (B, H, T, K) puts the tokens of one head side by side; transpose first": {".transpose(1, 2)": ""},
    "the heads are interleaved; entries of a head stay side by side": {".transpose(1, 2)": ".permute(0, 2, 3, 1)"},
    "flatten(2) joins the tokens of one head, (B, H, T K); transpose first": {MERGE: "return x.flatten(2)"},
    "x comes as (B, H, T, K); here it is read as (B, T, H, K)": {"heads, tokens, size = ": "tokens, heads, size = "},
    "tokens and entries are exchanged; exchange heads and tokens": {".transpose(1, 2)": ".transpose(-2, -1)"},
    "the heads stand behind each other along the tokens": {MERGE: "return torch.cat([*x.unbind(1)], dim=1)"},
    "heads and entries are still two axes, (B, T, H, K); join them, (B, T, H K)": {MERGE: "return x.transpose(1, 2)"},
    "the heads are put together in reverse order": {".transpose(1, 2)": ".flip(1).transpose(1, 2)"},
    "heads are joined with tokens, (B, T H, K), not with entries": {MERGE: "return x.transpose(1, 2).flatten(1, 2)"},
    "the heads are added up; they stand side by side": {MERGE: "return x.sum(dim=1)"},
    "the heads are added up and repeated; they stand side by side": {MERGE: "return x.sum(dim=1).repeat(1, 1, heads)"},
    "the mean of the heads is taken; they stand side by side": {MERGE: "return x.mean(dim=1)"},
    "there are three heads here, whatever x has": {MERGE: "return torch.cat([x[:, h] for h in (0, 1, 2)], dim=-1)"},
    "after transpose view finds no order in memory: use reshape, or contiguous() before": {".reshape(": ".view("},
    "only the first text of the batch is merged": {MERGE: "return x[:1].transpose(1, 2).flatten(2)"},
}

EXERCISE = Exercise(
    minutes=15,
    difficulty=2,
    signature="(split_heads, merge_heads): split_heads(x (B, T, D), heads) -> (B, H, T, K), "
    "merge_heads(x (B, H, T, K)) -> (B, T, D)",
    hints=(
        "Each head owns K neighbouring entries of every token. Cutting the last axis in two keeps all numbers in\n"
        "place, and so does an exchange of axes: nothing is copied. The way back does the steps in reverse order.",
        "split: (B, T, D) is cut into (B, T, H, K), then the axes of T and H are exchanged: (B, H, T, K).\n"
        "merge: (B, H, T, K), the same axes exchanged: (B, T, H, K), then the last two become one: (B, T, H K).\n"
        "After an exchange of axes the numbers no longer lie in order, which `view` minds and `reshape` does not.",
        "split: K = width / heads\n"
        "       cut the last axis into heads and K\n"
        "       exchange the second and the third axis\n"
        "merge: exchange the second and the third axis\n"
        "       join the last two axes",
    ),
    parts=(
        Lab(split_heads, split_cases, SPLIT_MISTAKES, after=expect_a_view),
        Lab(merge_heads, merge_cases, MERGE_MISTAKES),
    ),
)
