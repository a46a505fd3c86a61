"""One row for each model: what it is and what it costs, counted; speed and memory where they were measured.

Sizes and operations come from the config alone (`model/cost.py`), so any preset and any folder can stand in the table
without its weights being opened. `measure_all` opens none either: how fast a model is does not depend on its numbers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

import torch

from minibert.bench.machine import machine, versions
from minibert.bench.memory import live_bytes
from minibert.bench.table import align
from minibert.bench.timing import in_turns, summary
from minibert.bench.workloads import find_workload, padded_batch
from minibert.config import EncoderConfig
from minibert.files import read_text
from minibert.model import Encoder
from minibert.model.cost import count_parameters, parameters_by_part, token_flops
from minibert.shipped_models import DATA

LENGTHS = (128, 512, 8192)  # tokens of the texts for which operations are counted
LANGUAGES = {  # of the text that a published model was trained on, by the first word of its preset
    "bert": "English",
    "modernbert": "English, code",
    "eurobert": "15 languages, code",
    "distilbert": "English",
    "roberta": "English",
    "camembert": "French",
    "xlm": "100 languages",
    "nomicbert": "English",
    "neobert": "English",
    "ettin": "English, code",
    "mmbert": "1,833 languages, code",
}
STORED = DATA / "benchmarks" / "compare.json"
NOTES = (
    "Counted: parameters, bytes of the weights in float32, floating-point operations of a forward pass for each token "
    "of one text, blocks and attention alone. Measured: passes of the encoder with random weights in float32, without "
    "pooler and head, all models in turns; tokens are real tokens. live_bytes: the most bytes of tensors that one pass "
    "held at once on top of the weights."
)
LEGEND = (
    "Parameters: embeddings; blocks with the final norm; head, which names hidden tokens (a matrix shared with the "
    "embeddings counts there); BERT's pooler is left out. MFLOP: million operations for each token of a text of so "
    "many tokens; a dash where the model was not made for such texts. The last columns, where there are any, are those "
    "of the stored experiment three_encoders: accuracy on news topics and film snippets read off frozen vectors, "
    "translations found, bits per byte of hidden words."
)


def describe(name: str, config: EncoderConfig, languages: str = "", lengths: Sequence[int] = LENGTHS) -> dict:
    """What the config says about a model, as a row of the table.

    >>> row = describe("mine", EncoderConfig.preset("bert-base"))
    >>> row["parameters"], row["flops_a_token"]
    ({'embeddings': 23837184, 'blocks': 85054464, 'head': 622650}, {128: 174587904.0, 512: 188743680.0, 8192: None})
    """
    parts = {part: count for part, count in parameters_by_part(config).items() if part != "pooler"}
    return {
        "model": name,
        "family": config.family,
        "languages": languages,
        "context": config.max_len,
        "layers": config.layers,
        "width": config.hidden,
        "heads": config.heads,
        "key_value_heads": config.groups,
        "vocabulary": config.vocab_size,
        "parameters": parts,
        "weights_bytes": 4 * sum(parts.values()),
        "flops_a_token": {
            length: token_flops(config, length)[0] if length <= config.max_len else None for length in lengths
        },
    }


def measure_all(
    configs: Mapping[str, EncoderConfig], workload: str = "8x128", repeats: int = 5, say: Callable = lambda line: None
) -> dict:
    """A report of the speed and memory of models, which run in turns so that a busy machine slows all of them alike.

    Raises:
        ValueError: an unknown workload, texts that a model with learned positions cannot read, or models whose weights
            do not fit into half of the memory together.

    >>> found = measure_all({"bert-nano": EncoderConfig.preset("bert-nano")}, "2x8", repeats=1)
    >>> sorted(found["measured"]["bert-nano"])
    ['live_bytes', 'median_seconds', 'quartiles', 'seconds', 'tokens_per_second']
    """
    texts = find_workload(workload)
    for name, config in configs.items():
        if config.position == "learned" and texts.width > config.max_len:
            raise ValueError(
                f"{name} has {config.max_len} positions and the texts of {workload} up to {texts.width} tokens: choose "
                f"shorter ones, such as --workload 8x{config.max_len}"
            )
    report = {"bench": "compare", "notes": NOTES, "machine": machine(), "versions": versions()}
    sizes = {name: count_parameters(config) for name, config in configs.items()}
    needed, there = 4 * sum(sizes.values()), report["machine"]["memory_gib"]
    if there is not None and needed > there * 2**30 / 2:
        raise ValueError(
            f"the weights of {', '.join(configs)} take {needed / 2**30:.1f} GiB and this machine has {there} GiB: name "
            "fewer or smaller models"
        )
    calls, held = {}, {}
    for name, config in configs.items():
        say(f"{name}: {sizes[name]:,} parameters")
        model = Encoder(config, pooler=False, generator=torch.Generator().manual_seed(0)).eval()
        ids, mask = padded_batch(texts, config)
        calls[name] = torch.inference_mode()(lambda model=model, ids=ids, mask=mask: model(ids, mask).hidden)
        held[name] = live_bytes(calls[name])
    seconds, _ = in_turns(calls, repeats)
    report["workload"], report["repeats"] = texts.describe(), repeats
    report["measured"] = {name: summary(seconds[name], texts.tokens) | {"live_bytes": held[name]} for name in configs}
    return report


def stored_report(file: Path = STORED) -> dict:
    """What `compare --measure` measured of the presets, as it is kept in the project; empty where there is none.

    >>> stored_report(Path("nowhere.json"))
    {}
    """
    return json.loads(read_text(file)) if file.is_file() else {}


def languages_of(folder: Path) -> str:
    """What a folder says about its languages: the card (README.md) of a published model, or our training.json.

    >>> from minibert.shipped_models import shipped
    >>> languages_of(shipped("bert-nano")), languages_of(Path("nowhere"))
    ('English', '')
    """
    if (card := folder / "README.md").is_file():
        if stated := languages_of_card(read_text(card)):
            return f"{len(stated)} languages" if len(stated) > 3 else ", ".join(stated)
    if (training := folder / "training.json").is_file():
        corpus = json.loads(read_text(training)).get("corpus", "")
        return {"sotu": "English", "languages": LANGUAGES["eurobert"]}.get(corpus, "")
    return ""


def languages_of_card(card: str) -> list[str]:
    """The `language:` of the head of a model card, one or a list.

    >>> languages_of_card("---\\nlicense: mit\\nlanguage:\\n- en\\n- de\\ntags: [x]\\n---\\n# A model")
    ['en', 'de']
    >>> languages_of_card("# A model without a head")
    []
    """
    lines = card.split("\n")
    if lines[0].strip() != "---":
        return []
    found, inside = [], False
    for line in lines[1:]:
        if line.strip() == "---":
            break
        if line.startswith("language:"):
            value = line.removeprefix("language:").strip()
            found += [word.strip(" \"'") for word in value.strip("[]").split(",") if word.strip()]
            inside = True
        elif inside and line.lstrip().startswith("- "):
            found.append(line.lstrip()[2:].strip(" \"'"))
        else:
            inside = False
    return found


# ---- the rows as a table


def cells(rows: Sequence[dict]) -> list[list[str]]:
    """The rows as cells of text, the first one the header; columns that no row has are left out.

    >>> table = cells([describe("bert-nano", EncoderConfig.preset("bert-nano"), lengths=(128,))])
    >>> dict(zip(*table))["blocks"], dict(zip(*table))["MFLOP at 128"]
    ('793,088', '1.8')
    """
    lengths = dict.fromkeys(length for row in rows for length in row["flops_a_token"])
    scores = dict.fromkeys(name for row in rows for name in row.get("scores", ()))
    is_measured = any(row.get("measured") for row in rows)
    header = ["model", "languages", "context", "layers", "width", "embeddings", "blocks", "head", "all", "weights, MiB"]
    header += [f"MFLOP at {length:,}" for length in lengths]
    header += ["tokens/s", "live MiB"] * is_measured + list(scores)
    table = [header]
    for row in rows:
        parts = row["parameters"]
        numbers = [row["context"], row["layers"], row["width"], *parts.values(), sum(parts.values())]
        line = [row["model"], row["languages"] or "-", *(f"{number:,}" for number in numbers)]
        line.append(f"{row['weights_bytes'] / 2**20:,.1f}")
        for length in lengths:
            flops = row["flops_a_token"].get(length)
            line.append("-" if flops is None else f"{flops / 1e6:,.1f}")
        if is_measured:
            found = row.get("measured")
            line += (
                [f"{found['tokens_per_second']:,.0f}", f"{found['live_bytes'] / 2**20:.1f}"] if found else ["-", "-"]
            )
        line += [row.get("scores", {}).get(name, "-") for name in scores]
        table.append(line)
    return table


def as_text(rows: Sequence[dict]) -> list[str]:
    """The table as lines for a terminal.

    >>> as_text([describe("mine", EncoderConfig.preset("bert-nano"))])[1].split()[:3]
    ['mine', '-', '128']
    """
    return align(cells(rows))


def as_markdown(rows: Sequence[dict]) -> str:
    """The table as Markdown, numbers to the right.

    >>> as_markdown([describe("mine", EncoderConfig.preset("bert-nano"))]).split("\\n")[1][:14]
    '|:--|:--|--:|-'
    """
    header, *body = cells(rows)
    lines = [header, None, *body]
    marks = "|" + "|".join([":--", ":--"] + ["--:"] * (len(header) - 2)) + "|"
    return "\n".join(marks if line is None else f"| {' | '.join(line)} |" for line in lines)


def as_html(rows: Sequence[dict]) -> str:
    """The table as HTML.

    >>> as_html([describe("<mine>", EncoderConfig.preset("bert-nano"))]).count("&lt;mine&gt;")
    1
    """
    header, *body = ([escape(cell) for cell in line] for line in cells(rows))
    left, right = 'style="text-align: left"', 'style="text-align: right"'
    lines = ["<table>", "<tr>" + "".join(f"<th>{cell}</th>" for cell in header) + "</tr>"]
    for line in body:
        lines.append("<tr>" + "".join(f"<td {right if i > 1 else left}>{c}</td>" for i, c in enumerate(line)) + "</tr>")
    return "\n".join([*lines, "</table>"])
