"""Answers to 10.3, a pair of texts as one input."""

import numpy as np
import torch


def by_popping(first, second, max_length, cls_id, sep_id):
    """As BERT's first code did it, on copies."""
    a, b = list(first), list(second)
    while len(a) + len(b) > max_length - 3:
        (a if len(a) > len(b) else b).pop()
    ids = [cls_id, *a, sep_id, *b, sep_id]
    return ids, [int(place > len(a) + 1) for place in range(len(ids))]


def by_formula(first, second, max_length, cls_id, sep_id):
    room = max_length - 3
    n, m = len(first), len(second)
    if n + m > room:
        half = (room + 1) // 2
        if n <= half:
            m = room - n
        elif m <= room - half:
            n = room - m
        else:
            n, m = half, room - half
    ids = torch.tensor([cls_id, *first[:n], sep_id, *second[:m], sep_id])
    return ids, (torch.arange(len(ids)) >= n + 2).long()


def numpy_tuples(*inputs):
    ids, segments = by_popping(*inputs)
    return np.array(ids), tuple(segments)


def pops_the_inputs(first, second, max_length, cls_id, sep_id):
    while len(first) + len(second) > max_length - 3:
        (first if len(first) > len(second) else second).pop()
    return by_popping(first, second, max_length, cls_id, sep_id)


def only_second(first, second, max_length, cls_id, sep_id):
    """As `truncation="only_second"`: negative room where the first text is too long."""
    b = second[: max(0, max_length - 3 - len(first))]
    return [cls_id, *first, sep_id, *b, sep_id], [0] * (len(first) + 2) + [1] * (len(b) + 1)


def from_the_ids(first, second, max_length, cls_id, sep_id):
    """Segment 1 from the first separator on."""
    ids, _ = by_popping(first, second, max_length, cls_id, sep_id)
    where = ids.index(sep_id)
    return ids, [0] * where + [1] * (len(ids) - where)


def a_dictionary(*inputs):
    ids, segments = by_popping(*inputs)
    return {"input_ids": ids, "token_type_ids": segments}


def proportional(first, second, max_length, cls_id, sep_id):
    room, whole = max_length - 3, len(first) + len(second)
    n = len(first) if whole <= room else round(room * len(first) / whole)
    m = len(second) if whole <= room else room - n
    return by_popping(first[:n], second[:m], max_length, cls_id, sep_id)


def three_results(*inputs):
    ids, segments = by_popping(*inputs)
    return ids, segments, [1] * len(ids)


def floats(*inputs):
    return tuple([float(one) for one in some] for some in by_popping(*inputs))


def as_roberta(first, second, max_length, cls_id, sep_id):
    a, b = list(first), list(second)
    while len(a) + len(b) > max_length - 4:
        (a if len(a) > len(b) else b).pop()
    return [cls_id, *a, sep_id, sep_id, *b, sep_id], [0] * (len(a) + 3) + [1] * (len(b) + 1)


RIGHT = {"popping": by_popping, "a formula, tensors": by_formula, "numpy and a tuple": numpy_tuples}
WRONG = {
    "pops its inputs": (pops_the_inputs, "changes an input"),
    "only the second": (only_second, "longer"),
    "segments from the ids": (from_the_ids, r"the first \[SEP\] is in segment 1"),
    "a dictionary": (a_dictionary, "two lists"),
    "proportional": (proportional, "longer text|short text stays whole"),
    "as RoBERTa": (as_roberta, "two .SEP. stand between"),
    "three results": (three_results, "two lists"),
    "floats": (floats, "whole numbers in one list"),
    "ids only": (lambda *inputs: by_popping(*inputs)[0], "two lists"),
    "nothing": (lambda *inputs: None, "return"),
}
