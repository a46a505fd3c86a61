"""Templates, truncation, padding, batches, and the same interface over the `tokenizers` library."""

import inspect

import numpy
import pytest
import tokenizers
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenization_samples import MULTILINGUAL, assert_same, byte_level, in_rust, wordpiece
from tokenizers import processors

from minibert.tokenization import Template, WordPieceTokenizer, load_tokenizer, truncate_pair
from minibert.tokenization import encoding as encoding_module
from minibert.tokenization.base import Tokenizer
from minibert.tokenization.rust import RustTokenizer

VOCAB = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4} | {c: 5 + i for i, c in enumerate("abcdefgh")}
LETTERS = "a b c d e f g h"


@pytest.fixture(scope="module")
def tok():
    return WordPieceTokenizer(VOCAB)


@pytest.fixture(scope="module")
def rust(tok, tmp_path_factory):
    return in_rust(tok, tmp_path_factory.mktemp("rust"))


def test_templates_and_segments(tok):
    assert tok.encode("a b").tokens == ["[CLS]", "a", "b", "[SEP]"]
    assert tok.encode("a b").segment_ids == [0, 0, 0, 0]
    pair = tok.encode("a b", "c")
    assert pair.tokens == ["[CLS]", "a", "b", "[SEP]", "c", "[SEP]"]
    assert pair.segment_ids == [0, 0, 0, 0, 1, 1]
    assert pair.special_mask == [1, 0, 0, 1, 0, 1]
    assert pair.word_ids == [None, 0, 1, None, 0, None]
    assert pair.offsets == [(0, 0), (0, 1), (2, 3), (0, 0), (0, 1), (0, 0)]


def test_empty_text_is_just_the_template(tok):
    assert tok.encode("").ids == [2, 3]
    assert tok.encode("", "").ids == [2, 3, 3]
    assert tok.encode(" \t\x00").ids == [2, 3]
    assert tok.encode("", add_special_tokens=False).ids == tok.ids("") == []


def test_own_template(tok):
    template = Template.parse("$A [SEP]", "$A [SEP] $B:1 [SEP]:1")
    parts = type(tok._parts)(tok._parts.normalizer, template, tok._parts.added_tokens)
    euro = WordPieceTokenizer(VOCAB, parts=parts)
    assert euro.encode("a").tokens == ["a", "[SEP]"]
    assert euro.encode("a", "b").segment_ids == [0, 0, 1, 1]


@pytest.mark.parametrize("spec", [("[CLS]", "$A $B"), ("$A $A", "$A $B"), ("$A", "$A"), ("$A $B", "$A $B")])
def test_templates_without_their_texts_are_refused(spec):
    with pytest.raises(ValueError, match="exactly once"):
        Template.parse(*spec)


def test_template_with_an_unknown_token_is_refused(tok):
    parts = type(tok._parts)(tok._parts.normalizer, Template.parse("$A <eos>", "$A $B <eos>"), ())
    with pytest.raises(ValueError, match="<eos>"):
        WordPieceTokenizer(VOCAB, parts=parts)


def test_planted_segment_mistake_is_caught(tok, rust, monkeypatch):
    right = encoding_module.fill_template

    def first_separator_in_segment_one(slots, texts, id_of):
        return right([(name, int(index >= 2)) for index, (name, _) in enumerate(slots)], texts, id_of)

    monkeypatch.setattr("minibert.tokenization.base.fill_template", first_separator_in_segment_one)
    with pytest.raises(AssertionError):
        assert_same(tok, rust, "a b", "c")


POLICIES = ["longest_first", "only_first", "only_second"]


def cut_by_the_library(rust, texts, max_length, policy):
    """Ids, segments and offsets after the library's own truncation; None where it refuses."""
    inner = tokenizers.Tokenizer.from_str(rust.inner.to_str())
    inner.enable_truncation(max_length, strategy=policy)
    try:
        found = inner.encode(*texts)
    except Exception:  # the library raises bare Exception
        return None
    return found.ids, found.type_ids, found.offsets, found.special_tokens_mask


@pytest.mark.parametrize("policy", POLICIES)
def test_truncation_equals_the_library(tok, rust, policy):
    for first in range(0, 9):
        for second in range(0, 9):
            for max_length in range(4, 20):
                texts = LETTERS[: 2 * first], LETTERS[: 2 * second]
                expected = cut_by_the_library(rust, texts, max_length, policy)
                for ours in (tok, rust):
                    if expected is None:
                        with pytest.raises(ValueError, match="may cut only one text"):
                            ours.encode(*texts, max_length=max_length, truncation=policy)
                        continue
                    found = ours.encode(*texts, max_length=max_length, truncation=policy)
                    assert (found.ids, found.segment_ids, found.offsets, found.special_mask) == expected
    for max_length in range(3, 12):
        expected = cut_by_the_library(rust, [LETTERS], max_length, "longest_first")
        assert tok.encode(LETTERS, max_length=max_length) == rust.encode(LETTERS, max_length=max_length)
        assert tok.encode(LETTERS, max_length=max_length).ids == expected[0]


