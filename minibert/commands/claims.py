"""The page of claims: what a much-read primer says about BERT, what we found, and the notebook cell that shows it.

    python -m minibert.commands.claims           # write notebooks/claims.md from data/claims.json
    python -m minibert.commands.claims --check   # exit 1 when the page is not what the claims give

A claim links to cells by their ids. `troubles` finds links that died and numbers that no linked cell shows any more,
so the page cannot say what the notebooks do not.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import click

from minibert.files import write_text
from minibert.places import IS_CLONE, PROJECT

VERDICTS = {
    "holds": "we measured it, or computed it, and it is so",
    "partly": "right in the main, but imprecise, or only under a condition that the primer leaves out",
    "wrong": "a number or a statement that the sources or our measurement contradict",
    "not at this scale": "two CPU cores cannot test it; the reason is given",
}
NUMBER = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
HEAD = """# The claims, one by one

Many people meet BERT through the primer at [aman.ai](https://aman.ai/primers/ai/bert/), and this course takes the same
road. A good primer simplifies, and some sentences come out imprecise or wrong. So here is each of its claims about word
vectors, BERT, ModernBERT and EuroBERT that a chapter has come to, in our words, with a verdict and the cell where you
can see it measured or corrected. In JupyterLab a link opens the notebook at that cell; the number in brackets is the
cell's, for other viewers.

*This page is made from `data/claims.json` by `python -m minibert.commands.claims`; edit that file, not this one.*
"""


@dataclass(frozen=True)
class Claim:
    """One claim: its id, what is said, the verdict, what was found, the cells that show it, and why none could.

    Raises:
        ValueError: an unknown verdict; no cells and no reason; a reason where there are cells.

    >>> Claim("A0", "Water is wet.", "holds", "It is.", ("04_inputs/inputs-07",)).cells
    ('04_inputs/inputs-07',)
    """

    id: str
    claim: str
    verdict: str
    found: str
    cells: tuple[str, ...] = ()
    reason: str = ""

    def __post_init__(self):
        if self.verdict not in VERDICTS:
            raise ValueError(f"claim {self.id}: verdict {self.verdict!r}, expected one of {', '.join(VERDICTS)}")
        if (self.verdict == "not at this scale") != bool(self.reason):
            raise ValueError(f"claim {self.id}: a reason belongs to 'not at this scale', and to nothing else")
        if not self.cells and not self.reason:
            raise ValueError(f"claim {self.id}: name the cells that show it, as '04_inputs/inputs-07'")


def read_claims(file: Path = PROJECT / "data" / "claims.json") -> list[Claim]:
    """The claims of a file, in its order.

    Raises:
        ValueError: a claim that makes no sense, or an id that occurs twice.

    >>> read_claims()[0].id
    'A1'
    """
    claims = [
        Claim(**entry | {"cells": tuple(entry.get("cells", ()))})
        for entry in json.loads(file.read_text(encoding="utf-8"))
    ]
    if twice := [name for name, times in Counter(claim.id for claim in claims).items() if times > 1]:
        raise ValueError(f"{file}: {', '.join(twice)} stand there twice")
    return claims


@dataclass(frozen=True)
class Place:
    """A notebook cell as the page and the check need it.

    >>> Place("# 4. Inputs", "1. Sums", 7, "1,000").count
    7
    """

    title: str
    section: str
    count: int | None  # the execution count; None for a cell of text
    text: str  # its source and everything it printed


def read_places(root: Path = PROJECT) -> dict[str, Place]:
    """All cells of the notebooks, by "notebook/cell-id".

    >>> read_places()["04_inputs/inputs-07"].title
    '4. Inputs'
    """
    places = {}
    for file in sorted((root / "notebooks").glob("*.ipynb")):
        title = section = ""
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                for marks, heading in re.findall(r"^(#+) (.+)$", source, re.MULTILINE):
                    title, section = (heading, "") if len(marks) == 1 else (title, heading)
            shown = [source]
            for output in cell.get("outputs", ()):
                data = output.get("data", {})
                shown += ["".join(output.get("text", "")), "".join(data.get("text/plain", ""))]
                page = "".join(data.get("text/html", ""))
                shown += [page] if page.startswith("<table") else []  # a live picture holds more than it shows
            places[f"{file.stem}/{cell['id']}"] = Place(title, section, cell.get("execution_count"), "\n".join(shown))
    return places


def troubles(claims: list[Claim], places: dict[str, Place]) -> list[str]:
    """Dead links, and numbers in `found` that none of the linked cells shows (nor the claim itself).

    >>> troubles([Claim("A0", "It is 3.", "wrong", "It is 4.", ("n/a", "n/b"))], {"n/a": Place("", "", 1, "print(40)")})
    ['A0 links to n/b, and there is no such cell', 'A0 says 4, which no linked cell shows']
    """
    found = []
    for claim in claims:
        found += [
            f"{claim.id} links to {cell}, and there is no such cell" for cell in claim.cells if cell not in places
        ]
        known = " ".join([claim.claim, *(places[cell].text for cell in claim.cells if cell in places)])
        shown = set(NUMBER.findall(known)) | {number.replace(",", "") for number in NUMBER.findall(known)}
        if claim.cells:
            for number in NUMBER.findall(claim.found):
                if number not in shown and number.replace(",", "") not in shown:
                    found.append(f"{claim.id} says {number}, which no linked cell shows")
    return found


def page(claims: list[Claim], places: dict[str, Place]) -> str:
    """The page in Markdown.

    >>> made = page([Claim("A0", "Wet.", "holds", "So.", ("n/b",))], {"n/b": Place("1. N", "2. S", 3, "")})
    >>> print(made.split("###")[1])
     A0: holds
    <BLANKLINE>
    **Claim.** Wet.
    <BLANKLINE>
    **Found.** So.
    <BLANKLINE>
    **See** [1. N, 2. S \\[3\\]](n.ipynb#cell-id=b)
    <BLANKLINE>
    """
    counts = Counter(claim.verdict for claim in claims)
    lines = [HEAD, f"{len(claims)} claims:", ""]
    lines += [f"- **{verdict}**, {counts[verdict]}: {meaning}" for verdict, meaning in VERDICTS.items()]
    for claim in claims:
        lines += [
            "",
            f"### {claim.id}: {claim.verdict}",
            "",
            f"**Claim.** {claim.claim}",
            "",
            f"**Found.** {claim.found}",
        ]
        if claim.reason:
            lines += ["", f"**Why not here.** {claim.reason}"]
        if claim.cells:
            lines += ["", "**See** " + "; ".join(_link(cell, places[cell]) for cell in claim.cells)]
    return "\n".join(lines) + "\n"


def _link(cell: str, place: Place) -> str:
    notebook, _, name = cell.partition("/")
    words = ", ".join(filter(None, (place.title, place.section))) + (f" \\[{place.count}\\]" if place.count else "")
    return f"[{words}]({notebook}.ipynb#cell-id={name})"


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when the page is not what the claims give.")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=PROJECT, help="The project's folder.")
def main(check: bool, root: Path) -> None:
    """Write notebooks/claims.md from data/claims.json."""
    if root == PROJECT and not (IS_CLONE or check):
        raise click.ClickException("this is no clone of the project: --check looks at the page, --root names a clone")
    claims, places = read_claims(root / "data" / "claims.json"), read_places(root)
    if found := troubles(claims, places):
        raise click.ClickException("\n".join(found))
    file, made = root / "notebooks" / "claims.md", page(claims, places)
    if not check:
        write_text(file, made)
    elif not file.is_file() or file.read_text(encoding="utf-8") != made:
        raise click.ClickException(f"{file} is not what the claims give: python -m minibert.commands.claims writes it")


if __name__ == "__main__":
    main()
