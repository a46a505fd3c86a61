"""The result of grading as files: results.json for programs, results.csv for spreadsheets, report.html for people."""

import csv
import io
import json
from html import escape
from pathlib import Path

from minibert.files import write_text

SIGNS = {"passed": "✓", "not attempted": "–", "missing": "–"}
PLAIN = str.maketrans("✓✗–½", "+x-/")  # for terminals without these letters
STYLE = """
:root { color-scheme: light dark; --good: #0b6b3a; --bad: #a3290b; --line: #8884; --soft: #8881; }
@media (prefers-color-scheme: dark) { :root { --good: #6fd3a0; --bad: #ff9b80; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .7rem; text-align: center; white-space: nowrap; }
th:first-child { text-align: left; }
.passed { color: var(--good); font-weight: 600; } .failed { color: var(--bad); }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .6rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; font-weight: 600; }
pre { background: var(--soft); padding: .5rem .7rem; white-space: pre-wrap; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: .8rem 0 .2rem; }
"""


def write_reports(result: dict, out: Path) -> list[Path]:
    """Write the three files into the folder `out`, each in one step, and return their paths.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = write_reports({"version": 1, "points": 0, "exercises": [], "students": []}, Path(folder))
    >>> [file.name for file in files]
    ['results.json', 'results.csv', 'report.html']
    """
    out.mkdir(parents=True, exist_ok=True)
    texts = {
        "results.json": json.dumps(result, indent=1, ensure_ascii=False) + "\n",
        "results.csv": to_csv(result),
        "report.html": to_html(result),
    }
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
    notes = f"<pre>{escape(chr(10).join(result['notes']))}</pre>\n" if result.get("notes") else ""
    rows = "".join(_table_row(place, row, result["points"]) for place, row in enumerate(result["students"]))
    details = "".join(_details(place, row, result) for place, row in enumerate(result["students"]))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>Exercises, graded</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Exercises, graded</h1>\n"
        f"<p>{len(result['students'])} students, {result['points']:g} points. Under each exercise stands what it is "
        "worth; ✓ passed, ½ in part, ✗ not yet, – not attempted or not handed in.</p>\n"
        f"{notes}"
        f'<div class="wide"><table>\n<thead><tr><th scope="col">student</th>{head}<th scope="col">total</th></tr>'
        f"</thead>\n<tbody>\n{rows}</tbody></table></div>\n<h2>What was found</h2>\n{details}</body>\n</html>\n"
    )


def _table_row(place: int, row: dict, most: float) -> str:
    cells = ""
    for found in row["exercises"].values():
        kind = "passed" if found["status"] == "passed" else "failed"
        cells += f'<td class="{kind}" title="{escape(found["status"])}">{_sign(found)} {found["points"]:g}</td>'
    name = f'<th scope="row"><a href="#s{place}">{escape(row["student"])}</a></th>'
    return f"<tr>{name}{cells}<td>{row['points']:g} of {most:g}</td></tr>\n"


def _details(place: int, row: dict, result: dict) -> str:
    parts = [
        f'<details id="s{place}"><summary>{escape(row["student"])}: {row["points"]:g} of {result["points"]:g}</summary>'
    ]
    for one in result["exercises"]:
        found = row["exercises"][one["number"]]
        parts.append(f"<h3>{one['number']} {escape(one['title'])}: {escape(found['status'])}</h3>")
        if found["status"] not in ("passed", "not attempted"):
            parts.append(f"<pre>{escape(found['message'])}</pre>")
    if row["notes"]:
        parts.append(f"<h3>Remarks</h3><pre>{escape(chr(10).join(row['notes']))}</pre>")
    return "\n".join(parts) + "\n</details>\n"


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
        name = _printable(row["student"])[:40]
        rows.append([name, *signs, f"{row['points']:g} of {result['points']:g}"])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for name, *cells in rows:
        lines.append("  ".join([name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])]))
    text = "\n".join([*lines, *map(_printable, result.get("notes", ()))])
    return text if _can_show("✓✗–½", encoding) else text.translate(PLAIN)


def _can_show(letters: str, encoding: str) -> bool:
    try:
        return bool(letters.encode(encoding))
    except (LookupError, UnicodeEncodeError):
        return False


def _printable(name: str) -> str:
    """A folder's name may hold control characters, which a terminal would obey and a spreadsheet stumble over."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
