"""From ids to vectors: what a token is, where it stands, and which sentence it belongs to."""

from torch import Tensor, nn

from minibert.config import EncoderConfig
from minibert.model.norms import make_norm


class Embeddings(nn.Module):
    """Sum the token, position and segment tables as far as the config has them, normalise, drop out.

    BERT adds all three ModernBERT and EuroBERT look up the token only (RoPE brings the position into attention), and
    EuroBERT does not even normalise.

    Shape: ids, positions, segment_ids (N,) int64 -> (N, D). `segment_ids` None means sentence A everywhere.

    Source: Devlin et al. 2019, section 3, figure 2.

    >>> import torch
    >>> embeddings = Embeddings(EncoderConfig.preset("bert-nano"))
    >>> embeddings(torch.tensor([2, 7, 3]), torch.arange(3)).shape
    torch.Size([3, 128])
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.token = nn.Embedding(config.vocab_size, config.hidden)
        rows = config.position_offset + config.max_len
        self.position = nn.Embedding(rows, config.hidden) if config.position == "learned" else None
        self.offset = config.position_offset
        self.segment = nn.Embedding(config.segments, config.hidden) if config.segments else None
        self.norm = make_norm(config) if config.embed_norm else nn.Identity()
        self.dropout = nn.Dropout(config.dropout_embed)

    def forward(self, ids: Tensor, positions: Tensor, segment_ids: Tensor | None = None) -> Tensor:
        x = self.token(ids)  # (N, D)
        if self.segment is not None:
            x = x + (self.segment.weight[0] if segment_ids is None else self.segment(segment_ids))
        if self.position is not None:
            x = x + self.position(positions + self.offset)
        return self.dropout(self.norm(x))
