"""The encoder: embeddings, a stack of blocks, a final norm. Everything else in this package stands on it."""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from minibert.compiling import uncompiled
from minibert.config import EncoderConfig
from minibert.model.attention import PackedContext
from minibert.model.base import PackedModel
from minibert.model.block import Block
from minibert.model.check_input import check_packed
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
        # A caller who asks for hidden states gets the numbers of the path that can be read, not of a fused kernel.
        backend = "reference" if output_hidden_states and backend == "auto" else backend
        context = _checked_context(ids, cu_seqlens, segment_ids, self.config, backend, output_attentions)
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
            pooled=None if self.pooler is None else self.pooler(hidden, context.cu_seqlens),
            hidden_states=tuple(states) if output_hidden_states else None,
            attentions=tuple(maps) if output_attentions else None,
        )


def _checked_context(
    ids: Tensor, cu_seqlens: Tensor, segment_ids: Tensor | None, config: EncoderConfig, backend: str, maps: bool
) -> PackedContext:
    if torch.compiler.is_compiling():
        return uncompiled(_checked_context)(ids, cu_seqlens, segment_ids, config, backend, maps)
    cu_seqlens = check_packed(ids, cu_seqlens, segment_ids, config)
    longest = int(cu_seqlens.diff().max())
    return PackedContext(cu_seqlens, longest, packed_positions(cu_seqlens), backend, need_probabilities=maps)
