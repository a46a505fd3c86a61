"""Normalisers and pre-tokenisers against the `tokenizers` library and against Google's published rules."""

import unicodedata

import pytest
import tokenizers
from hypothesis import given, settings
from tokenization_samples import AWKWARD, MULTILINGUAL, awkward_text
from tokenizers import Regex, normalizers, pre_tokenizers

from minibert.tokenization import pretokenization
from minibert.tokenization.normalization import BertNormalizer, NFCNormalizer, NoNormalizer, is_chinese

CODE_POINTS = [chr(code) for code in range(0x30000) if not 0xD800 <= code < 0xE000]
OLD = unicodedata.ucd_3_2_0


def differing(first, second, chars=CODE_POINTS, block=256) -> set[str]:
    """The characters c for which first("a{c}b") and second("a{c}b") differ; whole blocks are compared first."""
    found = set()
    for start in range(0, len(chars), block):
        some = chars[start : start + block]
        text = "\n".join(f"a{char}b" for char in some)
        if first(text) != second(text):
            found |= {char for char in some if first(f"a{char}b") != second(f"a{char}b")}
    return found


def is_version_difference(char: str) -> bool:
    """Point 4 of normalization.py: unassigned for Python, or given its category after Unicode 3.2."""
    category = unicodedata.category(char)
    return category == "Cn" or category != OLD.category(char)


def our_words(lowercase: bool):
    normalizer = BertNormalizer(lowercase=lowercase)
    return lambda text: pretokenization.bert_words(normalizer.normalize(text))


def library_words(lowercase: bool):
    normalizer, words = normalizers.BertNormalizer(lowercase=lowercase), pre_tokenizers.BertPreTokenizer()
    return lambda text: [word for word, _ in words.pre_tokenize_str(normalizer.normalize_str(text))]


def google_words(lowercase: bool):
    """BasicTokenizer of Devlin et al.'s released code, written anew from its rules: a second, independent oracle."""

    def whitespace(char):
        return char in " \t\n\r" or unicodedata.category(char) == "Zs"

    def control(char):
        return char not in "\t\n\r" and unicodedata.category(char) in ("Cc", "Cf")

    def chinese(char):
        return is_chinese(char) or 0x2B820 <= ord(char) <= 0x2B91F

    def punctuation(char):
        code = ord(char)
        ascii_sign = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
        return ascii_sign or unicodedata.category(char).startswith("P")

    def words(text):
        kept = [char for char in text if ord(char) not in (0, 0xFFFD) and not control(char)]
        spaced = "".join(" " if whitespace(c) else f" {c} " if chinese(c) else c for c in kept)
        out = []
        for token in spaced.split():
            if lowercase:
                plain = unicodedata.normalize("NFD", token.lower())
                token = "".join(char for char in plain if unicodedata.category(char) != "Mn")
            out += "".join(f" {char} " if punctuation(char) else char for char in token).split()
        return out

    return words


@pytest.mark.parametrize("lowercase", [True, False])
def test_only_unicode_versions_separate_us_from_the_library(lowercase):
    found = differing(our_words(lowercase), library_words(lowercase))
    assert {char for char in found if not is_version_difference(char)} == set()
    assert {unicodedata.category(char)[0] for char in found} <= set("PMCSL")
    assert len(found) < 3000
    assert not any(ord(char) < 0x370 or is_chinese(char) for char in found)


@pytest.mark.parametrize("lowercase", [True, False])
def test_the_differences_to_googles_script_are_the_documented_ones(lowercase):
    chars = CODE_POINTS if lowercase else CODE_POINTS[: 0xFFFF - 0x7FF]  # the basic plane
    found = differing(our_words(lowercase), google_words(lowercase), chars)
    private = {char for char in chars if unicodedata.category(char) == "Co"}
    unspaced = {chr(code) for code in range(0x2B820, 0x2B920)} & set(chars)
    newer = {char for char in found if unicodedata.category(char) == "Cn"}  # `regex` may know more than Python
    assert len(private) == 6400
    assert found - newer - unspaced == private
    assert unspaced - found == set()


