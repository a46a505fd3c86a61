"""Documents, paragraphs and sentences: the units that pretraining text is cut into.

The naive splitter is the specification that the published counts use: a sentence ends at `.`, `!` or `?`
before white space and a capital letter or a quotation mark. It also cuts after "Mr." and "U.S."; the
splitter that documents use mends those. Neither understands text: both are a few rules for English.
"""

import re
from dataclasses import dataclass

_NAIVE = re.compile(r'(?<=[.!?])\s+(?=[A-Z"])')
_BETTER = re.compile(r"""(?<=[.!?])["'”’)\]]{0,2}\s+(?=["'“‘(\[]{0,2}[A-Z])""")
_TITLES = (
    "Mr Mrs Ms Dr Gen Col Capt Lt Maj Sgt Rev Hon Gov Sen Rep Prof Adm Messrs St Mt Ft Sr Jr vs viz No Nos Art Sec"
)
_NOT_AN_END = re.compile(  # a title; one capital: an initial, "U.S."; the number of a list's item
    rf"(?:\b(?:{'|'.join(_TITLES.split())})|(?:^|[\s(\"“.])[A-Z]|^\(?(?:[0-9]+|[IVXL]+))\.$"
)


def naive_sentences(text: str) -> list[str]:
    r"""Cut after `.`, `!` or `?` wherever white space and a capital or a quotation mark follow.

    >>> naive_sentences('Mr. Hay wrote. "Yes." So it was.')
    ['Mr.', 'Hay wrote.', '"Yes." So it was.']
    """
    return _NAIVE.split(text)


def split_sentences(text: str) -> list[str]:
    """Cut one paragraph of English into sentences; joined by single spaces they are the text again.

    Unlike `naive_sentences` it does not cut after titles (Mr., Gen., No.), initials (John Q. Adams),
    abbreviations of single capitals (U.S.) and the numbers of list items, and it does cut after a closing
    quotation mark or bracket.
    "... of the U.S. We ..." stays one sentence: that end cannot be told without understanding.

    >>> split_sentences('Mr. Hay of the U.S. Senate wrote. "Yes." So it was.')
    ['Mr. Hay of the U.S. Senate wrote.', '"Yes."', 'So it was.']
    """
    sentences, start = [], 0
    text = " ".join(text.split())
    for match in _BETTER.finditer(text):
        end = match.end()
        closed = text[start:end].rstrip()
        if _NOT_AN_END.search(closed):
            continue
        sentences.append(closed)
        start = end
    if text[start:]:
        sentences.append(text[start:])
    return sentences


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Where each sentence of `split_sentences` stands in the text, (start, end) in characters.

    >>> sentence_spans("It rains. Is it  cold?")
    [(0, 9), (10, 22)]
    """
    spans, end = [], 0
    for sentence in split_sentences(text):
        found = re.compile(r"\s+".join(map(re.escape, sentence.split()))).search(text, end)
        spans.append(found.span())
        end = found.end()
    return spans


@dataclass(frozen=True)
class Document:
    r"""A text with a name. One line is one paragraph; empty lines do not count.

    >>> page = Document("note", "First. Second.\n\nThird.")
    >>> page.paragraphs
    ('First. Second.', 'Third.')
    >>> page.sentences()
    ['First.', 'Second.', 'Third.']
    """

    name: str
    text: str

    @property
    def paragraphs(self) -> tuple[str, ...]:
        """The lines that are not empty, without white space at their ends."""
        return tuple(line.strip() for line in self.text.split("\n") if line.strip())

    def sentences(self) -> list[str]:
        """The sentences of all paragraphs in order; no sentence crosses a paragraph (`split_sentences`)."""
        return [sentence for paragraph in self.paragraphs for sentence in split_sentences(paragraph)]
