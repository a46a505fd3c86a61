"""Chapter 3's checks accept what is right in another way, and name the mistakes of strangers."""

import re
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minibert.course import examine
from minibert.course.checks.chapter_03_merges import _trained, encode
from minibert.course.checks.chapter_03_pieces import cut
from minibert.tokenization.merges import merge_by_rank
from minibert.tokenization.wordpiece import greedy_pieces

SEEDS = [0, 3, 99]


# ---- what the checks call right is what the package computes


@given(st.text("abc", min_size=1, max_size=9), st.sets(st.text("abc", min_size=1, max_size=4), max_size=9))
def test_the_right_cut_is_that_of_the_package(word, parts):
    vocab = {"[UNK]"} | {piece if place % 2 else "##" + piece for place, piece in enumerate(sorted(parts))}
    ids = {piece: place for place, piece in enumerate(sorted(vocab))}
    names = sorted(vocab)
    assert cut(word, vocab, 8) == [names[i] for i, _, _ in greedy_pieces(word, ids, ids["[UNK]"], max_chars=8)]


@pytest.mark.parametrize("seed", range(20))
def test_the_right_merges_are_those_of_the_package(seed):
    rng = torch.Generator().manual_seed(seed)
    merges = _trained(rng, "abc")
    names = ["a", "b", "c", *(left + right for left, right in merges)]
    ranks = {(names.index(a), names.index(b)): (rank, rank + 3) for rank, (a, b) in enumerate(merges)}
    assert len(set(names)) == len(names), "each token is made by one merge only"
    for length in range(1, 12):
        word = "".join("abc"[i] for i in torch.randint(3, (length,), generator=rng).tolist())
        assert encode(word, merges) == [names[i] for i in merge_by_rank(["abc".index(c) for c in word], ranks)]


# ---- right in another way


def pieces_by_recursion(word, vocab, max_chars=100, lead=""):
    if not word:
        return []
    if len(word) > max_chars:
        return ["[UNK]"]
    fits = [piece for n in range(1, len(word) + 1) if (piece := lead + word[:n]) in vocab]
    if not fits:
        return ["[UNK]"]
    rest = pieces_by_recursion(word[len(fits[-1]) - len(lead) :], vocab, max_chars, "##")
    return rest if rest == ["[UNK]"] else [fits[-1], *rest]


def pieces_as_google_wrote_it(word, vocab, max_chars=100):
    chars, output, start, is_bad = list(word), [], 0, False
    if len(chars) > max_chars:
        output.append("[UNK]")
        return output
    while start < len(chars):
        end, current = len(chars), None
        while start < end:
            substr = "".join(chars[start:end])
            if start > 0:
                substr = "##" + substr
            if substr in vocab:
                current = substr
                break
            end -= 1
        if current is None:
            is_bad = True
            break
        output.append(current)
        start = end
    return ["[UNK]"] if is_bad else output


def pieces_by_sorting(word, vocab, max_chars=100):
    by_length, out, rest = sorted(vocab, key=len, reverse=True), [], word
    while rest and len(word) <= max_chars:
        found = next(
            (p for p in by_length if p.startswith("##") == bool(out) and rest.startswith(p[2 * bool(out) :])), ""
        )
        if not found:
            return ["[UNK]"]
        out.append(found)
        rest = rest[len(found) - 2 * bool(out[1:]) :]
    return out or ["[UNK]"]


def pieces_by_a_shrinking_rest(word, vocab, max_chars=100):
    pieces, rest, longest = [], word, max(map(len, vocab))
    if len(rest) > max_chars:
        return ["[UNK]"]
    while rest:
        i = min(len(rest), longest)
        while i and "##" * bool(pieces) + rest[:i] not in vocab:
            i -= 1
        if not i:
            return ["[UNK]"]
        pieces.append("##" * bool(pieces) + rest[:i])
        rest = rest[i:]
    return pieces


def merges_in_a_text(word, merges):
    text = "\0" + "\0".join(word) + "\0"
    for left, right in merges:
        while (pair := f"\0{left}\0{right}\0") in text:
            text = text.replace(pair, f"\0{left}{right}\0", 1)
    return text[1:-1].split("\0")


def merges_begun_again_after_each(word, merges, symbols=None):
    symbols = list(word) if symbols is None else symbols
    for merge in merges:
        for place, pair in enumerate(pairwise(symbols)):
            if pair == merge:
                joined = [*symbols[:place], "".join(merge), *symbols[place + 2 :]]
                return merges_begun_again_after_each(word, merges, joined)
    return symbols


def merges_one_rank_after_the_other(word, merges):
    symbols = list(word)
    for left, right in merges:
        place = 0
        while place < len(symbols) - 1:
            if symbols[place] == left and symbols[place + 1] == right:
                symbols[place : place + 2] = [left + right]
            place += 1
    return symbols


def merges_all_places_of_the_best_pair(word, merges):
    ranks, symbols = dict(zip(merges, range(len(merges)), strict=True)), tuple(word)
    while len(symbols) > 1:
        pair = min(pairwise(symbols), key=lambda one: ranks.get(one, float("inf")))
        if pair not in ranks:
            break
        out, place = [], 0
        while place < len(symbols):
            joined = symbols[place : place + 2] == pair
            out.append("".join(pair) if joined else symbols[place])
            place += 1 + joined
        symbols = tuple(out)
    return list(symbols)


