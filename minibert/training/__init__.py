"""How the encoders are trained: optimisers, schedules, data order, the loop, and checkpoints that survive a kill."""

from minibert.training.averaging import average_checkpoints, average_states
from minibert.training.checkpoint import Checkpoint, TrainingDiverged, load_newest_checkpoint, save_checkpoint
from minibert.training.data import PackedBatch, PretrainingData, pack
from minibert.training.distributed import process_group, whole_weights
from minibert.training.evaluation import evaluate, token_byte_lengths
from minibert.training.fine_tuning import FineTuned, fine_tune
from minibert.training.loop import train, update
from minibert.training.optimizers import AdamW, BertAdam, Muon, StableAdamW, parameter_groups
from minibert.training.recipe import Recipe
from minibert.training.schedules import batch_size, batch_thresholds, linear_decay, trapezoid
from minibert.training.warm_start import start_from_counts

__all__ = [
    "AdamW",
    "BertAdam",
    "Checkpoint",
    "FineTuned",
    "Muon",
    "PackedBatch",
    "PretrainingData",
    "Recipe",
    "StableAdamW",
    "TrainingDiverged",
    "average_checkpoints",
    "average_states",
    "batch_size",
    "batch_thresholds",
    "evaluate",
    "fine_tune",
    "linear_decay",
    "load_newest_checkpoint",
    "pack",
    "parameter_groups",
    "process_group",
    "save_checkpoint",
    "start_from_counts",
    "token_byte_lengths",
    "train",
    "trapezoid",
    "update",
    "whole_weights",
]
