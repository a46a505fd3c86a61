"""An encoder that runs in the browser: one page with the weights, the tokenizer and the forward pass inside.

`tokenizer.js` and `forward.js` compute, function by function as this package does; `explain.js` is the page around.
"""

import base64
import dataclasses
from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from minibert.model.models import MaskedLanguageModel
from minibert.tasks.inference import inference
from minibert.tokenization.base import Tokenizer
from minibert.viz.attention_still import draw_overview
from minibert.viz.attention_view import AttentionView
from minibert.viz.page import COLORS, View, for_matplotlib, fragment, printable, script_of, text_of
from minibert.viz.tokenizer_view import tokenizer_data

TEXTS = ("The [MASK] of the United States is in Washington.", "We live in peace with every state of the world.")
LARGEST = 6_000_000  # bytes of a page
MOST_TOKENS = 128
BIG = 50_000  # numbers of a matrix that is worth a byte each


class Explainer(View):
    """A page in which a masked language model runs: pieces, guesses, attention, a pair of tokens, a word in two texts.

    Weights are stored in half precision where the page stays under `largest` bytes with them, else the large matrices
    in 8 bits with a scale for each row; `stored` says which. Texts are cut to 128 tokens, or to what a table of
    positions has.

    Raises:
        ValueError: the tokenizer has a rule that the page lacks, or the page would be too large even in 8 bits.

    >>> import minibert
    >>> folder = minibert.shipped("bert-nano")
    >>> view = Explainer(minibert.MaskedLanguageModel.from_pretrained(folder), minibert.load_tokenizer(folder))
    >>> view.stored
    'half precision'
    """

    def __init__(
        self,
        model: MaskedLanguageModel,
        tokenizer: Tokenizer,
        texts: Sequence[str] = TEXTS,
        name: str = "the model",
        largest: int = LARGEST,
    ):
        self.model, self.tok, self.title = model, tokenizer, f"{name}, running on this page"
        self.texts = [str(text) for text in texts]
        self.tokenizer = tokenizer_data(tokenizer)
        self.special = dict(mask=tokenizer.mask_id, all=sorted(tokenizer.special_ids))
        weights = {key.removeprefix("encoder."): tensor for key, tensor in model.state_dict().items()}
        if model.config.tie:
            weights.pop("decoder.weight", None)
        for self.stored, pack in (("half precision", pack_half), ("8 bits", pack_bytes)):
            self.weights = {key: pack(tensor.detach().float()) for key, tensor in weights.items()}
            self.page = self._fragment()
            if len(self.page) <= largest:
                return
        raise ValueError(
            f"a page of {len(self.page):,} bytes even in 8 bits, {largest:,} at most: "
            "take a smaller model, such as a nano, or allow a larger page"
        )

    def __repr__(self) -> str:
        return f"Explainer({self.title}, {self.stored})"

    def describe(self) -> str:
        """The page in words, for where scripts do not run."""
        return printable(f"{self.title}. Scripts must run to see it: open the page in a browser.")

    def _repr_html_(self) -> str:
        return self.page

    def figure(self) -> Figure:
        """What the page shows at first, for where scripts do not run: the guesses for the first mask, and all heads."""
        encoding = self.tok.encode(self.texts[0])
        ids, tokens = encoding.ids[:MOST_TOKENS], encoding.tokens[:MOST_TOKENS]
        with inference(self.model):
            output = self.model(torch.tensor([ids]), output_attentions=True)
        figure = plt.figure(figsize=(10, 4.2), layout="constrained")
        figure.suptitle(for_matplotlib(f"{self.title}: {self.texts[0]}"), fontsize=13)
        bars, heads = figure.subplots(1, 2, width_ratios=(1, 1.2))
        place = ids.index(self.tok.mask_id) if self.tok.mask_id in ids else 1
        best = output.logits[0, place].softmax(dim=-1).topk(10)
        words = [for_matplotlib(self.tok.decode([token]).strip()) for token in best.indices.tolist()]
        bars.barh(range(10), best.values, color=COLORS[0])
        bars.set_yticks(range(10), words, fontsize=13)
        bars.invert_yaxis()
        bars.set_title(f"guesses for token {place}", fontsize=13)
        bars.set_xlabel("probability", fontsize=13)
        bars.spines[["top", "right"]].set_visible(False)
        draw_overview(AttentionView(tokens, torch.cat(output.attentions)), heads)
        heads.set_title("attention weights of all heads", fontsize=13)
        return figure

    def _fragment(self) -> str:
        config = self.model.config
        most = min(MOST_TOKENS, config.max_len) if config.position == "learned" else MOST_TOKENS
        data = dict(
            title=self.title,
            note=f"Weights in {self.stored}. Nothing leaves this page, and it needs no network.",
            config=dataclasses.asdict(config),
            weights=self.weights,
            tokenizer=self.tokenizer,
            special=self.special,
            mask=self.tokenizer["tokens"][self.special["mask"]],
            most=most,
            texts=self.texts,
            attention=script_of("attention"),
        )
        words = "This page needs scripts: a model runs in it."
        still = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 420 40"><text x="8" y="26">{words}</text></svg>'
        return fragment("explain", data, still, self.describe())


def pack_half(tensor: Tensor) -> dict:
    """A tensor in half precision, as text for the page.

    >>> unpacked(pack_half(torch.tensor([1.0, 0.1]))).tolist()
    [1.0, 0.0999755859375]
    """
    return dict(shape=list(tensor.shape), half=text_of(tensor.half().contiguous().numpy().tobytes()))


def pack_bytes(tensor: Tensor) -> dict:
    """A large matrix as whole numbers from -127 to 127 with a scale for each row; anything else in half precision.

    >>> pack_bytes(torch.ones(2, 3))["half"]
    'ADwAPAA8ADwAPAA8'
    """
    if tensor.ndim != 2 or tensor.numel() < BIG:
        return pack_half(tensor)
    scales = tensor.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127  # (rows, 1)
    whole = (tensor / scales).round().to(torch.int8)
    return dict(
        shape=list(tensor.shape),
        int8=text_of(whole.contiguous().numpy().tobytes()),
        scales=text_of(scales.flatten().numpy().astype("<f4").tobytes()),
    )


def unpacked(packed: dict) -> Tensor:
    """The tensor that the page computes with, float32.

    >>> big = torch.linspace(-1, 1, 60_000).view(300, 200)
    >>> (unpacked(pack_bytes(big)) - big).abs().max().item() < 1 / 127
    True
    """
    if "half" in packed:
        return (
            torch.frombuffer(bytearray(base64.b64decode(packed["half"])), dtype=torch.float16)
            .float()
            .view(packed["shape"])
        )
    whole = torch.frombuffer(bytearray(base64.b64decode(packed["int8"])), dtype=torch.int8).view(packed["shape"])
    return whole * torch.frombuffer(bytearray(base64.b64decode(packed["scales"])), dtype=torch.float32)[:, None]
