"""What a learner has done: `check` notes each try, `status()` shows them, `reset("5.1")` gives the empty answer back.

The notes stay on this computer: one line of JSON for each try, in the file `tries.jsonl` of `progress_folder()`. They
hold the exercise, the time and what came of it, never the answer. Whoever grades or builds notebooks keeps none.
"""

import json
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from minibert.course.exercise import STUB, Exercise
from minibert.course.exercises import chapters, exercises, find
from minibert.files import write_text
from minibert.places import IS_CLONE, PROJECT

FOLDER = "MINIBERT_PROGRESS"  # an environment variable: another folder; empty, nothing is kept


class Try(NamedTuple):
    """One answer that was checked: "5.1", the moment in UTC (ISO 8601), and what `check` found."""

    number: str
    when: str
    found: str


def progress_folder() -> Path | None:
    """Where tries are noted: the environment variable MINIBERT_PROGRESS, or the user's data folder; None for nowhere.

    >>> import os
    >>> os.environ["MINIBERT_PROGRESS"] = ""
    >>> progress_folder() is None
    True
    """
    chosen = os.environ.get(FOLDER)
    if chosen == "" or "NBGRADER_EXECUTION" in os.environ:  # nbgrader runs the notebook, not its author
        return None
    if chosen:
        return Path(chosen).expanduser().resolve()
    import platformdirs

    return Path(platformdirs.user_data_dir("minibert", False))


def note(number: str, found: str) -> None:
    """Add a try. A learner whose disk is full or read-only goes on without notes.

    >>> note("5.1", "passed")  # noted nowhere: MINIBERT_PROGRESS is empty here
    """
    try:
        if (folder := progress_folder()) is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        line = json.dumps(Try(number, datetime.now(UTC).isoformat(timespec="seconds"), found)._asdict())
        with (folder / "tries.jsonl").open("a", encoding="utf-8", newline="\n") as file:
            file.write(line + "\n")  # one short write at the end: two notebooks do not mix their lines
    except (OSError, RuntimeError):
        return


def tries() -> list[Try]:
    """All tries in the order in which they were noted. A line that a crash cut off is left out.

    >>> tries()
    []
    """
    folder, found = progress_folder(), []
    if folder is None or not (folder / "tries.jsonl").is_file():
        return []
    for line in (folder / "tries.jsonl").read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(Try(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def status(chapter: int | None = None) -> None:
    """Print each exercise of a chapter, or of all: passed or not, when, after how many tries; and which is next.

    >>> status(5)  # doctest: +ELLIPSIS
    5.1  **     open                           Scaled dot-product attention with a mask...
    0 of ... passed. Next: 5.1, 20 minutes.
    """
    every = [one for number in chapters() if chapter in (None, number) for one in exercises(number)]
    if not every:
        exercises(chapter)  # which says what chapters there are
    done = tries()
    for one in every:
        print(f"{one.number:5}{'*' * one.difficulty:5}  {_state(one, done):29}  {one.title}")
    passed = {each.number for each in done if each.found == "passed"}
    print(f"{len(passed & {one.number for one in every})} of {len(every)} passed. {_next(every, done, passed)}")


def _state(exercise: Exercise, done: Iterable[Try]) -> str:
    own = [each for each in done if each.number == exercise.number]
    first = next((place for place, each in enumerate(own) if each.found == "passed"), None)
    count = len(own) if first is None else first + 1
    counted = f"{count} {'try' if count == 1 else 'tries'}"
    if first is None:
        return counted if own else "open"
    return f"passed {own[first].when[:10]}, {counted}"


def _next(every: list[Exercise], done: list[Try], passed: set[str]) -> str:
    """The first that is left where the learner last was, or the first that is left at all."""
    left = [one for one in every if one.number not in passed]
    if not left:
        return "Nothing is left."
    last = done[-1].number.partition(".")[0] if done else ""
    one = next((one for one in left if one.number.partition(".")[0] == last), left[0])
    return f"Next: {one.number}, {one.minutes} minutes."


def stub(source: str) -> str:
    """What the learner finds in place of a solution: its names, signatures and docstrings.

    >>> print(stub('def double(x):\\n    "Twice."\\n    return 2 * x'))
    def double(x):
        "Twice."
        raise NotImplementedError("write your answer here")
    """
    from minibert.course.build import marked

    inside = r"(?ms)^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION"
    return re.sub(inside, rf'\1raise NotImplementedError("{STUB}")', marked(source))


def reset(number: str, notebook: str | Path | None = None) -> Path:
    """Put the empty answer back into the exercise's notebook; return the path of a file beside it with the old answer.

    Reload the notebook afterwards (in JupyterLab: File, Reload from Disk).

    Args:
        notebook: the file; the default is the exercise's own, in this folder or in the course's `exercises/`.

    Raises:
        ValueError: no such exercise or file, no cell for its answer in it, or the answer is empty already.

    >>> reset("5.1", "nowhere.ipynb")
    Traceback (most recent call last):
    ...
    ValueError: no notebook nowhere.ipynb: name the file with the answer to 5.1
    """
    exercise = find(number)
    path = _notebook_of(number) if notebook is None else Path(notebook)
    if not path.is_file():
        raise ValueError(f"no notebook {path}: name the file with the answer to {number}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cells = [cell for cell in content["cells"] if _answers(cell, number)]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path} is no notebook that can be read: take a new one from the course") from None
    if not cells:
        raise ValueError(f"{path} has no cell for the answer to {number}: take a new notebook from the course")
    empty = "\n\n\n".join(stub(part.source) for part in exercise.parts)
    answer = "\n\n\n".join("".join(cell["source"]) for cell in cells)
    if answer == empty:
        raise ValueError(f"the answer to {number} in {path} is empty already")
    kept = next(file for file in _names(path.parent, number) if not file.exists())
    write_text(kept, answer + "\n")  # before anything is taken away
    for place, cell in enumerate(cells):
        cell["source"] = empty.splitlines(keepends=True) if place == 0 else []
        cell.update(outputs=[], execution_count=None)
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return kept


def _notebook_of(number: str) -> Path:
    """The notebook of an exercise: in this folder, in its `exercises/`, or in those of the clone that this runs in."""
    start = f"{int(number.partition('.')[0]):02}_*"
    for folder in (Path.cwd(), Path.cwd() / "exercises", *([PROJECT / "exercises"] if IS_CLONE else ())):
        for path in sorted([*folder.glob(f"{start}.ipynb"), *folder.glob(f"{start}/{start}.ipynb")]):
            if any(_answers(cell, number) for cell in json.loads(path.read_text(encoding="utf-8")).get("cells", ())):
                return path
    raise ValueError(f"no notebook with the answer to {number} here: go to the folder of exercises, or name the file")


def _answers(cell: dict, number: str) -> bool:
    """Whether a cell is the one for the answer to an exercise."""
    grader = cell["metadata"].get("nbgrader", {})
    return bool(grader.get("solution")) and grader.get("grade_id", "").endswith("-" + number.replace(".", "-"))


def _names(folder: Path, number: str) -> Iterable[Path]:
    return (folder / f"answer_{number.replace('.', '_')}_{count}.py" for count in range(1, 10_000))
