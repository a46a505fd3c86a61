"""The stored result of an experiment, as notebooks read it: means and spreads over the seeds, and their origin."""

import json
from dataclasses import dataclass
from statistics import mean, stdev

from minibert.shipped_models import DATA


@dataclass(frozen=True)
class Result:
    """One report, with its rows by arm.

    >>> rows = [{"arm": "a", "seed": seed, "measures": {"accuracy": 0.5 + seed / 10}} for seed in range(3)]
    >>> result = Result({"arms": ["a"], "seeds": [0, 1, 2], "results": rows})
    >>> round(result.mean("accuracy")["a"], 3), round(result.spread("accuracy")["a"], 3)
    (0.6, 0.1)
    """

    report: dict

    @property
    def arms(self) -> tuple[str, ...]:
        """What was compared, in the order of the experiment."""
        return tuple(self.report["arms"])

    @property
    def settings(self) -> dict:
        """Everything that shaped the numbers."""
        return self.report["settings"]

    @property
    def command(self) -> str:
        """What measures it again."""
        return self.report["command"]

    @property
    def hardware(self) -> str:
        """Processor, cores and threads, and the torch it ran on."""
        machine, versions = self.report["machine"], self.report["versions"]
        return f"{machine['processor']}, {machine['threads']} of {machine['cores']} cores, torch {versions['torch']}"

    def values(self, measure: str) -> dict[str, list[float]]:
        """The numbers of one measure by arm, one for each seed; arms that do not have it are left out.

        Raises:
            ValueError: no arm has it.
        """
        rows = {arm: [row["measures"] for row in self.report["results"] if row["arm"] == arm] for arm in self.arms}
        found = {arm: [m[measure] for m in measures if measure in m] for arm, measures in rows.items()}
        found = {arm: numbers for arm, numbers in found.items() if numbers}
        if not found:
            there = sorted({name for measures in rows.values() for m in measures for name in m})
            raise ValueError(f"no arm has the measure {measure!r}; there are: {', '.join(there)}")
        return found

    def mean(self, measure: str) -> dict[str, float]:
        """The mean over the seeds by arm."""
        return {arm: mean(numbers) for arm, numbers in self.values(measure).items()}

    def spread(self, measure: str) -> dict[str, float]:
        """The standard deviation over the seeds by arm (with n - 1)."""
        return {arm: stdev(numbers) for arm, numbers in self.values(measure).items()}

    def in_words(self, measure: str, digits: int = 3) -> dict[str, str]:
        """Mean +- spread over the seeds by arm, as text.

        >>> rows = [{"arm": "a", "measures": {"accuracy": 0.5 + seed / 10}} for seed in range(3)]
        >>> Result({"arms": ["a"], "results": rows}).in_words("accuracy", digits=1)
        {'a': '0.6 +- 0.1'}
        """
        means, spreads = self.mean(measure), self.spread(measure)
        return {arm: f"{means[arm]:.{digits}f} +- {spreads[arm]:.{digits}f}" for arm in means}

    def table(self, *measures: str, digits: int = 3) -> str:
        """A text table, a line for each arm: mean +- spread of each measure, a dash where an arm does not have it."""
        found = [self.in_words(name, digits) for name in measures]
        wide = max(len(arm) for arm in self.arms)
        column = max(2 * digits + 8, *(len(name) for name in measures))
        lines = [" " * wide + "".join(f"  {name:>{column}}" for name in measures)]
        for arm in self.arms:
            lines.append(f"{arm:<{wide}}" + "".join(f"  {cells.get(arm, '-'):>{column}}" for cells in found))
        return "\n".join(lines)


def stored(name: str) -> Result:
    """Read the stored result of an experiment.

    Raises:
        ValueError: there is none; the message says what makes one.

    >>> stored("alchemy")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: no stored result of 'alchemy' in ...; python -m minibert experiment alchemy --out FILE makes one
    """
    file = DATA / "experiments" / f"{name}.json"
    if not file.is_file():
        raise ValueError(
            f"no stored result of {name!r} in {file.parent}; python -m minibert experiment {name} --out FILE makes one"
        )
    return Result(json.loads(file.read_text(encoding="utf-8")))
