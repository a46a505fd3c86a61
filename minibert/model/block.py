"""A block: attention mixes the tokens, feed-forward works on each, and a residual path runs around both."""

from torch import Tensor, nn

from minibert.config import EncoderConfig
from minibert.model.attention import Attention, PackedContext
from minibert.model.feed_forward import FeedForward, GatedFeedForward
from minibert.model.norms import make_norm


class Block(nn.Module):
    """One encoder layer, with the norm after the residual sum (BERT) or before each sub-layer (ModernBERT, EuroBERT).

    Shape: x (N, D) -> x (N, D), and the attention probabilities when the context asks for them.

    After: x = norm(x + f(x)): what passes on is always normalised. Before: x = x + f(norm(x)): the residual stream
    itself is never touched, so gradients reach the first layer unscaled.

    Source: Devlin et al. 2019 (post-norm, from Vaswani et al. 2017); Xiong et al. 2020 (pre-norm).

    >>> import torch
    >>> block = Block(EncoderConfig.preset("bert-nano"), layer=0)
    >>> block(torch.zeros(3, 128), PackedContext(torch.tensor([0, 3]), 3, torch.arange(3)))[0].shape
    torch.Size([3, 128])
    """

    def __init__(self, config: EncoderConfig, layer: int):
        super().__init__()
        self.post_norm = config.norm_placement == "post"
        # ModernBERT's embeddings are normalised already: its first block does not normalise them again.
        skip = layer == 0 and config.skip_first_attn_norm
        self.attention_norm = nn.Identity() if skip else make_norm(config)
        self.attention = Attention(config, layer)
        self.attention_dropout = nn.Dropout(config.dropout_attn_out)
        self.feed_forward_norm = make_norm(config)
        self.feed_forward = GatedFeedForward(config) if config.mlp == "glu" else FeedForward(config)
        self.feed_forward_dropout = nn.Dropout(config.dropout_mlp_out)

    def forward(self, x: Tensor, context: PackedContext) -> tuple[Tensor, tuple[Tensor, ...] | None]:
        if self.post_norm:
            mixed, probabilities = self.attention(x, context)
            x = self.attention_norm(x + self.attention_dropout(mixed))
            x = self.feed_forward_norm(x + self.feed_forward_dropout(self.feed_forward(x)))
        else:
            mixed, probabilities = self.attention(self.attention_norm(x), context)
            x = x + self.attention_dropout(mixed)
            x = x + self.feed_forward_dropout(self.feed_forward(self.feed_forward_norm(x)))
        return x, probabilities
