"""Byte-level BPE: merging by rank, its planted mistakes, the trainer, and equality with the library."""

import random
from itertools import pairwise

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenization_samples import (
    MULTILINGUAL,
    assert_same,
    awkward_text,
    byte_level,
    generated,
    in_rust,
    settled_text,
    standard_library,
)
from tokenizers import models, pre_tokenizers, trainers

from minibert.tokenization import ByteLevelBPETokenizer, bpe
from minibert.tokenization.merges import (
    learn_merges,
    learn_merges_by_recounting,
    merge_by_rank,
    merge_by_rank_heap,
)
from minibert.tokenization.pretokenization import BYTE_TO_CHAR, to_byte_chars
from minibert.tokenization.vocabulary import SPECIAL_TOKENS

VARIANTS = {
    "gpt2": {},
    "llama3": {"pattern": "llama3"},
    "modernbert": {"nfc": True},
}


@pytest.fixture(scope="module", params=VARIANTS)
def pair(request, tmp_path_factory):
    ours = byte_level(**VARIANTS[request.param])
    return ours, in_rust(ours, tmp_path_factory.mktemp(request.param))


def library(texts, vocab_size, min_count=2, pattern="gpt2"):
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_count,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    return inner


def with_merges(*merges: str) -> ByteLevelBPETokenizer:
    tokens = [*SPECIAL_TOKENS, *sorted(BYTE_TO_CHAR.values())]
    pairs = [tuple(merge.split()) for merge in merges]
    tokens += [left + right for left, right in pairs]
    return ByteLevelBPETokenizer({token: index for index, token in enumerate(tokens)}, pairs)


def check_merging() -> None:
    """The facts of encoding by rank, one by one."""

    def tokens(text, *merges):
        return with_merges(*merges).encode(text, add_special_tokens=False).tokens

    assert tokens("abc", "b c", "a b") == ["a", "bc"]  # the earliest learnt wins, not the leftmost
    assert tokens("abcbc", "a b", "b c") == ["ab", "c", "bc"]  # nor the pair that is frequent in this word
    assert tokens("aaa", "a a") == ["aa", "a"]  # overlapping pairs: left to right, each letter once
    assert tokens("aaaaa", "a a", "aa a") == ["aa", "aaa"]
    assert tokens("aaaa", "a a", "aa aa") == ["aaaa"]
    assert tokens("ab", "b a") == ["a", "b"]


def test_merging():
    check_merging()


def by_frequency(symbols, ranks):
    symbols = list(symbols)
    while True:
        counts = {}
        for found in pairwise(symbols):
            if found in ranks:
                counts[found] = counts.get(found, 0) + 1
        if not counts:
            return symbols
        best = max(counts, key=counts.get)
        at = list(pairwise(symbols)).index(best)
        symbols[at : at + 2] = [ranks[best][1]]


def leftmost_first(symbols, ranks):
    symbols = list(symbols)
    while True:
        found = [index for index, two in enumerate(pairwise(symbols)) if two in ranks]
        if not found:
            return symbols
        at = found[0]
        symbols[at : at + 2] = [ranks[symbols[at], symbols[at + 1]][1]]


def overlapping(symbols, ranks):
    symbols = list(symbols)
    while True:
        found = [(ranks[two][0], two) for two in pairwise(symbols) if two in ranks]
        if not found:
            return symbols
        _, best = min(found)
        merged = [ranks[best][1] if two == best else two[0] for two in pairwise(symbols)]
        symbols = merged if tuple(symbols[-2:]) == best else [*merged, symbols[-1]]


def right_to_left(symbols, ranks):
    symbols = list(symbols)
    while True:
        found = [(ranks[two][0], -index) for index, two in enumerate(pairwise(symbols)) if two in ranks]
        if not found:
            return symbols
        at = -min(found)[1]
        symbols[at : at + 2] = [ranks[symbols[at], symbols[at + 1]][1]]


def merges_once(symbols, ranks):
    found = [(ranks[two][0], index) for index, two in enumerate(pairwise(symbols)) if two in ranks]
    if not found:
        return list(symbols)
    at = min(found)[1]
    return [*symbols[:at], ranks[symbols[at], symbols[at + 1]][1], *symbols[at + 2 :]]


def latest_learnt_first(symbols, ranks):
    return merge_by_rank(symbols, {found: (-rank, joined) for found, (rank, joined) in ranks.items()})


@pytest.mark.parametrize(
    "mistake", [by_frequency, leftmost_first, overlapping, right_to_left, merges_once, latest_learnt_first]
)
def test_planted_mistakes_are_caught(monkeypatch, mistake):
    monkeypatch.setattr(bpe, "merge_by_rank", mistake)
    with pytest.raises((AssertionError, IndexError)):  # more bytes than the word has also show
        check_merging()


@settings(max_examples=100)
@given(st.lists(st.integers(0, 3), max_size=60), st.integers(0, 10**6))
def test_the_heap_is_the_plain_loop(symbols, seed):
    rng = random.Random(seed)
    ranks, size = {}, 4
    for rank in range(rng.randint(0, 25)):
        two = rng.randrange(size), rng.randrange(size)
        if two not in ranks:
            ranks[two] = (rank, size)
            size += 1
    assert merge_by_rank_heap(symbols, ranks) == merge_by_rank(symbols, ranks)


