"""The result of grading as files: results.json for programs, results.csv for spreadsheets, report.html for people."""

import csv
import io
import json
from html import escape
from pathlib import Path
from string import Template

from minibert.files import write_text

SIGNS = {"passed": "✓", "not attempted": "–", "missing": "–"}
PLAIN = str.maketrans("✓✗–½", "+x-/")  # for terminals without these letters
PAGE = Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"))


def write_reports(result: dict, out: Path) -> list[Path]:
    """Write the three files into the folder `out`, each in one step, and return their paths.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = write_reports({"version": 1, "points": 0, "exercises": [], "students": []}, Path(folder))
    >>> [file.name for file in files]
    ['results.json', 'results.csv', 'report.html']
    """
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    texts = {"results.json": text, "results.csv": to_csv(result), "report.html": to_html(result)}
    for name, text in texts.items():
        write_text(out / name, text)
    return [out / name for name in texts]


def to_csv(result: dict) -> str:
    """One row a student: points of each exercise, then the total.

    A name that a spreadsheet would run as a formula (`=...`, `+...`) gets an apostrophe in front.

    >>> to_csv({"exercises": [{"number": "5.1"}], "students": [
    ...     {"student": "=cmd", "points": 4, "exercises": {"5.1": {"points": 4}}}]})
    "student,5.1,total\\n'=cmd,4,4\\n"
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    numbers = [one["number"] for one in result["exercises"]]
    writer.writerow(["student", *numbers, "total"])
    for row in result["students"]:
        name = _printable(row["student"])
        safe = "'" + name if name.lstrip("? ")[:1] in tuple("=+-@") else name
        writer.writerow([safe, *(row["exercises"][number]["points"] for number in numbers), row["points"]])
    return text.getvalue()


def to_html(result: dict) -> str:
    """One page that needs nothing else: a table of all students, then what was found in each answer.

    >>> "<script>" in to_html({"points": 0, "exercises": [], "students": [
    ...     {"student": "<script>", "points": 0, "exercises": {}, "notes": []}]})
    False
    """
    head = "".join(
        f'<th scope="col" title="{escape(one["title"])}">{one["number"]}<br>{one["points"]:g}</th>'
        for one in result["exercises"]
    )
    rows, details = "", ""
    for place, row in enumerate(result["students"]):
        name, cells, points = escape(row["student"]), "", f"{row['points']:g} of {result['points']:g}"
        details += f'<details id="s{place}"><summary>{name}: {points}</summary>\n'
        for one in result["exercises"]:
            found = row["exercises"][one["number"]]
            kind, status = "passed" if found["status"] == "passed" else "failed", escape(found["status"])
            cells += f'<td class="{kind}" title="{status}">{_sign(found)} {found["points"]:g}</td>'
            details += f"<h3>{one['number']} {escape(one['title'])}: {status}</h3>\n"
            details += "" if status in ("passed", "not attempted") else f"<pre>{escape(found['message'])}</pre>\n"
        details += ("<h3>Remarks</h3>\n" if row["notes"] else "") + _lines(row["notes"]) + "</details>\n"
        rows += f'<tr><th scope="row"><a href="#s{place}">{name}</a></th>{cells}<td>{points}</td></tr>\n'
    counts = dict(students=len(result["students"]), points=f"{result['points']:g}")
    return PAGE.substitute(counts, notes=_lines(result.get("notes")), head=head, rows=rows, details=details)


def _lines(texts: list[str] | None) -> str:
    return f"<pre>{escape(chr(10).join(texts))}</pre>\n" if texts else ""


def _sign(found: dict) -> str:
    return SIGNS.get(found["status"], "½" if found.get("points") else "✗")


def to_console(result: dict, encoding: str = "utf-8") -> str:
    """The table for a terminal with this encoding.

    >>> print(to_console({"points": 4, "exercises": [{"number": "5.1"}], "students": [
    ...     {"student": "ada", "points": 4, "exercises": {"5.1": {"status": "passed"}}}]}))
    student  5.1   total
    ada        ✓  4 of 4
    """
    numbers = [one["number"] for one in result["exercises"]]
    rows = [["student", *numbers, "total"]]
    for row in result["students"]:
        signs = [_sign(row["exercises"][number]) for number in numbers]
        rows.append([_printable(row["student"])[:40], *signs, f"{row['points']:g} of {result['points']:g}"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])]) for name, *cells in rows]
    text = "\n".join([*lines, *map(_printable, result.get("notes", ()))])
    try:
        "✓✗–½".encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return text.translate(PLAIN)
    return text


def _printable(name: str) -> str:
    """A folder's name may hold control characters, which a terminal would obey and a spreadsheet stumble over."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
