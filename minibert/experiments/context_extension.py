"""Two ways to an encoder for long rows: short rows first and long ones at the end, or long rows from the start.

ModernBERT went the first way: 1.7 trillion tokens in rows of 1,024 with theta 10,000, then 0.3 trillion in rows of
8,192 with theta 160,000. Here it is 64 and 256 tokens. Long rows from the start are given the same number of tokens, or
the same time: a step on long rows takes longer, `long_step` times as long, measured where the result was stored.
"""

import json

from minibert.experiments.positions import (
    POSITIONS,
    new_model,
    recipe_of,
    score_lengths,
    set_theta,
    text_of,
    train_on_rows,
    trained,
)
from minibert.experiments.record import Experiment

ARMS = {  # steps on short rows, on long rows, and the theta of the long ones
    "short rows only": ("short_steps", None, "theta"),
    "short, then long, theta kept": ("short_steps", "extension_steps", "theta"),
    "short, then long, theta raised": ("short_steps", "extension_steps", "raised_theta"),
    "long rows, equal tokens": (None, "equal_tokens", "theta"),
    "long rows, equal time": (None, "equal_time", "theta"),
}


def steps_of(settings: dict) -> dict[str, int]:
    """How many steps there are of each kind; all steps have the same number of tokens.

    >>> steps_of(dict(short_steps=100, extension_steps=20, long_step=1.25))
    {'short_steps': 100, 'extension_steps': 20, 'equal_tokens': 120, 'equal_time': 100}
    """
    short, extension = settings["short_steps"], settings["extension_steps"]
    return {
        "short_steps": short,
        "extension_steps": extension,
        "equal_tokens": short + extension,
        "equal_time": round(short / settings["long_step"]) + extension,
    }


def measure(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Scores at all lengths, as `positions` has them, and how many steps were taken on short and on long rows."""
    short, long, theta = ARMS[arm]
    steps, text = steps_of(settings), text_of(settings)
    model = new_model(settings, text, "rope", seed)
    rate = settings["learning_rates"]["rope"]
    if short:
        model.load_state_dict(trained(json.dumps(settings), "rope", short, seed))
        rate *= settings["extension_rate"]
    set_theta(model, settings[theta])
    if long:
        recipe = recipe_of(steps[long], rate, warmup=not short)
        train_on_rows(settings, text, model, recipe, max(settings["lengths"]), seed + 1000 if short else seed)
    found = score_lengths(model.eval(), text, settings["lengths"], settings["held_out_rows"])
    return found | {"steps on short rows": steps.get(short, 0), "steps on long rows": steps.get(long, 0)}


CONTEXT_EXTENSION = Experiment(
    name="context_extension",
    question="Short rows first and long rows at the end: is that as good as long rows from the start?",
    settings={name: value for name, value in POSITIONS.settings.items() if name not in ("steps", "tuning_steps")}
    | dict(
        short_steps=300,
        extension_steps=60,
        long_step=1.33,
        learning_rates={"rope": POSITIONS.settings["learning_rates"]["rope"]},
        extension_rate=0.375,
        held_out_rows=200,
    ),
    arms=tuple(ARMS),
    measure=measure,
    tiny={name: value for name, value in POSITIONS.tiny.items() if name not in ("steps", "tuning_steps")}
    | dict(short_steps=3, extension_steps=2),
)
