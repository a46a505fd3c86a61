"""11.2 The best span. Of all pieces of the text, which one is the answer, or is there none?"""

import torch

from minibert.course.exercise import Exercise
from minibert.course.exercises.ex_11_1 import pair
from minibert.course.lab import Case, Lab


def best_span(starts, ends, own, longest, threshold):
    """Logits (T,) twice, own (T,) bool -> the first and the last token of the answer; (0, 0) if there is none."""
    place = torch.arange(len(starts))
    length = place - place[:, None] + 1  # (T, T): of the span from the row's token to the column's
    allowed = own[:, None] & own & (length >= 1) & (length <= longest)
    scores = (starts[:, None] + ends).masked_fill(~allowed, float("-inf"))  # (T, T)
    first, last = divmod(int(scores.argmax()), len(starts))
    null = starts[0] + ends[0]
    if not allowed.any() or null > scores[first, last] + threshold:
        return 0, 0
    return first, last


def layout(asked, text, pads=0):
    """[CLS], a question, [SEP], the text, [SEP], padding: True on the text."""
    return torch.tensor([False] * (asked + 2) + [True] * text + [False] * (1 + pads))


def joined(front, starts, ends):
    """Both logits of the tokens in front, of the text, and of the last [SEP]."""
    return [*front[0], *starts, -9], [*front[1], *ends, -9]


def cases(rng):
    def case(cause, name, starts, ends, asked=1, longest=30, threshold=0.0, pads=0, **how):
        starts, ends = (one if isinstance(one, torch.Tensor) else torch.tensor(one) for one in (starts, ends))
        own = layout(asked, len(starts) - asked - 3 - pads, pads)
        return Case((starts, ends, own, longest, threshold), cause, f"(first, last) {name}", **how)

    low = [-9.0, -9.0, -9.0]  # [CLS], a question of one token, [SEP]
    sums = "starts[first] + ends[last] is the score of a span; the highest of all allowed ones wins"
    yield case(sums, "where start and end agree", [*low, 0, 3, 1, 0, -9], [*low, 0, 1, 2.5, 0, -9])
    turned = "the best end stands in front of the best start: no span has both; compare sums of allowed pairs"
    yield case(
        turned, "where the best end comes before the best start", [*low, 2, 0, 5, 0.5, -9], [*low, 0, 5, 0.5, 4, -9]
    )
    yield case(turned, "where the best start is the last token", [*low, 3, 2.5, 0, 4, -9], [*low, 4, 1, 3.5, -3, -9])
    yield case(turned, "where the best end is the first token", [*low, -3, 3, 2, 0, -9], [*low, 4, 2, 2.5, 0, -9])
    outside = "first and last are tokens of the text, where `own` is True"
    yield case(
        outside, "where the question scores higher", [-9.0, 9, 9, -9, 1, 2, 0, -9], [-9.0, 9, 8, -9, 0, 1, 2, -9], 2
    )
    yield case(
        outside, "where a start in the question scores high", [-9.0, 9, -9, 1, 2, 0, -9], [-9.0, -9, -9, 0, 1, 2, -9]
    )
    yield case(outside, "where the last [SEP] scores high as an end", [*low, 1, 2, 0, -9], [*low, 0, 1, 0.5, 8])
    yield case(outside, "where padding scores high", [*low, 1, 2, 0, -9, 7, 7], [*low, 0, 1, 0.5, -9, 7, 7], pads=2)
    few = "a span has at most `longest` tokens: last - first + 1"
    starts, ends = [*low, 5.0, 1, 4, 0, 2, 0, -9], [*low, 0.0, 1, 0, 3, 0, 4.5, -9]
    for longest in (6, 5, 4, 3, 2, 1):
        yield case(few, f"with longest = {longest}", starts, ends, longest=longest)
    high = [*low, *[5.0] * 50, *[1.0] * 5, *[0.5] * 4, -9], [*low, *[-9.0] * 55, 8.0, -9, -9, -9, -9]
    every = "the best span may have none of the highest starts: they have no good end near by; try them all"
    yield case(every, "where 50 starts are higher than the best one", *high, longest=2)
    far = [*low, 5.0, *[0.0] * 50, -9], [*low, *[0.0] * 45, 5.0, *[0.0] * 5, -9]
    yield case(few, "with longest = 60, and 46 tokens from start to end", *far, longest=60)
    yield from without_answer(case, low)
    yield case("where no token of the text is in the window it is (0, 0)", "without text", low, low, 0)
    hidden = "hide the scores of spans that are not allowed with -inf; all logits may be far below 0"
    for shift in (-40.0, -3e4):
        shifted = [[one + shift for one in some] for some in (starts, ends)]
        yield case(hidden, f"where all logits are below {shift + 6:g}", *shifted, longest=2, threshold=1e6)
    sizes = (3, 9, 0), (4, 20, 3), (1, 1, 0), (9, 40, 0), (2, 13, 5), (6, 90, 0)
    for number, (asked, text, pads) in enumerate(sizes):
        dtype = torch.float64 if number == 4 else torch.float32
        logits = 3 * torch.randn(2, asked + text + 3 + pads, generator=rng, dtype=dtype)
        longest = 1 + int(torch.randint(0, min(text, 12), (), generator=rng))
        name = f"for random logits, T = {logits.shape[1]}, longest = {longest}"
        yield case(sums, name, *logits, asked, longest, float(number % 3), pads)


