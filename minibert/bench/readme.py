"""The README's tables of speed, written from the stored results, so that no number is copied by hand.

    python -m minibert.bench.readme

puts them between the marks <!-- race --> and <!-- /race -->, <!-- more --> and <!-- /more --> of README.md.
"""

import json
import re

from minibert.files import read_text, write_text
from minibert.places import PROJECT
from minibert.shipped_models import DATA

README = PROJECT / "README.md"
STORED = DATA / "benchmarks"
WORKLOADS = {
    "1x16": "1 x 16",
    "8x128": "8 x 128 ragged",
    "sentences": "64 short sentences",
    "8x512": "8 x 512 ragged",
    "1x2048": "1 x 2,048",
    "1x8192": "1 x 8,192",
}
FORWARD, STEP = "forward", "training step"
MORE = (  # model, workload, what, files: in the first that has its float32, and its bf16
    ("modernbert-base", "sentences", FORWARD, ("inference",)),
    ("modernbert-base", "8x512", FORWARD, ("inference",)),
    ("modernbert-base", "1x2048", FORWARD, ("inference",)),
    ("modernbert-base", "1x8192", FORWARD, ("inference-8192",)),
    ("bert-base", "8x128", FORWARD, ("inference-bert-eurobert",)),
    ("bert-base", "8x512", FORWARD, ("inference-bert-eurobert",)),
    ("eurobert-210m", "8x128", FORWARD, ("inference-bert-eurobert",)),
    ("eurobert-210m", "8x512", FORWARD, ("inference-bert-eurobert",)),
    ("modernbert-base", "8x512", STEP, ("training", "training-bf16")),
)
PACKAGES = ("torch", "transformers", "onnxruntime", "openvino")
NAMES = {"modernbert-base": "ModernBERT-base", "bert-base": "BERT-base", "eurobert-210m": "EuroBERT-210m"}


def caption(report: dict) -> str:
    """What a report was measured on, in a line.

    >>> race = {"settings": {"repeats": 3}, "machine": {"processor": "AMD EPYC", "threads": 2, "load_before": 0.4}}
    >>> caption(race | {"versions": {"torch": "2.13.0+cpu", "openvino": None}})
    'Median of 3 rounds in turns, 2 threads, AMD EPYC, load before 0.4; torch 2.13.0.'
    """
    found, versions = report["machine"], report["versions"]
    names = [f"{name} {versions[name].split('+')[0].split('-')[0]}" for name in PACKAGES if versions.get(name)]
    threads = "1 thread (CPU time)" if found["threads"] == 1 else f"{found['threads']} threads"
    return (
        f"Median of {report['settings']['repeats']} rounds in turns, {threads}, {found['processor']}, "
        f"load before {found['load_before']}; {', '.join(names)}."
    )


def race_table(report: dict) -> list[str]:
    """One line for each contender of `bench int8`, one column for each workload; the largest error over them.

    >>> one = {"speedup": {"median_of_rounds": 1.96}, "rms": 0.0131}
    >>> for line in race_table({"results": [{"workload": "8x128", "contenders": {"ours bf16": one}}]}):
    ...     print(line)
    | | 8 x 128 ragged | error |
    |:--|--:|--:|
    | ours bf16 | 2.0 | 1.3e-02 |
    """
    rows = report["results"]
    lines = [f"| | {' | '.join(WORKLOADS[row['workload']] for row in rows)} | error |"]
    lines.append("|:--|" + "--:|" * (len(rows) + 1))
    for name in rows[0]["contenders"]:
        found = [row["contenders"][name] for row in rows]
        error = max(one["rms"] for one in found)
        cells = [f"{one['speedup']['median_of_rounds']:.1f}" for one in found] + [f"{error:.1e}" if error else "0"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def more_table() -> list[str]:
    """Our speed over that of transformers' sdpa for what is measured against it alone; (...): against their bf16.

    >>> more_table()[0]
    '| | float32 | bf16 |'
    """
    lines = ["| | float32 | bf16 |", "|:--|--:|--:|"]
    for model, workload, what, files in MORE:
        cells = [f"{ratio(files[0], model, workload, 'fp32', 'sdpa'):.1f}", ""]
        if len(files) > 1:
            against = [ratio(files[1], model, workload, "bf16", name) for name in ("sdpa fp32", "sdpa")]
            cells[1] = f"{against[0]:.1f} ({against[1]:.1f})"
        lines.append(f"| {NAMES[model]}, {WORKLOADS[workload]}, {what} | {' | '.join(cells)} |")
    return lines


def ratio(file: str, model: str, workload: str, dtype: str, opponent: str) -> float:
    """How many times as fast as an opponent ours was, from one stored report.

    >>> ratio("inference-8192", "modernbert-base", "1x8192", "fp32", "sdpa") > 1
    True
    """
    wanted = (model, workload, dtype)
    for row in stored(file)["results"]:
        if (row["model"], row["workload"], row["dtype"]) == wanted:
            return row["speedup"][opponent]["median_of_rounds"]
    raise ValueError(f"data/benchmarks/{file}.json has no {' '.join(wanted)}")


def stored(file: str) -> dict:
    """A report of data/benchmarks/.

    >>> stored("training")["bench"]
    'training'
    """
    return json.loads(read_text(STORED / f"{file}.json"))


def rewritten(text: str) -> str:
    """The README with its tables as the stored results have them.

    Raises:
        ValueError: the marks of a table are not there.

    >>> rewritten("no table")
    Traceback (most recent call last):
    ...
    ValueError: README.md has no <!-- race --> ... <!-- /race -->: nothing was written
    """
    race = stored("race")
    for name, lines in (("race", [caption(race), "", *race_table(race)]), ("more", more_table())):
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"README.md has no {start} ... {end}: nothing was written")
        inside = "\n".join([start, "", *lines, "", end])
        text = pattern.sub(lambda _, inside=inside: inside, text)
    return text


def main() -> None:
    """Write the tables into README.md.

    >>> callable(main)
    True
    """
    write_text(README, rewritten(read_text(README)))


if __name__ == "__main__":
    main()
