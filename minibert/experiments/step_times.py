"""Seconds of one training step for each arm of an experiment, in turns, so that a busy machine slows all of them alike.

    python -m minibert.experiments.step_times groups --out groups.json

Times differ from machine to machine: so they stand in `data/benchmarks/`, and not among the measures.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import click
import torch

from minibert.bench.machine import machine, versions
from minibert.bench.timing import in_turns
from minibert.experiments import groups, ladder, many_languages
from minibert.experiments.small_encoders import held_out_batches, read, with_ids_of
from minibert.files import write_text
from minibert.model.models import MaskedLanguageModel
from minibert.training.loop import update


def ladder_steps(settings: Mapping) -> dict[str, Callable]:
    """A call that trains for one step, by arm of `ladder`; all arms see the same rows."""
    text = read(settings["text"], settings["vocab_size"], settings["documents"])
    calls = {}
    for arm, changes in ladder.ARMS.items():
        model = MaskedLanguageModel(with_ids_of(ladder.config_of(settings, changes), text)).train()
        optimizer = ladder.recipe_of(settings).make_optimizer(model)
        rate = ladder.mask_rate_of(changes)
        batch = held_out_batches(text, settings["row"], settings["rows_a_step"], rate)[:1]
        calls[arm] = lambda model=model, optimizer=optimizer, batch=batch: update(
            model, optimizer, batch, 1e-4, 1.0, bf16=False
        )
    return calls


def groups_steps(settings: Mapping) -> dict[str, Callable]:
    """A call that trains for one step, by arm of `groups`; each arm goes on with its own run."""
    text = many_languages.read(many_languages.EVEN, settings)
    runs = {arm: many_languages.new_run(text, settings, 0, groups.config_of(settings, arm)) for arm in groups.ARMS}
    return {arm: lambda run=run: run.go(1, lambda step: 1e-4) for arm, run in runs.items()}


STEPS = {"ladder": (ladder.LADDER, ladder_steps), "groups": (groups.GROUPS, groups_steps)}


def step_times(name: str, settings: Mapping, repeats: int) -> dict[str, list[float]]:
    """Seconds of each of `repeats` steps by arm, on one thread.

    >>> small = groups.GROUPS.settings | groups.GROUPS.tiny
    >>> sorted(map(len, step_times("groups", small, 1).values()))
    [1, 1, 1, 1, 1]
    """
    return in_turns(STEPS[name][1](settings), repeats, warm_up=2)[0]


@click.command()
@click.argument("name", type=click.Choice(list(STEPS)))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Write JSON here.")
@click.option("--repeats", default=25, show_default=True, help="Steps of each arm that are timed.")
def main(name: str, out: Path, repeats: int) -> None:
    """Time a training step of each arm of the experiment NAME."""
    torch.set_num_threads(1)
    settings = STEPS[name][0].settings
    report = {"benchmark": name, "command": f"python -m minibert.experiments.step_times {name} --out FILE"}
    report |= {"settings": settings, "repeats": repeats, "machine": machine(), "versions": versions()}
    seconds = step_times(name, settings, repeats)
    report["seconds a step"] = {
        arm: {"median": round(median(times), 5), "fastest": round(min(times), 5)} for arm, times in seconds.items()
    }
    write_text(out, json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
