"""Seconds of one training step for each arm of `ladder`, in turns, so that a busy machine slows all of them alike.

    python -m minibert.experiments.step_times --out ladder.json

Times differ from machine to machine: so they stand in `data/benchmarks/ladder.json`, and not among the measures.
"""

import json
from pathlib import Path
from statistics import median

import click
import torch

from minibert.bench.machine import machine, versions
from minibert.bench.timing import in_turns
from minibert.experiments.ladder import ARMS, LADDER, config_of, mask_rate_of, recipe_of
from minibert.experiments.small_encoders import held_out_batches, read, with_ids_of
from minibert.files import write_text
from minibert.model.models import MaskedLanguageModel
from minibert.training.loop import update


def step_times(settings: dict, repeats: int) -> dict[str, list[float]]:
    """Seconds of each of `repeats` steps by arm, on one thread; each arm trains its own model on the same rows.

    >>> small = LADDER.settings | LADDER.tiny | dict(documents=40, rows_a_step=1)
    >>> sorted(map(len, step_times(small, 1).values())) == [1] * len(ARMS)
    True
    """
    text = read(settings["text"], settings["vocab_size"], settings["documents"])
    calls = {}
    for arm, changes in ARMS.items():
        model = MaskedLanguageModel(with_ids_of(config_of(settings, changes), text)).train()
        optimizer = recipe_of(settings).make_optimizer(model)
        batch = held_out_batches(text, settings["row"], settings["rows_a_step"], mask_rate_of(changes))[:1]
        calls[arm] = lambda model=model, optimizer=optimizer, batch=batch: update(
            model, optimizer, batch, 1e-4, 1.0, bf16=False
        )
    return in_turns(calls, repeats, warm_up=2)[0]


@click.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Write JSON here.")
@click.option("--repeats", default=25, show_default=True, help="Steps of each arm that are timed.")
def main(out: Path, repeats: int) -> None:
    """Time a training step of each arm of the ladder."""
    torch.set_num_threads(1)
    report = {"benchmark": "ladder", "command": "python -m minibert.experiments.step_times --out FILE"}
    report |= {"settings": LADDER.settings, "repeats": repeats, "machine": machine(), "versions": versions()}
    seconds = step_times(LADDER.settings, repeats)
    report["seconds a step"] = {
        arm: {"median": round(median(times), 5), "fastest": round(min(times), 5)} for arm, times in seconds.items()
    }
    write_text(out, json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
