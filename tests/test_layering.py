"""The floors of the house: who may import whom, where foreign packages may appear, how long files and functions get."""

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "minibert"
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 450  # lines: a file holds one concept, the whole of it
LONGEST_FUNCTION = 50  # lines, the docstring not counted
LONG_FUNCTIONS: set[tuple[str, str]] = set()  # the exceptions, (file, function), each to be shortened by the next

FLOORS = [  # a room may import rooms on its own floor and below, never above
    ("files", "places", "presets", "config", "shipped_models", "one_page", "compiling"),
    ("varlen", "tokenization", "corpora"),
    ("model", "word_vectors"),
    ("checkpoints", "objectives"),
    ("training",),
    ("tasks",),
    ("viz", "course", "bench"),
    ("experiments", "grading", "speedrun", "site"),
    ("commands", "__main__"),
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
UPSTAIRS = {  # the exceptions: who, which room, why
    ("model/base.py", "checkpoints"): "save_pretrained and from_pretrained are methods; imported inside them",
}
FOREIGN = {  # packages that are slow, optional or exchangeable: only these files may import them, and the benches
    "transformers": (),
    "tokenizers": ("tokenization/rust.py",),
    "safetensors": ("checkpoints/folder.py",),
    "flash_attn": ("varlen/flash.py",),
    "pyarrow": ("corpora/own_text.py",),
}


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    return relative(path).split("/")[0].removesuffix(".py")


def imports(path: Path):
    """Every imported module's full name, with its line and whether it happens on import of the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = relative(path).split("/")[:-1]
            above = ["minibert", *package][: len(package) + 2 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "minibert" else [base]
        else:
            continue
        for name in names:
            yield name, node.lineno, id(node) not in inside


def test_floors_do_not_invert():
    wrong = []
    for path in FILES:
        room = room_of(path)
        if room == "__init__":
            continue  # it only hands out names, on first use
        if room not in FLOOR:
            wrong.append(f"minibert/{room} has no floor: give it one in {Path(__file__).name}")
            continue
        for name, line, at_import in imports(path):
            first, _, rest = name.partition(".")
            target = rest.split(".")[0]
            if first != "minibert" or target not in FLOOR:
                continue
            if (relative(path), target) in UPSTAIRS:
                if at_import:
                    wrong.append(f"{relative(path)}:{line} may import {target} inside a function only")
            elif FLOOR[target] > FLOOR[room]:
                wrong.append(f"{relative(path)}:{line}: {room} imports {target}, which stands above it")
    assert not wrong, "\n".join(wrong)


def test_rooms_import_each_other_by_full_name():
    """`from minibert import X` inside the package hides which room X lives in."""
    wrong = []
    for path in FILES:
        if FLOOR.get(room_of(path), 0) >= FLOOR["viz"] or relative(path) == "__init__.py":
            continue  # the top floors are users of the public face
        for name, line, _ in imports(path):
            if name.startswith("minibert.") and name.split(".")[1] not in FLOOR:
                wrong.append(f"{relative(path)}:{line}: import {name} from the file it lives in")
    assert not wrong, "\n".join(wrong)


def test_every_exception_is_still_needed():
    permits = [(file, f"minibert.{target}") for file, target in UPSTAIRS]
    permits += [(file, package) for package, files in FOREIGN.items() for file in files]
    stale = []
    for file, module in permits:
        path = PACKAGE / file
        if not path.is_file() or not any(f"{name}.".startswith(f"{module}.") for name, _, _ in imports(path)):
            stale.append(f"{file} does not import {module} (any more): take it off the list")
    assert not stale, "\n".join(stale)


def test_foreign_packages_stay_in_their_file():
    wrong = []
    for path in FILES:
        for name, line, _ in imports(path):
            package = name.split(".")[0]
            if package in FOREIGN and room_of(path) != "bench" and relative(path) not in FOREIGN[package]:
                where = ", ".join(FOREIGN[package]) or "tests and benches"
                wrong.append(f"{relative(path)}:{line} imports {package}, which belongs in: {where}")
    assert not wrong, "\n".join(wrong)


def test_only_the_teaching_rooms_know_of_notebooks():
    notebook = ("IPython", "ipywidgets", "nbformat", "nbval", "nbgrader")
    wrong = [
        f"{relative(path)}:{line}"
        for path in FILES
        if room_of(path) not in ("viz", "course")
        for name, line, _ in imports(path)
        if name.split(".")[0] in notebook
    ]
    assert not wrong, "\n".join(wrong)


def test_files_are_short():
    counts = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    long = [f"{name}: {lines} lines" for name, lines in counts.items() if lines > LONGEST]
    assert not long, f"one concept per file, {LONGEST} lines at most:\n" + "\n".join(long)


def lengths_of_functions():
    """(file, function, lines without the docstring) of every function and method of the package."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if ast.get_docstring(node):
                    lines -= node.body[0].end_lineno - node.body[0].lineno + 1
                yield relative(path), node.name, lines


def test_functions_are_short():
    long = {(file, name): lines for file, name, lines in lengths_of_functions() if lines > LONGEST_FUNCTION}
    new = [
        f"{file}: {name} has {lines} lines"
        for (file, name), lines in long.items()
        if (file, name) not in LONG_FUNCTIONS
    ]
    assert not new, f"{LONGEST_FUNCTION} lines a function at most, without its docstring:\n" + "\n".join(new)
    stale = [f"{file}: {name}" for file, name in sorted(LONG_FUNCTIONS - set(long))]
    assert not stale, "short enough by now or gone, take them off LONG_FUNCTIONS:\n" + "\n".join(stale)


def test_every_file_opens_with_what_it_is_for():
    silent = [relative(path) for path in FILES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert not silent, "no docstring: " + ", ".join(silent)


def test_text_is_opened_with_an_encoding():
    """A program that leaves the encoding open reads other text on Windows."""
    wrong = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _opens_text(node) and not any(k.arg == "encoding" for k in node.keywords):
                wrong.append(f"{relative(path)}:{node.lineno}")
    assert not wrong, "text opened without encoding: " + ", ".join(wrong)


def _opens_text(call: ast.Call) -> bool:
    """Whether this is a call of open, Path.open, Path.read_text or Path.write_text that is not in binary mode."""
    is_method = isinstance(call.func, ast.Attribute)
    name = call.func.attr if is_method else getattr(call.func, "id", "")
    if is_method and name == "open" and _is_module(call.func.value):
        return False
    modes = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    modes += [k.value.value for k in call.keywords if k.arg == "mode" and isinstance(k.value, ast.Constant)]
    is_binary = any(isinstance(mode, str) and re.fullmatch("[rwax]?b[+]?|[rwax][+]b", mode) for mode in modes)
    return (is_method and name in ("read_text", "write_text")) or (name == "open" and not is_binary)


def _is_module(node) -> bool:
    return isinstance(node, ast.Name) and node.id in ("os", "tarfile", "zipfile", "gzip", "tokenize", "webbrowser")


def project_files() -> list[Path]:
    """The files that git knows or would add; without git, all but hidden folders."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode("utf-8").splitlines()
        return [ROOT / name for name in listed]
    except (OSError, subprocess.CalledProcessError):
        everything = (path for path in ROOT.rglob("*") if path.is_file())
        return [path for path in everything if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]


# Groups and brackets keep the patterns from matching this file. ROOT: wherever this checkout happens to lie.
PRIVATE = re.compile(
    rf"(?<![\w.])(?:/(?:root/|(?:home|tmp|work|mnt|Users)/\w)|{re.escape(ROOT.as_posix())}/)"  # but not within a URL
    r"|\b[A-Z]:[\\/]+Users\b|py[p]i\.org|python[h]osted"
)
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".json", ".jsonl", ".ipynb", ".txt", ".cfg", ".sh", ".html", ".svg", ""}


def test_nothing_names_a_machine_or_a_package_index():
    found = []
    for path in project_files():
        if path.suffix in TEXT and path.is_file() and path.stat().st_size < 5_000_000:
            text = path.read_text(encoding="utf-8", errors="replace")
            for number, line in enumerate(text.splitlines(), 1):
                if match := PRIVATE.search(line):
                    found.append(f"{path.relative_to(ROOT).as_posix()}:{number}: {match[0]}")
    assert not found, "\n".join(found)


def test_machine_paths_are_recognised():
    for parts in (["", "home", "ann"], ["", "root", "x"], ["", "tmp", "x"], ["C:", "Users", "ann"]):
        assert PRIVATE.search(f'open("{"/".join(parts)}")'), parts
    assert PRIVATE.search("\\".join(["C:", "Users", "ann"])) and PRIVATE.search(f"{ROOT.as_posix()}/data")
    for fine in ("https://example.com/home/ann", "the tmp folder", "/home", "notebooks/tmp/x", "~/work"):
        assert not PRIVATE.search(fine), fine
