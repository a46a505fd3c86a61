"""Sentence pairs: worked cases, an independent reading of the output, statistics, and the classic mistakes."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert.objectives import build_pairs, build_segments, truncate_pair

CLS, SEP = 1, 2


def numbered(*shape):
    """Documents whose every token tells where it stands: `shape` gives the sentence lengths of each document."""
    return [
        [[10_000 * (d + 1) + 100 * s + t for t in range(length)] for s, length in enumerate(document)]
        for d, document in enumerate(shape)
    ]


def build(documents, max_len=32, seed=0, short=0.1):
    return build_pairs(documents, max_len, CLS, SEP, rng=random.Random(seed), short_seq_prob=short)


def parts(example):
    """Split an example into A and B by its markers, checking the template on the way."""
    first = example.ids.index(SEP)
    assert example.ids[0] == CLS and example.ids[-1] == SEP and example.ids.count(SEP) == 2
    a, b = example.ids[1:first], example.ids[first + 1 : -1]
    assert a and b
    assert example.segment_ids == [0] * (len(a) + 2) + [1] * (len(b) + 1)
    return a, b


def check(build, passes=60):
    """The conventions that every pair builder must keep, read off the numbered tokens."""
    documents = numbered([4, 3, 5, 2, 6, 4], [5, 5, 5], [3, 8, 2, 7], [6, 1, 9, 3])
    flat = [[t for s in document for t in s] for document in documents]
    labels, own = Counter(), 0
    for seed in range(passes):
        for example in build(documents, 24, seed):
            assert len(example.ids) <= 24, "too long"
            a, b = parts(example)
            label = example.next_label
            source_a, source_b = a[0] // 10_000 - 1, b[0] // 10_000 - 1
            text = flat[source_a]
            at = text.index(a[0])
            assert text[at : at + len(a)] == a, "A is not a run of its document"
            text = flat[source_b]
            at = text.index(b[0])
            assert text[at : at + len(b)] == b, "B is not a run of its document"
            labels[label] += 1
            if label == 0:
                assert source_a == source_b and b[0] > a[-1], "label 0 must mean that B follows A"
            else:
                own += source_a == source_b
    assert set(labels) == {0, 1}, f"labels seen: {sorted(labels)}"
    # Ten tries among four documents: a random B from A's own document has probability 4**-10.
    assert own == 0, f"{own} of {labels[1]} random segments come from the same document, so may be the true next"
    assert labels[1] > labels[0] > 0.2 * labels[1], f"shares of labels are off: {dict(labels)}"


def test_pairs_keep_the_conventions():
    check(build)


def with_mistake(mistake):
    from dataclasses import replace

    def spoiled(documents, max_len, seed):
        if mistake == "too long":
            return build(documents, max_len + 1, seed)
        if mistake == "random may be the true next":
            return [
                replace(e, next_label=1) if e.next_label == 0 and i % 5 == 0 else e
                for i, e in enumerate(build(documents, max_len, seed))
            ]
        if mistake == "label flipped":
            return [replace(e, next_label=1 - e.next_label) for e in build(documents, max_len, seed)]
        if mistake == "label from 1":
            return [replace(e, next_label=1 + e.next_label) for e in build(documents, max_len, seed)]
        if mistake == "segment of the first [SEP]":
            return [
                replace(e, segment_ids=[0] * e.ids.index(SEP) + [1] * (len(e.ids) - e.ids.index(SEP)))
                for e in build(documents, max_len, seed)
            ]
        if mistake == "always random":
            return [e for e in build(documents, max_len, seed) if e.next_label == 1]
        raise AssertionError(mistake)

    return spoiled


@pytest.mark.parametrize(
    "mistake",
    [
        "too long",
        "random may be the true next",
        "label flipped",
        "label from 1",
        "segment of the first [SEP]",
        "always random",
    ],
)
def test_classic_mistakes_turn_the_check_red(mistake):
    with pytest.raises(AssertionError):
        check(with_mistake(mistake))


def test_drawing_the_random_document_once_turns_the_check_red(monkeypatch):
    """The same mistake planted in the code itself: without the tries, B may come from A's own document."""
    import minibert.objectives.sentence_pairs as module

    honest = module._random_next
    monkeypatch.setattr(module, "_random_next", lambda d, index, n, rng: honest(d, len(d) + 1, n, rng))
    with pytest.raises(AssertionError, match="true next"):
        check(build)


def oracle(documents, index, room, short, rng):
    """A second writing of the procedure, token by token, that keeps the whole state in plain variables."""
    document, out, i, start = documents[index], [], 0, 0
    target = rng.randint(2, room) if rng.random() < short else room
    while i < len(document):
        held = sum(len(s) for s in document[start : i + 1])
        if i == len(document) - 1 or held >= target:
            n = i + 1 - start
            cut = 1 if n < 2 else rng.randint(1, n - 1)
            a = [t for s in document[start : start + cut] for t in s]
            if n == 1 or rng.random() < 0.5:
                tries, other = 0, index
                while tries < 10 and other == index:
                    other, tries = rng.randint(0, len(documents) - 1), tries + 1
                k, b = rng.randint(0, len(documents[other]) - 1), []
                while True:
                    b, k = b + list(documents[other][k]), k + 1
                    if len(b) >= target - len(a) or k == len(documents[other]):
                        break
                label, i = 1, start + cut - 1
            else:
                b, label = [t for s in document[start + cut : i + 1] for t in s], 0
            while len(a) + len(b) > room:
                side = rng.random() < 0.5
                name = "a" if len(a) > len(b) else "b"
                a = (a[1:] if side else a[:-1]) if name == "a" else a
                b = (b[1:] if side else b[:-1]) if name == "b" else b
            out.append((a, b, label))
            start = i + 1
        i += 1
    return out