def run_classifier_rule(first, second, budget):
    """Devlin et al.'s fine-tuning script: drop the last token of the longer text, of the second if equal."""
    first, second = list(range(first)), list(range(second))
    while len(first) + len(second) > budget:
        (first if len(first) > len(second) else second).pop()
    return (0, len(first)), (0, len(second))


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 25))
def test_pop_longer_is_run_classifiers_rule(first, second, budget):
    assert truncate_pair(first, second, budget, "pop_longer") == run_classifier_rule(first, second, budget)


def test_the_two_rules_differ_only_in_the_odd_token():
    differing = [
        (first, second, budget)
        for first in range(10)
        for second in range(10)
        for budget in range(20)
        if truncate_pair(first, second, budget) != truncate_pair(first, second, budget, "pop_longer")
    ]
    assert (5, 5, 7) in differing
    assert all(budget % 2 == 1 and first <= second for first, second, budget in differing)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 25), st.integers(0, 99))
def test_pop_longer_random_keeps_the_lengths_and_cuts_both_ends(first, second, budget, seed):
    generator = torch.Generator().manual_seed(seed)
    spans = truncate_pair(first, second, budget, "pop_longer_random", generator)
    lengths = [stop - start for start, stop in spans]
    assert lengths == [stop for _, stop in truncate_pair(first, second, budget, "pop_longer")]
    assert all(0 <= start <= stop <= full for (start, stop), full in zip(spans, (first, second), strict=True))


def test_pop_longer_random_takes_the_front_half_of_the_time():
    generator = torch.Generator().manual_seed(0)
    starts = [truncate_pair(100, 0, 0, "pop_longer_random", generator)[0][0] for _ in range(50)]
    assert 0.45 < numpy.mean(starts) / 100 < 0.55
    assert len(set(starts)) > 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: truncate_pair(5, 5, 4, "longest"), "unknown truncation policy"),
        (lambda: truncate_pair(5, 5, -1), "negative"),
        (lambda: truncate_pair(5, 5, 4, "error"), "only 4 fit"),
        (lambda: truncate_pair(5, 5, 4, "pop_longer_random"), "generator"),
        (lambda: truncate_pair(5, 2, 1, "only_second"), "may cut only one text"),
    ],
)
def test_bad_truncation_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_planted_truncation_mistake_is_caught(tok, rust, monkeypatch):
    monkeypatch.setattr(encoding_module, "_longest_first", lambda a, b, n: encoding_module._pop_longer(a, b, n, None))
    with pytest.raises(AssertionError):
        test_truncation_equals_the_library(tok, rust, "longest_first")


def test_encode_passes_the_policy_and_the_generator_on(tok):
    assert tok.encode(LETTERS, LETTERS, max_length=10, truncation="pop_longer").tokens.count("d") == 1
    generator = torch.Generator().manual_seed(1)
    cut = tok.encode(LETTERS, max_length=6, truncation="pop_longer_random", generator=generator)
    assert len(cut) == 6 and cut.tokens[1] != "a"
    with pytest.raises(ValueError, match="max_length"):
        tok.encode(LETTERS, max_length=6, truncation="error")
    with pytest.raises(ValueError, match="use at least 3"):
        tok.encode("a", max_length=2)
    with pytest.raises(ValueError, match="use at least 4"):
        tok.encode("a", "b", max_length=3)
    with pytest.raises(ValueError, match="unknown truncation"):
        tok.encode("a", max_length=9, truncation="none")


def test_batch(tok):
    batch = tok.encode_batch(["a b c", "a", ""])
    assert batch.input_ids.tolist() == [[2, 5, 6, 7, 3], [2, 5, 3, 0, 0], [2, 3, 0, 0, 0]]
    assert batch.attention_mask.tolist() == [[1] * 5, [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]]
    assert batch.special_mask.tolist() == [[1, 0, 0, 0, 1], [1, 0, 1, 1, 1], [1, 1, 1, 1, 1]]
    assert batch.segment_ids.sum() == 0
    assert all(t.dtype == torch.int64 for t in (batch.input_ids, batch.attention_mask, batch.segment_ids))
    assert batch.tokens[1] == ["[CLS]", "a", "[SEP]"] and batch.offsets[1][1] == (0, 1)
    pairs = tok.encode_batch([("a", "b"), ("a b", "c d")], max_length=6, pad_to_multiple_of=8)
    assert pairs.input_ids.shape == (2, 8)
    assert pairs.segment_ids.tolist() == [[0, 0, 0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1, 0, 0]]


