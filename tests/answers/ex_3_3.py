"""Answers to 3.3, tokens for each word by tokenizer and language."""

import re
from collections import defaultdict
from fractions import Fraction

import numpy as np
import torch


def by_special_mask(tokenizers, texts):
    def count(tokenizer, text):
        return len(tokenizer.encode(text).special_mask) - sum(tokenizer.encode(text).special_mask)

    return {
        name: {
            language: torch.tensor(sum(count(tokenizer, text) for text in own) / len(" ".join(own).split()))
            for language, own in texts.items()
        }
        for name, tokenizer in tokenizers.items()
    }


def by_loops(tokenizers, texts):
    table = defaultdict(dict)
    for language in texts:
        for name in tokenizers:
            tokens = words = 0
            for text in texts[language]:
                tokens += len(tokenizers[name].encode(text, add_special_tokens=False).tokens)
                words += len(re.findall(r"\S+", text))
            table[name][language] = tokens / words
    return table


def table_of(cell):
    return lambda tokenizers, texts: {
        name: {language: cell(tokenizer, own) for language, own in texts.items()}
        for name, tokenizer in tokenizers.items()
    }


def tokens(tokenizer, texts):
    return sum(len(tokenizer.ids(text)) for text in texts)


def words(texts):
    return len(" ".join(texts).split())


def weighted(tokenizer, texts):
    parts = [(len(tokenizer.ids(text)) / len(text.split()), len(text.split())) for text in texts if text.split()]
    return sum(ratio * weight for ratio, weight in parts) / sum(weight for _, weight in parts)


def one_row_for_all(tokenizers, texts):
    row = {}
    table = dict.fromkeys(tokenizers, row)
    for name, tokenizer in tokenizers.items():
        for language, own in texts.items():
            table[name][language] = tokens(tokenizer, own) / words(own)
    return table


def tokens_run_on(tokenizers, texts):
    table = {}
    for name, tokenizer in tokenizers.items():
        table[name], total = {}, 0
        for language, own in texts.items():
            total += tokens(tokenizer, own)
            table[name][language] = total / words(own)
    return table


def one_more(tokenizers, texts):
    return {name: {key: number + 1 for key, number in row.items()} for name, row in by_loops(tokenizers, texts).items()}


def word_by_word(tokenizer, own):
    return sum(len(tokenizer.ids(word)) for text in own for word in text.split()) / words(own)


def spaces_and_lines(tokenizer, own):
    return tokens(tokenizer, own) / sum(len(re.split(r"[ \n]+", text.strip())) for text in own if text.strip())


RIGHT = {
    "special mask": by_special_mask,
    "loops": by_loops,
    "fractions": table_of(lambda tokenizer, own: Fraction(tokens(tokenizer, own), words(own))),
    "numpy": table_of(lambda tokenizer, own: np.float32(tokens(tokenizer, own) / words(own))),
    "weighted": table_of(weighted),
}
WRONG = {
    "one row": (one_row_for_all, "each row needs a dictionary"),
    "tokens run on": (tokens_run_on, "tokens are not set back to zero"),
    "word by word": (table_of(word_by_word), "each word is cut on its own"),
    "letters only": (table_of(lambda t, own: tokens(t, own) / len(re.findall(r"\w+", " ".join(own)))), "punctuation"),
    "different words": (
        table_of(lambda t, own: tokens(t, own) / len({*" ".join(own).split()})),
        "different words are counted",
    ),
    "spaces and line breaks": (table_of(spaces_and_lines), "white space|all tokens of a language"),
    "one more": (one_more, "(?s)the table of.*expected"),
    "percent": (table_of(lambda t, own: 100 * tokens(t, own) / words(own)), "these are percent"),
    "a list": (lambda tokenizers, texts: [[1.0]], "a list of 1"),
    "rows are lists": (lambda tokenizers, texts: {name: [1.0] for name in tokenizers}, "a list of 1"),
    "texts": (lambda tokenizers, texts: {n: dict.fromkeys(texts, "1.2") for n in tokenizers}, "one number"),
    "a name of its own": (lambda tokenizers, texts: tokenizers["BERT"], "KeyError"),
    "nothing": (lambda tokenizers, texts: None, "`return` missing"),
}
