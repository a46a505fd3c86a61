"""The walk over all cases that the inference and the training bench share."""

from collections.abc import Callable, Sequence

from minibert.bench.limit import peak_flops
from minibert.bench.report import DTYPES, Case, Settings, find_cases, start_report


def run_cases(
    bench: str,
    settings: Settings,
    notes: str,
    measure: Callable[[Case, Settings, float], dict],
    save: Callable[[dict], None],
    say: Callable[[str], None],
    skipped: Sequence[str] = (),
) -> dict:
    """A report of `measure` on all cases of `settings`; `save` gets it after each, `say` a line of progress.

    `skipped` and what `measure` gives as "skipped" say what was left out, and end in the report's list of that name.

    Raises:
        ValueError: settings that cannot be run here.

    >>> one = Settings(models=("bert-nano",), workloads=("2x8",))
    >>> run_cases("mine", one, "", lambda case, settings, peak: {"is": case.label}, print, print)["results"]
    ... # doctest: +ELLIPSIS
    bert-nano 2x8 fp32
    {'bench': 'mine', ...}
    [{'is': 'bert-nano 2x8 fp32'}]
    """
    report = start_report(bench, settings, notes)
    report["skipped"] += skipped
    peaks = {dtype: peak_flops(settings.device, DTYPES[dtype]) for dtype in settings.dtypes}
    report["peak_tflops"] = {dtype: round(peak / 1e12, 4) for dtype, peak in peaks.items()}
    for case in find_cases(settings, report):
        say(case.label)
        found = measure(case, settings, peaks[case.dtype])
        report["skipped"] += found.pop("skipped", [])
        report["results"].append(found)
        save(report)
    return report
