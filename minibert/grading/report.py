"""The result of grading as files: results.json for programs, results.csv for spreadsheets, report.html for the teacher,
and in feedback/ a page for each student, with what was found in their answers and no solution."""

import csv
import io
import itertools
import json
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from minibert.files import write_text

SIGNS = {"passed": "✓", "not attempted": "–", "missing": "–"}
PLAIN = str.maketrans("✓✗–½", "+x-/")  # for terminals without these letters
PAGE = Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"))


def write_reports(result: dict, out: Path) -> list[Path]:
    """Write the three files and the students' pages into the folder `out`, each in one step; return the three paths.

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
    (out / "feedback").mkdir(exist_ok=True)
    for name, row in zip(file_names([row["student"] for row in result["students"]]), result["students"], strict=True):
        write_text(out / "feedback" / f"{name}.html", to_feedback(result, row))
    return [out / name for name in texts]


def file_names(students: Sequence[str]) -> list[str]:
    """A file name for each student, without what some system forbids; of equal ones the later get a number.

    >>> file_names(["ada", "a/b", "a:b", "Zoë"])
    ['ada', 'a_b', 'a_b_2', 'Zoë']
    """
    names, taken = [], set()
    for student in students:
        name = re.sub(r"[^\w-]+", "_", student) or "_"
        numbered = (f"{name}_{count}" for count in itertools.count(2))
        free = next(one for one in itertools.chain([name], numbered) if one.casefold() not in taken)
        taken.add(free.casefold())
        names.append(free)
    return names


def to_feedback(result: dict, row: dict) -> str:
    """A page for one student: points, and for each exercise what was seen, expected and likely.

    >>> row = {"student": "ada", "points": 0, "notes": [], "exercises": {
    ...     "5.1": {"status": "wrong", "points": 0, "message": "5.1 not yet"}}}
    >>> result = {"points": 4, "exercises": [{"number": "5.1", "title": "Attention", "points": 4}]}
    >>> "5.1 not yet" in to_feedback(result, row)
    True
    """
    head = f"<h2>{escape(row['student'])}: {row['points']:g} of {result['points']:g}</h2>\n"
    return Template(re.sub(r"(?s)<!-- class -->.*<!-- end -->", "", PAGE.template)).substitute(
        details=head + _details(result, row)
    )


def mistakes_of(result: dict) -> list[tuple[str, str, list[str]]]:
    """The named mistakes of a class: exercise, mistake, who made it; by exercise, the commonest first.

    >>> found = {"status": "wrong", "message": "5.1 not yet\\n  seen      1\\n  likely    no root"}
    >>> mistakes_of({"exercises": [{"number": "5.1"}], "students": [{"student": "ada", "exercises": {"5.1": found}}]})
    [('5.1', 'no root', ['ada'])]
    """
    rows = []
    for one in result["exercises"]:
        who: dict[str, list[str]] = {}
        for row in result["students"]:
            found = row["exercises"][one["number"]]
            cause = re.search(r"(?s)^  likely +(.*)", found.get("message", ""), re.MULTILINE)
            if cause and found["status"] != "passed":
                who.setdefault(cause[1].strip(), []).append(row["student"])
        rows += [(one["number"], cause, names) for cause, names in sorted(who.items(), key=lambda item: -len(item[1]))]
    return rows


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
        details += f'<details id="s{place}"><summary>{name}: {points}</summary>\n{_details(result, row)}</details>\n'
        for one in result["exercises"]:
            found = row["exercises"][one["number"]]
            kind, status = "passed" if found["status"] == "passed" else "failed", escape(found["status"])
            cells += f'<td class="{kind}" title="{status}">{_sign(found)} {found["points"]:g}</td>'
        rows += f'<tr><th scope="row"><a href="#s{place}">{name}</a></th>{cells}<td>{points}</td></tr>\n'
    counts = dict(students=len(result["students"]), points=f"{result['points']:g}")
    lines = dict(notes=_lines(result.get("notes")), passed=_passed(result), mistakes=_mistakes(result))
    return PAGE.substitute(counts, head=head, rows=rows, details=details, **lines)


def _details(result: dict, row: dict) -> str:
    """What was found in the answers of one student."""
    text = ""
    for one in result["exercises"]:
        found = row["exercises"].get(one["number"])
        if found:
            status = escape(found["status"])
            text += (
                f"<h3>{one['number']} {escape(one['title'])}: {status}, {found['points']:g} of {one['points']:g}</h3>\n"
            )
            text += "" if status in ("passed", "not attempted") else f"<pre>{escape(found['message'])}</pre>\n"
    return text + ("<h3>Remarks</h3>\n" if row["notes"] else "") + _lines(row["notes"])


def _passed(result: dict) -> str:
    """A row for the number of students who passed each exercise."""
    every = [[row["exercises"].get(one["number"], {}).get("status") for row in result["students"]]
             for one in result["exercises"]]  # fmt: skip
    cells = "".join(f"<td>{column.count('passed')} of {len(column)}</td>" for column in every)
    return f'<tr><th scope="row">passed</th>{cells}<td></td></tr>\n'


def _mistakes(result: dict) -> str:
    rows = "".join(
        f'<tr><td>{number}</td><td>{len(names)}</td><td class="text">{escape(cause)}</td>'
        f'<td class="text">{escape(", ".join(names))}</td></tr>\n'
        for number, cause, names in mistakes_of(result)
    )
    return rows or '<tr><td colspan="4">none</td></tr>\n'


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
