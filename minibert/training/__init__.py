"""How the encoders are trained: optimisers, schedules, data order, the loop, and checkpoints that survive a kill."""

from minibert.training.optimizers import AdamW, BertAdam, StableAdamW, parameter_groups
from minibert.training.schedules import linear_decay, trapezoid

__all__ = ["AdamW", "BertAdam", "StableAdamW", "linear_decay", "parameter_groups", "trapezoid"]
