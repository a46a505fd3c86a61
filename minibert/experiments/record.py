"""What an experiment is, and how it is run: every arm with every seed, each number kept as soon as it is known."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from minibert.bench.machine import machine, versions
from minibert.files import read_text, write_text


@dataclass(frozen=True)
class Experiment:
    """A question, the arms that are compared, and the function that measures one arm with one seed.

    `measure(settings, arm, seed)` returns `{name of a measure: number}`, the same for the same arguments. `settings`
    holds everything that shapes the numbers; it is stored with them, and a test compares the two, so a changed
    experiment has to be measured again. `tiny` are the settings with which a test runs it in seconds.

    Raises:
        ValueError: no arms, fewer than three seeds (a spread needs them), or names that occur twice.

    >>> sums = Experiment("sums", "More?", {"by": 1}, ("one", "two"), lambda s, arm, seed: {"n": seed + s["by"]})
    >>> sums.seeds, sums.command
    ((0, 1, 2), 'python -m minibert experiment sums')
    """

    name: str
    question: str
    settings: dict
    arms: tuple[str, ...]
    measure: Callable[[dict, str, int], dict[str, float]]
    seeds: tuple[int, ...] = (0, 1, 2)
    tiny: dict = field(default_factory=dict)

    def __post_init__(self):
        if not self.arms or len(set(self.arms)) < len(self.arms):
            raise ValueError(f"experiment {self.name}: arms {self.arms}; expected at least one, each once")
        if len(set(self.seeds)) < 3 or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"experiment {self.name}: seeds {self.seeds}; expected three or more, each once")
        if unknown := set(self.tiny) - set(self.settings):
            raise ValueError(f"experiment {self.name}: tiny names {sorted(unknown)}, which are no settings")

    @property
    def command(self) -> str:
        """What measures it again."""
        return f"python -m minibert experiment {self.name}"


def plain(value):
    """A value as JSON gives it back: tuples become lists.

    >>> plain({"sizes": (1, 2)})
    {'sizes': [1, 2]}
    """
    return json.loads(json.dumps(value))


def run(
    experiment: Experiment,
    file: str | Path | None = None,
    *,
    settings: dict | None = None,
    on_result: Callable[[dict], None] | None = None,
) -> dict:
    """Measure every arm with every seed and return the report; `file` is whole after each of them.

    A file with results of the same settings and versions is gone on with, so that a killed run loses one number only.
    `settings` replace some of the experiment's own. The seeds are the outer loop: after the first third, every arm has
    a number. `on_result` is called with each new row, `{"arm", "seed", "seconds", "measures"}`.

    Raises:
        ValueError: an unknown setting; a `file` with other settings, or one that is no report of this experiment.

    >>> sums = Experiment("sums", "More?", {"by": 1}, ("one",), lambda s, arm, seed: {"n": seed + s["by"]})
    >>> [row["measures"]["n"] for row in run(sums, settings={"by": 5})["results"]]
    [5, 6, 7]
    """
    if unknown := set(settings or {}) - set(experiment.settings):
        raise ValueError(f"{experiment.name} has no settings {sorted(unknown)}; it has {sorted(experiment.settings)}")
    chosen = experiment.settings | (settings or {})
    report = {
        "experiment": experiment.name,
        "question": experiment.question,
        "command": experiment.command,
        "settings": plain(chosen),
        "seeds": list(experiment.seeds),
        "arms": list(experiment.arms),
        "machine": machine(),
        "versions": versions(),
        "results": [],
    }
    if file is not None:
        report["results"] = _finished(report, Path(file))
    done = {(row["arm"], row["seed"]) for row in report["results"]}
    for seed in experiment.seeds:
        for arm in experiment.arms:
            if (arm, seed) in done:
                continue
            start = time.perf_counter()
            measures = experiment.measure(chosen, arm, seed)
            row = {"arm": arm, "seed": seed, "seconds": round(time.perf_counter() - start, 1), "measures": measures}
            report["results"].append(row)
            if file is not None:
                write_text(file, json.dumps(report, indent=1) + "\n")
            if on_result:
                on_result(row)
    return report


def _finished(report: dict, file: Path) -> list[dict]:
    """The rows that `file` has already, if they were measured as we measure now."""
    if not file.exists():
        if not file.parent.is_dir():
            raise ValueError(f"{file}: the folder {file.parent} does not exist; make it first")
        return []
    try:
        found = json.loads(read_text(file))
        rows = found["results"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{file} is no report of an experiment; choose another name, or move it away") from None
    for key in ("experiment", "settings", "versions"):
        if found.get(key) != report[key]:
            raise ValueError(f"{file} was measured with other {key}; choose another name, or move it away")
    return [row for row in rows if row["arm"] in report["arms"] and row["seed"] in report["seeds"]]
