"""Results as a picture: tokens per second and memory against the length of the texts."""

from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt

DRAWN = ("inference", "training", "attention")


def plot_report(report: dict, file: str | Path) -> None:
    """Draw a report of the inference, training or attention bench to a picture file; the ending says which kind.

    One column for each model (or kind of layer); above, tokens per second; below, memory where it was measured.

    Raises:
        ValueError: a report that has no lengths to draw against, or no results.

    >>> import tempfile
    >>> row = {"model": "bert-nano", "dtype": "fp32", "workload": "2x8", "width": 8, "peak_bytes": {"ours": 4096}}
    >>> row |= {"contenders": {"ours": {"tokens_per_second": 10.0}}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot_report({"bench": "inference", "results": [row]}, Path(folder) / "a.png")
    ...     (Path(folder) / "a.png").is_file()
    True
    """
    if report["bench"] not in DRAWN:
        raise ValueError(f"the {report['bench']} bench has no lengths to draw against; those of {DRAWN} have")
    panels = collect(report)
    if not panels:
        raise ValueError("the report holds no results to draw")
    labels = sorted(
        {label for lines in panels.values() for label in lines}, key=lambda x: (not x.startswith("ours"), x)
    )
    colours = {label: f"C{index % 10}" for index, label in enumerate(labels)}
    figure, axes = plt.subplots(
        2, len(panels), figsize=(4 * len(panels) + 1, 6), sharex="col", squeeze=False, layout="constrained"
    )
    for (top, bottom), (title, lines) in zip(axes.T, panels.items(), strict=True):
        for label, points in sorted(lines.items(), key=lambda item: labels.index(item[0])):
            style = dict(color=colours[label], marker="o", markersize=4, label=label)
            style |= dict(linewidth=2.5 if label.startswith("ours") else 1.2)
            top.plot([x for x, _, _ in points], [speed for _, speed, _ in points], **style)
            measured = [(x, memory / 2**20) for x, _, memory in points if memory]
            bottom.plot([x for x, _ in measured], [y for _, y in measured], **style)
        top.set_title(title)
        for ax in (top, bottom):
            ax.set_xscale("log", base=2)
            ax.grid(alpha=0.3)
            if any(line.get_xdata().size for line in ax.lines):
                ax.set_yscale("log")
        top.set_ylabel("real tokens per second")
        bottom.set_ylabel("peak memory, MiB")
        bottom.set_xlabel("T, tokens in the longest text")
        top.legend(fontsize="small")
    figure.savefig(file, dpi=150)
    plt.close(figure)


def collect(report: dict) -> dict[str, dict[str, list[tuple[int, float, int | None]]]]:
    """Panel -> contender -> points (length, tokens per second, bytes), sorted by length.

    The matrix products alone and the sentences are left out: the first are no model, the second have no length.

    >>> row = {"layer": "local", "pass": "forward", "dtype": "fp32", "length": 8}
    >>> collect({"bench": "attention", "results": [row | {"contenders": {"ours": {"tokens_per_second": 3.0}}}]})
    {'local layer, forward': {'ours fp32': [(8, 3.0, None)]}}
    """
    panels: dict[str, dict[str, list]] = {}
    for row in report["results"]:
        if row.get("workload") == "sentences":
            continue
        is_layer = report["bench"] == "attention"
        title = f"{row['layer']} layer, {row['pass']}" if is_layer else row["model"]
        length = row["length"] if is_layer else row["width"]
        for name, found in row["contenders"].items():
            if name.startswith("matmuls"):
                continue
            label = name if name.endswith("fp32") else f"{name} {row['dtype']}"
            point = (length, found["tokens_per_second"], row.get("peak_bytes", {}).get(name))
            panels.setdefault(title, defaultdict(list))[label].append(point)
    return {title: {label: sorted(points) for label, points in lines.items()} for title, lines in panels.items()}
