"""Answers to 11.3, labels for pieces."""

import numpy as np
import torch


def in_columns(words, tags, cut, max_length, cls_id, sep_id):
    """All pieces first, then the places where words begin."""
    pieces = [cut(word) for word in words]
    ids = torch.tensor([cls_id] + [piece for one in pieces for piece in one])
    labels = torch.full_like(ids, -100)
    begins = np.cumsum([1] + [len(one) for one in pieces])
    for begin, one, tag in zip(begins[:-1].tolist(), pieces, tags, strict=True):
        if one:
            labels[begin] = tag
    keep = min(len(ids), max_length - 1)
    end = torch.tensor([sep_id])
    return torch.cat([ids[:keep], end]), torch.cat([labels[:keep], torch.tensor([-100])])


def with_word_ids(words, tags, cut, max_length, cls_id, sep_id):
    """As with `word_ids()` of the library `tokenizers`."""
    ids, word_ids = [cls_id], [None]
    for number, word in enumerate(words):
        for piece in cut(word):
            if len(ids) < max_length - 1:
                ids.append(piece)
                word_ids.append(number)
    ids.append(sep_id)
    word_ids.append(None)
    labels, before = [], None
    for number in word_ids:
        labels.append(-100 if number is None or number == before else tags[number])
        before = number
    return tuple(ids), tuple(labels)


def by_word_ids(predicted, words, cut, outside):
    found = {}
    places = [number for number, word in enumerate(words) for _ in cut(word)]
    for number, tag in zip(places, predicted[1:-1], strict=False):
        found.setdefault(number, tag)
    return [found.get(number, outside) for number in range(len(words))]


def by_index(predicted, words, cut, outside):
    begins = np.cumsum([1] + [len(cut(word)) for word in words])
    inside = [cut(word) and begin < len(predicted) - 1 for word, begin in zip(words, begins, strict=False)]
    return tuple(predicted[begin] if is_in else outside for begin, is_in in zip(begins.tolist(), inside, strict=False))


def changed(**how):
    """One thing is done otherwise."""

    def labels(words, tags, cut, max_length, cls_id, sep_id):
        ids, found = with_word_ids(words, tags, cut, how.get("limit", max_length), cls_id, sep_id)
        found = list(found)
        if "ignore" in how:
            found = [how["ignore"] if label == -100 else label for label in found]
        if "all" in how:
            for place in range(1, len(found) - 1):
                found[place] = found[place] if found[place] != -100 else found[place - 1]
        return list(ids), found

    return labels


def truncated_words(words, tags, cut, max_length, cls_id, sep_id):
    """Cuts the list of words until all fits."""
    while sum(len(cut(word)) for word in words) > max_length - 2:
        words, tags = words[:-1], tags[:-1]
    return with_word_ids(words, tags, cut, max_length, cls_id, sep_id)


def pops(words, tags, cut, max_length, cls_id, sep_id):
    found = with_word_ids(words, tags, cut, max_length, cls_id, sep_id)
    tags.clear()
    return found


def floats(*inputs):
    ids, labels = with_word_ids(*inputs)
    return torch.tensor(ids), torch.tensor(labels).float()


def every_token(predicted, words, cut, outside):
    return predicted[1:-1]


def skips_empty(predicted, words, cut, outside):
    return [tag for word, tag in zip(words, by_word_ids(predicted, words, cut, outside), strict=True) if cut(word)]


def next_token(predicted, words, cut, outside):
    place, found = 1, []
    for word in words:
        found.append(predicted[place] if place < len(predicted) - 1 else outside)
        place += len(cut(word))
    return found


RIGHT = {
    "in columns": (in_columns, by_index),
    "word ids": (with_word_ids, by_word_ids),
    "tensors back": (in_columns, lambda *inputs: torch.tensor(by_word_ids(*inputs), dtype=torch.long)),
}
WRONG = {
    "every piece": ((changed(all=True), by_word_ids), "every piece has the tag"),
    "zeros": ((changed(ignore=0), by_word_ids), "label 0|-100"),
    "never cut": ((changed(limit=10**6), by_word_ids), "nothing is cut"),
    "whole words": ((truncated_words, by_word_ids), "as a whole is left out"),
    "clears its inputs": ((pops, by_word_ids), "changes an input"),
    "floats": ((floats, by_word_ids), "whole numbers"),
    "every token": ((with_word_ids, every_token), "a tag for each token"),
    "skips words": ((with_word_ids, skips_empty), "each word"),
    "the next token": ((with_word_ids, next_token), "`outside`"),
    "nothing": ((with_word_ids, lambda *inputs: None), "return"),
    "one list": ((lambda *inputs: with_word_ids(*inputs)[0], by_word_ids), "two lists|whole numbers"),
}
