"""The rules that strict nbval does not check: it passes a cell that nobody ever ran, and knows nothing of readers."""

import ast
import json
import re
import statistics
from pathlib import Path

import nbformat
import pytest

from minibert.course.exercises import chapters, exercises, find
from minibert.viz.start_pictures import PARTS

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(
    path
    for folder in ("notebooks", "exercises", "solutions")
    for path in (ROOT / folder).rglob("*.ipynb")
    if ".ipynb_checkpoints" not in path.parts
)
MASTERS = [path for path in NOTEBOOKS if path.relative_to(ROOT).parts[0] == "solutions"]
TIMES = re.compile(
    r"\*Reading and running: about (\d+) minutes\. Exercises: about (\d+) minutes"
    r" \((\d+) exercises? in `exercises/([^`]+)/`\)"
)
WAITING = ()  # chapters whose exercises are there before they are; take a name out once it is there
WORDS = (40, 100)  # of prose for each code cell
DRIFTING = re.compile(r"0x[0-9a-f]{6,}|grad_fn|\b\d+\.\d+\.\d+\b|/(?:home|root|work|tmp|Users)/|[A-Z]:\\")


def load(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def is_due(name: str) -> bool:
    """Whether a chapter's notebook must be there."""
    return name not in WAITING or (ROOT / "notebooks" / f"{name}.ipynb").exists()


def code_cells(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def problems(notebook: dict) -> list[str]:
    """Everything that a reader or a grader would stumble over."""
    found = []
    cells, code = notebook["cells"], code_cells(notebook)
    counts = [cell["execution_count"] for cell in code]
    if counts != list(range(1, len(code) + 1)):
        found.append(f"execution counts are {counts}: run all cells from top to bottom in a fresh kernel")
    ids = [cell.get("id") for cell in cells]
    if None in ids or len(set(ids)) != len(ids):
        found.append("cell ids are missing or not unique")
    if "widgets" in notebook["metadata"]:
        found.append("metadata.widgets is set: blank in a static view")
    for number, cell in enumerate(code, start=1):
        source = "".join(cell["source"])
        if "execution" in cell["metadata"]:
            found.append(f"cell {number} has the times of its run in its metadata: they differ with each run")
        if {"skip", "nbval-skip", "nbval-ignore-output", "raises-exception"} & set(cell["metadata"].get("tags", ())):
            found.append(f"cell {number} asks to be skipped")
        if re.search(r"NBVAL_|^\s*[%!]", source, re.MULTILINE):
            found.append(f"cell {number} uses a magic or a directive")
        for output in cell["outputs"]:
            text = "".join(output.get("text", "")) + "".join(output.get("data", {}).get("text/plain", ""))
            if output["output_type"] == "error":
                found.append(f"cell {number} ends in {output['ename']}")
            if output.get("name") == "stderr":
                found.append(f"cell {number} writes to stderr: {text[:80]!r}")
            if re.search(r"^\W*(True|False)\W*$", text, re.MULTILINE):
                found.append(f"cell {number} prints a Boolean alone: print the number that it stands for")
            if DRIFTING.search(text):
                found.append(f"cell {number} prints what will drift: {DRIFTING.search(text).group()!r}")
            if "image/png" in output.get("data", {}) and not cell["metadata"].get("alt"):
                found.append(f"cell {number} draws a figure without alt text (cell metadata `alt`)")
    return found


def prose(markdown: str) -> str:
    """Markdown without headings, tables, code and displayed formulas."""
    markdown = re.sub(r"^```.*?^```|\$\$.*?\$\$", "", markdown, flags=re.MULTILINE | re.DOTALL)
    return "\n".join(line for line in markdown.splitlines() if not line.lstrip().startswith(("|", "#")))


def solution_lines(cell: dict) -> list[str]:
    """The lines of a master's cell that no exercise may hold: what stands between the marks, if it says anything."""
    source = "".join(cell["source"])
    inside = re.findall(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)### END", source, re.DOTALL)
    lines = [re.sub(r"\s+", " ", line.split("#")[0]).strip() for line in "\n".join(inside).splitlines()]
    return [line for line in lines if len(line) > 15]


def leaks(master: dict, exercise: dict) -> list[str]:
    """Lines of the solution that an exercise still shows, in the cell itself or in what it prints."""
    by_id = {cell["id"]: cell for cell in exercise["cells"]}
    found = [] if list(by_id) == [cell["id"] for cell in master["cells"]] else ["the cells have other ids"]
    for cell in master["cells"]:
        released = by_id.get(cell["id"], {"source": "", "outputs": []})
        shown = "".join(released["source"]) + json.dumps(released.get("outputs", []))
        if re.search("(BEGIN|END) (SOLUTION|HIDDEN)", shown):
            found.append(f"{cell['id']} has a mark of the master")
        shown = re.sub(r"\s+", " ", shown)
        found += [f"{cell['id']} shows {line!r}" for line in solution_lines(cell) if line in shown]
    return found


def answers(notebook: dict, chapter: int, word: str) -> list[str]:
    """What is amiss in how a notebook asks: each exercise has one locked, graded cell, and its check prints `word`."""
    graded = [cell for cell in code_cells(notebook) if cell["metadata"].get("nbgrader", {}).get("grade")]
    names = [cell["metadata"]["nbgrader"]["grade_id"] for cell in notebook["cells"] if "nbgrader" in cell["metadata"]]
    found = [] if len(set(names)) == len(names) else ["grade_ids are not unique"]
    for cell in graded:
        if not (cell["metadata"]["nbgrader"]["locked"] and cell["metadata"]["nbgrader"]["points"] > 0):
            found.append(f"{cell['id']} is graded, but not locked, or without points")
    for exercise in exercises(chapter):
        asks = [cell for cell in graded if f'check("{exercise.number}"' in "".join(cell["source"])]
        if len(asks) != 1:
            found.append(f"{exercise.number} has {len(asks)} graded cells that check it, expected 1")
        elif (said := "".join("".join(o.get("text", "")) for o in asks[0]["outputs"])) != f"{exercise.number} {word}\n":
            found.append(f"{exercise.number} answers {said!r}, expected '{word}'")
    return found


def over_budget(notebook: dict) -> list[str]:
    """The course's budgets: short cells, few of them, prose around them."""
    code = code_cells(notebook)
    lines = [len("".join(cell["source"]).strip().splitlines()) for cell in code]
    text = "\n\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    words = len(prose(text).split()) / len(code)
    found = []
    if len(code) > 36:
        found.append(f"{len(code)} code cells, at most 36")
    if statistics.median(lines) > 12 or max(lines) > 25:
        found.append(
            f"code cells of {statistics.median(lines)} lines in the median and {max(lines)} at most; 12 and 25"
        )
    if (asked := len(re.findall(r"\bPredict\b", text))) > 15:
        found.append(f"{asked} predictions, at most 15")
    if (count := len(prose(text).split())) > 3450:
        found.append(f"{count} words; 3,200 are the goal, 3,450 the limit")
    if not WORDS[0] <= words <= WORDS[1]:
        found.append(f"{words:.0f} words of prose per code cell, expected {WORDS[0]} to {WORDS[1]}")
    first = ast.parse("".join(code[0]["source"]))
    if not all(isinstance(node, ast.Import | ast.ImportFrom) for node in first.body):
        found.append("the first code cell does more than import")
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_was_run_cleanly_from_top_to_bottom(path):
    nbformat.validate(nbformat.read(path, as_version=4))
    assert problems(load(path)) == []


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.parent.name == "notebooks"], ids=lambda path: path.stem)
def test_a_notebook_keeps_the_budget(path):
    assert over_budget(load(path)) == []


