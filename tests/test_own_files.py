"""One's own files as they come: what is read from them, and what is said of those that cannot be read."""

import gzip
import json
import sys

import pytest

from minibert.corpora import own_text
from minibert.corpora.own_text import TextFiles


def read(path, **options):
    return [document for document, _ in TextFiles(path, **options).documents()]


def json_lines(*texts, key="text"):
    return "".join(json.dumps({key: text, "id": 3}) + "\n" for text in texts)


def write(path, text):
    path.parent.mkdir(exist_ok=True, parents=True)
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    write(tmp_path / "b.txt", "Four.\nFive.")
    write(tmp_path / "a" / "deep" / "z.TXT", "\ufeffTwo.\r\n\r\n\r\nThree.\r\n")
    write(tmp_path / "a" / "a.jsonl.gz", json_lines("One.\n\nStill one."))
    write(tmp_path / "c.txt.gz", "Six.")
    write(tmp_path / "notes.pdf", b"\xff")
    write(tmp_path / ".hidden" / "a.txt", "no")
    assert read(tmp_path) == [["One.", "Still one."], ["Two."], ["Three."], ["Four.", "Five."], ["Six."]]
    assert read(tmp_path, lines=False)[0] == ["One.\n\nStill one."], "one text with its lines and spaces"
    texts = TextFiles(tmp_path)
    assert texts.names == ["a/a.jsonl.gz", "a/deep/z.TXT", "b.txt", "c.txt.gz"] and texts.left_out == ["notes.pdf"]
    assert [place[:2] for _, place in texts.documents()] == [(0, 1), (1, 1), (1, 2), (2, 1), (3, 1)]
    assert [place.bytes for _, place in texts.documents()][-1] == texts.bytes


def test_reading_goes_on_behind_any_document(tmp_path):
    write(tmp_path / "a.jsonl", json_lines("1", "", "2", "3"))
    write(tmp_path / "b.txt", "4\n\n5\n")
    found = list(TextFiles(tmp_path).documents())
    assert [document for document, _ in found] == [["1"], [], ["2"], ["3"], ["4"], ["5"]]
    for number, (_, place) in enumerate(found):
        assert list(TextFiles(tmp_path).documents(place[:2])) == found[number + 1 :]


def test_a_document_without_end_is_cut_at_a_line_and_nothing_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(own_text, "LONGEST", 10)
    write(tmp_path / "a.txt", "12345\n678\n90\nab\n\ncd\n")
    assert read(tmp_path / "a.txt") == [["12345", "678", "90"], ["ab"], ["cd"]]


def test_a_sample_is_the_same_and_from_all_over(tmp_path):
    write(tmp_path / "a.txt", "\n\n".join(str(number) for number in range(3000)))
    texts = TextFiles(tmp_path)
    some, everything = list(texts.sample(texts.bytes // 10)), list(texts.sample())
    assert some == list(texts.sample(texts.bytes // 10)) and len(everything) == 3000
    assert 200 < len(some) < 400 and int(some[0][0]) < 100 and int(some[-1][0]) > 2900


BAD = {
    "latin": ("a.txt", b"fine\nGr\xf6\xdfe\n", "a.txt, line 2, is not UTF-8 .byte 2.: save it as UTF-8"),
    "zero": ("a.txt", "plain".encode("utf-16-le"), "a.txt, line 1, holds zero bytes"),
    "half": ("a.txt", "fine\nfine\n".encode("utf-16")[:-1], "a.txt, line 2, is not UTF-16"),
    "json": ("a.jsonl", '{"text": "a"}\n\n{"text": ', "a.jsonl, line 3: no JSON .*one object a line"),
    "list": ("a.jsonl", "[1]", "a.jsonl, line 1: a list, expected an object"),
    "key": ("a.jsonl", '{"body": "a"}', "line 1: no 'text' among 'body', expected a text; --text-key names another"),
    "null": ("a.jsonl", '{"text": "a"}\n{"text": null}', "line 2: 'text' is None, expected a text"),
    "surrogate": ("a.jsonl", r'{"text": "\ud800"}', "line 1: half of a surrogate pair"),
    "cut": ("a.txt.gz", gzip.compress(b"a\n" * 9999)[:-20], "a.txt.gz, after line [0-9]+: a damaged .gz"),
    "no gz": ("a.jsonl.gz", b"plain", "a.jsonl.gz, after line 0: a damaged .gz"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_named_by_file_and_line(tmp_path, name):
    file, data, message = BAD[name]
    (tmp_path / file).write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))
    with pytest.raises(ValueError, match=message):
        read(tmp_path)


def test_another_key_holds_the_text(tmp_path):
    write(tmp_path / "a.jsonl", json_lines("One.", key="body"))
    assert read(tmp_path, text_key="body") == [["One."]]


def test_the_end_of_a_name_says_what_a_file_is(tmp_path):
    write(tmp_path / "A.JSONL", json_lines("One."))
    write(tmp_path / "b.jsonl.txt", '{"text": "Two."}')
    write(tmp_path / "c.json", "[]")
    assert read(tmp_path) == [["One."], ['{"text": "Two."}']] and TextFiles(tmp_path).left_out == ["c.json"]
    with pytest.raises(ValueError, match=r"one object a line\? Then name it .jsonl"):
        TextFiles(tmp_path / "c.json")
    write(tmp_path / "text", "Three.")
    assert read(tmp_path / "text") == [["Three."]], "a file that is named is read as text"


def test_a_folder_without_text_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no text: expected files that end in \.txt"):
        TextFiles(tmp_path)
    with pytest.raises(ValueError, match="no such file or folder"):
        TextFiles(tmp_path / "a.txt")


def test_parquet_without_pyarrow_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    write(tmp_path / "a.parquet", b"PAR1")
    with pytest.raises(
        ValueError, match=r"a.parquet: Parquet is read by pyarrow, which is not installed: `pip install"
    ):
        read(tmp_path)


def test_parquet_with_pyarrow(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"text": ["One.\nTwo.", "Three."], "id": [1, 2]}), tmp_path / "a.parquet")
    assert read(tmp_path) == [["One.", "Two."], ["Three."]]
    with pytest.raises(ValueError, match="no column 'body' among text, id"):
        read(tmp_path, text_key="body")
    parquet.write_table(pyarrow.table({"text": ["One.", None]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a.parquet, row 2: 'text' is None"):
        read(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and more")
    with pytest.raises(ValueError, match=r"a.parquet, after row 0: a damaged Parquet file"):
        read(tmp_path)
