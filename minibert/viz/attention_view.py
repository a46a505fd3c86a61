"""A view of all heads of a model over one text: an overview, one head's links, and tokens to point at."""

from collections.abc import Sequence

from torch import Tensor

from minibert.viz.alt_text import describe_attention
from minibert.viz.attention_data import check_tokens, pack_links, read_layers
from minibert.viz.page import View, fragment, png_of, printable, text_of


class AttentionView(View):
    """All attention of one text, to look around in: in a notebook as the last line of a cell, or as a page of its own.

    On the left all heads, a row for each layer; on the right the chosen head as lines from each token to what it looks
    at. Point at a token to follow its lines, from either side; click or press Enter to pin it, Escape to free it; arrow
    keys move among tokens and among heads. Needs no network and follows the light or dark theme. Where scripts do not
    run there is a still picture of the chosen head, and `token` is the one whose lines it shows in colour.

    What is shown is rounded (see `levels_of`): by less than half a percent. Up to 64 tokens every link is kept. Up to
    512 tokens each token keeps its strongest links, a million in all: 7 a token for 22 layers of 12 heads, which makes
    a page of about 4 MB. The same input gives the same bytes. Probabilities of a model in double precision
    (`model.double()`) are the same on every computer, those in single precision may differ by one step of rounding.

    Shape: attentions: L tensors (1, H, T, T) or (H, T, T), as `Output.attentions` of one text, or one tensor
    (L, H, T, T). Row i of a map says where token i looks.

    Raises:
        ValueError: several texts, padding, values that are no probabilities, a layer, head or token that is not there,
            more than 512 tokens, or more heads than fit.

    Source: after Vig 2019, a multiscale visualization of attention, drawn anew.

    >>> import torch
    >>> view = AttentionView(["the", "cat"], [torch.full((1, 3, 2, 2), 0.5)], head=1)
    >>> view
    AttentionView(2 tokens, 1 layer, 3 heads)
    >>> sorted(view._repr_mimebundle_()[0])
    ['image/png', 'text/html', 'text/plain']
    """

    def __init__(
        self,
        tokens: Sequence[str],
        attentions: Sequence[Tensor] | Tensor,
        layer: int = 0,
        head: int = 0,
        token: int | None = None,
        title: str = "Attention",
    ):
        self.tokens = check_tokens(tokens)
        self.links = pack_links(self.tokens, read_layers(attentions, len(self.tokens)))
        layers, heads = self.links.values.shape[:2]
        self.layer = _place(layer, layers, "layer")
        self.head = _place(head, heads, "head")
        self.token = None if token is None else _place(token, len(self.tokens), "token")
        if not isinstance(title, str):
            raise ValueError(f"title: got {type(title).__name__}, expected a text")
        self.title = title

    def __repr__(self) -> str:
        layers, heads = self.links.values.shape[:2]
        counts = ((len(self.tokens), "token"), (layers, "layer"), (heads, "head"))
        return f"AttentionView({', '.join(f'{n} {name}' + 's' * (n > 1) for n, name in counts)})"

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        shown = describe_attention(self.tokens, self.links.probabilities(self.layer, self.head))
        return printable(f"{self.title}. Layer {self.layer}, head {self.head}. {shown}")

    def _repr_html_(self) -> str:
        from minibert.viz.attention_still import draw_svg

        links = self.links
        layers, heads = links.values.shape[:2]
        note = (
            "" if links.keys is None else f" Of this long text the {links.kept} strongest links of each token are kept."
        )
        data = dict(
            tokens=self.tokens,
            title=self.title,
            note=note,
            layers=layers,
            heads=heads,
            layer=self.layer,
            head=self.head,
            pinned=None if self.token is None else [0, self.token],
            kept=links.kept,
            pool=links.maps.shape[-1],
            values=text_of(links.values.numpy().tobytes()),
            keys=None if links.keys is None else text_of(links.keys.numpy().astype("<i2").tobytes()),
            thumbs=None if links.maps.shape == links.values.shape else text_of(links.maps.numpy().tobytes()),
        )
        return fragment("attention", data, draw_svg(self), self.describe())

    def _repr_png_(self) -> bytes:
        from minibert.viz.attention_still import draw_figure

        return png_of(draw_figure(self), dpi=90)


def _place(number, count: int, name: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not -count <= number < count:
        raise ValueError(
            f"{name}={number!r}: there are {count}, numbered 0 to {count - 1} (or -{count} to -1 from the end)"
        )
    return number % count
