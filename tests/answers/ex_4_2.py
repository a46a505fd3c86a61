"""Answers to 4.2, a padded batch and its mask."""

import torch
from torch.nn.utils.rnn import pad_sequence


def with_pad_sequence(texts, pad_id):
    ids = pad_sequence([torch.tensor(t) for t in texts], batch_first=True, padding_value=pad_id)
    mask = pad_sequence([torch.ones(len(t), dtype=torch.bool) for t in texts], batch_first=True)
    return [ids, mask]


def with_loops(texts, pad_id):
    width = max(map(len, texts))
    ids = torch.full((len(texts), width), pad_id)
    mask = torch.zeros(len(texts), width, dtype=torch.bool)
    for row, text in enumerate(texts):
        for place, word in enumerate(text):
            ids[row, place], mask[row, place] = word, True
    return ids, mask


def in_place(texts, pad_id):
    lengths, width = [len(t) for t in texts], max(map(len, texts))
    for text in texts:
        text += [pad_id] * (width - len(text))
    return torch.tensor(texts), torch.arange(width) < torch.tensor(lengths)[:, None]


def keeps_one_pad(texts, pad_id):
    ids = with_loops(texts, pad_id)[0]
    return ids, (ids == pad_id).cumsum(1) <= 1


def one_after_the_other(texts, pad_id):
    return torch.tensor([word for text in texts for word in text]), torch.tensor([True])


def as_int16(texts, pad_id):
    ids, mask = with_loops(texts, pad_id)
    return ids.to(torch.int16), mask


def rows_that_are_one(texts, pad_id):
    width = max(map(len, texts))
    ids, mask = [[pad_id] * width] * len(texts), [[0] * width] * len(texts)
    for row, text in enumerate(texts):
        ids[row][: len(text)], mask[row][: len(text)] = text, [1] * len(text)
    return torch.tensor(ids), torch.tensor(mask).bool()


def greatest_list(texts, pad_id):
    width = len(max(texts))
    return (
        torch.tensor([(text + [pad_id] * width)[:width] for text in texts]),
        torch.tensor([[place < len(text) for place in range(width)] for text in texts]),
    )


def no_return(texts, pad_id):
    with_loops(texts, pad_id)


RIGHT = {"pad_sequence": with_pad_sequence, "loops": with_loops}
WRONG = {
    "in place": (in_place, "changes an input"),
    "keeps one pad": (keeps_one_pad, "guessed from the ids|lengths|as many places"),
    "one after the other": (one_after_the_other, "ids of .* has shape"),
    "rows that are one": (rows_that_are_one, "one row B times"),
    "max of the lists": (greatest_list, "compares first ids"),
    "no return": (no_return, "the answer of .* is None[^.]*is the `return` missing"),
    "int16": (as_int16, "dtype int16"),
}
