"""Sentences, documents, and the standard library as a corpus."""

import subprocess
import sys

import pytest

from minibert import corpora
from minibert.corpora.text import Document, naive_sentences, split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Gen. U. S. Grant met Mr. John Q. Adams. He left.", ["Gen. U. S. Grant met Mr. John Q. Adams.", "He left."]),
        (
            "It cost 3.50 dollars. (It was dear.) So it goes.",
            ["It cost 3.50 dollars.", "(It was dear.)", "So it goes."],
        ),
        ("II. Of trade. It grew.", ["II. Of trade.", "It grew."]),
        ("No end mark", ["No end mark"]),
        ("  ", []),
    ],
)
def test_sentences(text, sentences):
    assert split_sentences(text) == sentences


def test_the_naive_splitter_is_the_published_rule():
    assert naive_sentences('Mr. Hay. "No." so') == ["Mr.", "Hay.", '"No." so']


def test_sentences_stay_inside_paragraphs():
    assert Document("d", "One two\nThree. Four.\n \n").sentences() == ["One two", "Three.", "Four."]


def test_the_standard_library_gives_code_and_docstrings():
    files = {document.name: document.text for document in corpora.load("code")}
    assert len(files) > 150 and not any("test" in name.split("/") for name in files)
    pairs = corpora.load("code-pairs")
    median = next(row for row in pairs if row.code.startswith("def median("))
    assert median.name == "statistics.py:median" and median.docstring.startswith("Return the median")
    assert '"""' not in median.code and median.docstring not in median.code and len(pairs) > 2000


def test_importing_corpora_is_light():
    heavy = ("torch", "nanoarrow", "numpy", "pandas")
    code = f"import sys, minibert.corpora; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
