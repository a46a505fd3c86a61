"""WordPiece: the algorithm, its planted mistakes, its trainer, and equality with the `tokenizers` library."""

import pytest
import tokenizers
from hypothesis import given, settings
from tokenization_samples import (
    MULTILINGUAL,
    assert_same,
    awkward_text,
    generated,
    in_rust,
    settled_text,
    standard_library,
    wordpiece,
)
from tokenizers import models, normalizers, pre_tokenizers, trainers

from minibert.corpora import synthetic
from minibert.tokenization import WordPieceTokenizer
from minibert.tokenization import wordpiece as module

SPECIAL = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
PIECES = ["un", "##aff", "##able", "a", "##a", "it", "'", "s", "$", "5", ".", "00", "##ffa", "u", "##n"]
SMALL = SPECIAL | {piece: 5 + index for index, piece in enumerate(PIECES)}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    ours = wordpiece()
    return ours, in_rust(ours, tmp_path_factory.mktemp("wordpiece"))


@pytest.fixture(scope="module")
def cased_pair(tmp_path_factory):
    ours = wordpiece(lowercase=False)
    return ours, in_rust(ours, tmp_path_factory.mktemp("cased"))


def check_greedy() -> None:
    """The facts of the WordPiece algorithm, one by one."""
    tok = WordPieceTokenizer(SMALL)

    def tokens(text):
        return tok.encode(text, add_special_tokens=False).tokens

    assert tokens("unaffable") == ["un", "##aff", "##able"]  # the longest piece each time
    assert tokens("un") == ["un"]
    assert tokens("aa a") == ["a", "##a", "a"]  # "##" marks continuation only
    assert tokens("unaffect") == ["[UNK]"]  # one missing piece: the whole word
    assert tokens("a" * 100) == ["a", *["##a"] * 99]
    assert tokens("a" * 101) == ["[UNK]"]
    assert tokens("it's $5.00") == ["it", "'", "s", "$", "5", ".", "00"]


def test_greedy():
    check_greedy()


def shortest_match(word, vocab, unk_id, prefix="##", max_chars=100, longest=0):
    pieces, start = [], 0
    while start < len(word) <= max_chars:
        ends = [end for end in range(start + 1, len(word) + 1) if (prefix if start else "") + word[start:end] in vocab]
        if not ends:
            return [(unk_id, 0, len(word))]
        pieces.append((vocab[(prefix if start else "") + word[start : ends[0]]], start, ends[0]))
        start = ends[0]
    return pieces or [(unk_id, 0, len(word))]


def prefix_on_the_first_piece(word, vocab, unk_id, prefix="##", max_chars=100, longest=0):
    marked = {piece.removeprefix(prefix): index for piece, index in vocab.items() if piece.startswith(prefix)}
    return RIGHT(word, marked, unk_id, "", max_chars)


def no_prefix_at_all(word, vocab, unk_id, prefix="##", max_chars=100, longest=0):
    return RIGHT(word, vocab, unk_id, "", max_chars)


def word_not_collapsed(word, vocab, unk_id, prefix="##", max_chars=100, longest=0):
    pieces, start = [], 0
    while start < len(word) <= max_chars:
        for end in range(len(word), start, -1):
            found = vocab.get((prefix if start else "") + word[start:end])
            if found is not None:
                break
        pieces.append((unk_id if found is None else found, start, end))
        start = end
    return pieces or [(unk_id, 0, len(word))]


def no_length_limit(word, vocab, unk_id, prefix="##", max_chars=100, longest=0):
    return RIGHT(word, vocab, unk_id, prefix, 10**9)


def limit_off_by_one(word, vocab, unk_id, prefix="##", max_chars=100, longest=0):
    return RIGHT(word, vocab, unk_id, prefix, max_chars - 1)


RIGHT = module.greedy_pieces
MISTAKES = [
    shortest_match,
    prefix_on_the_first_piece,
    no_prefix_at_all,
    word_not_collapsed,
    no_length_limit,
    limit_off_by_one,
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_planted_mistakes_are_caught(monkeypatch, mistake, pair):
    monkeypatch.setattr(module, "greedy_pieces", mistake)
    with pytest.raises(AssertionError):
        check_greedy()


@pytest.mark.parametrize("mistake", [shortest_match, prefix_on_the_first_piece, word_not_collapsed])
def test_comparison_with_the_library_catches_them_too(monkeypatch, mistake, pair, tmp_path):
    monkeypatch.setattr(module, "greedy_pieces", mistake)
    fresh = WordPieceTokenizer(pair[0].vocab)
    with pytest.raises(AssertionError):
        for text in [*MULTILINGUAL, "snow☃man"]:
            assert_same(fresh, pair[1], text)


def test_multilingual_texts_equal_the_library(pair, cased_pair):
    for text in MULTILINGUAL:
        assert_same(*pair, text)
        assert_same(*cased_pair, text)
    for text, other in zip(MULTILINGUAL, reversed(MULTILINGUAL), strict=True):
        assert_same(*pair, text, other)
        assert_same(*pair, text, other, add_special_tokens=False)


def test_standard_library_source_equals_the_library(pair, cased_pair):
    for text in standard_library(600_000):
        assert_same(*pair, text)
    for text in standard_library(100_000):
        assert_same(*cased_pair, text)


@settings(max_examples=100)
@given(text=awkward_text)
def test_awkward_texts_equal_the_library(pair, text):
    assert_same(*pair, text)


@settings(max_examples=100)
@given(text=settled_text)
def test_any_text_gives_the_same_ids_on_both_roads_and_offsets_inside_the_text(pair, text):
    enc = pair[0].encode(text, add_special_tokens=False)
    assert pair[0].ids(text) == enc.ids
    assert all(0 <= start < end <= len(text) for start, end in enc.offsets)
    assert [start for start, _ in enc.offsets] == sorted(start for start, _ in enc.offsets)


def test_offsets_point_into_the_original_text(pair):
    text = "É漢 Crème\u200b BRÛLÉE"
    enc = pair[0].encode(text, add_special_tokens=False)
    covered = "".join(text[start:end] for start, end in enc.offsets)
    assert covered == "É漢CrèmeBRÛLÉE"


def test_cased_keeps_accents_and_case():
    cased = WordPieceTokenizer.train(["Été été ete"], vocab_size=40, lowercase=False, min_count=1)
    assert cased.decode(cased.ids("Été été")) == "Été été"
    lower = WordPieceTokenizer.train(["Été été ete"], vocab_size=40, min_count=1)
    assert lower.decode(lower.ids("Été été")) == "ete ete"


def library_pieces(texts: list[str], vocab_size: int, min_count: int) -> set[str]:
    inner = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    inner.normalizer, inner.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size, min_frequency=min_count, special_tokens=list(SPECIAL), show_progress=False
    )
    inner.train_from_iterator(texts, trainer)
    return set(inner.get_vocab())