def test_batch_does_not_change_its_input(tok):
    texts = ["a b", "c"]
    tok.encode_batch(texts)
    assert texts == ["a b", "c"]
    first = tok.encode("a b")
    first.ids.append(99)
    assert tok.encode("a b").ids == [2, 5, 6, 3]  # nothing cached was handed out


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda tok: tok.encode(None), "expected a text"),
        (lambda tok: tok.encode(["a"]), "got list"),
        (lambda tok: tok.encode("a", 3), "got int"),
        (lambda tok: tok.encode("x\udc80"), "character 1"),
        (lambda tok: tok.ids(b"a"), "got bytes"),
        (lambda tok: tok.ids("\ud800"), "surrogate"),
        (lambda tok: tok.encode_batch([]), "empty"),
        (lambda tok: tok.encode_batch("a"), "one text"),
        (lambda tok: tok.encode(b"a"), r"got bytes: .*decode it first"),
        (lambda tok: tok.encode_batch(["a", None]), "entry 1: .*None, a missing value"),
        (lambda tok: tok.encode_batch([None, "a"]), "entry 0: .*None, a missing value"),
        (lambda tok: tok.encode_batch(["a", float("nan")]), "entry 1: .*nan, a missing value"),
        (lambda tok: tok.encode_batch([("a", float("nan"))]), "second text of entry 0: .*nan, a missing value"),
        (lambda tok: tok.encode_batch(["a", b"a"]), "entry 1: .*got bytes"),
        (lambda tok: tok.encode_batch(b"a"), "list of texts or pairs, got bytes"),
        (lambda tok: tok.encode_batch({"a": 1}), "list of texts or pairs, got dict"),
        (lambda tok: tok.encode_batch(None), "list of texts or pairs, got NoneType"),
        (lambda tok: tok.encode("a", truncation=True), 'True elsewhere is "longest_first"'),
        (lambda tok: tok.encode("a", truncation="longest-first"), "unknown truncation policy 'longest-first'"),
        (lambda tok: tok.encode("a", truncation="only_first"), "no effect without max_length"),
        (lambda tok: tok.encode_batch(["a"], truncation=True), "unknown truncation policy True"),
        (lambda tok: tok.encode("a", max_length=0), "whole number of tokens from 1"),
        (lambda tok: tok.encode("a", max_length=8.0), "whole number of tokens from 1"),
        (lambda tok: tok.decode(torch.tensor([[5], [6]])), r"shape \(2, 1\); decode row by row"),
        (lambda tok: tok.decode([[5], [6]]), "list of lists; decode row by row"),
        (lambda tok: tok.decode(5), "got one number"),
        (lambda tok: tok.decode(torch.tensor(5)), "got one number"),
        (lambda tok: tok.decode("a"), "list of ids, got str"),
        (lambda tok: tok.decode(torch.rand(5)), "argmax"),
        (lambda tok: tok.decode([5, None]), "whole numbers, got None"),
        (lambda tok: tok.decode([-100]), "position without a label"),
        (lambda tok: tok.encode_batch(["a", ("a", "b")]), "mixes"),
        (lambda tok: tok.encode_batch([("a", "b"), "a"]), "mixes"),
        (lambda tok: tok.encode_batch([("a", "b", "c")]), "pair of two"),
        (lambda tok: tok.encode_batch([("a", None)]), "got NoneType"),
        (lambda tok: tok.encode_batch([3]), "pair of two"),
        (lambda tok: tok.encode_batch(["a"], pad_to_multiple_of=0), "at least 1"),
        (lambda tok: tok.encode_batch(["a"], max_length=1), "at least 3"),
        (lambda tok: tok.encode_batch(["a", ""], add_special_tokens=False), "row 1 of the batch has no tokens"),
        (lambda tok: tok.encode_batch([" ", "a"], add_special_tokens=False), "row 0 of the batch"),
        (lambda tok: tok.encode_batch([("", "")], add_special_tokens=False), "row 0 of the batch"),
        (lambda tok: tok.encode("a b c d e f", max_length=4, truncation="error"), "only 2 fit"),
        (lambda tok: tok.encode("a b c", max_length=4, truncation="pop_longer_random"), "generator"),
        (lambda tok: tok.encode("a b c", max_length=4, truncation="longest"), "unknown truncation"),
        (lambda tok: tok.decode([10**6]), "has no token"),
        (lambda tok: tok.decode([-1]), "has no token"),
    ],
)
def test_bad_input_is_refused_by_both(tok, rust, call, message):
    for either in (tok, rust):
        with pytest.raises(ValueError, match=message):
            call(either)


def test_padding_without_a_padding_token_is_refused():
    bare = WordPieceTokenizer({"[UNK]": 0, "a": 1})
    assert bare.pad_id is None
    assert bare.encode_batch(["a", "a"]).input_ids.tolist() == [[1], [1]]
    with pytest.raises(ValueError, match="no padding token"):
        bare.encode_batch(["a", "a a"])


