"""What the encoders are trained to do: fill in hidden tokens, and tell which texts belong together."""

from minibert.objectives.contrastive import info_nce
from minibert.objectives.distillation import hidden_cosine_loss, keep_layers, soft_target_loss
from minibert.objectives.losses import mlm_loss, mlm_loss_sum, nsp_loss, nsp_loss_sum, pretraining_loss
from minibert.objectives.masking import IGNORE, mask_tokens
from minibert.objectives.packing import LOOK_AHEAD, best_fit, pack_rows
from minibert.objectives.sentence_pairs import (
    Example,
    build_pairs,
    build_segments,
    split_sentence,
    truncate_pair,
)

__all__ = [
    "IGNORE",
    "LOOK_AHEAD",
    "Example",
    "best_fit",
    "build_pairs",
    "build_segments",
    "hidden_cosine_loss",
    "info_nce",
    "keep_layers",
    "mask_tokens",
    "mlm_loss",
    "mlm_loss_sum",
    "nsp_loss",
    "nsp_loss_sum",
    "pack_rows",
    "pretraining_loss",
    "soft_target_loss",
    "split_sentence",
    "truncate_pair",
]
