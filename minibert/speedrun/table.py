"""The table of the speedrun: entries as files, results as JSON beside them, and the page that shows both."""

import ast
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from minibert.bench.machine import machine, versions
from minibert.experiments.record import plain
from minibert.files import read_text, write_text
from minibert.shipped_models import DATA
from minibert.speedrun.race import summary
from minibert.speedrun.rules import Rules

ENTRIES = DATA / "speedrun"
PAGE = "README.md"
BEGIN, END = "<!-- the table: written by --record -->", "<!-- end of the table -->"


def find_entry(name: str, rules: Rules, folder: Path = ENTRIES) -> Path:
    """The file of an entry, given by its name in `data/speedrun` or by its path; what can be seen without running it is
    checked.

    Raises:
        ValueError: no such file, too long a file, no Python, no docstring that says what it changes, no `train`.

    >>> find_entry("alchemy", Rules())  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: no entry 'alchemy': expected a Python file, or one of ...
    """
    file = Path(name) if name.endswith(".py") else folder / f"{name}.py"
    if not file.is_file():
        known = ", ".join(path.stem for path in sorted(folder.glob("*.py")))
        raise ValueError(f"no entry {name!r}: expected a Python file, or one of {known}")
    source = read_text(file)
    if len(source) > rules.characters:
        raise ValueError(f"{file} has {len(source)} characters, the rules allow {rules.characters}")
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ValueError(f"{file}, line {error.lineno}: {error.msg}") from None
    if "train" not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
        raise ValueError(f"{file} has no function train(text, seed)")
    if not ast.get_docstring(tree):
        raise ValueError(f"{file} has no docstring; it says what the entry changes against the one before")
    return file.resolve()


def file_hash(file: Path) -> str:
    """SHA-256 of a file's text, the same whatever the line ends of the checkout."""
    return hashlib.sha256(read_text(file).replace("\r\n", "\n").encode("utf-8")).hexdigest()


def record(entry: Path, sha256: str, runs: list[dict], rules: Rules) -> None:
    """Write the result of an entry beside its file and the table anew; `sha256` is the file's hash before it ran.

    Raises:
        ValueError: the entry did not reach the bar, was changed meanwhile, or ran with other seeds than the rules'.
    """
    if file_hash(entry) != sha256:
        raise ValueError(f"{entry} was changed while it ran: nothing is recorded, run it again")
    if tuple(run["seed"] for run in runs) != rules.seeds:
        raise ValueError(f"a record needs the seeds of the rules, {', '.join(map(str, rules.seeds))}: leave out --seed")
    result = summary(runs)
    if not result["passed"]:
        raise ValueError(f"{entry.stem} did not reach {rules.bar} bits per byte with every seed: nothing is recorded")
    report = {
        "entry": entry.stem,
        "sha256": sha256,
        "changes": " ".join(ast.get_docstring(ast.parse(read_text(entry))).split()),
        "command": f"python -m minibert speedrun {entry.stem} --record",
        "rules": plain(asdict(rules)),
        **result,
        "runs": runs,
        "machine": machine() | {"threads": 1},
        "versions": versions(),
    }
    write_text(entry.with_suffix(".json"), json.dumps(report, indent=1) + "\n")
    write_page(entry.parent)


def stored(folder: Path = ENTRIES) -> list[dict]:
    """The recorded results, the fastest first: least CPU time in units of the calibration.

    >>> all(report["passed"] for report in stored())
    True
    """
    reports = [json.loads(read_text(file)) for file in folder.glob("*.json")]
    return sorted(reports, key=lambda report: (report["times_calibration"], report["entry"]))


def table(reports: list[dict]) -> str:
    """The results as a table in Markdown.

    >>> table([]).splitlines()[0].count("|")
    9
    """
    lines = [
        "| rank | entry | times the fixed work | CPU seconds | tokens | bits per byte | machine | what it changes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for rank, report in enumerate(reports, 1):
        hardware = f"{report['machine']['processor']}, torch {report['versions']['torch']}"
        lines.append(
            f"| {rank} | [{report['entry']}]({report['entry']}.py) | {report['times_calibration']:.1f} | "
            f"{report['cpu_seconds']:.1f} | {report['tokens'] / 1e6:.2f} M | {report['bits_per_byte']:.3f} | "
            f"{hardware} | {report['changes']} |"
        )
    return "\n".join(lines)


def write_page(folder: Path = ENTRIES) -> None:
    """Write the table of the stored results into the page, between its two marks.

    Raises:
        ValueError: the page has no marks.
    """
    page = read_text(folder / PAGE)
    if BEGIN not in page or END not in page:
        raise ValueError(f"{folder / PAGE} lacks the marks {BEGIN} and {END}, between which the table belongs")
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    write_text(folder / PAGE, f"{before}{BEGIN}\n{table(stored(folder))}\n{END}{after}")
