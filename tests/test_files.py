"""Text files as others write them: byte order marks, encodings, line ends."""

import codecs

import pytest

from minibert.files import decode, read_text, split_lines

TEXT = "Größe: 漢字 😀"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_the_encoding_and_is_no_text(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes(TEXT.encode(encoding))
    assert read_text(tmp_path / "a.txt") == TEXT


def test_both_byte_orders_are_read():
    assert decode(codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "a.txt") == TEXT
    assert decode(codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"), "a.txt") == TEXT


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("Größe".encode("cp1252"), r"a\.txt is not UTF-8 \(byte 2\)"),
        (TEXT.encode("utf-16-le"), r"a\.txt (is not UTF-8|holds zero bytes)"),
        ("plain".encode("utf-16-le"), "holds zero bytes: it is no text, or UTF-16 without a mark"),
        (codecs.BOM_UTF16_LE + b"a", r"a\.txt is not UTF-16 \(byte 2\)"),
        (codecs.BOM_UTF8 + b"caf\xe9", r"a\.txt is not UTF-8"),
        (b"PK\x03\x04\x00\x00", "holds zero bytes"),
    ],
)
def test_what_is_no_text_is_refused_by_name(data, complaint):
    with pytest.raises(ValueError, match=complaint):
        decode(data, "a.txt")


@pytest.mark.parametrize("inside", "\x0b \x0c \x1c \x1d \x1e \x85 \u2028 \u2029".split(" "))
def test_lines_end_only_where_those_of_a_text_file_end(inside):
    assert split_lines(f"one{inside}still one\ntwo\r\nthree") == [f"one{inside}still one", "two", "three"]


def test_line_ends_of_every_system():
    assert split_lines("a\nb\n") == split_lines("a\r\nb\r\n") == split_lines("a\rb\r") == ["a", "b"]
    assert split_lines("a\r\r\nb\r\r\n") == ["a", "b"]  # written twice through Windows' text mode: no empty lines
    assert split_lines("10 %\r100 %\n") == ["10 %\r100 %"]  # a progress bar
    assert split_lines("a\n\nb") == ["a", "", "b"] and split_lines("") == [] and split_lines("\n") == [""]


def test_marks_between_joined_files_are_no_text():
    assert split_lines(decode(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", "joined")) == ["a", "b"]


def test_the_files_of_a_model_folder_may_begin_with_a_mark(tmp_path):
    """Notepad and PowerShell write one when somebody corrects a line."""
    import shutil

    from minibert import MaskedLanguageModel, load_tokenizer, shipped

    folder = tmp_path / "model"
    shutil.copytree(shipped("bert-nano"), folder)
    for file in folder.glob("*.json"):
        file.write_bytes(codecs.BOM_UTF8 + file.read_bytes())
    assert load_tokenizer(folder).vocab == load_tokenizer(shipped("bert-nano")).vocab
    assert MaskedLanguageModel.from_pretrained(folder).config.family == "bert"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_vocabulary_may_begin_with_a_mark(tmp_path, encoding):
    from minibert import WordPieceTokenizer

    (tmp_path / "vocab.txt").write_bytes("[PAD]\r\n[UNK]\r\nthe\r\n".encode(encoding))
    assert WordPieceTokenizer.from_vocab_txt(tmp_path / "vocab.txt").vocab == {"[PAD]": 0, "[UNK]": 1, "the": 2}
