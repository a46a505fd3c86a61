"""Exercise 1.2: counting which words stand near each other, and what is counted by mistake."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from minibert.course.checks.chapter_01_blame import as_numbers, blame
from minibert.course.exercise import Wrong
from minibert.course.expect import expect_close, expect_steady
from minibert.course.tools import call, expect_tensor

Places = Iterator[tuple[int, int]]
CASES = (  # sentences, V, window, what the case is for
    ([[0, 1, 2]], 3, 1, "each word has its direct neighbours only: 0 and 1, 1 and 2, in both directions"),
    ([[0, 1, 2, 3, 4]], 6, 2, "two steps to the left and two to the right; word 5 never occurs, its row stays 0"),
    ([[0, 1], [2, 3]], 4, 2, "1 ends a sentence and 2 begins another: they are no neighbours"),
    ([[0, 1, 0, 1]], 2, 1, "0 and 1 meet at places (0, 1), (1, 2) and (2, 3): three times"),
    ([[0, 0, 1]], 2, 1, "each of the two places of word 0 has the other as a neighbour: counts[0, 0] is 2"),
    ([[1, 0, 1]], 2, 1, "word 0 has word 1 on both sides: counts[0, 1] is 2"),
    ([[2], [], [0, 1], [1]], 3, 4, "sentences may be empty, have one word, or be shorter than the window"),
)


def _near(sentence: list[int], window: int) -> Places:
    """The right pairs of places: two different ones, at most `window` apart."""
    places = range(len(sentence))
    return ((i, j) for i in places for j in places if 0 < abs(i - j) <= window)


def _tally(sentences: list[list[int]], V: int, window: int, pairs: Callable = _near) -> Tensor:
    """Counts of the pairs of places that `pairs(sentence, window)` gives: (V, V)."""
    counts = torch.zeros(V, V, dtype=torch.float64)
    for sentence in sentences:
        for i, j in pairs(sentence, window):
            counts[sentence[i], sentence[j]] += 1
    return counts


def _by_places(rule: Callable) -> Callable:
    """A mistake in the pairs of places: rule(i, j, window, sentence) -> whether the pair counts."""

    def pairs(sentence, window):
        places = range(len(sentence))
        return ((i, j) for i in places for j in places if rule(i, j, window, sentence))

    return lambda sentences, V, window: _tally(sentences, V, window, pairs)


def _from_the_end(sentence: list[int], window: int) -> Places:
    length = len(sentence)
    for i in range(length):
        for j in (*range(max(i - window, -length), i), *range(i + 1, min(i + window + 1, length))):
            yield i, j % length


def _empty_slices(sentence: list[int], window: int) -> Places:
    places = list(range(len(sentence)))
    for i in places:
        yield from ((i, j) for j in places[i - window : i] + places[i + 1 : i + window + 1])


def _all_within(sentence: list[int], window: int) -> Places:
    """All pairs of places in each window, again and again as the window moves on."""
    for middle in range(len(sentence)):
        places = range(max(0, middle - window), min(len(sentence), middle + window + 1))
        yield from ((i, j) for i in places for j in places if i != j)


def _once_for_each(group: Callable) -> Callable:
    """`counts[rows, columns] += 1` adds 1 once to an entry that is named twice; `group` tells what is one such step."""

    def wrong(sentences, V, window):
        found = {
            (group(number, i, j), sentence[i], sentence[j])
            for number, sentence in enumerate(sentences)
            for i, j in _near(sentence, window)
        }
        counts = torch.zeros(V, V, dtype=torch.float64)
        for _, one, other in found:
            counts[one, other] += 1
        return counts

    return wrong


def _weighted(sentences, V, window):
    counts = torch.zeros(V, V, dtype=torch.float64)
    for sentence in sentences:
        for i, j in _near(sentence, window):
            counts[sentence[i], sentence[j]] += 1 / abs(i - j)
    return counts


def _without_zero(counts: Tensor) -> Tensor:
    counts[0], counts[:, 0] = 0, 0
    return counts


def _joined(sentences, V, window):
    return _tally([[word for sentence in sentences for word in sentence]], V, window)


def _shares(sentences, V, window):
    counts = _tally(sentences, V, window)
    return counts / counts.sum(-1, keepdim=True).clamp(min=1)


ADDS_ONCE = (
    "an entry that is named twice in counts[rows, columns] += 1 grows by 1 only: index_put_ with accumulate=True, "
    "bincount or a loop counts them all"
)
MISTAKES = {
    "only the words to the right are counted: the window has two sides": _by_places(lambda i, j, w, s: 0 < j - i <= w),
    "only the words to the left are counted: the window has two sides": _by_places(lambda i, j, w, s: 0 < i - j <= w),
    "each place counts itself as its neighbour: leave the distance 0 out": _by_places(
        lambda i, j, w, s: abs(i - j) <= w
    ),
    "the window crosses the border between two sentences: count within each sentence": _joined,
    "off by one: the window is one step too narrow; range ends before its last number": _by_places(
        lambda i, j, w, s: 0 < abs(i - j) < w
    ),
    "off by one: the window is one step too wide": _by_places(lambda i, j, w, s: 0 < abs(i - j) <= w + 1),
    "off by one: the right side is one step short; a slice ends before its last index": _by_places(
        lambda i, j, w, s: 0 < i - j <= w or 0 < j - i < w
    ),
    "off by one: the left side is one step short": _by_places(lambda i, j, w, s: 0 < j - i <= w or 0 < i - j < w),
    "window is taken as the width of the whole window; it is the reach to each side": _by_places(
        lambda i, j, w, s: 0 < abs(i - j) <= w // 2
    ),
    "the window is not used: the whole sentence counts": _by_places(lambda i, j, w, s: i != j),
    "words are compared where places should be: a word may stand near itself, at another place": _by_places(
        lambda i, j, w, s: 0 < abs(i - j) <= w and s[i] != s[j]
    ),
    "a pair is counted twice: it is met from both of its places, so add 1 in one direction each time": (
        lambda sentences, V, window: 2 * _tally(sentences, V, window)
    ),
    "a word near itself is counted once; each of the two places has the other as its neighbour": (
        lambda s, V, w: _tally(s, V, w) - _tally(s, V, w).diag().diag() / 2
    ),
    "a word near itself is counted four times, since a table plus its transpose doubles the diagonal": (
        lambda s, V, w: _tally(s, V, w) + _tally(s, V, w).diag().diag()
    ),
    "the table is not symmetric: a pair is filed under the smaller id only": (
        lambda s, V, w: _tally(s, V, w).triu(1) + _tally(s, V, w).diag().diag() / 2
    ),
    "words near the ends are left out: a window that is cut off by the end of the sentence still counts": _by_places(
        lambda i, j, w, s: 0 < abs(i - j) <= w and w <= i < len(s) - w
    ),
    "an index below 0 counts from the end of the list, so the first words get the last ones as neighbours: begin at "
    "max(0, ...)": lambda s, V, w: _tally(s, V, w, _from_the_end),
    "a slice that begins below 0 counts from the end and is empty here: begin it at max(0, ...)": (
        lambda s, V, w: _tally(s, V, w, _empty_slices)
    ),
    "each pair of words counts once, however often it occurs: add 1, do not set to 1": _once_for_each(
        lambda n, i, j: 0
    ),
    "each pair of words counts once in a sentence, however often it occurs there": _once_for_each(lambda n, i, j: n),
    f"each place counts a word among its neighbours once, however often it is there; {ADDS_ONCE}": _once_for_each(
        lambda n, i, j: (n, i)
    ),
    f"at each distance, a pair of words counts once in a sentence; {ADDS_ONCE}": _once_for_each(
        lambda n, i, j: (n, j - i)
    ),
    "all words in a window are paired with each other, again in each window: pair them with its middle word only": (
        lambda s, V, w: _tally(s, V, w, _all_within)
    ),
    "id 0 is left out; it is a word like any other": lambda s, V, w: _without_zero(_tally(s, V, w)),
    "near words weigh more, 1 / distance, as in GloVe; here each pair counts 1": _weighted,
    "the rows are divided by their sums; here the counts themselves are wanted": _shares,
    "only the first sentence is counted": lambda s, V, w: _tally(s[:1], V, w),
    "only the last sentence is counted: is the table made anew for each?": lambda s, V, w: _tally(s[-1:], V, w),
}


def _mistakes(*case):
    return {name: wrong(*case) for name, wrong in MISTAKES.items()}


def check_counts(answer, rng: torch.Generator) -> None:
    """Three words by hand, then one case for each way to go wrong, then sentences at random.

    Raises:
        Wrong: what was seen, what was expected, the likely cause.

    >>> check_counts(_tally, torch.Generator().manual_seed(0))
    """
    drawn = []
    for V, window in ((5, 1), (7, 2), (9, 3), (4, 5)):
        lengths = torch.randint(0, 9, (6,), generator=rng).tolist()
        sentences = [torch.randint(0, V - 1, (length,), generator=rng).tolist() for length in lengths]
        drawn.append((sentences, V, window, "random sentences"))
    cases = [case[:3] for case in (*CASES, *drawn)]
    for sentences, V, window, cause in (*CASES, *drawn):
        few = len(sentences) <= 4
        name = (
            f"for {sentences} and window {window}, counts" if few else f"for six sentences and window {window}, counts"
        )
        got, want = as_numbers(_first(answer, sentences, V, window, name)), _tally(sentences, V, window)
        expect_tensor(name, got, (V, V), None)
        if not torch.allclose(got, want, atol=1e-4):
            expect_close(name, got, want, blame(answer, cases, _mistakes) or cause)
    expect_steady(answer, *cases[-1])


def _first(answer, sentences, V, window, name):
    got = call(answer, sentences, V, window)
    if isinstance(got, Tensor) and got.is_sparse:
        raise Wrong(f"{name} is a sparse tensor", "an ordinary one", "to_dense() at the end")
    if isinstance(got, Tensor) and got.dtype == torch.bool:
        raise Wrong(f"{name} holds True and False", "how often, not only whether", "count in a tensor of numbers")
    return got
