"""Which experiments there are. The experiment `masking` is the constant MASKING of the file masking.py."""

import importlib

from minibert.experiments.record import Experiment

NAMES = (
    "fertility",
    "senses",
    "bidirectional",
    "meeting",
    "next_sentence",
    "masking",
    "mask_rate",
    "warm_start",
    "word_pieces",
    "few_labels",
    "pretrained",
    "frozen_or_tuned",
    "needle",
    "bad_batch",
    "ladder",
    "norm_placement",
    "depth_width",
    "positions",
    "context_extension",
    "mask_rate_compute",
    "trapezoid",
    "growth",
    "annealing",
    "groups",
    "english_share",
    "code_share",
    "parallel_lines",
    "cross_retrieval",
    "transfer",
    "code_search",
    "three_encoders",
    "languages",
    "cost",
    "position_cliff",
    "distillation",
    "int8",
    "directions",
    "poolings",
    "contrastive",
    "late_interaction",
    "learning_rates",
    "segments",
    "tuning_parts",
    "tuned_length",
    "answers",
    "names",
)


def find(name: str) -> Experiment:
    """The experiment of this name; only its own file is imported.

    Raises:
        ValueError: there is none of this name.

    >>> find("alchemy")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: no experiment 'alchemy'; there are: ...
    """
    if name not in NAMES:
        raise ValueError(f"no experiment {name!r}; there are: {', '.join(NAMES)}")
    return getattr(importlib.import_module(f"minibert.experiments.{name}"), name.upper())
