"""Answers to 3.3, what a language pays, by tokenizer, and its share of unknown tokens."""

from collections import defaultdict
from fractions import Fraction

import numpy as np
import torch


def tokens(tokenizer, texts):
    return sum(len(tokenizer.ids(text)) for text in texts)


def unknown(tokenizer, texts):
    return sum(tokenizer.ids(text).count(tokenizer.unk_id) for text in texts)


def words(texts):
    return len(" ".join(texts).split())


def share(tokenizer, own):
    return unknown(tokenizer, own) / tokens(tokenizer, own)


def per_word(tok, texts):
    """The chapter's own."""
    return sum(len(tok.ids(text)) for text in texts) / sum(len(text.split()) for text in texts)


def table_of(cell):
    """A table of what `cell(tokenizer, texts of one language, texts in English)` gives."""
    return lambda tokenizers, texts: {
        name: {language: cell(tokenizer, own, texts["en"]) for language, own in texts.items()}
        for name, tokenizer in tokenizers.items()
    }


def by_special_mask(tokenizers, texts):
    def found(tokenizer, own):
        encoded = [tokenizer.encode(text) for text in own]
        return [token for e in encoded for token, special in zip(e.tokens, e.special_mask, strict=True) if not special]

    table = {}
    for name, tokenizer in tokenizers.items():
        cut = {language: found(tokenizer, own) for language, own in texts.items()}
        table[name] = {
            language: (torch.tensor(len(own) / len(cut["en"])), own.count("[UNK]") / len(own))
            for language, own in cut.items()
        }
    return table


def by_loops(tokenizers, texts):
    table = defaultdict(dict)
    for language in texts:
        for name in tokenizers:
            count = strange = 0
            for text in texts[language]:
                encoded = tokenizers[name].encode(text, add_special_tokens=False)
                count += len(encoded.ids)
                strange += encoded.tokens.count("[UNK]")
            table[name][language] = [count, strange / count]
    for row in table.values():
        english = row["en"][0]
        for pair in row.values():
            pair[0] /= english
    return table


def with_cell(change):
    """`by_loops`, and then `change(price, unknown)` of each pair."""
    return lambda tokenizers, texts: {
        name: {language: change(*pair) for language, pair in row.items()}
        for name, row in by_loops(tokenizers, texts).items()
    }


def one_row_for_all(tokenizers, texts):
    row = {}
    table = dict.fromkeys(tokenizers, row)
    for name, own in by_loops(tokenizers, texts).items():
        table[name].update(own)
    return table


def word_by_word(tokenizer, own, english):
    def cut(texts):
        return [i for text in texts for word in text.split() for i in tokenizer.ids(word)]

    return len(cut(own)) / len(cut(english)), cut(own).count(tokenizer.unk_id) / len(cut(own))


def mean_of_texts(tokenizer, own, english):
    pairs = [(tokens(tokenizer, [a]), tokens(tokenizer, [b])) for a, b in zip(own, english, strict=True)]
    prices = [a / b for a, b in pairs if b]
    return sum(prices) / len(prices), share(tokenizer, own)


RIGHT = {
    "special mask": by_special_mask,
    "loops": by_loops,
    "fractions": table_of(lambda t, own, en: (Fraction(tokens(t, own), tokens(t, en)), share(t, own))),
    "numpy": table_of(lambda t, own, en: np.array([tokens(t, own) / tokens(t, en), share(t, own)], np.float32)),
    "torch": table_of(lambda t, own, en: torch.tensor([tokens(t, own) / tokens(t, en), share(t, own)])),
}
WRONG = {
    "the chapter's per_word": (table_of(lambda t, own, en: per_word(t, own)), "as the chapter's per_word"),
    "per_word and the share": (
        table_of(lambda t, own, en: (per_word(t, own), share(t, own))),
        "is tokens for each word",
    ),
    "per_word against English": (
        table_of(lambda t, own, en: (per_word(t, own) / per_word(t, en), share(t, own))),
        "tokens for each word are compared",
    ),
    "per_word against English, alone": (
        table_of(lambda t, own, en: per_word(t, own) / per_word(t, en)),
        "two things: tokens for each word are compared.*share of unknown tokens is missing",
    ),
    "the price alone": (
        table_of(lambda t, own, en: tokens(t, own) / tokens(t, en)),
        "share of unknown tokens is missing",
    ),
    "one row": (one_row_for_all, "each row needs a dictionary"),
    "word by word": (table_of(word_by_word), "each word is cut on its own"),
    "mean of prices": (table_of(mean_of_texts), "the price is the average of the texts' own"),
    "share of words": (
        table_of(lambda t, own, en: (tokens(t, own) / tokens(t, en), unknown(t, own) / words(own))),
        "divided by words",
    ),
    "one more": (with_cell(lambda price, lost: (price + 1, lost)), "(?s)the table of.*expected"),
    "percent": (with_cell(lambda price, lost: (100 * price, 100 * lost)), "percent"),
    "spaces": (
        table_of(lambda t, own, en: ("".join(own).count(" "), share(t, own))),
        "(?s)the table of.*expected",
    ),
    "a key for [UNK]": (table_of(lambda t, own, en: (1.0, t.vocab["[UNK]"])), "KeyError|the table of"),
    "a list": (lambda tokenizers, texts: [[1.0]], "a list of 1"),
    "rows are lists": (lambda tokenizers, texts: {name: [1.0] for name in tokenizers}, "a list of 1"),
    "texts": (lambda tokenizers, texts: {n: dict.fromkeys(texts, ("1", "0")) for n in tokenizers}, "one number"),
    "a name of its own": (lambda tokenizers, texts: tokenizers["BERT"], "KeyError"),
    "nothing": (lambda tokenizers, texts: None, "`return` missing"),
}
