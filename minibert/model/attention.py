"""Self-attention: each token compares its query with all keys and takes a weighted mean of the values."""

import torch
from torch import Tensor, nn

from minibert.compiling import uncompiled
from minibert.config import EncoderConfig
from minibert.model.linear import Linear
from minibert.model.rotary import rotary_tables, rotate
from minibert.varlen.dispatch import attend
from minibert.varlen.reference import PackedContext


class Attention(nn.Module):
    """Multi-head self-attention over a packed batch, with H query heads and G key/value heads.

    Shape: x (N, D) -> output (N, D) and, when the context asks for them, one (H, T, T) of probabilities per document.

    One matrix makes queries, keys and values: its rows are H·K of query, then G·K of key, then G·K of value. Local
    layers see W tokens to each side and rotate by `rope_theta_local`. Dropout acts on the probabilities.

    Source: Vaswani et al. 2017, section 3.2; Ainslie et al. 2023 (G < H); Warner et al. 2024, section 2.1 (local).

    >>> import torch
    >>> layer = Attention(EncoderConfig.preset("eurobert-nano"), layer=0)
    >>> context = PackedContext(torch.tensor([0, 3, 5]), 3, torch.tensor([0, 1, 2, 0, 1]))
    >>> layer(torch.zeros(5, 128), context)[0].shape
    torch.Size([5, 128])
    """

    def __init__(self, config: EncoderConfig, layer: int):
        super().__init__()
        self.heads, self.groups, self.head_size = config.heads, config.groups, config.head_size
        is_global = config.is_global(layer)
        self.window = None if is_global else config.half_window
        self.theta = config.rope_theta if is_global else config.rope_theta_local
        self.probability_dropout = config.dropout_attn_probs
        rows = (self.heads + 2 * self.groups) * self.head_size
        self.query_key_value = Linear(config.hidden, rows, bias=config.attention_bias)
        self.output = Linear(self.heads * self.head_size, config.hidden, bias=config.attention_bias)

    def forward(self, x: Tensor, context: PackedContext) -> tuple[Tensor, tuple[Tensor, ...] | None]:
        mixed, probabilities = self._mix(self.query_key_value(x), context)
        return self.output(mixed), probabilities

    def _mix(self, projected: Tensor, context: PackedContext) -> tuple[Tensor, tuple[Tensor, ...] | None]:
        """(N, (H + 2G)·K) of query, key and value -> (N, H·K)."""
        if torch.compiler.is_compiling():
            return uncompiled(Attention._mix)(self, projected, context)
        projected = projected.view(len(projected), -1, self.head_size)  # (N, H + 2G, K)
        query_key, value = projected.split([self.heads + self.groups, self.groups], dim=1)
        if self.theta is not None:
            cos, sin = context.once(  # (N, K / 2) each, for all layers with this theta
                ("rotation", self.head_size, self.theta, projected.dtype),
                lambda: rotary_tables(context.positions, self.head_size, self.theta, projected.dtype),
            )
            query_key = rotate(query_key, cos, sin)  # the value keeps no trace of position
        query, key = query_key.split([self.heads, self.groups], dim=1)  # (N, H, K), (N, G, K)
        dropout = self.probability_dropout if self.training else 0.0
        mixed, probabilities = attend(query, key, value, context.for_layer(self.window, dropout))
        return mixed.flatten(1), probabilities  # (N, H, K) -> (N, H·K)
