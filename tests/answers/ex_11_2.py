"""Answers to 11.2, the best span."""

import torch


def in_loops(starts, ends, own, longest, threshold):
    best, found = -float("inf"), (0, 0)
    places = own.nonzero().squeeze(1).tolist()
    for first in places:
        for last in places:
            if 0 <= last - first < longest and float(starts[first] + ends[last]) > best:
                best, found = float(starts[first] + ends[last]), (first, last)
    return found if float(starts[0] + ends[0]) <= best + threshold else (0, 0)


def by_diagonals(starts, ends, own, longest, threshold):
    """Length after length, as in the package; a tensor comes out."""
    table = starts.unsqueeze(1) + ends.unsqueeze(0)
    keep = (own.unsqueeze(1) & own.unsqueeze(0)).triu().tril(longest - 1)
    table = torch.where(keep, table, -torch.inf)
    top = table.max()
    if starts[0] + ends[0] - top > threshold:
        return torch.zeros(2, dtype=torch.long)
    return (table == top).nonzero()[0]


def with_softmax(starts, ends, own, longest, threshold):
    """Log-probabilities: the sums differ from those of logits by a constant."""
    return in_loops(starts.log_softmax(0), ends.log_softmax(0), own, longest, threshold)


def argmaxes(starts, ends, own, longest, threshold):
    first, last = int(starts.argmax()), int(ends.argmax())
    return (first, last) if first <= last else (0, 0)


def argmaxes_in_text(starts, ends, own, longest, threshold):
    low = starts.min() - 1
    return int(starts.where(own, low).argmax()), int(ends.where(own, low).argmax())


def greedy(starts, ends, own, longest, threshold):
    first = int(starts.where(own, torch.tensor(-torch.inf).to(starts)).argmax())
    reach = [last for last in range(first, min(first + longest, len(own))) if own[last]]
    last = max(reach, key=lambda place: float(ends[place])) if reach else 0
    null = starts[0] + ends[0] > starts[first] + ends[last] + threshold
    return (0, 0) if null or not reach else (first, last)


def top_twenty(starts, ends, own, longest, threshold):
    """The twenty best starts and ends, as the first code did: here only five."""
    best = [(-float("inf"), 0, 0)]
    for first in starts.topk(min(5, len(starts))).indices.tolist():
        for last in ends.topk(min(5, len(ends))).indices.tolist():
            if own[first] and own[last] and 0 <= last - first < longest:
                best.append((float(starts[first] + ends[last]), first, last))
    score, first, last = max(best)
    return (first, last) if float(starts[0] + ends[0]) <= score + threshold else (0, 0)


def never_null(starts, ends, own, longest, threshold):
    return in_loops(starts, ends, own, longest, 1e9)


def any_pair(starts, ends, own, longest, threshold):
    return in_loops(starts, ends, torch.ones_like(own), longest, threshold)


def too_long(starts, ends, own, longest, threshold):
    return in_loops(starts, ends, own, longest + 1, threshold)


def in_place(starts, ends, own, longest, threshold):
    starts[~own] = -torch.inf
    return in_loops(starts, ends, own, longest, threshold)


def relu_like(starts, ends, own, longest, threshold):
    """Begins its search at 0."""
    first, last = in_loops(starts, ends, own, longest, threshold)
    return (first, last) if starts[first] + ends[last] > 0 else (0, 0)


def highest_of_a_list(starts, ends, own, longest, threshold):
    """Of equal sums it would take the later one, the loops the earlier one: no case may have two highest."""
    places = [place for place, there in enumerate(own.tolist()) if there]
    sums = [(starts[a] + ends[b], a, b) for a in places for b in places if a <= b < a + longest]
    best, first, last = max(sums, default=(-torch.inf, 0, 0))
    return (first, last) if starts[0] + ends[0] <= best + threshold else (0, 0)


def null_against_maxima(starts, ends, own, longest, threshold):
    """Searches well, and compares [CLS] with the best start and the best end."""
    first, last = in_loops(starts, ends, own, longest, 1e9)
    answered = own.any() and starts[0] + ends[0] <= starts[own].max() + ends[own].max() + threshold
    return (first, last) if answered else (0, 0)


RIGHT = {
    "the highest of a list": highest_of_a_list,
    "loops": in_loops,
    "diagonals": by_diagonals,
    "tuples": lambda *inputs: list(in_loops(*inputs)),
}
WRONG = {
    "[CLS] against both maxima": (null_against_maxima, "which may be no span"),
    "two argmaxes": (argmaxes, "best end|for itself|no span has both"),
    "two argmaxes in the text": (argmaxes_in_text, "no span has both"),
    "greedy": (greedy, "best start comes first"),
    "five best": (top_twenty, "at most `longest` tokens"),
    "never null": (never_null, "never said"),
    "any pair": (any_pair, "the question"),
    "too long": (too_long, "too few"),
    "in place": (in_place, "changes an input"),
    "above zero": (relu_like, "far below 0|-inf"),
    "probabilities": (with_softmax, "no answer"),
    "a text": (lambda *inputs: "Oz", "two whole numbers"),
    "nothing": (lambda *inputs: None, "return"),
}