def test_decoding(tok):
    enc = tok.encode("a [MASK] b")
    assert tok.decode(enc.ids) == "a b"
    assert tok.decode(torch.tensor(enc.ids), skip_special_tokens=False) == "[CLS] a [MASK] b [SEP]"
    assert tok.decode([]) == ""


@pytest.mark.parametrize("make", [wordpiece, byte_level])
def test_the_library_behind_the_same_interface(make, tmp_path):
    ours = make()
    theirs = in_rust(ours, tmp_path)
    assert ours.vocab == theirs.vocab and ours.vocab_size == theirs.vocab_size and len(ours) == len(theirs)
    assert ours.special_ids == theirs.special_ids and ours.roles == theirs.roles
    for name in ("pad_id", "unk_id", "cls_id", "sep_id", "mask_id"):
        assert getattr(ours, name) == getattr(theirs, name)
    first, second = ours.encode_batch(MULTILINGUAL, max_length=32), theirs.encode_batch(MULTILINGUAL, max_length=32)
    for name, value in vars(first).items():
        other = getattr(second, name)
        assert torch.equal(value, other) if isinstance(value, torch.Tensor) else value == other
    assert ours.token_to_id("the") == theirs.token_to_id("the")
    assert ours.token_to_id("no such token") is theirs.token_to_id("no such token") is None
    assert ours.id_to_token(10**6) is theirs.id_to_token(10**6) is None
    for text in MULTILINGUAL:
        ids = ours.encode(text).ids
        for skip in (True, False):
            assert ours.decode(ids, skip) == theirs.decode(ids, skip)
    for index in (-1, True, 1.0, None, "x"):
        assert ours.id_to_token(index) == theirs.id_to_token(index)
    for token in (None, 3, "", "\ud800", "[MASK]"):
        assert ours.token_to_id(token) == theirs.token_to_id(token)
    assert theirs.token_to_id(None) is theirs.id_to_token(-1) is None
    theirs.save(tmp_path / "again.json")
    assert load_tokenizer(tmp_path / "again.json").vocab == ours.vocab
    theirs.save_pretrained(tmp_path / "folder")
    again = load_tokenizer(tmp_path / "folder")
    assert (again.roles, again.to_json()) == (ours.roles, ours.to_json())


@pytest.mark.parametrize("make", [wordpiece, byte_level])
@pytest.mark.parametrize("policy", encoding_module.POLICIES)
def test_the_library_cuts_by_every_policy_of_ours(make, policy, tmp_path):
    ours = make()
    theirs = in_rust(ours, tmp_path)

    def outcome(tok, *texts, **options):
        try:
            return tok.encode(*texts, truncation=policy, generator=torch.Generator().manual_seed(5), **options)
        except ValueError as error:
            return str(error)

    cases = [(text, other) for text in MULTILINGUAL[:6] for other in (None, "", "a second text, [MASK]", text)]
    for text, other in [*cases, (" x", None), ("", "")]:
        for max_length in (1, 2, 3, 4, 9, 20, 500):
            for special in (True, False):
                options = {"max_length": max_length, "add_special_tokens": special}
                assert outcome(ours, text, other, **options) == outcome(theirs, text, other, **options)


def test_both_have_the_same_methods_with_the_same_arguments():
    def face(cls):
        return {name for name in dir(cls) if not name.startswith("_")}

    def arguments(function):
        return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]

    assert face(Tokenizer) <= face(RustTokenizer)
    for name in face(Tokenizer) | {"__len__"}:
        ours, theirs = inspect.getattr_static(Tokenizer, name), inspect.getattr_static(RustTokenizer, name)
        assert type(ours) is type(theirs), name
        if callable(ours):
            assert arguments(ours) == arguments(theirs), name


def test_post_processors_trim_as_the_library_does(tmp_path):
    text = " two  words \n x"
    tok = byte_level()
    for keep in (True, False):
        for trim in (True, False):
            theirs = in_rust(tok, tmp_path)
            theirs.inner.post_processor = processors.ByteLevel(trim_offsets=trim, add_prefix_space=keep)
            theirs.inner.save(str(tmp_path / "other.json"))
            assert_same(load_tokenizer(tmp_path / "other.json"), theirs, text)
            theirs.inner.post_processor = processors.RobertaProcessing(
                ("[SEP]", 3), ("[CLS]", 2), trim_offsets=trim, add_prefix_space=keep
            )
            theirs.inner.save(str(tmp_path / "other.json"))
            ours = load_tokenizer(tmp_path / "other.json")
            assert_same(ours, theirs, text, text)
            ours.save(tmp_path / "third.json")
            assert_same(load_tokenizer(tmp_path / "third.json"), theirs, text, text)
