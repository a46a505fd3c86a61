"""The training loop: batches in, a trained model, a log and checkpoints out. Kill it whenever you like."""

import contextlib
import functools
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from minibert.files import write_text
from minibert.objectives import IGNORE
from minibert.training.checkpoint import Checkpoint, TrainingDiverged, capture, resume, save_checkpoint, settings_of
from minibert.training.data import PackedBatch, PretrainingData
from minibert.training.distributed import (
    check_same,
    exchange_gradients,
    parallelize,
    rank,
    sum_over_processes,
    whole,
    world_size,
)
from minibert.training.evaluation import evaluate, forward_losses, token_byte_lengths
from minibert.training.recipe import Recipe, check_whole


def train(
    model,
    data: PretrainingData,
    recipe: Recipe,
    folder: str | Path,
    *,
    parallel: str = "ddp",
    keep: int = 2,
    progress: bool = True,
    on_step: Callable[[int], None] | None = None,
    start: Checkpoint | None = None,
) -> dict:
    """Train `model` in place until `recipe.steps`, resuming what is in `folder`; return the last validation.

    If `folder` holds checkpoints, the newest whole one is loaded and the run goes on from there: the weights, the log
    and everything else end up bit for bit as if it had never been interrupted (on the same computer, torch and number
    of threads). `folder/log.jsonl` gets one line every `log_every` steps with the mean losses since the last line,
    and one for each validation. Dropout draws from torch's global generator, which is seeded here from `recipe.seed`
    and put back afterwards.

    The model is trained on the device where it is. `keep` checkpoints stay, in `folder/checkpoints`. `progress` shows a
    bar on stderr; `on_step` is called after each step with the number of steps done.

    A run in a new folder can go on from the end of another: `start` is its last checkpoint, whose weights and averages
    of the optimiser it takes, but not the number of its steps. A later phase with other data begins like this.

    Several processes (see `process_group`) train one model: each calls this with an equal model, data, recipe and
    folder, and takes every n-th of the `accumulate` batches of a step. `parallel` says how the model is spread, see
    `parallelize`. Process 0 writes. The run can be resumed by another number of processes: with no dropout it goes on
    as it would have, but for rounding.

    Raises:
        TrainingDiverged: if the loss becomes NaN or infinite; the checkpoints from before stay.
        ValueError: if the folder holds a run with other settings, documents or tokenizer, the message names them; if
            no checkpoint is whole; if model and data do not fit; if the processes cannot share `accumulate` batches
            equally, or disagree about what they train.

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
    _check_fit(model, data, recipe)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    settings = settings_of(model, data, recipe)
    check_same("the settings", settings)
    trained = parallelize(model, parallel)  # the model itself, unless several processes train it
    optimizer = recipe.make_optimizer(model)
    log = TrainingLog(folder / "log.jsonl", silent=rank() > 0)
    validate = functools.partial(_validate, model, data, token_byte_lengths(data.tokenizer), recipe)
    validation = None

    with own_generators(model, recipe.seed + rank()):  # dropout: no two processes draw the same
        counters = resume(folder / "checkpoints", model, optimizer, data, settings, start)
        log.cut(counters["step"])
        model.train()
        with progress_bar(counters["step"], recipe.steps, progress) as bar:
            for step in range(counters["step"] + 1, recipe.steps + 1):
                batches, lr = _take(data, recipe.batches(counters["tokens"])), recipe.lr(step - 1)
                with naming(step):
                    losses = update(trained, optimizer, batches, lr, recipe.clip, recipe.bf16)
                _count(counters, batches, losses)
                bar.update()
                if due(step, recipe.log_every, recipe.steps):
                    record = _mean_losses(counters, lr)
                    log.append(record)
                    bar.set_postfix(loss=f"{record['loss']:.3f}")
                if due(step, recipe.validate_every, recipe.steps):
                    validation = validate()
                    if validation:
                        log.append({"step": step, "validation": validation})
                if due(step, recipe.checkpoint_every, recipe.steps):
                    save_checkpoint(folder / "checkpoints", capture(model, optimizer, data, settings, counters), keep)
                if on_step:
                    on_step(step)
    if validation is None:  # the run was complete already
        validation = validate()
    return {"step": counters["step"], "tokens": counters["tokens"], "validation": validation}


def _check_fit(model, data: PretrainingData, recipe: Recipe) -> None:
    """Refuse a model, data and processes that do not belong together."""
    if recipe.accumulate % world_size():
        raise ValueError(
            f"accumulate is {recipe.accumulate}: {world_size()} processes cannot share that many batches of a step "
            "equally; make it a multiple of their number (the smallest is one batch for each)"
        )
    if recipe.batch_warmup and world_size() > 1:
        raise ValueError(
            "a batch-size warm-up passes through numbers of batches that several processes cannot share equally; train "
            "with one process, or without batch_warmup"
        )
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
    if world_size() > 1 and hasattr(model, "nsp") and not data.pairs:
        raise ValueError(
            "the model has a next-sentence head and the data no pairs: several processes would wait for its gradient; "
            "use a MaskedLanguageModel, or data with pairs=True"
        )


@contextlib.contextmanager
def own_generators(model, seed: int) -> Iterator[None]:
    """Seed torch's global generators, which dropout draws from, and put the caller's back afterwards.

    >>> with own_generators(torch.nn.Linear(1, 1), seed=0):
    ...     torch.initial_seed()
    0
    """
    device = next(model.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def progress_bar(done: int, steps: int, progress: bool) -> tqdm:
    """A bar on stderr that counts steps, nothing without `progress`; of several processes the first shows one.

    >>> progress_bar(3, 10, progress=False).disable
    True
    """
    hidden = not progress or rank() > 0
    return _Bar(total=steps, initial=done, unit="step", file=sys.stderr, disable=hidden)


class _Bar(tqdm):
    """A bar without tqdm's own thread: it would outlive a course's check, which ends every thread that it began."""

    monitor_interval = 0


def _take(data: PretrainingData, accumulate: int) -> list[PackedBatch]:
    """Return this process's share of the next `accumulate` batches; one process takes them all."""
    batches = []
    for number in range(accumulate):
        if number % world_size() == rank():
            batches.append(data.next_batch())
        else:
            data.skip_batch()
    return batches


