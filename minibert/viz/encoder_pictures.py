"""The pictures of chapter 19: three blocks drawn from their configs, what they cost, who is ahead, how to choose."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from minibert.config import EncoderConfig
from minibert.viz.diagram import STYLES, new_figure
from minibert.viz.modern_pictures import plot_blocks

QUESTIONS = (  # what to ask in turn, and what to take when the answer is yes
    ("Is the text not English, or in several languages?", "EuroBERT, mmBERT,\nor one of your language"),
    ("Are texts longer than 512 tokens, or is it code?", "ModernBERT, Ettin"),
    ("Do you need vectors for search, now?", "a tuned sentence encoder\n(MiniLM, jina v5)"),
    ("Must it run on a small CPU?", "a small one:\nMiniLM, Ettin 17M, BERT-tiny"),
    ("Do you compare with older work?", "BERT-base"),
)
OTHERWISE = "ModernBERT-base, and measure\ntwo others on your data"


def steps_of(config: EncoderConfig) -> tuple[str, ...]:
    """The parts of one block in their order, read off the config, between `x` and `x`.

    >>> steps_of(EncoderConfig.preset("bert-base"))
    ('x', 'attention', '+ x', 'norm', 'GELU layer', '+ x', 'norm', 'x')
    >>> steps_of(EncoderConfig.preset("eurobert-610m"))[1:3]
    ('RMSNorm', 'grouped\\nattention, RoPE')
    """
    norm = "RMSNorm" if config.norm == "rmsnorm" else "norm"
    attention = "attention" if config.groups == config.heads else "grouped\nattention"
    attention += ", RoPE" if config.position == "rope" else ""
    gate = "SwiGLU" if config.act == "silu" else "GeGLU"
    feed_forward = gate if config.mlp == "glu" else "GELU layer"
    if config.norm_placement == "post":
        return ("x", attention, "+ x", norm, feed_forward, "+ x", norm, "x")
    return ("x", norm, attention, "+ x", norm, feed_forward, "+ x", "x")


def note_of(config: EncoderConfig) -> str:
    """What the boxes do not show, in a line.

    >>> note_of(EncoderConfig.preset("modernbert-base"))
    'no biases; one layer of 3 sees all tokens, the others 64 to each side; no segments; head shares the token table'
    """
    sees = "every layer sees all tokens"
    if "local" in config.layer_types:
        wide, layers = config.layer_types.count("global"), len(config.layer_types)
        which = f"one layer of {layers} sees" if wide == 1 else f"{wide} layers of {layers} see"
        sees = f"{which} all tokens, the others {config.half_window} to each side"
    return "; ".join(
        (
            "biases" if config.attention_bias else "no biases",
            sees,
            {0: "no segments", 1: "one segment", 2: "two segments"}.get(config.segments, f"{config.segments} segments"),
            "head shares the token table" if config.tie else "head has a matrix of its own",
        )
    )


def plot_encoders(configs: Mapping[str, EncoderConfig]) -> Figure:
    """One block of each model, boxes and notes read off the configs.

    >>> len(plot_encoders({"BERT": EncoderConfig.preset("bert-base")}).axes)
    1
    """
    figure = plot_blocks(
        {name: steps_of(config) for name, config in configs.items()},
        {name: note_of(config) for name, config in configs.items()},
    )
    plt.close(figure)
    return figure


def plot_streams(trained: Mapping[str, Sequence[float]], untrained: Mapping[str, Sequence[float]]) -> Figure:
    """The norm of a token's vector by blocks passed, a line for each model; dotted: the same model before training.

    >>> len(plot_streams({"a": [1.0, 2.0]}, {"a": [1.0, 1.0]}).axes[0].lines)
    2
    """
    figure = new_figure(9.2, 3.4)
    axes = figure.subplots()
    for (name, norms), style in zip(trained.items(), STYLES, strict=False):
        axes.plot(range(len(norms)), norms, label=name, ms=7, **style)
        before = style | dict(ls=":", mfc="white")
        axes.plot(range(len(norms)), untrained[name], label=f"{name}, untrained", ms=6, **before)
    axes.set(xlabel="blocks passed", ylabel="norm of a token's vector", ylim=(0, None))
    axes.set_xticks(range(max(map(len, trained.values()))))
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_costs(lengths: Sequence[int], lines: Mapping[str, Sequence[float | None]]) -> Figure:
    """Operations for a token by the length of its text, both axes logarithmic; None where a model cannot go.

    >>> len(plot_costs([128, 256], {"a": [1e8, None], "b": [1e8, 2e8]}).axes)
    1
    """
    figure = new_figure(7.6, 3.6)
    axes = figure.subplots()
    for (name, costs), style in zip(lines.items(), STYLES, strict=False):
        known = [(length, cost / 1e6) for length, cost in zip(lengths, costs, strict=True) if cost is not None]
        axes.loglog(*zip(*known, strict=True), label=name, ms=7, **style)
    axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
    axes.set_yticks([150, 200, 300, 400, 600], ["150", "200", "300", "400", "600"])
    axes.minorticks_off()
    axes.set(xlabel="tokens of the text (log scale)", ylabel="million operations\nfor a token (log scale)")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_margins(tasks: Mapping[str, Mapping[str, float]], bands: Mapping[str, float]) -> Figure:
    """How far models are ahead of the best other one: a row for each task, a mark for each model, 0 is that other one.

    `bands[task]` is a half width, drawn grey around 0: differences within it may be chance.

    >>> len(plot_margins({"XNLI": {"small": -4.0, "large": 0.4}}, {"XNLI": 0.3}).axes)
    1
    """
    figure = new_figure(9.2, 1.2 + 0.52 * len(tasks))
    axes = figure.subplots()
    for row, (task, margins) in enumerate(tasks.items()):
        axes.axhline(row, color="#DDDDDD", lw=1, zorder=0)
        if task in bands:
            axes.barh(row, 2 * bands[task], left=-bands[task], height=0.7, color="#BBBBBB", zorder=1)
        for (name, margin), style in zip(margins.items(), STYLES, strict=False):
            looks = dict(color=style["color"], marker=style["marker"], label=None if row else name)
            axes.scatter(margin, row, s=80, edgecolor="white", zorder=2, **looks)
    axes.axvline(0, color="#222222", lw=1.2)
    axes.set_yticks(range(len(tasks)), list(tasks))
    axes.invert_yaxis()
    axes.set(xlabel="points ahead of the best model of others")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_choice(questions: Sequence[tuple[str, str]] = QUESTIONS, otherwise: str = OTHERWISE) -> Figure:
    """Questions from top to bottom, each with what to take if the answer is yes.

    >>> len(plot_choice().axes)
    1
    """
    figure = new_figure(9.2, 0.92 * (len(questions) + 1))
    axes = figure.subplots()
    ask = dict(boxstyle="round,pad=0.5", facecolor="#CDE5F5", edgecolor="#444444")
    take = dict(boxstyle="round,pad=0.5", facecolor="#FBE3B0", edgecolor="#444444")
    arrow = dict(arrowstyle="->", mutation_scale=13, color="#444444")
    for row, (question, answer) in enumerate(questions):
        axes.text(0, -row, question, ha="center", va="center", bbox=ask, fontsize=11)
        axes.text(1.5, -row, answer, ha="center", va="center", bbox=take, fontsize=11)
        axes.add_patch(FancyArrowPatch((0.66, -row), (1.08, -row), **arrow))
        axes.text(0.85, -row + 0.14, "yes", ha="center", fontsize=10)
        axes.add_patch(FancyArrowPatch((0, -row - 0.27), (0, -row - 0.73), **arrow))
        axes.text(0.05, -row - 0.55, "no", fontsize=10)
    axes.text(0, -len(questions), otherwise, ha="center", va="center", bbox=take, fontsize=11)
    axes.set(xlim=(-0.75, 2.0), ylim=(-len(questions) - 0.5, 0.5))
    axes.axis("off")
    return figure
