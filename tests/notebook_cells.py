"""Run the code cells of a notebook as a fresh kernel does, without the kernel: for notebooks that only print.

A process is forked for each notebook from one that has imported torch and pyplot, nothing else, so that a notebook
starts where a fresh Python would, and only the first one waits for the imports.
"""

import contextlib
import io
import json
import multiprocessing
import traceback
from multiprocessing.pool import Pool
from pathlib import Path


def processes() -> Pool:
    """A process for each task; where processes cannot be forked they start from nothing."""
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["torch", "matplotlib.pyplot"])
    return context.Pool(1, maxtasksperchild=1)


def run_cells(path: Path) -> list[tuple[str, str]]:
    """For each code cell what it should print and what it prints; what it writes to stderr or raises is in there."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.pyplot.show = lambda: None
    notebook, names, found = json.loads(path.read_text(encoding="utf-8")), {"__name__": "__main__"}, []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        stored = "".join("".join(output.get("text", "")) for output in cell["outputs"])
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
            except BaseException:
                traceback.print_exc()
        found.append((stored, printed.getvalue()))
    return found