def update(
    model, optimizer: torch.optim.Optimizer, batches: Sequence[PackedBatch], lr: float, clip: float | None, bf16: bool
) -> dict[str, float]:
    """Update the weights once from one or more batches, and return loss, mlm_loss, next_loss and grad_norm.

    The gradient is that of one big batch: the sum over all masked tokens divided by their number, plus the same over
    pairs. The mean of the batches' own means would give a token in a batch with few of them a larger weight. If several
    processes train together, the sums and the numbers are those of all their batches.

    Raises:
        TrainingDiverged: before the weights are touched, if the loss or the gradient is not finite.
        ValueError: if the batches have pairs and the model has no next-sentence head.

    Source: Devlin et al. 2019, appendix A.2, for the sum of both losses.

    >>> from minibert import EncoderConfig, MaskedLanguageModel
    >>> from minibert.training.data import _tiny
    >>> config = EncoderConfig.preset("modernbert-nano").replace(vocab_size=128, hidden=16, intermediate=16, layers=1)
    >>> model = MaskedLanguageModel(config)
    >>> optimizer = torch.optim.SGD(model.parameters())
    >>> sorted(update(model, optimizer, [_tiny().next_batch()], lr=0.1, clip=1.0, bf16=False))
    ['grad_norm', 'loss', 'mlm_loss']
    """
    device = next(model.parameters()).device
    masked = sum(int((batch.labels != IGNORE).sum()) for batch in batches)
    pairs = sum(len(batch.next_labels) for batch in batches if batch.next_labels is not None)
    masked, pairs = sum_over_processes(masked, pairs)
    optimizer.zero_grad(set_to_none=True)
    parts = []  # of the loss: what each batch adds to the masked tokens' and to the pairs'
    for number, batch in enumerate(batches, 1):
        with exchange_gradients(model, now=number == len(batches)):
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
                _, _, mlm_sum, next_sum = forward_losses(model, batch, device)
            mlm_part = mlm_sum / max(masked, 1)
            next_part = torch.zeros_like(mlm_part) if next_sum is None else next_sum / pairs
            # DDP and FSDP take the mean of the processes' gradients, but these are parts of a sum.
            (world_size() * (mlm_part + next_part)).backward()
        parts += [mlm_part.detach(), next_part.detach()]
    total_norm = gradient_norm(model)
    *parts, norm = torch.stack([*parts, total_norm]).tolist()  # the one moment of a step that waits for a GPU
    mlm_loss, next_loss = sum_over_processes(sum(parts[::2]), sum(parts[1::2]))
    descend(model, optimizer, mlm_loss + next_loss, total_norm, lr, clip)
    losses = {"loss": mlm_loss + next_loss, "mlm_loss": mlm_loss}
    return losses | ({"next_loss": next_loss} if pairs else {}) | {"grad_norm": norm}


def gradient_norm(model) -> Tensor:
    """The norm of all gradients as one vector, whole where processes hold a slice each. Shape: a scalar.

    >>> layer = torch.nn.Linear(1, 1)
    >>> layer(torch.tensor([[0.0]])).sum().backward()
    >>> gradient_norm(layer).item()
    1.0
    """
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return whole(torch.nn.utils.get_total_norm(gradients))