def table_by_special_mask(tokenizers, texts):
    def count(tokenizer, text):
        return len(tokenizer.encode(text).special_mask) - sum(tokenizer.encode(text).special_mask)

    return {
        name: {
            language: torch.tensor(sum(count(tokenizer, text) for text in own) / len(" ".join(own).split()))
            for language, own in texts.items()
        }
        for name, tokenizer in tokenizers.items()
    }


def table_by_loops(tokenizers, texts):
    table = {}
    for language in texts:
        for name in tokenizers:
            tokens = words = 0
            for text in texts[language]:
                tokens += len(tokenizers[name].encode(text, add_special_tokens=False).tokens)
                words += len(re.findall(r"\S+", text))
            table.setdefault(name, {})[language] = tokens / words
    return table


def table_of(cell):
    """A table whose numbers are `cell(tokenizer, texts of one language)`."""
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


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("3.1", pieces_by_recursion),
        ("3.1", pieces_as_google_wrote_it),
        ("3.1", pieces_by_sorting),
        ("3.1", pieces_by_a_shrinking_rest),
        ("3.2", merges_in_a_text),
        ("3.2", merges_begun_again_after_each),
        ("3.2", merges_one_rank_after_the_other),
        ("3.2", merges_all_places_of_the_best_pair),
        ("3.3", table_by_special_mask),
        ("3.3", table_by_loops),
        ("3.3", table_of(lambda tokenizer, own: Fraction(tokens(tokenizer, own), words(own)))),
        ("3.3", table_of(lambda tokenizer, own: np.float32(tokens(tokenizer, own) / words(own)))),
        ("3.3", table_of(weighted)),
    ],
)
def test_what_is_right_in_another_way_passes(number, answer, seed):
    assert examine(number, answer, seed).message == f"{number} passed"


# ---- mistakes nobody listed


def shortest_without_marks(word, vocab, max_chars=100):
    pieces, rest = [], word
    while rest:
        n = next((n for n in range(1, len(rest) + 1) if rest[:n] in vocab), None)
        if n is None or len(word) > max_chars:
            return ["[UNK]"]
        pieces.append(rest[:n])
        rest = rest[n:]
    return pieces


def tokens_of_another_word(word, vocab, max_chars=100):
    return cut(word[::-1], vocab, max_chars)


def waits_for_ever(word, vocab, max_chars=100):
    start, pieces = 0, []
    while start < len(word):
        for stop in range(len(word), start, -1):
            if ("##" if start else "") + word[start:stop] in vocab:
                pieces.append(("##" if start else "") + word[start:stop])
                start = stop
                break
    return pieces


def empties_the_vocabulary(word, vocab, max_chars=100):
    pieces = cut(word, vocab, max_chars)
    vocab -= set(pieces)
    return pieces


def frequency_of_characters(word, merges):
    return sorted(word, key=word.count)


def joins_only_the_first_merge(word, merges):
    return merges_one_rank_after_the_other(word, merges[:1])


def ranks_from_the_end(word, merges):
    return encode(word, merges[::-1])


def counts_one_too_many(tokenizers, texts):
    table = table_by_loops(tokenizers, texts)
    return {name: {language: number + 1 for language, number in row.items()} for name, row in table.items()}


def percent(tokenizers, texts):
    table = table_by_loops(tokenizers, texts)
    return {name: {language: 100 * number for language, number in row.items()} for name, row in table.items()}


def limit_for_each_piece(word, vocab, max_chars=100):
    pieces, start = [], 0
    while start < len(word):
        for stop in range(min(len(word), start + max_chars), start, -1):
            if ("##" if start else "") + word[start:stop] in vocab:
                break
        else:
            return ["[UNK]"]
        pieces.append(("##" if start else "") + word[start:stop])
        start = stop
    return pieces


def limit_on_pieces(word, vocab, max_chars=100):
    pieces = cut(word, vocab, 1000)
    return ["[UNK]"] if len(pieces) > max_chars else pieces


def marks_put_on_the_rest(word, vocab, max_chars=100):  # '#' is a piece of real vocabularies
    pieces, rest = [], word
    while rest and len(word) <= max_chars and len(pieces) < 200:
        stop = next((stop for stop in range(len(rest), 0, -1) if rest[:stop] in vocab), 0)
        if not stop:
            return ["[UNK]"]
        pieces.append(rest[:stop])
        rest = "##" + rest[stop:] if rest[stop:] else ""
    return pieces or ["[UNK]"]


def ends_one_early(word, vocab, max_chars=100):
    pieces, start = [], 0
    while start < len(word) - 1 and len(word) <= max_chars:
        for stop in range(len(word), start, -1):
            if ("##" if start else "") + word[start:stop] in vocab:
                break
        else:
            return ["[UNK]"]
        pieces.append(("##" if start else "") + word[start:stop])
        start = stop
    return pieces or ["[UNK]"]


