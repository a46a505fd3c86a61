"""How many tokens to hide at equal compute: three rates, at equal steps and at equal floating-point operations.

The vocabulary is scored at hidden places only, so that a step with more of them costs more. "30 %, equal compute" has
as many steps as 30 % can pay with what all steps at 15 % cost, counted by `step_flops`. All arms see the same rows; the
places hidden at 15 % are among those at 30 %, and those among the 50 %. Everything is scored at 15 %.

The experiment `mask_rate` asks the same of speeches, at equal steps only.
"""

from minibert.config import EncoderConfig
from minibert.experiments.record import Experiment
from minibert.experiments.small_encoders import (
    STABLE_ADAMW,
    Run,
    one_thread,
    read,
    score,
    small_modernbert,
    with_ids_of,
)
from minibert.model.cost import token_flops
from minibert.training.schedules import trapezoid

RATES = {"15 %": 0.15, "30 %": 0.3, "50 %": 0.5}
ARMS = {
    "15 %": (0.15, False),
    "30 %": (0.3, False),
    "50 %": (0.5, False),
    "30 %, equal compute": (0.3, True),
    "50 %, equal compute": (0.5, True),
}


def step_flops(config: EncoderConfig, rows: int, length: int, rate: float) -> float:
    """Operations of a training step: the forward pass three times, since the way back costs twice as much.

    >>> config = EncoderConfig.preset("modernbert-base")
    >>> round(step_flops(config, 1, 1024, 0.5) / step_flops(config, 1, 1024, 0.15), 3)
    1.105
    """
    body, head = token_flops(config, length)
    return 3 * rows * length * (body + rate * head)


def steps_for(settings: dict, arm: str) -> int:
    """How many steps an arm has.

    >>> steps_for(MASK_RATE_COMPUTE.settings, "15 %") == MASK_RATE_COMPUTE.settings["steps"]
    True
    """
    rate, equal = ARMS[arm]
    if not equal:
        return settings["steps"]
    paid, costs = (step_flops(_config(settings), settings["rows_a_step"], 64, r) for r in (0.15, rate))
    return round(settings["steps"] * paid / costs)


def _config(settings: dict) -> EncoderConfig:
    text = read("stories", settings["vocab_size"], settings["documents"])
    return with_ids_of(small_modernbert(*settings["model"]), text)


@one_thread()
def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    text = read("stories", settings["vocab_size"], settings["documents"])
    config, rate, steps = _config(settings), ARMS[arm][0], steps_for(settings, arm)
    run = Run(config, text, STABLE_ADAMW, 64, settings["rows_a_step"], seed, rate=rate)
    warmup, peak = settings["warmup"], settings["learning_rate"]
    early = {}

    def look(step):
        if step in settings["looked_at"]:
            early[step] = score(run.model, text, 64, settings["held_out_rows"])["bits per byte"]

    run.go(steps, lambda step: peak * trapezoid(step + 1, steps + 1, warmup, (steps + 1) // 2), look)
    operations = steps * step_flops(config, settings["rows_a_step"], 64, rate)
    return {
        **score(run.model, text, 64, settings["held_out_rows"]),
        **{f"bits per byte at {step}": value for step, value in early.items()},
        "steps": steps,
        "tera operations": operations / 1e12,
    }


MASK_RATE_COMPUTE = Experiment(
    name="mask_rate_compute",
    question="At how many hidden tokens does a small ModernBERT learn most, at equal steps and at equal compute?",
    settings=dict(
        vocab_size=160,
        documents=4000,
        model=(2, 64, 4, 96),
        rows_a_step=16,
        learning_rate=4e-3,
        warmup=20,
        steps=300,
        looked_at=(100, 200),
        held_out_rows=256,
    ),
    arms=tuple(ARMS),
    measure=_one,
    tiny=dict(documents=60, model=(1, 16, 2, 16), rows_a_step=4, warmup=1, steps=4, looked_at=(), held_out_rows=4),
)