def descend(model, optimizer: torch.optim.Optimizer, loss: float, norm: Tensor, lr: float, clip: float | None) -> None:
    """The second half of an update, once the gradients are there: check them, clip them, and take the step.

    `norm` is their `gradient_norm`.

    Raises:
        TrainingDiverged: before the weights are touched, if the loss or the gradient is not finite.

    >>> layer = torch.nn.Linear(1, 1, bias=False)
    >>> before = layer.weight.item()
    >>> layer(torch.tensor([[5.0]])).sum().backward()
    >>> descend(layer, torch.optim.SGD(layer.parameters()), 5.0, gradient_norm(layer), lr=0.5, clip=1.0)
    >>> round(before - layer.weight.item(), 4)  # the gradient is 5, clipped to 1
    0.5
    """
    if not math.isfinite(loss + norm):
        raise TrainingDiverged(
            f"the loss is {loss} and the norm of the gradient {float(norm)}; try a lower learning rate, a longer "
            "warm-up or a smaller clip"
        )
    if clip is not None:
        torch.nn.utils.clip_grads_with_norm_(model.parameters(), clip, norm)
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()


@contextlib.contextmanager
def naming(step: int) -> Iterator[None]:
    """Say in the error at which step the run diverged.

    >>> with naming(7):
    ...     raise TrainingDiverged("the loss is nan")
    Traceback (most recent call last):
    ...
    minibert.training.checkpoint.TrainingDiverged: step 7: the loss is nan; older checkpoints stay
    """
    try:
        yield
    except TrainingDiverged as error:
        raise TrainingDiverged(f"step {step}: {error}; older checkpoints stay") from None


def _count(counters: dict, batches: Sequence[PackedBatch], losses: dict[str, float]) -> None:
    counters["step"] += 1
    [tokens] = sum_over_processes(sum(len(batch.ids) for batch in batches))
    counters["tokens"] += int(tokens)
    counters["since"] += 1
    for name, value in losses.items():
        counters["sums"][name] = counters["sums"].get(name, 0.0) + value


def _mean_losses(counters: dict, lr: float) -> dict:
    """Return the log record: means since the last one, which start anew."""
    means = {name: total / counters["since"] for name, total in counters["sums"].items()}
    counters["sums"], counters["since"] = {}, 0
    return {"step": counters["step"], "tokens": counters["tokens"], "lr": lr, **means}


def due(step: int, every: int, steps: int) -> bool:
    """Whether it is time for what is done `every` so many steps, 0 for never, and always after the last one.

    >>> [step for step in range(1, 6) if due(step, every=2, steps=5)]
    [2, 4, 5]
    """
    return step == steps or (every > 0 and step % every == 0)


def _validate(model, data: PretrainingData, token_bytes: torch.Tensor, recipe: Recipe) -> dict | None:
    if not data.validation_documents:
        return None
    result = evaluate(model, data.validation_batches(), token_bytes, recipe.bf16)
    if result["loss"] is not None and not math.isfinite(result["loss"]):
        raise TrainingDiverged(f"the validation loss is {result['loss']}; try a lower learning rate")
    return result


class TrainingLog:
    """A JSONL file whose records have a `step`, in ascending order; its folder must exist.

    No times are written, so that two equal runs leave equal files. A `silent` log writes nothing: where several
    processes train one model, one of them writes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = TrainingLog(Path(folder) / "log.jsonl")
    ...     log.append({"step": 10, "loss": 2.5})
    ...     log.append({"step": 20, "loss": 2.0})
    ...     log.cut(10)
    ...     log.read()
    [{'step': 10, 'loss': 2.5}]
    """

    def __init__(self, path: str | Path, silent: bool = False):
        self.path, self.silent = Path(path), silent

    def append(self, record: dict) -> None:
        """Add one line.

        Raises:
            ValueError: if the record holds NaN or infinity, which are not JSON.

        >>> TrainingLog(Path("nowhere")).append({"loss": float("nan")})
        Traceback (most recent call last):
        ...
        ValueError: Out of range float values are not JSON compliant...
        """
        line = json.dumps(record, allow_nan=False)
        if self.silent:
            return
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(line + "\n")

    def read(self) -> list[dict]:
        """Return all whole records; a last line that a kill cut short is left out.

        Raises:
            ValueError: a line before it is damaged; the message names the file, the line and what to do.

        >>> TrainingLog(Path("nowhere")).read()
        []
        """
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().split(b"\n")
        return [self._record(number, line) for number, line in enumerate(lines[:-1], 1)]  # the last one is not whole

    def _record(self, number: int, line: bytes) -> dict:
        try:
            record = json.loads(line)
            if not isinstance(record, dict) or not isinstance(record.get("step"), int):
                raise ValueError("no object with a step")
        except ValueError as error:
            raise ValueError(
                f"{self.path}, line {number}, is damaged ({error}): delete this line, or the file (the weights do not "
                "depend on it)"
            ) from None
        return record

    def cut(self, step: int) -> None:
        """Drop every record after `step`: the resumed run will write them again.

        >>> TrainingLog(Path("nowhere")).cut(0)  # nothing to drop
        """
        if self.silent or not self.path.exists():
            return
        kept = [json.dumps(record) + "\n" for record in self.read() if record["step"] <= step]
        write_text(self.path, "".join(kept))
