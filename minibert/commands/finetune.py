"""`python -m minibert finetune`: an encoder learns a task from labelled rows."""

import functools
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from minibert.commands.labelled_tasks import TASKS, Task, label_names, load_rows, make_examples, scorer, split_rows
from minibert.commands.pretrain import save_run, stopwatch
from minibert.commands.run_folder import claim_folder
from minibert.commands.shared import find_folder, print_json
from minibert.files import read_text

SHARE, MOST = 0.1, 400  # of the rows, to validate on
TRY = {  # what to try when it is done
    "sentiment": '"What a film."',
    "pairs": '"A dog sleeps." --pair "An animal sleeps."',
    "qa": '"Dorothy lived in Kansas." --question "Where did Dorothy live?"',
    "ner": '"Dorothy lived in Kansas ."',
}


@click.command()
@click.option("--task", "task_name", type=click.Choice(list(TASKS)), required=True)
@click.option("--model", "-m", default="minilm", show_default=True, help="A folder, minilm, or a nano model's name.")
@click.option("--data", help="A .csv or .jsonl file, or the name of a data set; default: one for each task.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run; default runs/TASK.")
@click.option("--epochs", type=click.FloatRange(0, min_open=True), help="Passes over the rows; default: by task.")
@click.option("--steps", type=click.IntRange(min=1), help="Updates, instead of --epochs.")
@click.option("--batch-size", default=16, show_default=True, type=click.IntRange(min=1), help="Rows a step.")
@click.option("--learning-rate", default=1e-4, show_default=True, type=click.FloatRange(0, min_open=True), help="Peak.")
@click.option("--max-length", type=click.IntRange(min=8), help="Tokens of a text; default: 128, for qa 384.")
@click.option("--validate-every", type=click.IntRange(min=1), help="Steps; default: four times in the run.")
@click.option("--patience", type=click.IntRange(min=1), help="Stop after so many validations without a better score.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1))
@click.option("--bf16", is_flag=True, help="Compute in bfloat16.")
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option(
    "--checkpoint-every", default=100, show_default=True, type=click.IntRange(min=0), help="Steps; 0: at the end."
)
def finetune(
    task_name, model, data, out, epochs, steps, batch_size, learning_rate, max_length, validate_every, patience, seed,
    bf16, device, checkpoint_every,
):  # fmt: skip
    """Teach an encoder a task with labelled rows; the weights with the best score on held-out rows are kept.

    The rows come from --data, a CSV file with a header or JSON lines. Columns: text, label (sentiment, or any classes);
    first, second, label (pairs); question, context, answer (qa); tokens, tags (ner). A tenth of them is set aside to
    validate on, 400 at most. The same command continues a run that was interrupted. OUT then holds a model folder that
    transformers opens, too, with the names of the labels.

    Example: python -m minibert finetune --task sentiment --data reviews.csv --out runs/reviews
    """
    say, task, out = stopwatch(), TASKS[task_name], out or Path("runs") / task_name
    rows = load_rows(task, data or task.data)
    settings = dict(
        task=task_name, model=model, corpus=data or task.data, corpus_sha256=_checksum(rows), epochs=epochs,
        steps=steps, batch_size=batch_size, learning_rate=learning_rate, max_length=max_length,
        validate_every=validate_every, patience=patience, seed=seed, bf16=bf16,
    )  # fmt: skip
    setup = prepare(task, find_folder(model), rows, max_length, seed, say)
    if given_up := claim_folder(out, settings):
        say(given_up)
    if (out / "training.json").is_file():
        say(f"{out} holds this run, finished")
        print_json(json.loads(read_text(out / "training.json"))["result"])
        return
    from minibert.training.fine_tuning import fine_tune, tuning_recipe

    steps = steps or max(1, round((epochs or task.epochs) * len(setup.examples) / batch_size))
    recipe = tuning_recipe(steps, learning_rate, bf16=bf16, seed=seed, checkpoint_every=checkpoint_every)
    say(f"{steps} steps of {batch_size} examples, {len(setup.examples)} in all")
    tuned = fine_tune(
        setup.model.to(device), setup.examples, recipe, batch_size=batch_size, validation=setup.score,
        validate_every=validate_every or -(-steps // 4), patience=patience, folder=out / "checkpoints", progress=True,
    )  # fmt: skip
    best = max(score for _, score in tuned.scores)
    result = {"steps": len(tuned.losses), "best_step": tuned.best_step, task.score: round(best, 4)}
    if data is None:
        say(f"measuring {task.test}")
        result[f"{task.score} on {task.test}"] = round(setup.score_of(load_rows(task, task.test))(setup.model), 4)
    setup.tokenizer.save_pretrained(out)
    save_run(setup.model.to("cpu"), out, dict(settings, scores=tuned.scores, result=result))
    shutil.rmtree(out / "checkpoints", ignore_errors=True)  # four times the model's size, and of no more use
    say(f"wrote {out}; try: python -m minibert predict {out} {TRY[task_name]}")
    print_json(result)


@dataclass(frozen=True)
class Setup:
    """What a run needs: the model with a new head, the examples, and how it is scored on the rows set aside.

    `score_of(rows)` is a function that scores a model on other rows.

    >>> Setup(None, None, [], score=lambda model: 0.5, score_of=lambda rows: None).score(None)
    0.5
    """

    model: object
    tokenizer: object
    examples: list
    score: Callable
    score_of: Callable


def prepare(
    task: Task, folder: Path, rows: list, max_length: int | None, seed: int, say: Callable[[str], None]
) -> Setup:
    """Open the model and turn the rows into examples; all that can be refused is refused here.

    Raises:
        ValueError: rows, labels or a length that do not fit the task or the model.

    >>> from minibert.corpora import LabelledText
    >>> rows = [LabelledText(f"number {number}", "odd" if number % 2 else "even") for number in range(20)]
    >>> from minibert.shipped_models import shipped
    >>> setup = prepare(TASKS["sentiment"], shipped("bert-nano"), rows, 16, 0, print)
    18 rows to train on, 2 to validate on, labels even, odd
    >>> setup.model.label_names
    ('even', 'odd')
    """
    import torch

    import minibert
    from minibert.checkpoints import model_folder

    names = label_names(task, rows)
    train, held_out = split_rows(rows, SHARE, MOST)
    known = f", labels {', '.join(names):.100}" if names else ""
    say(f"{len(train)} rows to train on, {len(held_out)} to validate on{known}")
    tok = minibert.load_tokenizer(model_folder(folder))
    options = dict(labels=len(names)) if names else {}
    generator = torch.Generator().manual_seed(seed)
    model = getattr(minibert, task.model).from_pretrained(folder, new_head=True, generator=generator, **options)
    model.label_names = names or None
    model.recipe = None  # how the folder's sentence vectors were made says nothing about this model
    most = model.config.max_len
    if max_length and max_length > most and model.config.position == "learned":
        raise ValueError(f"--max-length {max_length}: this model reads {most} tokens at most")
    max_length = max_length or min(task.max_length, most)
    examples, cut = make_examples(task, train, tok, names, max_length)
    if cut:
        say(f"{cut} of {len(train)} rows are longer than --max-length {max_length} tokens: their ends are not read")
    score_of = functools.partial(scorer, task, tok=tok, names=names, max_length=max_length)
    return Setup(model, tok, examples, score_of(held_out), score_of)


def _checksum(rows: list) -> str:
    return hashlib.sha256(repr(rows).encode("utf-8")).hexdigest()
