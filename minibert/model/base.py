"""What all models share: padding is removed on the way in and put back on the way out; save and open a folder."""

from pathlib import Path

import torch
from torch import Tensor, nn

from minibert.compiling import uncompiled
from minibert.config import EncoderConfig
from minibert.model.check_input import check_padded
from minibert.model.initialization import initialize
from minibert.model.outputs import Output
from minibert.varlen import Packing, find_packing, pad, unpad


class PackedModel(nn.Module):
    """A model that computes on packed batches and is called with padded ones.

    Subclasses define `packed(ids, cu_seqlens, segment_ids, output_attentions, output_hidden_states, backend)`, which
    takes and gives the packed form; `forward` removes padding before it and puts padding back at the end.

    >>> PackedModel.token_wise_logits
    True
    """

    token_wise_logits = True  # False for models with one prediction per text

    def __init__(self, config: EncoderConfig):
        super().__init__()
        if not isinstance(config, EncoderConfig):
            raise ValueError(f"config: {config!r}, expected an EncoderConfig; try EncoderConfig.preset('bert-nano')")
        self.config = config

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        segment_ids: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        backend: str = "auto",
    ) -> Output:
        """Run a padded batch.

        Shape: input_ids (B, T) integer; attention_mask (B, T), 1 on real tokens, None when all are real; segment_ids
        (B, T) of 0 and 1, None for sentence A everywhere. See `Output` for what comes back.

        Padding may stand on either side; positions count from the first real token. `output_attentions` and
        `output_hidden_states` run the slow reference path, the only one that forms the probabilities.

        Raises:
            ValueError: shapes or dtypes that do not match, ids outside the vocabulary, texts longer than the learned
                positions, a row that is all padding, segment ids for a model that has no segments.
        """
        attention_mask = check_padded(input_ids, attention_mask, segment_ids)
        packing = find_packing(attention_mask)
        output = self.packed(
            unpad(input_ids, packing),
            packing.cu_seqlens,
            segment_ids=None if segment_ids is None else unpad(segment_ids, packing),
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            backend=backend,
        )
        return self._pad_output(output, packing)

    def _pad_output(self, output: Output, packing: Packing) -> Output:
        def padded(packed: Tensor | None) -> Tensor | None:
            return None if packed is None else pad(packed, packing)

        states, maps = output.hidden_states, output.attentions
        return Output(
            hidden=padded(output.hidden),
            logits=padded(output.logits) if self.token_wise_logits else output.logits,
            pooled=output.pooled,
            nsp_logits=output.nsp_logits,
            hidden_states=None if states is None else tuple(padded(state) for state in states),
            attentions=None if maps is None else tuple(_pad_maps(layer, packing) for layer in maps),
        )

    def _finish(self, generator: torch.Generator | None) -> None:
        """Last line of every public constructor: draw the weights (on the meta device there is nothing to draw)."""
        if not next(self.parameters()).is_meta:
            initialize(self, self.config, generator)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors; `transformers` opens the folder. See `checkpoints.save_model`."""
        from minibert.checkpoints import save_model

        save_model(self, folder)

    @classmethod
    def from_pretrained(cls, folder: str | Path, **options):
        """Open a folder that `save_pretrained` or `transformers` wrote; never touches the network.

        `options` are those of `checkpoints.load_model`.
        """
        from minibert.checkpoints import load_model

        return load_model(cls, folder, **options)


class EncoderWithHead(PackedModel):
    """An encoder and a few weights behind it: subclasses say in `answer` what these make of the hidden states.

    >>> EncoderWithHead.token_wise_logits
    True
    """

    encoder: PackedModel

    def answer(self, output: Output, cu_seqlens: Tensor, predict_at: Tensor | None) -> None:
        """Add this model's logits to the encoder's output."""
        raise NotImplementedError(f"{type(self).__name__} does not define answer()")

    def packed(
        self,
        ids: Tensor,
        cu_seqlens: Tensor,
        segment_ids: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        backend: str = "auto",
        predict_at: Tensor | None = None,
    ) -> Output:
        """Run a packed batch: the encoder (see `Encoder.packed`), then `answer`.

        `predict_at` (M,) holds indices into the N tokens: only these get logits, (M, ...) instead of (N, ...). Training
        needs the vocabulary at the masked positions alone, and the vocabulary is most of a small model.
        """
        output = self.encoder.packed(ids, cu_seqlens, segment_ids, output_attentions, output_hidden_states, backend)
        self.answer(output, cu_seqlens, predict_at)
        return output


def _pad_maps(maps: tuple[Tensor, ...], packing: Packing) -> Tensor:
    """One layer's (H, T, T) per document -> (B, H, T, T), each map where its tokens stand in the padded row."""
    if torch.compiler.is_compiling():
        return uncompiled(_pad_maps)(maps, packing)
    heads, width = maps[0].shape[0], packing.width
    padded = maps[0].new_zeros(packing.batch, heads, width, width)
    for row, probabilities in enumerate(maps):
        first = int(packing.indices[int(packing.cu_seqlens[row])]) - row * width
        here = slice(first, first + probabilities.shape[-1])
        padded[row, :, here, here] = probabilities
    return padded
