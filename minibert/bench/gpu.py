"""One command for a machine with a GPU: are the attention back-ends right, how fast are the models, which kernels run?

The run is cut into parts, and the file is written after each: an interruption loses one part, and the same command goes
on with the others. Without a GPU it runs a small version of every part, so that the code is tested anywhere.

    python -m minibert bench gpu --out gpu.json
"""

import gc
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from minibert.bench import gpu_parts
from minibert.bench.cards import card_peak
from minibert.bench.gpu_parts import FULL, SMALL, Size
from minibert.bench.machine import machine, versions
from minibert.bench.report import saver
from minibert.varlen.dispatch import NAMES, describe_choice, find_machine, find_obstacles

LIMIT = 400.0  # seconds after which no further part is begun
NOTES = (
    "agreement: every back-end against the reference, output and gradients on random numbers of the same dtype; "
    "error is the largest difference to the reference in float64, allowed is three times what the reference itself "
    "strays when it is computed in that dtype. attention: one layer's attention on one text, 12 heads of 64 "
    "channels; 'ours' is the back-end that auto chooses, 'sdpa' is torch's with a dense mask for local layers. "
    "inference: the encoder from padded ids to padded hidden states, weights in the dtype. training: one step of "
    "masked language modelling, float32 weights under autocast, AdamW. Opponents are transformers with the "
    "attention of that name and the same weights; 'sparse' scores masked tokens only, as ours does. "
    "tokens_per_second counts real tokens, at the median of the rounds. tflops: operations the model needs over "
    "that time; share_of_card: of the maker's dense bf16 peak. peak_bytes: the most that was held on top of what "
    "was there before the call. kernels: by the profiler, in one call."
)


def run(
    device: str,
    file: str | Path | None = None,
    say: Callable[[str], None] = lambda line: None,
    size: Size | None = None,
    limit: float = LIMIT,
    clock: Callable[[], float] = time.monotonic,
) -> dict:
    """Run all parts that `file` does not hold yet; it is written after each. Full size on CUDA, else small.

    A part that fails is noted with its error, and the next one runs. When no time is left, the rest is noted too.
    The next run tries these parts again.

    Raises:
        ValueError: the folder of `file` does not exist, or `file` holds something else than such a report.

    >>> from dataclasses import replace
    >>> tiny = replace(SMALL, inference=(), training=(), ragged=(3,), long=9)
    >>> sorted(run("cpu", size=tiny)["parts"])[:3]
    ['agreement banded', 'agreement per_document', 'agreement tiled']
    """
    size = size or (FULL if torch.device(device).type == "cuda" else SMALL)
    save, began = saver(file), clock()
    report = start(device, size)
    kept = earlier_parts(file, report)
    report["parts"] = kept
    if kept:
        say(f"{len(kept)} parts are in {Path(file).name} already; delete it to measure them again")
    for name, part in find_parts(size, device).items():
        if name in kept:
            continue
        if clock() - began > limit:
            report["skipped"].append(f"{name}: no time was left; run the same command again")
            continue
        say(name)
        report["parts"][name] = attempt(part, clock)
        save(report)
    save(report)
    return report


def start(device: str, size: Size) -> dict:
    """A report without parts: the machine, what is promised of it, and which back-ends cannot run on it, and why.

    >>> report = start("cpu", SMALL)
    >>> report["card_tflops"], sorted(report["missing"])
    (None, ['flash_attn', 'flash_attn_4', 'torch'])
    """
    here = find_machine(torch.device(device))
    found = machine(device)
    obstacles = {name: find_obstacles(name, here, torch.bfloat16, 64, 0.0) for name in NAMES}
    return {
        "bench": "gpu",
        "notes": NOTES,
        "size": json.loads(json.dumps(asdict(size))),  # as a file gives it back: lists and no tuples
        "machine": found,
        "versions": versions(),
        "card_tflops": card_peak(found.get("gpu")),
        "auto": describe_choice(here, torch.bfloat16),
        "missing": {name: "; ".join(reasons) for name, reasons in obstacles.items() if reasons},
        "skipped": [],
        "parts": {},
    }


def earlier_parts(file: str | Path | None, report: dict) -> dict:
    """The parts that an earlier run on the same machine, with the same versions and size, left in `file` whole.

    Raises:
        ValueError: `file` holds something else; it is not overwritten.

    >>> earlier_parts(None, {})
    {}
    """
    if file is None or not Path(file).is_file():
        return {}
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("bench") != "gpu":
        raise ValueError(f"--out {file}: holds something else than a report of bench gpu; name another file")
    for one in (found, report):
        one["machine"].setdefault("load_before", None)
    same = {"load_before": report["machine"]["load_before"]}  # the one number that is another in every run
    if found["machine"] | same != report["machine"] or any(found[key] != report[key] for key in ("versions", "size")):
        raise ValueError(f"--out {file}: was measured on another machine, or with other packages; name another file")
    return {name: part for name, part in found["parts"].items() if "error" not in part}


def find_parts(size: Size, device: str) -> dict[str, Callable[[], dict]]:
    """All parts by name, what matters most first.

    >>> list(find_parts(SMALL, "cpu"))[:3]
    ['peak', 'agreement per_document', 'agreement banded']
    """
    here = find_machine(torch.device(device))
    parts: dict[str, Callable[[], dict]] = {"peak": partial(gpu_parts.peak, size, device)}
    for name in NAMES:
        if name != "reference" and not find_obstacles(name, here, torch.bfloat16, 64, 0.0):
            parts[f"agreement {name}"] = partial(gpu_parts.agreement, name, size, device)
    for kind, cases in (("inference", size.inference), ("training", size.training)):
        for preset, workload in cases:
            part = getattr(gpu_parts, kind)
            parts[f"{kind} {preset} {workload}"] = partial(part, preset, workload, size, device)
    for layer in ("local", "global"):
        for backward in (False, True):
            name = f"attention {layer} {'forward and backward' if backward else 'forward'}"
            parts[name] = partial(gpu_parts.attention, layer == "local", backward, size, device)
    return parts


def attempt(part: Callable[[], dict], clock: Callable[[], float] = time.monotonic) -> dict:
    """What a part found and how long it took, or how it failed: one part's failure must not cost the others.

    >>> attempt(lambda: {"x": 1}, clock=lambda: 0.0)
    {'x': 1, 'seconds': 0.0}
    >>> attempt(lambda: 1 / 0)["error"]
    'ZeroDivisionError: division by zero'
    """
    began = clock()
    try:
        found = part()
    except Exception as error:
        found = {"error": gpu_parts.first_line(error)}
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return found | {"seconds": round(clock() - began, 2)}
