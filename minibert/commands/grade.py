"""`python -m minibert grade`: submissions of the exercises, checked and reported."""

import sys
import time
from pathlib import Path

import click

from minibert.commands.shared import note, print_text


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default="grades", show_default=True, help="Where reports go.")
@click.option("--seconds", type=click.FloatRange(1, 3600), default=60, show_default=True, help="Time of one notebook.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Notebooks at a time.")
@click.option("--answers", type=click.Path(path_type=Path), help="Write the answers alone to this folder, too.")
def grade(folder, out, seconds, jobs, answers):
    """Grade the notebooks in FOLDER: STUDENT/05_name.ipynb, or nbgrader's submitted/STUDENT/05_name/05_name.ipynb.

    Writes results.json, results.csv, report.html (the class: marks, and how often each mistake was named) and
    feedback/STUDENT.html without solutions. What was graded is kept in OUT/found: the same command, run again after an
    interruption or a late submission, grades only what is new. --answers writes the answers alone as Python files, one
    folder a student, for a tool that looks for copies, such as JPlag.

    Each notebook runs in a process of its own with limits of time and memory and without network. That stops accidents,
    not attackers: grade code of strangers in a container.

    Example: python -m minibert grade homework --out homework-grades --jobs 2
    """
    from minibert.grading import grade as grade_all
    from minibert.grading.answers import write_answers
    from minibert.grading.report import to_console, write_reports

    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out}: a file; expected a folder")
    began = time.monotonic()

    def progress(text: str, done: int, total: int) -> None:
        left = (time.monotonic() - began) / done * (total - done) / 60
        note(f"{done} of {total}: {repr(text)[1:-1]}" + (f"; about {left:.0f} min left" if left >= 1 else ""))

    result = grade_all(folder, out, seconds, jobs, progress=progress)
    written = write_reports(result, out)  # before anything is printed, which may fail
    print_text(to_console(result, sys.stdout.encoding or "utf-8"))
    for file in written:
        note(f"wrote {file}")
    if answers:
        note(f"wrote {write_answers(folder, answers, out)} files to {answers}")
