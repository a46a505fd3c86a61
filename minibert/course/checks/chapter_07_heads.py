"""Exercise 7.2: how much heads look at the previous token and at [SEP], and what is averaged by mistake."""

import torch
from torch import Tensor

from minibert.course.exercise import Wrong
from minibert.course.expect import expect_steady
from minibert.course.tools import call, expect_tensor

SPECIAL = ("[CLS]", "[SEP]", "[PAD]")
PAIR = ["[CLS]", "the", "cat", "sat", "[SEP]", "it", "slept", "[SEP]", "[PAD]", "[PAD]"]


def _average(maps: Tensor, chosen: Tensor, count) -> Tensor:
    """The sum of the chosen entries (T, T), over `count`: (L, H)."""
    return (maps * chosen).sum((-2, -1)) / count


def _parts(tokens: list[str]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    word = torch.tensor([token not in SPECIAL for token in tokens])
    separator = torch.tensor([token == "[SEP]" for token in tokens])
    step = torch.arange(len(tokens))
    before = step[:, None] - step == 1  # row i, column i - 1
    return word, separator, before, before & word[:, None] & word


def _scores(maps: Tensor, tokens: list[str]) -> Tensor:
    word, separator, _, previous = _parts(tokens)
    looks = word[:, None] & separator
    return torch.stack([_average(maps, previous, previous.sum()), _average(maps, looks, word.sum())])


def _winners(maps: Tensor) -> Tensor:
    """1 at the largest share of each row, else 0."""
    return torch.zeros_like(maps).scatter(-1, maps.argmax(-1, keepdim=True), 1.0)


def _neighbours_without_special(word: Tensor) -> Tensor:
    places = word.nonzero().flatten()
    chosen = torch.zeros(len(word), len(word), dtype=torch.bool)
    chosen[places[1:], places[:-1]] = True
    return chosen


def _previous_suspects(maps: Tensor, tokens: list[str]) -> dict[str, Tensor]:
    word, _, before, right = _parts(tokens)
    real = torch.tensor([token != "[PAD]" for token in tokens])
    step, size = torch.arange(len(tokens)), len(tokens)
    two = (step[:, None] - step == 2) & word[:, None] & word
    rows = before & word[:, None]
    return {
        "this is the next token: row i looks, column i - 1 is the one in front of it (offset -1, not 1)": _average(
            maps, right.T, right.sum()
        ),
        "this is the diagonal: how much a token looks at itself; the previous one is one column to the left": (
            _average(maps, torch.eye(size) * word, word.sum())
        ),
        "off by one: this is the token before the previous one": _average(maps, two, max(1, int(two.sum()))),
        "[CLS] is looked at, too: the first word has no word in front of it, leave its row out": _average(
            maps, rows & real, rows.sum()
        ),
        "all rows count, those of [CLS], [SEP] and [PAD] too: only words do": _average(maps, before, size - 1),
        "two things: this is the next token; and all rows count, only words do": _average(maps, before.T, size - 1),
        "padding is left out, but [CLS] and [SEP] still count as words": _average(
            maps, before & real[:, None] & real, int(real.sum()) - 1
        ),
        "the sum is right, but divided by the number of all tokens; divide by the rows that were added": _average(
            maps, right, size
        ),
        "special tokens were cut out first, so the words on both sides of a [SEP] became neighbours": _average(
            maps, _neighbours_without_special(word), max(1, int(word.sum()) - 1)
        ),
        "this counts how often it is looked at most; average the shares themselves": _average(
            _winners(maps), right, right.sum()
        ),
        "the sum is right, but divided by the number of words; the first word of a text has no previous word": (
            _average(maps, right, word.sum())
        ),
        "the sum without an average: divide by the number of rows": _average(maps, right, 1),
    }


def _separator_suspects(maps: Tensor, tokens: list[str]) -> dict[str, Tensor]:
    word, separator, _, _ = _parts(tokens)
    looks, size = word[:, None] & separator, len(tokens)
    first, last = torch.zeros(size, dtype=torch.bool), torch.zeros(size, dtype=torch.bool)
    places = separator.nonzero().flatten()
    first[places[0]], last[places[-1]] = True, True
    end = torch.zeros(size, dtype=torch.bool)
    end[-1] = True
    real = torch.tensor([token != "[PAD]" for token in tokens])
    start = torch.zeros(size, dtype=torch.bool)
    start[0] = True
    return {
        "the row of [SEP] is read: that is where [SEP] looks; who looks at [SEP] stands in its column": _average(
            maps, looks.T, word.sum()
        ),
        "the row of [SEP] is read, averaged over all columns; who looks at [SEP] stands in its column": _average(
            maps, separator[:, None].expand(size, size), size * separator.sum()
        ),
        "this counts how often it is looked at most; average the shares themselves": _average(
            _winners(maps), looks, word.sum()
        ),
        "this is the column of [CLS]": _average(maps, word[:, None] & start, word.sum()),
        "the last column is read, which is padding here; find [SEP] by its name in `tokens`": _average(
            maps, word[:, None] & end, word.sum()
        ),
        "only the first [SEP] counts: a pair has two, add their columns": _average(
            maps, word[:, None] & first, word.sum()
        ),
        "only the last [SEP] counts: a pair has two, add their columns": _average(
            maps, word[:, None] & last, word.sum()
        ),
        "an average over the columns of [SEP]: add them up, a share is a share of 1": _average(
            maps, looks, word.sum() * separator.sum()
        ),
        "all rows count, those of [CLS], [SEP] and [PAD] too: only words do": _average(
            maps, separator.expand(size, size), size
        ),
        "padding is left out, but [CLS] and [SEP] still count as words": _average(
            maps, real[:, None] & separator, real.sum()
        ),
        "the sum is right, but divided by the number of all tokens; divide by the rows that were added": _average(
            maps, looks, size
        ),
        "the sum without an average: divide by the number of words": _average(maps, looks, 1),
    }


def _answer(answer, maps: Tensor, tokens: list[str]) -> Tensor:
    """What the learner's code returns, once it is known to be (2, L, H)."""
    layers, heads = maps.shape[:2]
    got = call(answer, maps, tokens)
    if isinstance(got, tuple | list) and len(got) == 2 and all(isinstance(part, Tensor) for part in got):
        got = torch.stack([part.detach() for part in got]) if got[0].shape == got[1].shape else got[0]
    if isinstance(got, Tensor) and got.shape != (2, layers, heads):
        if got.shape == (layers, heads):
            cause = "both scores are wanted, previous token first: torch.stack"
        elif got.shape in ((2, heads), (2, layers), (2,)):
            cause = "layers and heads keep their own entries: average over rows, not over layers or heads"
        else:
            cause = "for each head one number for each of the two scores: no axis of tokens is left"
        raise Wrong(f"the scores have shape {tuple(got.shape)}", f"{(2, layers, heads)}", cause)
    nan = "an average over no rows is 0/0: is it [SEP] and [CLS] that you look for, with their brackets?"
    return expect_tensor("the scores", got, (2, layers, heads), maps.dtype, nan)


def _mistake(answer, part: int, cases: list) -> str | None:
    """The mistake whose scores are those of the learner in every case, if there is one."""
    try:
        answers = [_answer(answer, maps, tokens)[part] for maps, tokens, _ in cases]
    except Wrong:
        return None
    found = [SUSPECTS[part](maps, tokens) for maps, tokens, _ in cases]
    return next((m for m in found[0] if all(map(_close, [one[m] for one in found], answers))), None)


def _expect(answer, maps: Tensor, tokens: list[str], cause: str, cases: list) -> None:
    got, want = _answer(answer, maps, tokens), _scores(maps, tokens)
    if _close(got, want):
        return
    if _close(got, want.flip(0)):
        raise Wrong("the two scores come in the other order", "previous token first, then [SEP]")
    if _close(got, _scores(maps.mT, tokens)):
        cause = "rows and columns are exchanged: row i is the token that looks, column j the one looked at"
        raise Wrong("both scores belong to the transposed maps", "maps[..., i, j]: how much i looks at j", cause)
    part = 0 if not _close(got[0], want[0]) else 1
    place = tuple(int(i) for i in torch.unravel_index((got[part] - want[part]).abs().argmax(), want[part].shape))
    raise Wrong(
        f"the {('previous-token', '[SEP]')[part]} score of layer {place[0]}, head {place[1]} is "
        f"{got[part][place].item():.4f} for {' '.join(tokens)}",
        f"{want[part][place].item():.4f}",
        _mistake(answer, part, cases) or cause,
    )


SUSPECTS = (_previous_suspects, _separator_suspects)


def _close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def _random_maps(layers: int, heads: int, tokens: list[str], rng: torch.Generator) -> Tensor:
    """Shares over what is no padding; the rows of padding are spread, as some libraries leave them."""
    size, real = len(tokens), torch.tensor([token != "[PAD]" for token in tokens])
    maps = torch.softmax(2 * torch.randn(layers, heads, size, size, generator=rng), dim=-1)
    maps = maps * (real | ~real[:, None])
    return maps / maps.sum(-1, keepdim=True)


def check_scores(answer, rng: torch.Generator) -> None:
    """The check of exercise 7.2: one head on paper, a padded pair, random texts, heads that do one thing only.

    Raises:
        Wrong: what was seen, what was expected, the likely cause.
        NotAttempted: the answer is still the stub.

    >>> check_scores(_scores, torch.Generator().manual_seed(0))
    """
    # By hand: two words. Only `cat` follows a word: 0.6. On [SEP] fall 0.3 and 0.1, 0.2 on average.
    short = ["[CLS]", "a", "cat", "[SEP]"]
    rows = [[0.7, 0.1, 0.05, 0.15], [0.35, 0.1, 0.25, 0.3], [0.12, 0.6, 0.18, 0.1], [0.3, 0.05, 0.2, 0.45]]
    drawn = ["[CLS]", *(f"w{int(n)}" for n in torch.randint(0, 5, (7,), generator=rng)), "[SEP]"]  # some twice
    odd = ["[CLS]", "sep", "[", "CLS", "]", "pad", "[SEP]"]
    cases = [
        (torch.tensor([[rows]]), short, "`cat` gives 0.6 to `a`; the words give 0.3 and 0.1 to [SEP], 0.2 on average"),
        (_random_maps(2, 3, PAIR, rng), PAIR, "a pair of texts with padding: two [SEP], three words and two words"),
        (_random_maps(3, 2, drawn, rng), drawn, "one text, some of its words equal: places count, not names"),
        (_random_maps(1, 4, odd, rng).double(), odd, "`sep`, `CLS` and `pad` without brackets are words"),
    ]
    for maps, tokens, cause in cases:
        _expect(answer, maps, tokens, cause, cases)
    expect_steady(answer, *cases[1][:2])

    # Two heads that do one thing only.
    tokens = ["[CLS]", "a", "b", "c", "[SEP]"]
    perfect = torch.stack([torch.eye(5).roll(1, dims=0), torch.eye(5)[-1:].expand(5, 5)])[None]
    _expect(answer, perfect, tokens, "a head that only looks at the previous token scores 1", cases)
