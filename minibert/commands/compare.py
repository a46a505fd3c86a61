"""`python -m minibert compare`: models side by side, counted and, on request, measured."""

import json
from pathlib import Path

import click

from minibert.commands.shared import find_folder, note, print_text
from minibert.files import write_text
from minibert.shipped_models import DATA, SHIPPED

ENDINGS = (".json", ".md", ".html")
SCORES = {"news topic": "topic", "film": "film", "found in fr": "found in fr", "bits/byte": "bits per byte"}


def find_model(name: str) -> tuple[object, str]:
    """The config of a model and its languages: a shipped model, a preset, "minilm", or any folder.

    Raises:
        ValueError: no such model, or a config that our encoder cannot express.

    >>> config, languages = find_model("eurobert-210m")
    >>> config.layers, languages
    (12, '15 languages, code')
    """
    from minibert import EncoderConfig
    from minibert.bench.compare import LANGUAGES, languages_of
    from minibert.checkpoints import load_config
    from minibert.presets import PRESETS

    is_shipped = name in SHIPPED and (DATA / name).is_dir()
    if name in PRESETS and not is_shipped:
        config = EncoderConfig.preset(name)
        return config, "" if name.endswith("nano") else LANGUAGES[name.split("-")[0]]
    try:
        folder = find_folder(name)
    except ValueError as error:
        raise ValueError(f"{error}; or a preset: {', '.join(PRESETS)}") from None
    return load_config(folder), "English" if name == "minilm" else languages_of(folder)


def rows_of(names: list[str], lengths: tuple[int, ...], measured: dict) -> list[dict]:
    """A row for each model, with what `measured` and the stored experiment say about it.

    >>> rows_of(["bert-base"], (128,), {})[0]["context"]
    512
    """
    from minibert.bench.compare import describe

    rows = []
    for name in names:
        config, languages = find_model(name)
        row = describe(name, config, languages, lengths)
        rows.append(row | {"measured": measured.get(name), "scores": scores_of(name)})
    return rows


def scores_of(name: str) -> dict[str, str]:
    """What the stored experiment `three_encoders` found about a model: means over its seeds, by the column's head.

    >>> list(scores_of("minilm")), scores_of("bert-base")
    (['news topic', 'film', 'found in fr'], {})
    """
    from minibert.experiments import stored

    result = stored("three_encoders")
    means = {head: result.mean(measure) for head, measure in SCORES.items()}
    return {head: f"{found[name]:.2f}" for head, found in means.items() if name in found}


@click.command()
@click.argument("models", nargs=-1)
@click.option(
    "--length", multiple=True, type=click.IntRange(min=1), help="Tokens of a text; repeat it. Default: 128, 512, 8192."
)
@click.option(
    "--measure", is_flag=True, help="Measure speed and memory here; without it, the stored numbers are shown."
)
@click.option("--workload", default="8x128", show_default=True, help="Texts to measure on, as in bench.")
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(min=1), help="Measured rounds.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the table too: .json, .md or .html."
)
def compare(models, length, measure, workload, repeats, out):
    """Put MODELS side by side: presets, shipped models, minilm, or folders; without any, all presets.

    Parameters and operations are counted from the config, so that no weights are needed. A .json file from --measure
    holds the hardware and every single time.

    Example: python -m minibert compare bert-base modernbert-base my-model/ --out table.md
    """
    from minibert.bench import compare as table
    from minibert.presets import PRESETS
    from minibert.viz.page import write_page

    if out is not None and (out.suffix not in ENDINGS or not out.parent.is_dir()):
        raise ValueError(f"--out {out}: expected a file in a folder that exists, ending in {', '.join(ENDINGS)}")
    names = list(dict.fromkeys(models)) or list(PRESETS)
    if measure:
        report = table.measure_all({name: find_model(name)[0] for name in names}, workload, repeats, note)
    else:
        report = table.stored_report()
    rows = rows_of(names, length or table.LENGTHS, report.get("measured", {}))
    if out is not None and out.suffix == ".json":
        write_text(out, json.dumps(report | {"rows": rows}, indent=1) + "\n")
    elif out is not None and out.suffix == ".md":
        write_text(out, f"{table.as_markdown(rows)}\n\n{table.LEGEND}\n")
    elif out is not None:
        write_page(out, "Models side by side", f"{table.as_html(rows)}\n<p>{table.LEGEND}</p>")
    for line in table.as_text(rows):
        print_text(line)
    print_text(table.LEGEND)
    if any(row["measured"] for row in rows):
        on = report["machine"]
        when, texts = "measured now" if measure else "stored; --measure measures here", report["workload"]["workload"]
        print_text(f"Speed ({when}): {on['processor']}, {on['threads']} of {on['cores']} cores, {texts}.")
