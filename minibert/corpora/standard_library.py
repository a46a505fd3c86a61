"""Code without a download: the source files of the Python that runs this.

The corpus changes with the Python version: write `sys.version` next to any number made with it.
"""

import ast
import sysconfig
import tokenize
import warnings
from pathlib import Path

from minibert.corpora.rows import DocumentedFunction
from minibert.corpora.text import Document

_SKIP = {
    *("site-packages", "dist-packages", "test", "tests", "idle_test", "lib2to3", "turtledemo", "pydoc_data"),
    *("encodings", "__pycache__"),
}
_SHORTEST_DOCSTRING = 30  # characters; below that it rarely says what the function does


def source_files() -> list[Document]:
    """Every source file of the standard library but tests and tables, sorted by name; unreadable ones left out.

    >>> any(document.name == "statistics.py" for document in source_files())
    True
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    documents = []
    for path in sorted(root.rglob("*.py"), key=Path.as_posix):
        name = path.relative_to(root)
        if _SKIP & set(name.parts):
            continue
        try:
            with tokenize.open(path) as file:  # honours a coding line
                documents.append(Document(name.as_posix(), file.read()))
        except (OSError, SyntaxError, UnicodeDecodeError):
            continue
    return documents


def documented_functions() -> list[DocumentedFunction]:
    """Functions with a docstring of more than 30 characters: its first paragraph, and the code without it."""
    rows = []
    for document in source_files():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # old files contain invalid escapes
                tree = ast.parse(document.text)
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            docstring = ast.get_docstring(node)
            if docstring and len(docstring) > _SHORTEST_DOCSTRING:
                node.body = node.body[1:] or [ast.Pass()]
                name = f"{document.name}:{node.name}"
                rows.append(DocumentedFunction(name, docstring.split("\n\n")[0], ast.unparse(node)))
    return rows
