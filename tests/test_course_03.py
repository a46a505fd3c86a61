"""Chapter 3's checks accept what is right in another way, and name the mistakes of strangers."""

import re
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minibert.course import examine
from minibert.course.checks.chapter_03_merges import _trained, encode
from minibert.course.checks.chapter_03_pieces import cut
from minibert.tokenization.merging import merge_by_rank
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


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("3.1", pieces_by_recursion),
        ("3.1", pieces_as_google_wrote_it),
        ("3.1", pieces_by_sorting),
        ("3.2", merges_one_rank_after_the_other),
        ("3.2", merges_all_places_of_the_best_pair),
        ("3.3", table_by_special_mask),
        ("3.3", table_by_loops),
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


@pytest.mark.parametrize(
    ("number", "answer", "says"),
    [
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