@pytest.mark.parametrize("seed", range(12))
def test_training_equals_the_librarys_merge_for_merge(seed):
    texts = [generated(seed, 300, "ab" if seed % 3 == 0 else "abcd"), "aaaa aaa aaaaaaa" * (seed % 4)]
    for min_count in (1, 2, 5):
        ours = ByteLevelBPETokenizer.train(texts, 420, min_count=min_count)
        theirs = library(texts, 420, min_count)
        assert ours.vocab == theirs.get_vocab()


def test_training_on_source_and_many_scripts_equals_the_library():
    texts = [*MULTILINGUAL, *standard_library(300_000)]
    assert ByteLevelBPETokenizer.train(texts, 2000).vocab == library(texts, 2000).get_vocab()


def ties_by_larger_pair(words, counts, tokens, vocab_size, min_count=1, prefix=""):
    """The plain trainer on ids in reverse order, turned back at the end: ties between letters go the other way."""
    size = len(tokens)

    def turn(symbol):
        return size - 1 - symbol if symbol < size else symbol

    turned = [[turn(symbol) for symbol in word] for word in words]
    found, merges = learn_merges_by_recounting(turned, counts, tokens[::-1], vocab_size, min_count, prefix)
    return [*tokens, *found[size:]], [(turn(left), turn(right)) for left, right in merges]


def counts_words_once(words, counts, tokens, vocab_size, min_count=1, prefix=""):
    """Forgets how often a word occurs."""
    return learn_merges_by_recounting(words, [1] * len(counts), tokens, vocab_size, min_count)


@pytest.mark.parametrize("prefix", ["", "##"])
@pytest.mark.parametrize("seed", range(40))
def test_incremental_counts_equal_a_recount_per_merge(seed, prefix):
    rng = random.Random(seed)
    letters = "abcd"[: rng.randint(1, 4)]
    tokens, size = [*letters, *(prefix + letter for letter in letters if prefix)], len(letters)
    words = [[rng.randrange(size) for _ in range(rng.randint(1, 12))] for _ in range(rng.randint(1, 40))]
    if prefix:
        words = [[first, *(letter + size for letter in rest)] for first, *rest in words]
    arguments = words, [rng.randint(1, 9) for _ in words], tokens, 40, rng.randint(1, 3), prefix
    assert learn_merges(*arguments) == learn_merges_by_recounting(*arguments)


@pytest.mark.parametrize("mistake", [ties_by_larger_pair, counts_words_once])
def test_planted_training_mistakes_are_caught(monkeypatch, mistake):
    monkeypatch.setattr(bpe, "learn_merges", mistake)
    texts = [generated(1, 300)]
    assert ByteLevelBPETokenizer.train(texts, 300).vocab != library(texts, 300).get_vocab()


def test_the_naive_trainer_passes_where_the_mistakes_fail(monkeypatch):
    monkeypatch.setattr(bpe, "learn_merges", learn_merges_by_recounting)
    texts = [generated(1, 300)]
    assert ByteLevelBPETokenizer.train(texts, 300).vocab == library(texts, 300).get_vocab()


def test_a_token_that_can_be_built_in_two_ways_has_one_id():
    # "[MASK]" is a special token; the merges of this text arrive at the same string.
    tok = ByteLevelBPETokenizer.train(["[MASK] " * 9], 300, min_count=1)
    theirs = library(["[MASK] " * 9], 300, 1)
    assert tok.vocab == theirs.get_vocab()


def test_multilingual_texts_equal_the_library(pair):
    for text in MULTILINGUAL:
        assert_same(*pair, text)
    for text, other in zip(MULTILINGUAL, reversed(MULTILINGUAL), strict=True):
        assert_same(*pair, text, other)
        assert_same(*pair, text, other, add_special_tokens=False)


def test_standard_library_source_equals_the_library(pair):
    for text in standard_library(400_000):
        assert_same(*pair, text)


@settings(max_examples=100)
@given(text=awkward_text)
def test_awkward_texts_equal_the_library(pair, text):
    assert_same(*pair, text)


@settings(max_examples=100)
@given(text=st.text(max_size=60))
def test_decoding_is_exact(pair, text):
    tok = pair[0]
    expected = tok._parts.normalizer.normalize(text)
    ids = tok.ids(text)
    if "[" not in text:  # a special token in the text would be left out, and its space swallowed
        assert tok.decode(ids) == expected
    assert tok.encode(text, add_special_tokens=False).ids == ids


@settings(max_examples=100)
@given(text=settled_text)
def test_offsets_cover_the_text(pair, text):
    enc = pair[0].encode(text, add_special_tokens=False)
    assert all(0 <= start <= end <= len(text) for start, end in enc.offsets)
    assert [end for _, end in enc.offsets] == sorted(end for _, end in enc.offsets)


