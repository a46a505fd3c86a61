"""The training loop: batches in, a trained model, a log and checkpoints out. Kill it whenever you like."""

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from minibert.training.batches import PackedBatch
from minibert.training.checkpoint import load_newest_checkpoint, save_checkpoint
from minibert.training.checks import check_whole
from minibert.training.data import PretrainingData
from minibert.training.evaluation import evaluate
from minibert.training.log import TrainingLog
from minibert.training.recipe import Recipe
from minibert.training.state import capture, restore, settings_of
from minibert.training.update import TrainingDiverged, update
from minibert.training.vocabulary import token_byte_lengths


def train(
    model,
    data: PretrainingData,
    recipe: Recipe,
    folder: str | Path,
    *,
    keep: int = 2,
    progress: bool = True,
    on_step: Callable[[int], None] | None = None,
) -> dict:
    """Train `model` in place until `recipe.steps`, resuming what is in `folder`; return the last validation.

    If `folder` holds checkpoints, the newest whole one is loaded and the run goes on from there: the weights, the log
    and everything else end up bit for bit as if it had never been interrupted (on the same computer, torch and number
    of threads). `folder/log.jsonl` gets one line every `log_every` steps with the mean losses since the last line,
    and one for each validation. Dropout draws from torch's global generator, which is seeded here from `recipe.seed`
    and put back afterwards.

    The model is trained on the device where it is. `keep` checkpoints stay, in `folder/checkpoints`. `progress` shows a
    bar on stderr; `on_step` is called after each step with the number of steps done.

    Raises:
        TrainingDiverged: if the loss becomes NaN or infinite; the checkpoints from before stay.
        ValueError: if the folder holds a run with other settings, documents or tokenizer, the message names them; if
            no checkpoint is whole; if model and data do not fit.

    Source: Devlin et al. 2019, appendix A.2, for what the loop computes.

    >>> import tempfile
    >>> from minibert import EncoderConfig, MaskedLanguageModel
    >>> from minibert.training.data import _tiny
    >>> config = EncoderConfig.preset("modernbert-nano").replace(vocab_size=128, hidden=16, intermediate=16, layers=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = train(MaskedLanguageModel(config), _tiny(), Recipe(steps=3), folder, progress=False)
    >>> result["step"], sorted(result["validation"])
    (3, ['accuracy', 'bits_per_byte', 'loss', 'masked_tokens'])
    """
    check_whole("keep", keep, 1)  # now, not after the steps before the first checkpoint
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _check_fit(model, data)
    device = next(model.parameters()).device
    optimizer = recipe.make_optimizer(model)
    settings = settings_of(model, data, recipe)
    log, checkpoints = TrainingLog(folder / "log.jsonl"), folder / "checkpoints"
    token_bytes = token_byte_lengths(data.tokenizer)
    counters = {"step": 0, "tokens": 0, "sums": {}, "since": 0}
    validation = None

    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(recipe.seed)
        checkpoint = load_newest_checkpoint(checkpoints)
        if checkpoint is None:
            data.restart()
        else:
            counters = restore(checkpoint, model, optimizer, data, settings)
        log.cut(counters["step"])
        model.train()
        bar = tqdm(total=recipe.steps, initial=counters["step"], unit="step", file=sys.stderr, disable=not progress)
        with bar:
            while counters["step"] < recipe.steps:
                batches = [data.next_batch().to(device) for _ in range(recipe.accumulate)]
                lr = recipe.lr(counters["step"])
                try:
                    losses = update(model, optimizer, batches, lr, recipe.clip, recipe.bf16)
                except TrainingDiverged as error:
                    raise TrainingDiverged(f"step {counters['step'] + 1}: {error}; older checkpoints stay") from None
                _count(counters, batches, losses)
                step, last = counters["step"], counters["step"] == recipe.steps
                bar.update()
                if last or _due(step, recipe.log_every):
                    record = _mean_losses(counters, lr)
                    log.append(record)
                    bar.set_postfix(loss=f"{record['loss']:.3f}")
                if last or _due(step, recipe.validate_every):
                    validation = _validate(model, data, token_bytes, recipe)
                    if validation:
                        log.append({"step": step, "validation": validation})
                if last or _due(step, recipe.checkpoint_every):
                    save_checkpoint(checkpoints, capture(model, optimizer, data, settings, counters), keep)
                if on_step:
                    on_step(step)
    if validation is None:  # the run was complete already
        validation = _validate(model, data, token_bytes, recipe)
    return {"step": counters["step"], "tokens": counters["tokens"], "validation": validation}


def _validate(model, data: PretrainingData, token_bytes: torch.Tensor, recipe: Recipe) -> dict | None:
    if not data.validation_documents:
        return None
    result = evaluate(model, data.validation_batches(), token_bytes, recipe.bf16)
    if result["loss"] is not None and not math.isfinite(result["loss"]):
        raise TrainingDiverged(f"the validation loss is {result['loss']}; try a lower learning rate")
    return result


def _count(counters: dict, batches: Sequence[PackedBatch], losses: dict[str, float]) -> None:
    counters["step"] += 1
    counters["tokens"] += sum(len(batch.ids) for batch in batches)
    counters["since"] += 1
    for name, value in losses.items():
        counters["sums"][name] = counters["sums"].get(name, 0.0) + value


def _mean_losses(counters: dict, lr: float) -> dict:
    """Return the log record: means since the last one, which start anew."""
    means = {name: total / counters["since"] for name, total in counters["sums"].items()}
    counters["sums"], counters["since"] = {}, 0
    return {"step": counters["step"], "tokens": counters["tokens"], "lr": lr, **means}


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _check_fit(model, data: PretrainingData) -> None:
    config = getattr(model, "config", None)
    if config is None:
        return
    if data.tokenizer.vocab_size > config.vocab_size:
        raise ValueError(
            f"the tokenizer has {data.tokenizer.vocab_size} ids and the model {config.vocab_size}; build the model "
            "with config.replace(vocab_size=tokenizer.vocab_size)"
        )
    if config.position == "learned" and data.max_len > config.max_len:
        raise ValueError(
            f"examples have up to {data.max_len} tokens, but the model has positions for {config.max_len}; lower "
            "max_len of the data or raise the model's"
        )
