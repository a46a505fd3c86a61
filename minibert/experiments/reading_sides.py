"""Three ways to read: from the left, from both sides apart, and from both sides together. The mask is the difference.

deep           every layer sees both sides           MaskedLanguageModel
one-way        every layer sees one side             look(model, "left")
concatenated   two one-way encoders, joined at the end    Concatenated
"""

import torch
from torch import Tensor, nn

from minibert.config import EncoderConfig
from minibert.model.attention import Attention, PackedContext
from minibert.model.encoder import Encoder
from minibert.model.heads import PredictionHead
from minibert.model.initialization import initialize
from minibert.model.models import MaskedLanguageModel
from minibert.model.rotary import rotary_tables, rotate

SIDES = ("left", "right", "both")


def may_see(lengths: Tensor, side: str) -> Tensor:
    """Which key each query may look at: itself, and the tokens of its own text on this side.

    Shape: lengths (B,) -> (B, T, T) bool, True where query i may see key j.

    >>> may_see(torch.tensor([3]), "left")[0].int().tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    index = torch.arange(int(lengths.max()))
    query, key = index[:, None], index[None, :]
    seen = {"left": key <= query, "right": key >= query, "both": torch.ones_like(key == query)}[side]  # (T, T)
    is_word = index < lengths[:, None]  # (B, T)
    return seen & is_word[:, None, :] | (key == query)  # padding sees itself: an empty row would be NaN


class OneWay(nn.Module):
    """The weights of an attention layer behind another mask.

    Shape: x (N, D) -> (N, D), as `Attention`; no probabilities.

    Source: Radford et al. 2018 (the left side only).

    >>> layer = OneWay(Attention(EncoderConfig.preset("modernbert-nano"), layer=0), "left")
    >>> layer(torch.zeros(5, 128), PackedContext(torch.tensor([0, 3, 5]), 3, torch.tensor([0, 1, 2, 0, 1])))[0].shape
    torch.Size([5, 128])
    """

    def __init__(self, attention: Attention, side: str):
        super().__init__()
        if side not in SIDES:
            raise ValueError(f"side is {side!r}; expected one of {', '.join(SIDES)}")
        self.attention, self.side = attention, side

    def forward(self, x: Tensor, context: PackedContext) -> tuple[Tensor, None]:
        inner, lengths = self.attention, context.cu_seqlens.diff()
        projected = inner.query_key_value(x).view(len(x), 3, inner.heads, inner.head_size)  # (N, 3, H, K)
        query_key, value = projected[:, :2].flatten(1, 2), projected[:, 2]
        if inner.theta is not None:
            key = ("rotation", inner.theta)
            if key not in context.shared:
                context.shared[key] = rotary_tables(context.positions, inner.head_size, inner.theta, x.dtype)
            query_key = rotate(query_key, *context.shared[key])
        if self.side not in context.shared:
            context.shared[self.side] = may_see(lengths, self.side)[:, None]  # (B, 1, T, T)
        is_word = torch.arange(int(lengths.max())) < lengths[:, None]  # (B, T)
        rows = []
        for packed in (*query_key.view_as(projected[:, :2]).unbind(1), value):  # (N, H, K) each
            padded = packed.new_zeros(*is_word.shape, *packed.shape[1:])
            padded[is_word] = packed
            rows.append(padded.transpose(1, 2))  # (B, H, T, K)
        mixed = nn.functional.scaled_dot_product_attention(*rows, attn_mask=context.shared[self.side])
        return inner.output(mixed.transpose(1, 2)[is_word].flatten(1)), None


def look(model: nn.Module, side: str) -> nn.Module:
    """Let every attention layer of `model` see this side only; the same model comes back.

    >>> model = look(MaskedLanguageModel(EncoderConfig.preset("modernbert-nano")), "left")
    >>> model.encoder.blocks[0].attention.side
    'left'
    """
    for module in list(model.modules()):
        if isinstance(getattr(module, "attention", None), Attention) and not isinstance(module, OneWay):
            module.attention = OneWay(module.attention, side)
    return model


class LeftToRight(nn.Module):
    """A language model: the word at t is read from the state at t - 1, which has seen the words before t.

    Shape: ids (N,), cu_seqlens (B + 1,), at (M,) indices of words, no first word of a text -> scores (M, V).

    Source: Radford et al. 2018.

    >>> model = LeftToRight(EncoderConfig.preset("modernbert-nano"))
    >>> model(torch.tensor([2, 7, 3]), torch.tensor([0, 3]), torch.tensor([1])).shape
    torch.Size([1, 8000])
    """

    hides = False  # the word to be found may stay in the text: nothing that is read has seen it

    def __init__(self, config: EncoderConfig, generator: torch.Generator | None = None):
        super().__init__()
        self.model = look(MaskedLanguageModel(config, generator), "left")

    def forward(self, ids: Tensor, cu_seqlens: Tensor, at: Tensor) -> Tensor:
        return self.model.packed(ids, cu_seqlens, predict_at=at - 1).logits


class Deep(nn.Module):
    """A masked language model: the word at t is read from the state at t, and [MASK] must stand there.

    Shape: as `LeftToRight`.

    Source: Devlin et al. 2019, section 3.1.

    >>> model = Deep(EncoderConfig.preset("modernbert-nano"))
    >>> model(torch.tensor([2, 4, 3]), torch.tensor([0, 3]), torch.tensor([1])).shape
    torch.Size([1, 8000])
    """

    hides = True

    def __init__(self, config: EncoderConfig, generator: torch.Generator | None = None):
        super().__init__()
        self.model = look(MaskedLanguageModel(config, generator), "both")

    def forward(self, ids: Tensor, cu_seqlens: Tensor, at: Tensor) -> Tensor:
        return self.model.packed(ids, cu_seqlens, predict_at=at).logits


class Concatenated(nn.Module):
    """Two one-way encoders that never meet before the end: the word at t from [left state at t - 1; right at t + 1].

    They share the token table, which also scores the vocabulary. The linear reader can only add what the two sides say;
    `dense` puts the prediction head of the other two models (dense layer, GELU, norm) behind the junction.

    Shape: as `LeftToRight`; `at` holds no last word of a text either.

    Source: Peters et al. 2018, section 3.1 (with LSTMs); Devlin et al. 2019, section 5.1.

    >>> model = Concatenated(EncoderConfig.preset("modernbert-nano"), dense=False)
    >>> model(torch.tensor([2, 7, 3]), torch.tensor([0, 3]), torch.tensor([1])).shape
    torch.Size([1, 8000])
    """

    hides = False

    def __init__(self, config: EncoderConfig, dense: bool, generator: torch.Generator | None = None):
        super().__init__()
        self.left = look(Encoder(config, pooler=False, draw=False), "left")
        self.right = look(Encoder(config, pooler=False, draw=False), "right")
        self.right.embeddings.token = self.left.embeddings.token
        self.join = nn.Linear(2 * config.hidden, config.hidden)
        self.head = PredictionHead(config) if dense else nn.Identity()
        self.decoder = nn.Linear(config.hidden, config.vocab_size)
        self.decoder.weight = self.left.embeddings.token.weight
        initialize(self, config, generator)

    def forward(self, ids: Tensor, cu_seqlens: Tensor, at: Tensor) -> Tensor:
        left = self.left.packed(ids, cu_seqlens).hidden[at - 1]  # (M, D)
        right = self.right.packed(ids, cu_seqlens).hidden[at + 1]  # (M, D)
        return self.decoder(self.head(self.join(torch.cat([left, right], dim=1))))