def test_training_learns_the_librarys_vocabulary_where_no_tie_decides():
    # With all pairs down to a count of 100 learnt, the order of ties no longer matters.
    # Generated text: the interpreter's own library differs from Python to Python, and in 3.13's a tie decides.
    texts = [" ".join(sentences) for sentences in synthetic.documents(1000, seed=0)]
    ours = WordPieceTokenizer.train(texts, 100_000, min_count=100, max_alphabet=10**6)
    assert set(ours.vocab) == library_pieces(texts, 100_000, 100)


def test_training_is_deterministic_and_orders_its_ids():
    first = WordPieceTokenizer.train([generated(1, 500)], 80)
    assert first.vocab == WordPieceTokenizer.train([generated(1, 500)], 80).vocab
    assert [first.id_to_token(i) for i in range(13)] == [*SPECIAL, *"abcd", "##a", "##b", "##c", "##d"]
    assert first.vocab_size == len(first) == 80
    assert first.special_ids == (0, 1, 2, 3, 4)
    assert (first.pad_id, first.unk_id, first.cls_id, first.sep_id, first.mask_id) == (0, 1, 2, 3, 4)


def test_training_keeps_only_the_most_frequent_characters():
    tok = WordPieceTokenizer.train(["aaa aab abb z"], 40, max_alphabet=2, min_count=1)
    assert tok.encode("z ab", add_special_tokens=False).tokens[0] == "[UNK]"
    assert "z" not in tok.vocab and "b" in tok.vocab


def test_training_takes_a_generator_and_own_special_tokens():
    tok = WordPieceTokenizer.train((text for text in ["low lower"] * 3), 40, special=["<pad>", "[UNK]", "<new>"])
    assert tok.special_ids == (0, 1, 2)
    assert tok.encode("low<new>").tokens == ["low", "<new>"]  # no [CLS], so no template
    assert tok.pad_id == 0


def test_special_tokens_are_never_split(pair):
    enc = pair[0].encode("a [MASK]. [mask]", add_special_tokens=False)
    assert enc.tokens[1] == "[MASK]" and enc.tokens.count("[MASK]") == 1
    assert enc.offsets[1] == (2, 8)
    assert enc.special_mask == [0] * len(enc)


def test_vocab_txt(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(SMALL) + "\n", encoding="utf-8", newline="\n")
    assert WordPieceTokenizer.from_vocab_txt(path).vocab == SMALL
    path.write_text("\r\n".join(SMALL), encoding="utf-8", newline="")
    assert WordPieceTokenizer.from_vocab_txt(path).vocab == SMALL
    for content, message in [("[UNK]\na\na\n", "line 3"), ("[UNK]\n\na\n", "line 2"), ("a\nb\n", "UNK")]:
        path.write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            WordPieceTokenizer.from_vocab_txt(path)
    with pytest.raises(ValueError, match="no file"):
        WordPieceTokenizer.from_vocab_txt(tmp_path / "missing.txt")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: WordPieceTokenizer.train("one text", 100), "iterable of texts"),
        (lambda: WordPieceTokenizer.train([], 100), "nothing to learn from"),
        (lambda: WordPieceTokenizer.train(["", ""], 100), "nothing to learn from"),
        (lambda: WordPieceTokenizer.train([" \n", "\x00"], 100), "nothing to learn from"),
        (lambda: WordPieceTokenizer.train(["a", 3], 100), "got int"),
        (lambda: WordPieceTokenizer.train(["abc"], 8), "vocab_size=8 is too small"),
        (lambda: WordPieceTokenizer.train(["abc"], 100, min_count=0), "min_count"),
        (lambda: WordPieceTokenizer.train(["abc"], 100, special=["[PAD]"]), "unknown words"),
        (lambda: WordPieceTokenizer.train(["abc"], 100, special=["[UNK]", "[UNK]"]), "different"),
        (lambda: WordPieceTokenizer({"a": 0}), "UNK"),
        (lambda: WordPieceTokenizer({"[UNK]": 0, "a": 0}), "two tokens"),
        (lambda: WordPieceTokenizer({"[UNK]": -1}), "whole numbers"),
        (lambda: WordPieceTokenizer({"[UNK]": "0"}), "whole numbers"),
        (lambda: WordPieceTokenizer({}), "UNK"),
        (lambda: WordPieceTokenizer(SMALL, max_chars=0), "max_chars"),
        (lambda: WordPieceTokenizer(SMALL, roles={"pad": "<no>"}), "not in the vocabulary"),
        (lambda: WordPieceTokenizer(SMALL, roles={"boss": "[PAD]"}), "unknown role"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
