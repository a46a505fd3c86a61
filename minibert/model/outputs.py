"""What a model returns."""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class Output:
    """The results of one forward pass; what was not asked for, or does not exist for this model, is None.

    Shape, padded call (packed call):
        logits: (B, T, V), (B, T, labels) or (B, labels), by model ((N, ...) for the token-wise ones)
        hidden: (B, T, D), the last hidden states ((N, D)); zeros on padding
        pooled: (B, D), BERT's tanh-pooled [CLS]
        nsp_logits: (B, 2); index 0 says "B follows A", index 1 "B is random"
        hidden_states: L + 1 tensors like `hidden`. Number 0 leaves the embeddings, number i leaves block i, and the
            last one, number L, has the final norm applied where the model has one: it equals `hidden`. In pre-norm
            models the others are the raw residual stream, on another scale: normalise before you compare layers.
        attentions: L tensors (B, H, T, T), zeros on padding (packed: L tuples of one (H, T, T) per document)

    >>> Output(hidden=None).logits is None
    True
    """

    hidden: Tensor
    logits: Tensor | None = None
    pooled: Tensor | None = None
    nsp_logits: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple | None = None
