"""The walk over all cases that the inference and the training bench share."""

from collections.abc import Callable

from minibert.bench import opponents
from minibert.bench.limit import peak_flops
from minibert.bench.report import DTYPES, Case, Settings, find_cases, start_report


def run_cases(
    bench: str,
    settings: Settings,
    notes: str,
    measure: Callable[[Case, Settings, float], dict],
    save: Callable[[dict], None],
    say: Callable[[str], None],
) -> dict:
    """A report of `measure` on all cases of `settings`; `save` gets it after each, `say` a line of progress.

    Raises:
        ValueError: settings that cannot be run here.

    >>> one = Settings(models=("bert-nano",), workloads=("2x8",))
    >>> run_cases("mine", one, "", lambda case, settings, peak: {"is": case.label}, print, print)["results"]
    ... # doctest: +ELLIPSIS
    bert-nano 2x8 fp32
    {'bench': 'mine', ...}
    [{'is': 'bert-nano 2x8 fp32'}]
    """
    opponents.check_opponents(settings.opponents, settings.device)
    report = start_report(bench, settings, notes)
    peaks = {dtype: peak_flops(settings.device, DTYPES[dtype]) for dtype in settings.dtypes}
    report["peak_tflops"] = {dtype: round(peak / 1e12, 4) for dtype, peak in peaks.items()}
    for case in find_cases(settings, report):
        say(case.label)
        report["results"].append(measure(case, settings, peaks[case.dtype]))
        save(report)
    return report
