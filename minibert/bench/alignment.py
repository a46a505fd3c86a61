"""What a vocabulary that is a multiple of 64 buys here: tokens (N, D) times a table (V, D), for many V, in turns.

Two groups of sizes. `decoder`: the last product of a model, for vocabularies at and beside round numbers, one of them
measured twice (`again`): two runs of the same product differ by what this machine cannot tell apart. `staircase`:
every width from 120 to 264, where one row more or less is a large part of the work, so that tiles show as steps.

    python -m minibert bench alignment --dtype both --out data/benchmarks/alignment.json
"""

from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor

from minibert.bench.report import DTYPES, Settings, start_report
from minibert.bench.timing import in_turns, quartiles, waiter

D = 768  # the width of the base models
REFERENCE = 50_368  # ModernBERT's vocabulary, 64 * 787: what the others are compared with, column by column
VOCABULARIES = (30_522, 30_528, 50_280, 50_281, 50_285, 50_304, 50_367, 50_368, 50_369, 50_432)
STAIRCASE = range(120, 265)
NOTES = (
    "scores = tokens (N, D) times a vocabulary's table, stored (V, D), transposed, into memory that is there already. "
    "per_column is the time for one column of scores, divided by that of the reference in the same round: 1.2 is "
    "20 % slower; median and quartiles of the rounds. 'again' is the reference, measured a second time."
)


def multiple(size: int, most: int = 128) -> int:
    """The largest power of two, up to `most`, that divides a size.

    >>> multiple(50_368), multiple(50_304), multiple(30_522)
    (64, 128, 2)
    """
    return min(most, size & -size)


def product(tokens: Tensor, table: Tensor, memory: Tensor, passes: int) -> Callable[[], Tensor]:
    """A call that computes the scores of all tokens `passes` times, into `memory`.

    Shape: tokens (N, D), table (V, D), memory (N V,) or longer; the call returns (N, V).

    >>> product(torch.ones(1, 2), torch.ones(3, 2), torch.zeros(9), passes=1)().tolist()
    [[2.0, 2.0, 2.0]]
    """
    scores = memory[: len(tokens) * len(table)].view(len(tokens), len(table))  # (N, V)

    def compute() -> Tensor:
        for _ in range(passes):
            torch.mm(tokens, table.T, out=scores)
        return scores

    return compute


def measure(sizes: Sequence[int], reference: int, dtype: str, rows: int, passes: int, settings: Settings) -> list[dict]:
    """One group: a row of results for every size, and one for the reference measured again.

    Raises:
        ValueError: the reference is not among the sizes.

    >>> found = measure((3, 4), 4, "fp32", rows=2, passes=1, settings=Settings(repeats=1))
    >>> [row["size"] for row in found], [row["again"] for row in found], found[1]["per_column"]["median"]
    ([3, 4, 4], [False, False, True], 1.0)
    """
    if reference not in sizes:
        raise ValueError(f"the reference {reference} is not among the sizes {tuple(sizes)}")
    generator = torch.Generator().manual_seed(settings.seed)
    kind = {"dtype": DTYPES[dtype], "device": settings.device}
    tokens = torch.randn(rows, D, generator=generator).to(**kind)  # (N, D)
    table = torch.randn(max(sizes), D, generator=generator).to(**kind)  # (V, D), one for all: a smaller one is its top
    memory = torch.zeros(rows * max(sizes), **kind)  # one for all, too: where memory lies makes a difference as well
    names = [(size, False) for size in sizes] + [(reference, True)]
    calls = {name: product(tokens, table[: name[0]], memory, passes) for name in names}
    with torch.inference_mode():
        seconds, _ = in_turns(calls, settings.repeats, wait=waiter(settings.device))
    return [_row(name, seconds, (reference, False), dtype, rows, passes) for name in names]


def _row(name: tuple[int, bool], seconds: dict, reference: tuple[int, bool], dtype: str, rows: int, passes: int):
    size, again = name
    ratios = [
        (mine / size) / (other / reference[0]) for mine, other in zip(seconds[name], seconds[reference], strict=True)
    ]
    middle = median(seconds[name]) / passes
    return {
        "size": size,
        "again": again,
        "multiple_of": multiple(size),
        "dtype": dtype,
        "rows": rows,
        "median_seconds": middle,
        "gflops": round(2 * rows * D * size / middle / 1e9, 1),
        "per_column": {"median": round(median(ratios), 4), "quartiles": [round(q, 4) for q in quartiles(ratios)]},
        "seconds": [round(value / passes, 8) for value in seconds[name]],
    }


def run(
    settings: Settings,
    save: Callable[[dict], None] = lambda report: None,
    say: Callable[[str], None] = lambda line: None,
    vocabularies: Sequence[int] = VOCABULARIES,
    staircase: Sequence[int] = STAIRCASE,
) -> dict:
    """Both groups in every dtype; the report is saved after each.

    On CUDA 64 tokens would only measure how fast the table is read, so there it takes 8,192.

    Raises:
        ValueError: a group without its reference (50,368 and 256).

    >>> found = run(Settings(repeats=1), vocabularies=(50_368,), staircase=(255, 256))
    >>> [(row["group"], row["size"]) for row in found["results"]][:3]
    [('decoder', 50368), ('decoder', 50368), ('staircase', 255)]
    """
    report = start_report("alignment", settings, NOTES)
    on_gpu = settings.device.startswith("cuda")
    groups = {
        "decoder": (vocabularies, REFERENCE, 8192 if on_gpu else 64, 1),
        "staircase": (staircase, 256, 8192 if on_gpu else 256, 4),
    }
    for dtype in settings.dtypes:
        for group, (sizes, reference, rows, passes) in groups.items():
            say(f"{group} {dtype}: {len(sizes)} sizes")
            found = measure(tuple(sizes), reference, dtype, rows, passes, settings)
            report["results"] += [{"group": group} | row for row in found]
            save(report)
    return report