def without_answer(case, low):
    """Cases where the score at [CLS] decides."""
    none = "no answer: the sum of both logits at [CLS] is more than threshold above the best score"
    values = (0.0, 4.0, 1), (0.0, 9.0, 1), (3.0, 9.0, 7), (-3.0, 4.0, 7), (1.0, 7.0, 1), (1.0, 7.5, 6.5), (0.0, 6.0, 1)
    for threshold, score, end in values:
        with_null = [score - end, *low[1:], 2.0, 1, -9], [float(end), *low[1:], 1.0, 4, -9]  # the best score is 6
        yield case(none, f"with {score:g} at [CLS] and threshold {threshold:g}", *with_null, threshold=threshold)
    rival = "[CLS] is compared with the best span that is allowed, and with nothing else"
    null = ([3.0, *low[1:]], [4.0, *low[1:]])  # 7 at [CLS]
    yield case(
        rival, "with 7 at [CLS], where a span of 10 is too long", *joined(null, [5, 0, 0.5], [0, 0.25, 5]), longest=2
    )
    yield case(rival, "with 7 at [CLS], where both maxima are no span", *joined(null, [1, 5, 0], [5, 0.5, 0]))


SCORES, ALLOWED = (
    '(starts[:, None] + ends).masked_fill(~allowed, float("-inf"))',
    "own[:, None] & own & (length >= 1) & (length <= longest)",
)
ARGMAX, NULL, RETURN = "divmod(int(scores.argmax()), len(starts))", "starts[0] + ends[0]", "    return first, last"
BEST = "scores[first, last] + threshold"
ALONE = "{0}.masked_fill(~own, float('-inf')).argmax()"
MISTAKES = {
    "the best start and the best end are chosen each for itself; compare the sums of allowed pairs": {
        ARGMAX: f"int({ALONE.format('starts')}), int({ALONE.format('ends')})"
    },
    "the best start and the best end are chosen each for itself, and anywhere; compare the sums of allowed pairs": {
        ARGMAX: "int(starts.argmax()), int(ends.argmax())"
    },
    "the best start comes first, and then the best end for it; another start may allow a higher sum": {
        ARGMAX: f"int({ALONE.format('starts')}), 0\n    last = int(scores[first].argmax())"
    },
    "the best end comes first, and then the best start for it; another end may allow a higher sum": {
        ARGMAX: f"0, int({ALONE.format('ends')})\n    first = int(scores[:, last].argmax())"
    },
    "the span may end before it begins: last is at least first": {"(length >= 1)": "(length > -longest)"},
    "the span may lie in the question, or be a special token: both ends are where `own` is True": {
        "own[:, None] & own & (length >= 1)": "(length >= 1)"
    },
    "the span may begin outside of the text: both ends are where `own` is True": {"own[:, None] & own": "own"},
    "the span may end outside of the text: both ends are where `own` is True": {"own[:, None] & own": "own[:, None]"},
    "`longest` is not used": {" & (length <= longest)": ""},
    "`longest` counts one too few: a span from first to last has last - first + 1 tokens": {
        "length <= longest": "length <= longest + 1"
    },
    "`longest` counts one too many: a span of `longest` tokens is allowed": {"length <= longest": "length < longest"},
    "a span of a single token is not allowed here; it is": {"length >= 1": "length > 1"},
    "the longest allowed span with the best start is taken; its end has a score, too": {
        ARGMAX: f"int({ALONE.format('starts')}), 0\n    last = int((place * allowed[first]).argmax())"
    },
    "the two logits are multiplied; their sum is the score": {"(starts[:, None] + ends)": "(starts[:, None] * ends)"},
    "probabilities are added; the sum of the logits is the score": {
        "(starts[:, None] + ends)": "(starts.softmax(0)[:, None] + ends.softmax(0))"
    },
    "the score is divided by the length of the span; it is the plain sum": {
        "(starts[:, None] + ends)": "((starts[:, None] + ends) / length.clamp(min=1))"
    },
    "the smallest sum is taken; it is the highest": {
        ARGMAX: 'divmod(int(scores.masked_fill(~allowed, float("inf")).argmin()), len(starts))'
    },
    "scores of spans that are not allowed are set to 0; others may be below that: -inf": {
        SCORES: "(starts[:, None] + ends) * allowed"
    },
    "scores of spans that are not allowed are set to -10,000 or so; others may be below that: -inf": {
        'float("-inf")': "-1e4"
    },
    "rows are starts and columns ends; here they are exchanged": {
        "(starts[:, None] + ends)": "(ends[:, None] + starts)"
    },
    "`no answer` is never said: it is (0, 0) where [CLS] is more than threshold above": {f" or null > {BEST}": ""},
    "`no answer` is said for any [CLS] above the best score; it is more than threshold above": {
        BEST: "scores[first, last]"
    },
    "the threshold is taken off; [CLS] must be that much above the best score": {
        BEST: "scores[first, last] - threshold"
    },
    "`no answer` is said where the best score is above; it is where [CLS] is": {
        f"null > {BEST}": "scores[first, last] > null + threshold"
    },
    "`no answer` needs more than the threshold; exactly as much is not enough": {f"null > {BEST}": f"null >= {BEST}"},
    "`no answer` counts the start logit only; it is the sum of both at [CLS]": {NULL: "starts[0]"},
    "`no answer` counts the end logit only; it is the sum of both at [CLS]": {NULL: "ends[0]"},
    "[CLS] is compared with the best start alone; compare sums of two": {
        BEST: "scores[first, last] / 2 + threshold",
        NULL: "(starts[0] + ends[0]) / 2",
    },
    "[CLS] is compared with the best start and the best end, which may be no span; compare it with the best span": {
        BEST: "starts[own].max() + ends[own].max() + threshold"
    },
    "[CLS] is compared with a span that may be too long; compare it with the best one that is allowed": {
        BEST: "max(starts[i] + max(ends[i:][own[i:]]) for i in place[own].tolist()) + threshold"
    },
    "without an answer it is (0, 0); this is (-1, -1)": {"return 0, 0": "return -1, -1"},
    "without an answer it is (0, 0); this is None": {"return 0, 0": "return None"},
    "the last token is given as one past the end; it is the last one of the answer": {
        RETURN: "    return first, last + 1"
    },
    "places are counted from the first token of the text; they count from [CLS] on": {
        RETURN: "    return first - int(own.int().argmax()), last - int(own.int().argmax())"
    },
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="best_span(starts (T,), ends (T,), own (T,) bool, longest, threshold) -> (first, last)",
    hints=(
        "One number for each pair of a first and a last token, and most pairs are forbidden. Choose only when\n"
        "all sums are there and all forbidden ones are out of the way. [CLS] stands for the answer that is not there.",
        "A column (T, 1) plus a row (T,) is a table (T, T): the row is the first token, the column the last one. The\n"
        "length of each span is such a table, too, and `own` is one as a column and as a row. argmax of a table\n"
        "counts through all rows: its row and column are quotient and remainder by T.",
        "table of sums; table of lengths\n"
        "allowed: both ends own, a length from one to longest\n"
        "what is not allowed sinks to minus infinity\n"
        "the place of the highest, as row and column\n"
        "nothing allowed, or both logits at [CLS] together more than threshold above it: twice 0",
    ),
    parts=(Lab(best_span, cases, MISTAKES, run=pair, coarse=True),),
)
