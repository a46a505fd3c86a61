"""What all models share: the door where padding comes off, and the folder they are saved to."""

from pathlib import Path

import torch
from torch import Tensor, nn

from minibert.config import EncoderConfig
from minibert.model.initialization import initialize
from minibert.model.outputs import Output
from minibert.varlen import Packing, find_packing, pad, unpad


class PackedModel(nn.Module):
    """A model that thinks in the packed form and speaks the padded one.

    Subclasses write `packed`; this class wraps it: padding is removed before the embedding and put back at the end.

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
        require_tensors(input_ids=input_ids, attention_mask=attention_mask, segment_ids=segment_ids)
        if input_ids.dim() != 2:
            raise ValueError(
                f"input_ids: shape {tuple(input_ids.shape)}, expected (B, T); use .packed for a packed batch"
            )
        if input_ids.numel() == 0:
            raise ValueError(f"input_ids: shape {tuple(input_ids.shape)} holds no token; pass at least one text")
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids, dtype=torch.bool)
        for name, tensor in (("attention_mask", attention_mask), ("segment_ids", segment_ids)):
            if tensor is not None and tensor.shape != input_ids.shape:
                raise ValueError(
                    f"{name}: shape {tuple(tensor.shape)} does not match input_ids {tuple(input_ids.shape)}"
                )
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

    def packed(
        self,
        ids: Tensor,
        cu_seqlens: Tensor,
        segment_ids: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        backend: str = "auto",
    ) -> Output:
        """Run a packed batch: ids (N,), cu_seqlens (B + 1,) -> an Output in the packed form."""
        raise NotImplementedError(f"{type(self).__name__} does not define packed()")

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


def require_tensors(**arguments) -> None:
    """Refuse lists and arrays by name; None is nothing to refuse.

    >>> require_tensors(input_ids=[[2, 3]])
    Traceback (most recent call last):
    ...
    ValueError: input_ids: a list, expected a tensor; torch.tensor(...) makes one
    """
    for name, value in arguments.items():
        if value is not None and not isinstance(value, Tensor):
            raise ValueError(f"{name}: a {type(value).__name__}, expected a tensor; torch.tensor(...) makes one")


def _pad_maps(maps: tuple[Tensor, ...], packing: Packing) -> Tensor:
    """One layer's (H, T, T) per document -> (B, H, T, T), each map where its tokens stand in the padded row."""
    heads, width = maps[0].shape[0], packing.width
    padded = maps[0].new_zeros(packing.batch, heads, width, width)
    for row, probabilities in enumerate(maps):
        first = int(packing.indices[int(packing.cu_seqlens[row])]) - row * width
        here = slice(first, first + probabilities.shape[-1])
        padded[row, :, here, here] = probabilities
    return padded
