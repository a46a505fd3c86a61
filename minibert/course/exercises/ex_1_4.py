"""1.4 Open task: a CBOW that tells left from right. The check fits it to a language of its own."""

import torch
from torch import Tensor
from torch.nn import functional

from minibert.course.lab import Exercise, Lab, Wrong
from minibert.course.tools import call, kind_of, show
from minibert.tasks.open_gaps import count_tables, dominoes, gap_share, gaps


def fit_gaps(sentences, vocabulary):
    """Three tables (V, D), so that (left[before] + right[after]) @ words.T ranks the word of a gap high."""
    generator, rate, steps = torch.Generator().manual_seed(0), 0.03, 300
    tables = [0.1 * torch.randn(vocabulary, 16, generator=generator) for _ in range(3)]
    left, right, words = (table.requires_grad_() for table in tables)
    # Most pairs of words never occur. Weight decay keeps the tables from learning by heart those that do.
    optimizer = torch.optim.AdamW(tables, lr=rate, weight_decay=1.0)
    before, hidden, after = gaps(sentences)  # (2400,) each
    for step in range(steps):
        batch = torch.randint(len(hidden), (256,), generator=generator)
        scores = (left[before[batch]] + right[after[batch]]) @ words.T  # (256, V)
        loss = functional.cross_entropy(scores, hidden[batch])
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return tuple(table.detach() for table in tables)


BAR, BY_HEART = 0.9, 0.97  # shares of gaps: held out, and of the training text where it is learned by heart
TABLES = "return left, right, words: three tensors of floats, V rows each, and of one width"
FLAT = "all words have the same score, whatever stands beside the gap: the tables are not trained"
BLIND = "left and right are the same table: a sum that does not know the side cannot know which end has to fit"
SWAPPED = "left and right are exchanged: left[i] is for the word before the gap, right[i] for the word after it"
HEART = (
    "the gaps of the training text are known, the new ones are not: that is learning by heart. Fewer numbers a word, "
    "weight decay, or fewer steps leave room for nothing but the rule"
)
MORE = "the gaps of the training text themselves are not found: more steps, or another learning rate"


def taken(got, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The three tables that an answer gives back."""
    fine = type(got) in (tuple, list) and len(got) == 3 and all(isinstance(one, Tensor) for one in got)
    shapes = {tuple(one.shape) for one in got} if fine else set()
    if len(shapes) != 1 or len(*shapes) != 2 or got[0].shape[0] != size or not all(t.is_floating_point() for t in got):
        seen = ", ".join(map(kind_of, got)) if type(got) in (tuple, list) else kind_of(got)
        raise Wrong(f"fit_gaps returns {seen}", f"three tensors of floats ({size}, D)", TABLES)
    if not all(table.isfinite().all() for table in got):
        raise Wrong("a table holds NaN or infinity", "finite numbers", "a lower learning rate")
    left, right, words = (table.detach().double() for table in got)
    return left, right, words


def measure(answer, rng):
    """Fit tables to the training text of this seed, and rank the words of gaps in its held-out sentences."""
    text = dominoes(int(torch.randint(2**31, (), generator=rng)))
    tables = taken(call(answer, text.train.clone(), text.size), text.size)
    share = gap_share(tables, text.held_out)
    if share >= BAR:
        return
    counts = gap_share(count_tables(text.train, text.size), text.held_out)
    seen = f"{show(round(share, 2))} of the words are among the best four; with counts {show(round(counts, 2))}"
    raise Wrong(seen, f"at least {BAR}", likely(tables, text, share))


def likely(tables, text, share):
    """What to try first."""
    left, right, words = tables
    if (words - words[:1]).abs().max() < 1e-6 or max(left.abs().max(), right.abs().max()) < 1e-6:
        return FLAT
    if torch.allclose(left, right):
        return BLIND
    if gap_share((right, left, words), text.held_out) > share + 0.2:
        return SWAPPED
    return HEART if gap_share(tables, text.train) >= BY_HEART else MORE


LAST = "return tuple(table.detach() for table in tables)"
MISTAKES = {
    BLIND: {
        "(left[before[batch]] + right[after[batch]])": "(left[before[batch]] + left[after[batch]])",
        LAST: "return left, left, words",
    },
    SWAPPED: {LAST: "return right, left, words"},
    HEART: {"weight_decay=1.0": "weight_decay=0.0"},
    MORE: {", 0.03, 300": ", 0.03, 10"},
    "another learning rate": {", 0.03, 300": ", 0.0001, 300"},
    FLAT: {LAST: "return left, right, torch.zeros_like(words)"},
    TABLES: {LAST: "return left, words"},
    "your code changes": {LAST: "sentences[:] = 0\n    " + LAST},
}

EXERCISE = Exercise(
    minutes=60,
    difficulty=4,
    signature="fit_gaps(sentences (S, T) int64, vocabulary: V) -> (left, right, words), three tables (V, D)",
    hints=(
        "CBOW with one change: the words before and after the gap have tables of their own. The loss may be that of\n"
        "the chapter, or a softmax over all words: there are only 144. What do you do if the training text is known\n"
        "by heart, and new gaps are not?",
        "before, hidden and after (2400,), a row for each gap; left[before] + right[after] (B, D); scores (B, V).\n"
        "D of 12 or 16 is enough. Some hundred steps of 256 gaps take a second or two.",
        "three tables with small random numbers\n"
        "for some hundred steps: draw some gaps; scores of all words; cross-entropy with the hidden word;\n"
        "                        a step of AdamW, whose weight decay you choose; a learning rate that falls to 0\n"
        "keep 100 sentences apart, and measure with `gap_share` what the tables know of these",
    ),
    parts=(Lab(fit_gaps, lambda rng: [], MISTAKES, after=measure, coarse=True),),
    seconds=60.0,
)