def test_a_character_cut_into_bytes_keeps_its_place():
    tok = with_merges()
    enc = tok.encode("a😀", add_special_tokens=False)
    assert enc.offsets == [(0, 1), *[(1, 2)] * 4]
    assert tok.decode(enc.ids[:3]) == "a\ufffd"
    assert tok.decode(enc.ids) == "a😀"


def test_offsets_leave_the_leading_space_out():
    tok = with_merges("Ġ a")
    enc = tok.encode("b a [MASK]", add_special_tokens=False)
    assert enc.tokens == ["b", "Ġa", "[MASK]"]
    assert enc.offsets == [(0, 1), (2, 3), (4, 10)]  # [MASK] took the space along
    assert tok.decode(enc.ids, skip_special_tokens=False) == "b a[MASK]"


def test_a_long_word_is_encoded_quickly_enough_to_be_the_heap(pair):
    text = "ab" * 5_000
    assert_same(*pair, text)


def test_ignore_merges(tmp_path):
    plain = with_merges("a b", "b c", "a bc")
    whole = ByteLevelBPETokenizer(plain.vocab, plain.merges, ignore_merges=True)
    assert plain.encode("abc", add_special_tokens=False).tokens == ["ab", "c"]
    assert whole.encode("abc", add_special_tokens=False).tokens == ["abc"]
    assert_same(whole, in_rust(whole, tmp_path), "abc abcb")


def test_trained_ids():
    tok = ByteLevelBPETokenizer.train([generated(3, 200)], 300)
    assert (tok.pad_id, tok.unk_id, tok.cls_id, tok.sep_id, tok.mask_id) == (0, 1, 2, 3, 4)
    assert [tok.id_to_token(index) for index in range(5, 9)] == ["!", '"', "#", "$"]
    assert tok.vocab_size == len(tok) == 300
    assert tok.id_to_token(261) == tok.merges[0][0] + tok.merges[0][1]


def test_too_little_text_gives_a_smaller_vocabulary():
    assert ByteLevelBPETokenizer.train(["ab"], 5000).vocab_size == 261


def test_byte_alphabet_is_the_librarys():
    assert sorted(BYTE_TO_CHAR.values()) == sorted(pre_tokenizers.ByteLevel.alphabet())
    text = "".join(MULTILINGUAL)
    library_form = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    assert to_byte_chars(text) == "".join(piece for piece, _ in library_form)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ByteLevelBPETokenizer.train("one text", 300), "iterable of texts"),
        (lambda: ByteLevelBPETokenizer.train([], 300), "nothing to learn from"),
        (lambda: ByteLevelBPETokenizer.train(["", ""], 300), "nothing to learn from"),
        (lambda: ByteLevelBPETokenizer.train([b"x"], 300), "got bytes"),
        (lambda: ByteLevelBPETokenizer.train(["a\ud800"], 300), "surrogate"),
        (lambda: ByteLevelBPETokenizer.train(["abc"], 260), "vocab_size=260 is too small"),
        (lambda: ByteLevelBPETokenizer.train(["abc"], 300, pattern="gpt3"), "gpt2, llama3"),
        (lambda: ByteLevelBPETokenizer.train(["abc"], 300, special=["", "x"]), "non-empty"),
        (lambda: ByteLevelBPETokenizer({"a": 0}, []), "243 bytes"),
        (lambda: ByteLevelBPETokenizer(with_merges().vocab, [("a", "b")]), "merge 0"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def by_rank_of_the_join(word: bytes, tokens: list[bytes]) -> list[int]:
    """Merging as `tiktoken` does it, straight on byte strings: no merges, only ranks."""
    rank = {token: index for index, token in enumerate(tokens)}
    parts = [word] if word in rank else [word[at : at + 1] for at in range(len(word))]
    while True:
        found = [(rank[left + right], at) for at, (left, right) in enumerate(pairwise(parts)) if left + right in rank]
        if not found:
            return [rank[part] for part in parts]
        at = min(found)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


@pytest.mark.parametrize("seed", range(5))
def test_ranks_give_the_ids_of_direct_merging_by_rank(seed, tmp_path):
    rng = random.Random(seed)
    made = {"".join(rng.choices("ab", k=rng.randint(2, 6))).encode() for _ in range(40)}
    tokens = [bytes([byte]) for byte in range(256)] + rng.sample(sorted(made), len(made))
    tok = ByteLevelBPETokenizer.from_ranks(tokens, ["<|pad|>", "<|mask|>"])
    theirs = in_rust(tok, tmp_path)
    for _ in range(200):
        word = "".join(rng.choices("ab", k=rng.randint(1, 20)))
        assert tok.ids(word) == by_rank_of_the_join(word.encode(), tokens)
        assert_same(tok, theirs, word + "<|mask|> 12345")
    assert (tok.pad_id, tok.mask_id) == (len(tokens), len(tokens) + 1)


@pytest.mark.parametrize("tokens", [[b"a"], [bytes([b]) for b in range(256)] * 2, [*map(bytes, range(256))]])
def test_damaged_ranks_are_refused(tokens):
    with pytest.raises(ValueError, match="ranked tokens"):
        ByteLevelBPETokenizer.from_ranks(tokens)