@pytest.mark.parametrize("path", [path for path in MASTERS if is_due(path.stem)], ids=lambda path: path.stem)
def test_a_notebook_says_at_the_top_how_long_it_takes(path):
    top = "".join(load(ROOT / "notebooks" / path.name)["cells"][0]["source"]).split("\n\n")
    found = TIMES.match(" ".join(top[1].split()))
    assert top[0].startswith(f"# {int(path.stem[:2])}. ") and found, "see TIMES for the words"
    asked = exercises(int(path.stem[:2]))
    reading, minutes, number, folder = found.groups()
    assert 10 <= int(reading) <= 120
    assert (int(minutes), int(number), folder) == (sum(e.minutes for e in asked), len(asked), path.stem)


def test_masters_and_exercises_come_in_pairs():
    released = {path.relative_to(ROOT / "exercises") for path in NOTEBOOKS if path.is_relative_to(ROOT / "exercises")}
    assert {path.relative_to(ROOT / "solutions") for path in MASTERS} == released
    assert all(path.stem == path.parent.name for path in MASTERS), "NN_name/NN_name.ipynb"


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_an_exercise_asks_everything_and_gives_nothing_away(path):
    exercise = load(ROOT / "exercises" / path.relative_to(ROOT / "solutions"))
    chapter = int(path.stem[:2])
    assert chapter in chapters(), "a chapter with exercises has checks"
    assert leaks(load(path), exercise) == []
    assert answers(load(path), chapter, "passed") == []
    assert answers(exercise, chapter, "not attempted") == []


def test_there_is_a_start_page():
    assert ROOT / "notebooks" / "00_start_here.ipynb" in NOTEBOOKS


def test_the_map_and_the_table_of_the_start_page_have_the_same_titles():
    text = "".join("".join(cell["source"]) for cell in load(ROOT / "notebooks" / "00_start_here.ipynb")["cells"])
    rows = re.findall(r"^\| (?:[IV]+ .+?) \| (\[.+) \|$", text, re.MULTILINE)
    assert [tuple(re.findall(r"\[(.+?)\]", row)) for row in rows] == list(PARTS.values())


@pytest.fixture
def clean() -> dict:
    cell = dict(cell_type="code", id="a", metadata={}, execution_count=1, source=["x = 1"], outputs=[])
    return dict(cells=[cell], metadata={}, nbformat=4, nbformat_minor=5)


