"""How far a token hears: layer by layer, through local and global attention."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from minibert.config import EncoderConfig
from minibert.viz.diagram import DPI
from minibert.viz.masks import check_axes


def receptive_field(config: EncoderConfig, layers: Sequence[int] | None = None) -> list[tuple[int | None, int | None]]:
    """For each layer, in tokens to each side: how far it looks itself, and from how far news has come by then.

    None is the whole document. A local layer adds its half window to what the layers before it brought; a global
    layer brings everything at once. `layers` picks some layers, to ask what they would do without the others.

    Raises:
        ValueError: no config, or a layer that is not in it.

    Source: Beltagy et al. 2020, section 3.1; Warner et al. 2024, section 2.1.1.

    >>> config = EncoderConfig.preset("modernbert-base")
    >>> receptive_field(config)[:2], receptive_field(config, [1, 2])
    ([(None, None), (64, None)], [(64, 64), (64, 128)])
    """
    if not isinstance(config, EncoderConfig):
        raise ValueError(f"config: got {type(config).__name__}, expected an EncoderConfig (model.config)")
    chosen = range(config.layers) if layers is None else layers
    if not isinstance(chosen, Sequence) or isinstance(chosen, str) or not len(chosen):
        raise ValueError(f"layers={layers!r}: expected a list of layer numbers, or None for all")
    field, reach = [], 0
    for layer in chosen:
        if isinstance(layer, bool) or not isinstance(layer, int) or not 0 <= layer < config.layers:
            raise ValueError(f"layers: {layer!r} is not one of this model's layers 0 to {config.layers - 1}")
        own = None if config.is_global(layer) else config.half_window
        reach = None if own is None or reach is None else reach + own
        field.append((own, reach))
    return field


def plot_receptive_field(
    config: EncoderConfig,
    layers: Sequence[int] | None = None,
    length: int = 512,
    title: str = "",
    axes: Axes | None = None,
) -> Axes:
    """Draw `receptive_field` around the middle token of a text of `length` tokens, a row for each layer.

    The dark bar is what the layer itself looks at, the light one what has reached the token by then.

    Raises:
        ValueError: as for `receptive_field`, or a length below 3.

    Source: Beltagy et al. 2020, section 3.1; Warner et al. 2024, section 2.1.1.

    >>> axes = plot_receptive_field(EncoderConfig.preset("modernbert-base"), [1, 2])
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['1 local', '2 local']
    >>> plt.close(axes.figure)
    """
    check_axes(axes, title)
    field = receptive_field(config, layers)
    if isinstance(length, bool) or not isinstance(length, int) or length < 3:
        raise ValueError(f"length={length!r}: expected a number of tokens, at least 3")
    numbers = list(range(config.layers) if layers is None else layers)
    if axes is None:
        axes = plt.subplots(figsize=(7.5, 1.6 + 0.26 * len(field)), dpi=DPI, layout="constrained")[1]
    half = (length - 1) / 2
    for row, (own, reach) in enumerate(field):
        for height, color, far in ((0.84, "#A6CEE8", reach), (0.42, "#0072B2" if own is not None else "#D55E00", own)):
            side = half if far is None else min(far, half)
            axes.barh(row, 2 * side + 1, left=-side - 0.5, height=height, color=color, edgecolor="white", linewidth=0.5)
    axes.set_yticks(
        range(len(field)),
        [f"{n} {'global' if own is None else 'local'}" for n, (own, _) in zip(numbers, field, strict=True)],
    )
    kinds = {own is None for own, _ in field}
    entries = [("#0072B2", "a local layer looks here")] * (False in kinds)
    entries += [("#D55E00", "a global layer looks here")] * (True in kinds)
    entries += [("#A6CEE8", "news has come from here")]
    handles = [plt.Rectangle((0, 0), 1, 1, color=color, label=name) for color, name in entries]
    axes.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.42 / (1 + 0.2 * len(field))),
        ncols=3,
        frameon=False,
    )
    axes.set(
        xlabel=f"tokens away from the middle of a text of {length}",
        ylabel="layer",
        title=title,
        xlim=(-half - 0.5, half + 0.5),
    )
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return axes
