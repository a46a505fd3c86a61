"""The pictures of the start page: from a text to an answer, similarities beside their controls, the course in parts."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from minibert.viz.diagram import BLUE, GREY, INK, YELLOW, arrow, box, new_diagram, new_figure, vector

STEPS = (  # of every encoder, with what each of them hands on
    ("tokenizer", "pieces,\nwith ids", "3"),
    ("embeddings", "a vector\nfor each", "4"),
    ("block 1", "", "5, 6"),
    ("block L", "vectors that know\nthe whole text", "6, 7"),
    ("head", "", "8 to 13"),
)
PARTS = {  # the parts of the course with their chapters, in the words of the table on the start page
    "I  From words to contexts": ("1 word vectors", "2 ELMo", "3 tokenizers"),
    "II  The encoder": ("4 inputs", "5 attention", "6 BERT", "7 looking inside"),
    "III  Pre-training": ("8 masked language modelling", "9 next sentence"),
    "IV  Using BERT": (
        "10 fine-tuning",
        "11 questions and tags",
        "12 sentence embeddings",
        "13 limits and distillation",
    ),
    "V  ModernBERT": ("14 modern block", "15 RoPE", "16 fast attention", "17 recipe"),
    "VI  EuroBERT and beyond": ("18 EuroBERT", "19 three encoders"),
}


def plot_whole(pieces: Sequence[str] = ("[CLS]", "the", "cat", "slept", "[SEP]")) -> Figure:
    """The way of a text through an encoder: pieces, a vector for each, blocks that mix them, a head that answers.

    >>> len(plot_whole(["a", "b"]).axes)
    1
    """
    figure, axes = new_diagram(9.2, 3.9, 12.3, 5.0)
    rows = [3.9 - 0.72 * place for place in range(len(pieces))]
    middle, tall = (rows[0] + rows[-1]) / 2, rows[0] - rows[-1] + 0.9
    axes.text(0.75, middle, "the cat\nslept", ha="center", va="center", fontsize=13, style="italic")
    for place, (name, given, chapter) in enumerate(STEPS):
        x = 2.15 + 2.1 * place
        box(axes, x, middle, 0.5, tall, name, "grey" if place == 0 else "yellow" if place == 4 else "blue", rotation=90)
        axes.text(x, 4.7, f"ch. {chapter}", ha="center", va="center", fontsize=11, color="#444444")
        if given:
            axes.text(x + 1.05, 0.25, given, ha="center", va="center", fontsize=11)
        if place < 4:
            for y, piece in zip(rows, pieces, strict=True):
                if place == 0:
                    axes.text(x + 1.05, y, piece, ha="center", va="center", fontsize=11, family="monospace")
                elif place == 2:
                    axes.text(x + 1.05, y, "· · ·", ha="center", va="center", fontsize=13)
                else:
                    vector(axes, x + 1.05, y, ["green" if place == 1 else "pink"] * 5)
                arrow(axes, (x + 0.27, y), (x + 0.44, y))
                arrow(axes, (x + 1.66, y), (x + 1.83, y))
    arrow(axes, (1.4, middle), (1.88, middle))
    arrow(axes, (10.82, middle), (11.2, middle))
    axes.text(11.28, middle, "answer", ha="left", va="center", fontsize=13, style="italic")
    return figure


def plot_similarities(texts: Sequence[str], scores: Mapping[str, Sequence[float]]) -> Figure:
    """How alike each text is to a question, as a group of bars, one bar for each method.

    >>> plot_similarities(["a", "b"], {"trained": [0.5, 0.1], "words": [0.2, 0.3]}).axes[0].get_xlabel()
    'similarity to the question'
    """
    figure = new_figure(9.2, 3.2)
    axes = figure.subplots()
    height = 0.8 / len(scores)
    for place, (name, values) in enumerate(scores.items()):
        rows = [row + height * (place - (len(scores) - 1) / 2) for row in range(len(texts))]
        bars = axes.barh(rows, values, height=0.9 * height, label=name, color=(BLUE, YELLOW, GREY)[place % 3])
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=10)
    axes.set_yticks(range(len(texts)), texts, fontsize=11)
    axes.invert_yaxis()
    axes.set_xlabel("similarity to the question", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=11, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def plot_course() -> Figure:
    """The six parts with their chapters; an arrow leads to what builds on it.

    >>> len(plot_course().axes)
    1
    """
    figure, axes = new_diagram(9.2, 4.6, 12, 6.2)
    places = {name: (2 + 4 * (place % 3), 4.5 - 3.1 * (place // 3)) for place, name in enumerate(PARTS)}
    for (name, chapters), shade in zip(
        PARTS.items(), ("grey", "blue", "green", "yellow", "pink", "white"), strict=True
    ):
        x, y = places[name]
        box(axes, x, y, 3.3, 2.4, "", shade)
        axes.text(x, y + 0.9, name, ha="center", va="center", fontsize=12, fontweight="bold")
        axes.text(x, y - 0.25, "\n".join(chapters), ha="center", va="center", fontsize=11, linespacing=1.35)
    for start, end in (((3.67, 4.5), (4.33, 4.5)), ((7.67, 4.5), (8.33, 4.5)), ((7.67, 1.4), (8.33, 1.4))):
        arrow(axes, start, end)
    axes.plot([10, 10, 2], [3.28, 2.95, 2.95], color=INK, lw=1.3)
    for x in (2, 6):
        arrow(axes, (x, 2.95), (x, 2.62))
    return figure