def stream(text: str, name: str = "stdout") -> dict:
    return dict(output_type="stream", name=name, text=[text])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (dict(execution_count=None), "execution counts"),
        (dict(execution_count=7), "execution counts"),
        (dict(id=None), "cell ids"),
        (dict(metadata=dict(tags=["nbval-skip"])), "skipped"),
        (dict(metadata=dict(execution={"iopub.status.busy": "2026"})), "times of its run"),
        (dict(source=["%pip install x"]), "magic"),
        (dict(outputs=[stream("careful", "stderr")]), "stderr"),
        (dict(outputs=[stream("<f at 0x7f00aa11bb22>")]), "drift"),
        (dict(outputs=[stream("torch 2.13.0")]), "drift"),
        (dict(outputs=[stream("equal\n(True)\n")]), "Boolean"),
        (dict(outputs=[dict(output_type="error", ename="KeyError", evalue="", traceback=[])]), "KeyError"),
        (dict(outputs=[dict(output_type="display_data", data={"image/png": ""}, metadata={})]), "alt text"),
    ],
)
def test_the_guard_sees_each_fault(clean, change, complaint):
    assert problems(clean) == []
    clean["cells"][0] |= change
    assert any(complaint in problem for problem in problems(clean))


@pytest.fixture
def pair() -> tuple[dict, dict]:
    """A master and its exercise, in short."""
    grade = dict(grade=True, locked=True, points=1, grade_id="b", solution=False)
    solved = "def attention(q):\n    ### BEGIN SOLUTION\n    return q.softmax(dim=-1)\n    ### END SOLUTION"
    stub = 'def attention(q):\n    raise NotImplementedError("write your answer here")'
    tested = '### BEGIN HIDDEN TESTS\nassert passed("5.1", f)\n### END HIDDEN TESTS\ncheck("5.1", f)'
    both = []
    for source, test, said in ((solved, tested, "5.1 passed\n"), (stub, 'check("5.1", f)', "5.1 not attempted\n")):
        first = dict(cell_type="code", id="a", metadata={}, source=[source], outputs=[])
        second = dict(
            cell_type="code", id="b", metadata=dict(nbgrader=dict(grade)), source=[test], outputs=[stream(said)]
        )
        both.append(dict(cells=[first, second]))
    return tuple(both)


def test_the_guard_of_exercises_sees_each_fault(pair, monkeypatch):
    master, exercise = pair
    monkeypatch.setitem(globals(), "exercises", lambda chapter: [find("5.1")])
    assert leaks(master, exercise) == [] == answers(master, 5, "passed") == answers(exercise, 5, "not attempted")
    assert "other ids" in leaks(master, dict(cells=exercise["cells"][:1]))[0]
    assert any("mark of the master" in leak for leak in leaks(master, master))
    assert any("shows 'return q.softmax(dim=-1)'" in leak for leak in leaks(master, master))
    assert "answers '5.1 passed" in answers(master, 5, "not attempted")[0]
    exercise["cells"][1]["metadata"]["nbgrader"]["locked"] = False
    assert "not locked" in answers(exercise, 5, "not attempted")[0]
    exercise["cells"][1]["metadata"] = {}
    assert answers(exercise, 5, "not attempted") == ["5.1 has 0 graded cells that check it, expected 1"]


def test_prose_is_what_one_reads():
    assert (
        prose("# Head\nten words\n| a | b |\n```\ncode\n```\nand $$x\n+ y$$ more").split()
        == "ten words and more".split()
    )


GLOSSARY = (ROOT / "notebooks" / "glossary.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\(\s*([^()\s]+)\s*\)")
CHAPTERS = [path for path in NOTEBOOKS if path.parent.name == "notebooks"]


def dead_links(text: str) -> list[str]:
    """Links to a file of `notebooks/` that is not there, or to a word that the glossary does not have."""
    words, dead = set(re.findall(r"^### (.+)$", GLOSSARY, re.MULTILINE)), []
    for link in LINK.findall(text):
        file, _, part = link.partition("#")
        if link.startswith(("http://", "https://", "attachment:")):
            continue
        if file and not (ROOT / "notebooks" / file).exists():
            dead.append(link)
        elif file == "glossary.md" and part and part not in {word.replace(" ", "-") for word in words}:
            dead.append(link)
    return dead


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_links_inside_the_course_lead_somewhere(path):
    cells = load(path)["cells"]
    assert dead_links("\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")) == []


def test_the_glossary_is_sorted_and_its_links_lead_somewhere():
    words = re.findall(r"^### (.+)$", GLOSSARY, re.MULTILINE)
    assert words == sorted(words) and len(words) > 90
    inside = {f"#{word.replace(' ', '-')}" for word in words}
    assert [link for link in LINK.findall(GLOSSARY) if link.startswith("#") and link not in inside] == []
    assert dead_links(GLOSSARY) == []


@pytest.mark.parametrize("text", ["[a](nowhere.ipynb)", "see [logits](glossary.md#logit)", "[a](99_x.ipynb#cell-id=b)"])
def test_a_dead_link_is_found(text):
    assert len(dead_links(text)) == 1
    assert dead_links("[logits](glossary.md#logits), [5](05_attention.ipynb), [x](https://example.org/)") == []
