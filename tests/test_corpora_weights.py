"""The files that are read in place: a checkpoint, vocabularies, tokenizers."""

import json

import pytest

from minibert import corpora

pytestmark = pytest.mark.data


def need(name):
    return pytest.mark.skipif(
        not corpora.is_cached(name), reason=f"{name} is not cached; python -m minibert data fetch"
    )


@need("minilm")
def test_minilm():
    found = corpora.path("minilm")
    assert {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt"} <= {p.name for p in found.iterdir()}
    vocab = corpora.load("bert-vocab")
    assert len(vocab) == len(set(vocab)) == 30_522
    assert [vocab[i] for i in (0, 100, 101, 102, 103)] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert corpora.path("bert-vocab").parent == found


@need("modernbert-tokenizer")
def test_modernbert_tokenizer():
    from tokenizers import Tokenizer

    file = corpora.path("modernbert-tokenizer")
    tokenizer = Tokenizer.from_file(str(file))
    assert tokenizer.get_vocab_size() == 50_368
    names = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "[unused0]", "[unused82]")
    assert [tokenizer.token_to_id(n) for n in names] == [50280, 50281, 50282, 50283, 50284, 50285, 50367]
    encoded = tokenizer.encode("def f(x):\n    return x  # ModernBERT reads [MASK].", "b")
    runs = {"RUN4": "    ", "RUN2": "  ", "MASK": " [MASK]"}
    expected = "[CLS] def Ġf ( x ): Ċ RUN4 return Ġx RUN2 # ĠModern B ERT Ġreads MASK . [SEP] b [SEP]"
    assert encoded.tokens == [runs.get(token, token) for token in expected.split(" ")]
    added = json.loads(file.read_text(encoding="utf-8"))["added_tokens"]
    assert [a["lstrip"] for a in added if a["content"] == "[MASK]"] == [True] and len(added) == 28 + 88


@need("llama3-tokens")
def test_llama3_tokens():
    tokens = corpora.load("llama3-tokens")
    assert len(tokens) == len(set(tokens)) == 128_000 and tokens[9906] == b"Hello"
