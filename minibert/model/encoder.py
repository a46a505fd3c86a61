"""The encoder: embeddings, a stack of blocks, a final norm. Everything else in this package stands on it."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from minibert.config import EncoderConfig
from minibert.model.attention import PackedContext
from minibert.model.base import PackedModel, require_tensors
from minibert.model.block import Block
from minibert.model.embeddings import Embeddings
from minibert.model.heads import Pooler
from minibert.model.norms import make_norm
from minibert.model.outputs import Output
from minibert.varlen import packed_positions


class Encoder(PackedModel):
    """BERT, ModernBERT or EuroBERT without a prediction head.

    `pooler` adds BERT's pooler (by default where the config's `pool` is "bert"). Set `gradient_checkpointing = True`
    to recompute each block in the backward pass instead of keeping its activations: less memory, about a third more
    time, the same gradients. `draw=False` leaves the weights for a model around this one to draw.

    Shape: see `PackedModel.forward` (padded) and `packed`.

    Raises:
        ValueError: see `PackedModel.forward`.

    Source: Devlin et al. 2019; Warner et al. 2024; Boizard et al. 2025.

    >>> encoder = Encoder(EncoderConfig.preset("modernbert-nano"))
    >>> encoder(torch.tensor([[2, 9, 3], [2, 3, 0]]), torch.tensor([[1, 1, 1], [1, 1, 0]])).hidden.shape
    torch.Size([2, 3, 128])
    """

    def __init__(
        self,
        config: EncoderConfig,
        *,
        pooler: bool | None = None,
        generator: torch.Generator | None = None,
        draw: bool = True,
    ):
        super().__init__(config)
        self.embeddings = Embeddings(config)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.final_norm = make_norm(config) if config.final_norm else nn.Identity()
        self.pooler = Pooler(config) if (config.pool == "bert" if pooler is None else pooler) else None
        self.gradient_checkpointing = False
        if draw:
            self._finish(generator)

    def packed(
        self,
        ids: Tensor,
        cu_seqlens: Tensor,
        segment_ids: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        backend: str = "auto",
    ) -> Output:
        """Run a packed batch.

        Shape: ids (N,) integer, cu_seqlens (B + 1,) from 0 to N, segment_ids (N,) -> hidden (N, D); see `Output`.

        Raises:
            ValueError: see `PackedModel.forward`.
        """
        cu_seqlens = check_packed(ids, cu_seqlens, segment_ids, self.config)
        context = PackedContext(
            cu_seqlens=cu_seqlens,
            max_seqlen=int(cu_seqlens.diff().max()),
            positions=packed_positions(cu_seqlens),
            # Whoever looks inside gets the numbers of the path that can be read, not those of a fused kernel.
            backend="reference" if output_hidden_states and backend == "auto" else backend,
            need_probabilities=output_attentions,
        )
        hidden = self.embeddings(ids, context.positions, segment_ids)  # (N, D)
        states, maps = [hidden], []
        for block in self.blocks:
            if self.gradient_checkpointing and self.training:
                hidden, probabilities = checkpoint(block, hidden, context, use_reentrant=False)
            else:
                hidden, probabilities = block(hidden, context)
            if output_hidden_states:
                states.append(hidden)
            maps.append(probabilities)
        hidden = self.final_norm(hidden)
        states[-1] = hidden
        return Output(
            hidden=hidden,
            pooled=None if self.pooler is None else self.pooler(hidden, cu_seqlens),
            hidden_states=tuple(states) if output_hidden_states else None,
            attentions=tuple(maps) if output_attentions else None,
        )


def check_packed(ids: Tensor, cu_seqlens: Tensor, segment_ids: Tensor | None, config: EncoderConfig) -> Tensor:
    """Refuse what the encoder cannot read; return cu_seqlens as int32 on the device of the ids.

    Raises:
        ValueError: naming the argument, what it was, what was expected.

    >>> check_packed(torch.tensor([9999]), torch.tensor([0, 1]), None, EncoderConfig.preset("bert-nano"))
    Traceback (most recent call last):
    ...
    ValueError: ids: 9999..9999, expected 0..7999 (vocab_size=8000); was the text made by another tokenizer?
    """
    require_tensors(ids=ids, cu_seqlens=cu_seqlens, segment_ids=segment_ids)
    integer = (torch.int32, torch.int64)
    if ids.dim() != 1 or ids.numel() == 0:
        raise ValueError(f"ids: shape {tuple(ids.shape)}, expected (N,) with at least one token")
    if ids.dtype not in integer:
        raise ValueError(f"ids: dtype {ids.dtype}, expected int64 or int32 token ids")
    low, high = (int(x) for x in torch.aminmax(ids))
    if low < 0 or high >= config.vocab_size:
        raise ValueError(
            f"ids: {low}..{high}, expected 0..{config.vocab_size - 1} (vocab_size={config.vocab_size}); "
            "was the text made by another tokenizer?"
        )
    if cu_seqlens.dim() != 1 or len(cu_seqlens) < 2 or cu_seqlens.dtype not in integer:
        raise ValueError(
            f"cu_seqlens: shape {tuple(cu_seqlens.shape)}, dtype {cu_seqlens.dtype}, expected (B + 1,) int32"
        )
    borders = cu_seqlens.tolist()
    lengths = [end - start for start, end in pairwise(borders)]
    if borders[0] != 0 or borders[-1] != len(ids) or min(lengths) < 1:
        raise ValueError(
            f"cu_seqlens: runs from {borders[0]} to {borders[-1]}, shortest text {min(lengths)}; "
            f"expected 0 to N={len(ids)}, every text at least one token"
        )
    if config.position == "learned" and max(lengths) > config.max_len:
        raise ValueError(
            f"a text has {max(lengths)} tokens, but this model learned {config.max_len} positions: "
            f"truncate with max_length={config.max_len}"
        )
    if segment_ids is not None:
        if config.segments == 0:
            raise ValueError("segment_ids: this model has no segment embedding; leave them out")
        if segment_ids.shape != ids.shape or segment_ids.dtype not in integer:
            raise ValueError(
                f"segment_ids: shape {tuple(segment_ids.shape)}, dtype {segment_ids.dtype}, "
                f"expected {tuple(ids.shape)} int64"
            )
        low, high = (int(x) for x in torch.aminmax(segment_ids))
        if low < 0 or high >= config.segments:
            raise ValueError(f"segment_ids: {low}..{high}, expected 0 (sentence A) or 1 (sentence B)")
    return cu_seqlens.to(device=ids.device, dtype=torch.int32)
