"""The reference of the site: a page for each file of the package, from its docstrings, which are Markdown."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from minibert.files import write_text
from minibert.places import PACKAGE

LEFT_OUT = re.compile(  # what is run and not called, and the drawings of single chapters
    r"minibert\.(__main__|bench|commands|course\.exercises|experiments|grading|speedrun|viz\.\w+_pictures)\b"
)


def write_reference(folder: Path) -> Iterator[str]:
    """Write a page for each file of the package; yields the modules' names.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     "minibert.model.attention" in list(write_reference(Path(folder) / "api"))
    True
    """
    folder.mkdir(parents=True)
    files = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(("minibert", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        if not LEFT_OUT.match(name):
            files[name] = path
    sources = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    for name, source in sources.items():
        inside = {other: text for other, text in sources.items() if other.rpartition(".")[0] == name}
        write_text(folder / f"{name}.md", reference(name, source, inside))
        yield name


def reference(name: str, source: str, inside: Mapping[str, str] | None = None) -> str:
    """The page of one file: what its public functions and classes say about themselves, and the whole file.

    A package's page lists the files `inside` it, by name and source, with the first line of each.

    >>> print(reference("a.half", "def half(x):\\n    'A half.'\\n    return x / 2").partition("## The file")[0])
    ---
    orphan: true
    ---
    [a](a.md)
    <BLANKLINE>
    # a.half
    <BLANKLINE>
    ## `half`
    <BLANKLINE>
    ```python
    def half(x):
    ```
    <BLANKLINE>
    A half.
    <BLANKLINE>
    <BLANKLINE>
    """
    tree, lines = ast.parse(source), source.splitlines()
    above = name.split(".")[:-1]
    trail = " / ".join(f"[{part}]({'.'.join(above[: depth + 1])}.md)" for depth, part in enumerate(above))
    head = f"---\norphan: true\n---\n{trail}\n\n" if above else ""  # a menu of all files would be long, and slow
    parts = [f"{head}# {name}"]
    if said := ast.get_docstring(tree):
        parts.append(in_markdown(said))
    if inside:
        lines_of = {
            other: (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0] for other, text in inside.items()
        }
        parts.append("\n".join(f"- [{o.rpartition('.')[2]}]({o}.md): {line}" for o, line in lines_of.items()))
    for node in tree.body:
        if not (isinstance(node, ast.FunctionDef | ast.ClassDef) and is_public(node)):
            continue
        parts += [f"## `{node.name}`", f"```python\n{header(node, lines)}\n```", in_markdown(ast.get_docstring(node))]
        for method in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(method, ast.FunctionDef) and is_public(method):
                parts += [f"### `{node.name}.{method.name}`", in_markdown(ast.get_docstring(method))]
    return "\n\n".join([*parts, "## The file", f"`````python\n{source.rstrip()}\n`````\n"])


def is_public(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether a definition is for others: a docstring, and no underscore in front.

    >>> is_public(ast.parse("def _half(x):\\n    'A half.'").body[0])
    False
    """
    return not node.name.startswith("_") and ast.get_docstring(node) is not None


def header(node: ast.FunctionDef | ast.ClassDef, lines: list[str]) -> str:
    """The lines of a definition up to its docstring or body; for a class its fields and the heads of its methods, too.

    >>> lines = ["class A:", "    size: int = 2", "    def double(self):", "        return 2 * self.size"]
    >>> print(header(ast.parse("\\n".join(lines)).body[0], lines))
    class A:
        size: int = 2
        def double(self):
    """
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    kept = lines[first - 1 : max(node.lineno, _first_line(node.body[0]) - 1)]
    for part in node.body if isinstance(node, ast.ClassDef) else ():
        if isinstance(part, ast.AnnAssign):
            kept += lines[part.lineno - 1 : part.end_lineno]
        elif isinstance(part, ast.FunctionDef) and (part.name[0] != "_" or part.name in ("__init__", "__call__")):
            kept += header(part, lines).splitlines()
    return "\n".join(kept)


def _first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])


def in_markdown(docstring: str) -> str:
    """A docstring as Markdown: its examples become blocks of code, its errors a list.

    >>> print(in_markdown("A half.\\n\\nRaises:\\n    ValueError: odd."))
    A half.
    <BLANKLINE>
    Raises:
    <BLANKLINE>
    - ValueError: odd.
    """
    made = []
    for block in docstring.split("\n\n"):
        first, _, rest = block.partition("\n")
        if block.startswith(">>>"):
            block = f"```pycon\n{block}\n```"
        elif first.endswith(":") and re.match(r"    \w+: ", rest):
            block = first + "\n\n" + re.sub(r"^    (?=\w+: )", "- ", rest, flags=re.MULTILINE)
        made.append(block)
    return "\n\n".join(made)
