"""Labelled rows of one's own: CSV and JSON lines, and what is said of bad ones."""

import json

import pytest

from minibert.corpora import LabelledPair, LabelledText, SpanQuestion, TaggedTokens
from minibert.corpora.own_rows import read_rows


def written(tmp_path, name: str, text: str):
    file = tmp_path / name
    file.write_bytes(text.encode("utf-8"))
    return file


def test_csv_with_quotes_line_ends_and_other_columns(tmp_path):
    text = '\ufefflabel,id,text\r\nyes,1,"good, ""very""\r\ngood"\r\nno,2,bad\r\n'
    rows = read_rows(written(tmp_path, "a.csv", text), LabelledText)
    assert rows == [LabelledText('good, "very"\r\ngood', "yes"), LabelledText("bad", "no")]
    tabs = written(tmp_path, "a.tsv", "first\tsecond\tlabel\na, b\tc\t1\n")
    assert read_rows(tabs, LabelledPair) == [LabelledPair("a, b", "c", "1")]
    long = "x" * 200_000  # more than the csv module takes by itself
    assert read_rows(written(tmp_path, "b.csv", f"text,label\n{long},yes\n"), LabelledText)[0].text == long


def test_json_lines_of_every_kind(tmp_path):
    def read(kind, *objects):
        return read_rows(written(tmp_path, "a.jsonl", "\n\n".join(map(json.dumps, objects))), kind)

    assert read(LabelledText, {"text": "a", "label": True}, {"text": "b\u2028c", "label": 0}) == [
        LabelledText("a", "true"),
        LabelledText("b\u2028c", "0"),
    ]
    question = {"question": "where?", "context": "here or here", "answer": "here"}
    assert [row.start for row in read(SpanQuestion, question, question | {"start": 8})] == [0, 8]
    tagged = [TaggedTokens(("Emily", "left"), ("B-person", "O"))] * 2
    lists = {"tokens": ["Emily", "left"], "tags": ["B-person", "O"]}
    assert read(TaggedTokens, lists, {"tokens": "Emily left", "tags": "B-person O"}) == tagged


BAD = {
    "ending": ("a.txt", "text,label\na,b\n", LabelledText, "must end in .csv"),
    "header": ("a.csv", "a,b\n", LabelledText, "must name the columns text, label; it names a, b"),
    "empty": ("a.csv", "", LabelledText, "it names nothing"),
    "no rows": ("a.csv", "text,label\n", LabelledText, "has no rows"),
    "comma": ("a.csv", "text,label\na,b\nx,y,z\n", LabelledText, "line 3: more fields than columns"),
    "short": ("a.csv", "text,label\na,b\nx\n", LabelledText, "line 3: label is missing"),
    "blank": ("a.csv", "text,label\n  ,b\n", LabelledText, "line 2: text is empty"),
    "json": ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": ', LabelledText, "line 2: no JSON"),
    "list": ("a.jsonl", "[1]", LabelledText, "line 1: a list, expected an object"),
    "number": ("a.jsonl", '{"text": 3, "label": "b"}', LabelledText, "line 1: text is 3, expected a text"),
    "answer": ("a.csv", "question,context,answer\nq,c,a\n", SpanQuestion, "line 2: the answer 'a' does not stand"),
    "start": ("a.csv", "question,context,answer,start\nq,c a,a,0\n", SpanQuestion, "has 'c a' at character 0, not"),
    "no start": ("a.csv", "question,context,answer,start\nq,c a,a,x\n", SpanQuestion, "start is 'x', expected"),
    "tags": ("a.jsonl", '{"tokens": ["a", "b"], "tags": ["O"]}', TaggedTokens, "2 tokens and 1 tags"),
    "tag": ("a.jsonl", '{"tokens": ["a"], "tags": ["person"]}', TaggedTokens, "the tag 'person': expected O, B-"),
    "word": ("a.jsonl", '{"tokens": ["a b"], "tags": ["O"]}', TaggedTokens, "words without spaces"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rows_are_refused_by_line(tmp_path, name):
    file, text, kind, message = BAD[name]
    with pytest.raises(ValueError, match=message) as error:
        read_rows(written(tmp_path, file, text), kind)
    assert file in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="no such file; expected one with text and label"):
        read_rows(tmp_path / "a.csv", LabelledText)
