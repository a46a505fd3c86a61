"""The solution of an exercise is written once, in its file in `exercises/`; here it goes into the master notebook.

The cell of a solution is the source of what the exercise asks for. Names, signatures, docstrings and a first
`super().__init__()` are what the learner is given; all else stands between nbgrader's two marks.
"""

import ast
import json
import re
from pathlib import Path

from minibert.course.exercises import find

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


def marked(source: str) -> str:
    """The source of functions and classes with nbgrader's marks around each body.

    >>> print(marked('def double(x):\\n    "Twice."\\n    return 2 * x'))
    def double(x):
        "Twice."
        ### BEGIN SOLUTION
        return 2 * x
        ### END SOLUTION
    """
    lines = source.rstrip("\n").split("\n")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    for kind in (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)):
        functions += [node for node in kind.body if isinstance(node, ast.FunctionDef)]
    for function in sorted(functions, key=lambda node: -node.lineno):
        given, body = _end_of_header(function), list(function.body)
        if ast.get_docstring(function, clean=False) is not None:
            given = body.pop(0).end_lineno
        if body and ast.unparse(body[0]) == "super().__init__()":
            given = body.pop(0).end_lineno
        if body:
            indent = " " * body[0].col_offset
            lines.insert(function.end_lineno, indent + END)
            lines.insert(given, indent + BEGIN)
    return "\n".join(lines)


def _end_of_header(function: ast.FunctionDef) -> int:
    parts = [*ast.walk(function.args), *([function.returns] if function.returns else [])]
    return max([function.lineno, *(part.end_lineno for part in parts if hasattr(part, "end_lineno"))])


def solved(path: Path) -> str:
    """The text of a master notebook with the solutions of its exercises as their files have them.

    >>> solved(Path("nowhere.ipynb"))
    Traceback (most recent call last):
    ...
    FileNotFoundError: [Errno 2] No such file or directory: 'nowhere.ipynb'
    """
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        grader = cell["metadata"].get("nbgrader", {})
        place = re.search(r"(\d+)-(\d+)$", grader.get("grade_id", ""))
        if grader.get("solution") and place:
            parts = find(".".join(place.groups())).parts
            cell["source"] = "\n\n\n".join(marked(part.source) for part in parts).splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
