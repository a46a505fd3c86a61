"""A race: each seed in a fresh process on one thread, its CPU time measured from outside, its folder judged here.

CPU time, user and system, of the process and all its children: it does not grow much while others use the machine, and
more threads do not shorten it. It is of this processor alone, so a fixed piece of work is timed beside every run, and
the table ranks by the ratio of both.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import nn

from minibert.experiments.small_encoders import Text, one_thread
from minibert.files import read_text as read_file
from minibert.places import PACKAGE
from minibert.speedrun.rules import Rules, judge, read_text
from minibert.speedrun.worker import MODEL, OUTCOME, hand_over

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def measure(
    entry: Path,
    rules: Rules,
    folder: Path,
    *,
    seeds: tuple[int, ...] | None = None,
    on_run: Callable[[dict], None] | None = None,
) -> list[dict]:
    """Run an entry with each seed (by default those of the rules); the folders stay in `folder/seed-N`.

    A run has `seed`, `cpu_seconds`, `calibration_seconds`, `tokens`, `bits_per_byte`, `parameters` and `passed`.
    `on_run` is called with each as soon as it is known.

    Raises:
        ValueError: the text is not that of the rules; the entry fails, saves nothing that opens, or leaves a process.
    """
    text = read_text(rules)
    runs = []
    with one_thread():
        before = calibration()
        for seed in rules.seeds if seeds is None else seeds:
            run = train_once(entry, text, seed, folder / f"seed-{seed}")
            after = calibration()
            run["calibration_seconds"] = round((before + after) / 2, 2)
            before = after
            run |= judge(folder / f"seed-{seed}" / MODEL, text, rules)
            run["passed"] = run["bits_per_byte"] <= rules.bar
            runs.append(run)
            if on_run:
                on_run(run)
    return runs


def train_once(entry: Path, text: Text, seed: int, folder: Path) -> dict:
    """Run an entry in a fresh process; return its `seed`, `cpu_seconds` and `tokens`. The model is in `folder/model`.

    Raises:
        ValueError: the entry raises, ends its process, or leaves one behind.
    """
    hand_over(folder, text, entry, seed)
    (folder / OUTCOME).unlink(missing_ok=True)
    path = os.pathsep.join(filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH"))))
    # No .pyc files: the fence lets an entry write nothing inside the project.
    environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | dict.fromkeys(THREADS, "1")
    start = "import sys; from minibert.speedrun.worker import work; work(sys.argv[1])"
    command = [sys.executable, "-c", start, str(folder.resolve())]
    before = children_seconds()
    # The session of its own names the group of all processes that it starts.
    process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)
    try:
        code = process.wait()
    except BaseException:  # Ctrl-C reaches this process alone
        process.kill()
        process.wait()
        raise
    seconds = children_seconds() - before
    left_behind = end_group(process.pid)
    if not (folder / OUTCOME).is_file():
        raise ValueError(f"{entry.name}, seed {seed}: its process ended with code {code} before a model was saved")
    outcome = json.loads(read_file(folder / OUTCOME))
    if "error" in outcome:
        raise ValueError(f"{entry.name}, seed {seed}: {outcome['error']}")
    if left_behind:
        raise ValueError(f"{entry.name}, seed {seed}: left a process running, whose time nobody measures")
    # Windows does not tell a process how long its children worked: there the worker's own word counts.
    return {"seed": seed, "cpu_seconds": round(seconds or outcome["process_seconds"], 1), "tokens": outcome["tokens"]}


def children_seconds() -> float:
    """CPU seconds, user and system, of the processes that this one has started and that have ended.

    >>> children_seconds() >= 0
    True
    """
    times = os.times()
    return times.children_user + times.children_system


def end_group(group: int) -> bool:
    """End what still runs of a group of processes; return whether there was anything. Windows has no such groups."""
    if not hasattr(os, "killpg"):
        return False
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def calibration(steps: int = 60) -> float:
    """CPU seconds of a fixed piece of work like a training step, in plain torch, so that nothing we improve changes it.

    >>> calibration(steps=1) > 0
    True
    """
    generator = torch.Generator().manual_seed(0)
    wide, narrow, vocabulary = nn.Linear(128, 512), nn.Linear(512, 128), nn.Linear(128, 2000)
    parameters = [*wide.parameters(), *narrow.parameters(), *vocabulary.parameters()]
    optimizer = torch.optim.AdamW(parameters)
    x = torch.randn(2048, 128, generator=generator)  # (N, D)
    targets = torch.randint(2000, (400,), generator=generator)
    start = time.process_time()
    for _ in range(steps):
        heads = x.view(32, 64, 4, 32).transpose(1, 2)  # (B, H, T, K)
        mixed = nn.functional.scaled_dot_product_attention(heads, heads, heads).transpose(1, 2).reshape(2048, 128)
        hidden = nn.functional.layer_norm(x + narrow(nn.functional.gelu(wide(mixed))), (128,))
        loss = nn.functional.cross_entropy(vocabulary(hidden[:400]), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.process_time() - start


def summary(runs: list[dict]) -> dict:
    """The numbers that count: medians of the times, the worst bits per byte, and whether all runs passed.

    >>> run = {"cpu_seconds": 9.0, "calibration_seconds": 3.0, "tokens": 5, "bits_per_byte": 1.5, "passed": True}
    >>> summary([run, run | {"bits_per_byte": 1.6}])["bits_per_byte"]
    1.6
    """
    return {
        "cpu_seconds": median(run["cpu_seconds"] for run in runs),
        "times_calibration": round(median(run["cpu_seconds"] / run["calibration_seconds"] for run in runs), 1),
        "tokens": int(median(run["tokens"] for run in runs)),
        "bits_per_byte": max(run["bits_per_byte"] for run in runs),
        "passed": all(run["passed"] for run in runs),
    }