def whole_words_first(word, vocab, max_chars=100):
    return [word] if word in vocab else cut(word, vocab, max_chars)


def single_characters_stay(word, vocab, max_chars=100):
    return [word] if len(word) == 1 else cut(word, vocab, max_chars)


def without_brackets(word, vocab, max_chars=100):
    return [piece.strip("[]") for piece in cut(word, vocab, max_chars)]


def ascii_only(word, vocab, max_chars=100):
    return cut(word, vocab, max_chars) if word.isascii() else ["[UNK]"]


def replaces_in_a_text(word, merges):
    text = " ".join(word)
    for left, right in merges:
        text = text.replace(left + " " + right, left + right)
    return text.split()


def longest_pair(word, merges):
    symbols = list(word)
    while found := [(-len(a + b), place) for place, (a, b) in enumerate(pairwise(symbols)) if (a, b) in merges]:
        place = min(found)[1]
        symbols[place : place + 2] = ["".join(symbols[place : place + 2])]
    return symbols


def marked(word, merges):
    symbols = encode(word, merges)
    return [symbols[0], *("##" + symbol for symbol in symbols[1:])]


def one_row_for_all(tokenizers, texts):
    row: dict = {}
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


def word_by_word(tokenizer, own):
    return sum(len(tokenizer.ids(word)) for text in own for word in text.split()) / words(own)


@pytest.mark.parametrize(
    ("number", "answer", "says"),
    [
        ("3.1", limit_for_each_piece, "not each piece"),
        ("3.1", limit_on_pieces, "not its pieces"),
        ("3.1", marks_put_on_the_rest, "nothing to do with the mark|the character #"),
        ("3.1", ends_one_early, "last character gets lost"),
        ("3.1", whole_words_first, "the length is looked at first"),
        ("3.1", single_characters_stay, "one character is looked up as well"),
        ("3.1", without_brackets, "not 'UNK'"),
        ("3.1", ascii_only, "é is a character like any other"),
        ("3.1", lambda word, vocab, max_chars=100: cut(word, vocab, max_chars)[::-1], "reverse order"),
        ("3.2", replaces_in_a_text, "compare whole symbols"),
        ("3.2", longest_pair, "take the one with the lowest rank"),  # it joins what leftmost would
        ("3.2", marked, "WordPiece's mark"),
        ("3.2", lambda word, merges: [*encode(word, merges), "</w>"], "added at the end"),
        ("3.3", one_row_for_all, "one dictionary used for all"),
        ("3.3", tokens_run_on, "tokens are not set back to zero"),
        ("3.3", table_of(word_by_word), "each word is cut on its own"),
        ("3.3", table_of(lambda t, own: tokens(t, own) / len(re.findall(r"\w+", " ".join(own)))), "at punctuation"),
        ("3.3", table_of(lambda t, own: tokens(t, own) / len({*" ".join(own).split()})), "different words are counted"),
        ("3.1", shortest_without_marks, "two things: the shortest piece.*without ##"),
        ("3.1", tokens_of_another_word, "(?s)wordpiece.*expected.*likely"),
        ("3.1", waits_for_ever, "a loop that never ends"),
        ("3.1", empties_the_vocabulary, "changes an input"),
        ("3.1", lambda word, vocab: cut(word, vocab), "compare your parameters with the signature"),
        ("3.1", lambda word, vocab, max_chars=100: None, "not yet"),
        ("3.1", lambda word, vocab, max_chars=100: cut(word, vocab, max_chars)[0], "put it into a list"),
        ("3.1", lambda word, vocab, max_chars=100: [len(p) for p in cut(word, vocab, max_chars)], "holds a value|int"),
        ("3.2", frequency_of_characters, "(?s)bpe_encode.*expected"),
        ("3.2", joins_only_the_first_merge, "(?s)bpe_encode.*likely"),
        ("3.2", ranks_from_the_end, "learnt last"),
        ("3.2", lambda word, merges: "".join(encode(word, merges)), "put it into a list"),
        ("3.2", lambda word, merges: [merges.index(m) for m in merges], "a list that holds"),
        ("3.2", lambda word, merges: [word], "the whole word is one piece"),
        ("3.3", counts_one_too_many, "(?s)on paper.*expected"),
        ("3.3", percent, "(?s)on paper.*expected"),
        ("3.3", lambda tokenizers, texts: [[1.0]], "a list of 1"),
        ("3.3", lambda tokenizers, texts: {name: [1.0] for name in tokenizers}, "the row of"),
        ("3.3", lambda tokenizers, texts: {n: dict.fromkeys(texts, "1.2") for n in tokenizers}, "one number"),
        ("3.3", lambda tokenizers, texts: tokenizers["BERT"], "KeyError"),
    ],
)
def test_a_mistake_nobody_listed_is_reported_without_a_traceback(number, answer, says):
    outcome = examine(number, answer, 0, 3.0)
    assert outcome.status in ("wrong", "error", "too slow"), outcome
    assert re.search(says, outcome.message), outcome.message
    assert "Traceback" not in outcome.message and "cannot make sense" not in outcome.message