DOCUMENTS = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=8), min_size=2, max_size=5)


@given(DOCUMENTS, st.integers(5, 40), st.floats(0, 1), st.integers(0, 10_000))
@settings(max_examples=150, deadline=None)
def test_equals_an_independent_writing(shape, max_len, short, seed):
    documents = numbered(*shape)
    rng, expected = random.Random(seed), []
    for index in range(len(documents)):
        expected += oracle(documents, index, max_len - 3, short, rng)
    ours = build(documents, max_len, seed, short)
    assert [(*parts(e), e.next_label) for e in ours] == expected


@given(DOCUMENTS, st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_every_sentence_is_used_as_context_and_nothing_is_changed(shape, seed):
    """With room for everything no token is lost: sentences pushed out by a random B come back."""
    documents = numbered(*shape)
    before = [[list(s) for s in d] for d in documents]
    used = set()
    for example in build(documents, 10_000, seed, short=0.0):
        a, b = parts(example)
        used.update(a)
        if example.next_label == 0:
            used.update(b)
    assert documents == before
    assert used == {t for d in documents for s in d for t in s}


def test_one_sentence_documents_are_always_random():
    """Half of all chunks would be the naive expectation; BERT has more, since a lone sentence has no next."""
    assert {e.next_label for seed in range(20) for e in build(numbered([4], [5], [6]), 16, seed)} == {1}


def test_half_of_the_two_sentence_chunks_are_random():
    labels = Counter(e.next_label for seed in range(2000) for e in build(numbered([4, 4], [4, 4]), 11, seed, 0.0)[:1])
    assert abs(labels[0] - 1000) < 5 * 500**0.5


def test_target_length_is_drawn_once_for_each_document():
    """Sentences of one token, always short: all chunks of a document reach the same length."""
    for seed in range(20):
        pairs = build(numbered([1] * 60, [1] * 60), 23, seed, short=1.0)
        for document in (0, 1):
            lengths = {
                sum(map(len, parts(e))) for e in pairs if e.next_label == 0 and e.ids[1] // 10_000 == document + 1
            }
            rest = {n for n in lengths if n != max(lengths, default=0)}
            assert len(rest) <= 1  # the last chunk of the document may be shorter


def test_empty_sentences_and_documents_are_dropped():
    assert build([[[5], []], [[]], [], [[6], [7]]], 8) == build([[[5]], [[6], [7]]], 8)


def test_truncate_pair_takes_from_the_longer_and_from_b_when_equal():
    a, b = [1, 2], [3, 4]
    truncate_pair(a, b, 3, random.Random(0))
    assert a == [1, 2] and len(b) == 1
    fronts = backs = 0
    for seed in range(400):
        a, b = [1, 2, 3], [9]
        truncate_pair(a, b, 3, random.Random(seed))
        fronts += a == [2, 3]
        backs += a == [1, 2]
    assert fronts + backs == 400 and abs(fronts - 200) < 50


@given(st.lists(st.lists(st.integers(5, 99), max_size=40), max_size=5), st.integers(3, 20))
def test_single_segments_lose_and_repeat_nothing(documents, max_len):
    examples = build_segments(documents, max_len, CLS, SEP)
    assert all(3 <= len(e.ids) <= max_len and e.ids[0] == CLS and e.ids[-1] == SEP for e in examples)
    assert all(e.segment_ids == [0] * len(e.ids) and e.next_label is None for e in examples)
    assert [t for e in examples for t in e.ids[1:-1]] == [t for d in documents for t in d]


def test_bad_input_is_explained():
    with pytest.raises(ValueError, match="at least 2"):
        build([[[5], [6]]])
    with pytest.raises(ValueError, match="at least 5"):
        build(numbered([3], [3]), 4)
    with pytest.raises(ValueError, match="between 0 and 1"):
        build(numbered([3], [3]), short=2.0)
    with pytest.raises(ValueError, match="at least 3"):
        build_segments([[5]], 2, CLS, SEP)
    for wrong in ("abc", ["abc", "de"], [["abc"], ["de"]], [[["abc"]], [["de"]]], [[5, 6], [7]], None):
        with pytest.raises(ValueError, match="tokenise the text first"):
            build(wrong)
    for wrong in ("abc", ["abc", "de"], [["abc"]], [[[5, 6]]], [5, 6]):
        with pytest.raises(ValueError, match="tokenise the text first"):
            build_segments(wrong, 8, CLS, SEP)
    with pytest.raises(ValueError, match="cannot be negative"):
        truncate_pair([1], [2], -1, random.Random(0))
