"""Grouped-query attention: how few key/value heads do eight query heads need?

Fewer key/value heads save parameters and operations of the projections (an encoder has no cache of keys that would
shrink too). `given back` spends what was saved on a wider feed-forward layer: as many parameters as with one
key/value head for each query head. Operations are counted for the forward pass of one row, so they do not depend on the
machine.
"""

from minibert.config import EncoderConfig
from minibert.experiments.many_languages import (
    ALL,
    EVEN,
    FOREIGN,
    SETTINGS,
    TINY,
    bits_per_byte,
    mean_of,
    new_run,
    read,
    recipe_of,
    small_eurobert,
)
from minibert.experiments.record import Experiment
from minibert.experiments.sizes import with_parameters
from minibert.experiments.small_encoders import one_thread
from minibert.model.cost import count_parameters, model_flops, parameters_by_part

ARMS = {  # key/value heads, and whether the feed-forward layer gets what they save
    "8 (all)": (8, False),
    "4": (4, False),
    "2": (2, False),
    "1": (1, False),
    "1, given back": (1, True),
}


def config_of(settings: dict, arm: str) -> EncoderConfig:
    """The model of an arm.

    >>> [config_of(GROUPS.settings, arm).groups for arm in ("8 (all)", "1, given back")]
    [8, 1]
    """
    kv_heads, given_back = ARMS[arm]
    config = small_eurobert(settings, kv_heads)
    return with_parameters(config, count_parameters(small_eurobert(settings))) if given_back else config


@one_thread()
def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    config, row = config_of(settings, arm), settings["row"]
    run = new_run(read(EVEN, settings), settings, seed, config)
    run.go(settings["steps"], recipe_of(settings).lr)
    by_group = bits_per_byte(run.model, ALL, settings)
    return {
        "bits per byte": mean_of(by_group, ALL),
        "languages": mean_of(by_group, ("en", *FOREIGN)),
        "parameters": count_parameters(config),
        "parameters of the blocks": parameters_by_part(config)["blocks"],
        "MFLOP of a row": model_flops(config, [row], predicted=round(settings["mask_rate"] * row)) / 1e6,
        "feed-forward": config.intermediate,
    }


GROUPS = Experiment(
    name="groups",
    question="How few key/value heads do eight query heads need, at fewer and at equal parameters?",
    settings=SETTINGS | dict(heads=8),
    arms=tuple(ARMS),
    measure=_one,
    tiny=TINY | dict(heads=8),
)