def test_the_final_sigma_is_the_one_difference_that_needs_a_neighbour():
    assert google_words(True)("ΟΔΟΣ") == ["οδος"]
    assert our_words(True)("ΟΔΟΣ") == library_words(True)("ΟΔΟΣ") == ["οδοσ"]


@settings(max_examples=100)
@given(awkward_text)
def test_awkward_neighbours_agree_with_the_library(text):
    for lowercase in (True, False):
        assert our_words(lowercase)(text) == library_words(lowercase)(text)


def test_the_sweep_would_notice_a_planted_mistake():
    def strips_always(text):
        return pretokenization.bert_words(BertNormalizer(lowercase=False, strip_accents=True).normalize(text))

    assert "é" in differing(strips_always, library_words(False), CODE_POINTS[:512])
    assert "漢" in differing(str.split, library_words(False), ["漢"])


def aligned_by_library(normalizer, text: str) -> tuple[str, list[tuple[int, int]]]:
    """The library's own alignment, read off a tokenizer whose tokens are single characters."""
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0}, unk_token="?"))
    inner.normalizer = normalizer
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return normalizer.normalize_str(text), inner.encode(text).offsets


CASES = [
    (NFCNormalizer(), normalizers.NFC()),
    (BertNormalizer(), normalizers.BertNormalizer()),
    (BertNormalizer(lowercase=False), normalizers.BertNormalizer(lowercase=False)),
    (
        BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False),
        normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False),
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), CASES)
@settings(max_examples=100)
@given(text=awkward_text)
def test_alignment_equals_the_librarys(ours, theirs, text):
    normal, origin = ours.align(text)
    assert ours.normalize(text) == normal
    assert (normal, [(index, index + 1) for index in origin]) == aligned_by_library(theirs, text)


@pytest.mark.parametrize("text", MULTILINGUAL)
def test_the_step_by_step_road_is_the_same_as_the_table(text):
    normalizer = BertNormalizer()
    normal, origin = normalizer._align_by_steps(text)
    assert (normal, list(origin)) == (normalizer.normalize(text), list(normalizer.align(text)[1]))


def test_marks_that_stay_take_the_slow_road():
    text = "x\u302e\u0323\U0001d16d\U0001d165"  # kept marks of different classes: NFD sorts them
    assert BertNormalizer()._needs_steps(text)
    assert BertNormalizer().normalize(text) == normalizers.BertNormalizer().normalize_str(text)


def test_no_normalizer_changes_nothing():
    assert NoNormalizer().normalize(AWKWARD) == AWKWARD
    assert NoNormalizer().align("ab") == ("ab", range(2))


@pytest.mark.parametrize("name", ["gpt2", "llama3"])
@pytest.mark.parametrize("shape", ["a{}b", "1{}2", " {}.", "{} .", "'{} ", "\n{}\n"])
def test_byte_level_words_differ_only_where_one_side_knows_a_newer_character(name, shape):
    theirs = pre_tokenizers.Split(Regex(pretokenization.PATTERNS[name]), "isolated")
    chars = [char for char in CODE_POINTS[:0x10000] if unicodedata.category(char) != "Cn"]
    for start in range(0, len(chars), 512):
        text = "\u3000".join(shape.format(char) for char in chars[start : start + 512])
        assert pretokenization.byte_level_words(text, name) == [word for word, _ in theirs.pre_tokenize_str(text)]


@settings(max_examples=100)
@given(awkward_text)
def test_byte_level_words_lose_nothing(text):
    for name in ("gpt2", "llama3"):
        assert "".join(pretokenization.byte_level_words(text, name)) == text


def test_the_short_form_of_the_gpt2_pattern_in_the_library():
    ours = pretokenization.byte_level_words("it's  we'll\n\n 12½ don't", "gpt2")
    library = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str("it's  we'll\n\n 12½ don't")
    assert [len(word.encode()) for word in ours] == [len(word) for word, _ in library]


def test_unknown_pattern_is_refused():
    with pytest.raises(ValueError, match="gpt2, llama3"):
        pretokenization.check_pattern("gpt4")
