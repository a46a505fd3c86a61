"""Fine-tuning: a pre-trained encoder and a new head learn a task from labelled examples, all weights together.

Three kinds of labels, one loss each:

    a text or a pair    a class number         cross-entropy            SequenceClassifier
                        a float                squared error            SequenceClassifier with one label
    every token         a tuple of classes     cross-entropy            TokenClassifier
    a span of tokens    (first, last)          cross-entropy, twice     SpanReader

Batches are packed: no token is padding, so there is nothing to gain from putting texts of like lengths together (20
batches of 16 sentences: 9.4 s in random order and 9.2 s in order of length), and each batch stays a random one.
"""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.model.outputs import Output
from minibert.model.task_models import SpanReader
from minibert.objectives.losses import mlm_loss
from minibert.objectives.masking import IGNORE
from minibert.training.checkpoint import (
    Checkpoint,
    capture,
    load_newest_checkpoint,
    restore,
    save_checkpoint,
    settings_of,
)
from minibert.training.loop import descend, due, gradient_norm, naming, own_generators, progress_bar
from minibert.training.recipe import Recipe, check_whole
from minibert.varlen import cu_seqlens_of


@dataclass(frozen=True)
class Example:
    """One labelled input, special tokens included. Shape: ids and segment_ids (T,).

    label: a class number, a float, a tuple with one class a token (-100: none), or the (first, last) token of a span,
    both inclusive.

    >>> Example((2, 7, 9, 3), (0, 0, 0, 0), label=1).label
    1
    """

    ids: tuple[int, ...]
    segment_ids: tuple[int, ...]
    label: int | float | tuple[int, ...]


@dataclass(frozen=True)
class FineTuned:
    """What a run was like: the loss of each step, and (step, score) of each validation.

    best_step: after how many steps the weights were those that the model has now.

    >>> FineTuned((0.7, 0.6), ((2, 0.8),), best_step=2).scores
    ((2, 0.8),)
    """

    losses: tuple[float, ...]
    scores: tuple[tuple[int, float], ...]
    best_step: int


def fine_tune(
    model,
    examples: Sequence[Example],
    recipe: Recipe,
    *,
    batch_size: int = 16,
    loss: Callable[[torch.nn.Module, list[Example]], Tensor] | None = None,
    validation: Callable[[torch.nn.Module], float] | None = None,
    validate_every: int | None = None,
    patience: int | None = None,
    folder: str | Path | None = None,
    progress: bool = False,
) -> FineTuned:
    """Train all weights of `model` in place for `recipe.steps` steps, one packed batch of examples each.

    The examples are shuffled, and shuffled anew when all were seen. `recipe` says the optimiser, the learning rate at
    each step, the clipping and the seed, which decides the order of the examples and the dropout.

    `loss`, called with the model and a batch, replaces `task_loss`, and then labels may be what it understands: a
    student learns from its teacher, and some of its texts have no label.

    `validation` is called with the model every `validate_every` steps (by default `recipe.validate_every`; 0: only at
    the end) and returns a score, more is better. At the end the model has the weights of the best score, the earliest
    of equals. With `patience` the run stops early after so many validations in a row without a better score.

    With a `folder`, the state is saved there every `recipe.checkpoint_every` steps and at the end. A run that was
    killed goes on from there when it is called again, and ends bit for bit as if it had never been interrupted (on the
    same computer, torch and number of threads). The model is left in evaluation mode.

    Raises:
        TrainingDiverged: the loss became NaN or infinite.
        ValueError: no examples, an example that does not fit the model (the message names it), a score that is no
            number, or a folder with a run of other settings or examples.

    Source: Devlin et al. 2019, section 4 and appendix A.3.

    >>> from minibert import EncoderConfig, SequenceClassifier
    >>> config = EncoderConfig.preset("bert-nano").replace(vocab_size=12, hidden=16, heads=2, intermediate=16, layers=1)
    >>> examples = [Example((2, 7, 3), (0, 0, 0), label=0), Example((2, 8, 9, 3), (0, 0, 0, 0), label=1)]
    >>> result = fine_tune(SequenceClassifier(config), examples, Recipe(steps=3), batch_size=2)
    >>> len(result.losses), result.best_step
    (3, 3)
    """
    examples = list(examples)
    _check(model, examples, recipe, batch_size, checks_labels=loss is None)
    every = recipe.validate_every if validate_every is None else validate_every
    check_whole("validate_every", every, 0)
    if patience is not None:
        check_whole("patience", patience, 1)
    order = _Order(examples, batch_size, recipe.seed)
    optimizer = recipe.make_optimizer(model)
    settings = settings_of(model, order, recipe)
    run = {"step": 0, "losses": [], "scores": []}
    best: dict[str, Tensor] = {}  # the weights of the best score
    with own_generators(model, recipe.seed):
        if folder is not None and (checkpoint := load_newest_checkpoint(folder)):
            run = restore(checkpoint, model, optimizer, order, settings)
            best = {n.removeprefix("best."): t for n, t in checkpoint.tensors.items() if n.startswith("best.")}
        model.train()
        with progress_bar(run["step"], recipe.steps, progress) as bar:
            while run["step"] < recipe.steps and not _is_over(run["scores"], patience):
                step = run["step"] = run["step"] + 1
                with naming(step):
                    batch, lr = order.batch(step - 1), recipe.lr(step - 1)
                    value = _update(model, optimizer, loss or task_loss, batch, lr, recipe)
                run["losses"].append(value)
                bar.update()
                if validation is not None and due(step, every, recipe.steps):
                    if _is_best(_score(validation, model), step, run["scores"]):
                        best = {name: weight.clone() for name, weight in model.state_dict().items()}
                    bar.set_postfix(loss=f"{value:.3f}", score=f"{run['scores'][-1][1]:.4f}")
                is_last = step == recipe.steps or _is_over(run["scores"], patience)
                if folder is not None and (is_last or due(step, recipe.checkpoint_every, recipe.steps)):
                    save_checkpoint(folder, _with_best(capture(model, optimizer, order, settings, run), best), keep=1)
    if best:
        model.load_state_dict(best)
    model.eval()
    best_step = max(run["scores"], key=lambda pair: pair[1])[0] if run["scores"] else run["step"]
    return FineTuned(tuple(run["losses"]), tuple((step, score) for step, score in run["scores"]), best_step)


def tuning_recipe(steps: int, learning_rate: float, **options) -> Recipe:
    """What fine-tuning is done with, unless one asks for something else: AdamW, a tenth of the steps to warm up.

    `options` are other fields of `Recipe`: the seed, bf16.

    Source: Devlin et al. 2019, appendix A.3.

    >>> recipe = tuning_recipe(20, 1e-4, seed=3)
    >>> recipe.optimizer, recipe.schedule, recipe.warmup, recipe.seed
    ('adamw', 'linear', 2, 3)
    """
    return Recipe(steps, learning_rate, "adamw", warmup=steps // 10, **options)


def run_packed(model, inputs: Sequence) -> tuple[Output, Tensor]:
    """Run a model on anything with ids and segment_ids, laid end to end: its output, and the borders of the inputs.

    Shape: the fields of the output as the model's `packed` gives them; cu_seqlens (B + 1,).

    >>> from minibert import EncoderConfig, TokenClassifier
    >>> model = TokenClassifier(EncoderConfig.preset("bert-nano"), labels=4)
    >>> output, cu_seqlens = run_packed(model, [Example((2, 7, 3), (0, 0, 0), 0), Example((2, 3), (0, 0), 0)])
    >>> output.logits.shape, cu_seqlens.tolist()
    (torch.Size([5, 4]), [0, 3, 5])
    """
    device = next(model.parameters()).device
    cu_seqlens = cu_seqlens_of(len(one.ids) for one in inputs).to(device)
    ids = torch.tensor([i for one in inputs for i in one.ids], device=device)  # (N,)
    segments = torch.tensor([s for one in inputs for s in one.segment_ids], device=device)  # (N,)
    return model.packed(ids, cu_seqlens, segments if model.config.segments > 1 else None), cu_seqlens


def task_loss(model, examples: Sequence[Example]) -> Tensor:
    """The mean loss of a batch, in nats (for floats: the mean squared error), with its gradient. Shape: a scalar.

    The mean is over texts; over labelled tokens, of all texts together, where tokens have labels. The loss of a span is
    the mean of two cross-entropies over the places of its text, of its first token and of its last. `transformers`
    takes the softmax over the padding behind a text, too, so that its loss depends on the batch; ours has no padding.

    Source: Devlin et al. 2019, sections 4.1, 4.2 and 5.3.

    >>> from minibert import EncoderConfig, SequenceClassifier
    >>> model = SequenceClassifier(EncoderConfig.preset("bert-nano"), labels=2).eval()
    >>> losses = [task_loss(model, [Example((2, 7, 3), (0, 0, 0), label)]) for label in (0, 1)]
    >>> round(sum(torch.exp(-loss).item() for loss in losses), 4)  # the probabilities of both labels
    1.0
    """
    output, cu_seqlens = run_packed(model, examples)
    logits = output.logits
    labels = [example.label for example in examples]
    if isinstance(model, SpanReader):
        places = torch.tensor(labels, device=logits.device)  # (B, 2)
        texts = logits.split(cu_seqlens.diff().tolist())  # B times (T, 2)
        return torch.stack([F.cross_entropy(text.T, place) for text, place in zip(texts, places, strict=True)]).mean()
    if isinstance(labels[0], tuple):
        return mlm_loss(logits, torch.tensor([label for text in labels for label in text], device=logits.device))
    targets = torch.tensor(labels, device=logits.device)  # (B,)
    if targets.is_floating_point():
        return F.mse_loss(logits[:, 0], targets)
    return F.cross_entropy(logits, targets)


def _update(model, optimizer, loss_of: Callable, batch: list[Example], lr: float, recipe: Recipe) -> float:
    """One step on one batch; the loss before it."""
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(next(model.parameters()).device.type, dtype=torch.bfloat16, enabled=recipe.bf16):
        loss = loss_of(model, batch)
    loss.backward()
    descend(model, optimizer, loss.item(), gradient_norm(model), lr, recipe.clip)
    return loss.item()


class _Order:
    """Which examples each step sees. It follows from the seed and the step alone, so a checkpoint need not hold it."""

    def __init__(self, examples: Sequence[Example], batch_size: int, seed: int):
        self.examples, self.batch_size = examples, batch_size
        self.generator = torch.Generator().manual_seed(seed)
        self.places: list[int] = []  # one shuffle after the other, as far as was asked for

    def batch(self, step: int) -> list[Example]:
        end = (step + 1) * self.batch_size
        while len(self.places) < end:
            self.places += torch.randperm(len(self.examples), generator=self.generator).tolist()
        return [self.examples[place] for place in self.places[end - self.batch_size : end]]

    def describe(self) -> dict:
        """What a resumed run compares (see `settings_of`)."""
        text = json.dumps([[example.ids, example.segment_ids, example.label] for example in self.examples])
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
        return {"examples": len(self.examples), "batch_size": self.batch_size, "tokens_sha256": digest}

    def state_dict(self) -> dict:
        return {}

    def load_state_dict(self, state: dict) -> None:
        pass


def _is_best(score: float, step: int, scores: list) -> bool:
    """Note the score of a step, and say whether it is above all before it."""
    is_best = all(score > other for _, other in scores)
    scores.append([step, score])
    return is_best


def _is_over(scores: list, patience: int | None) -> bool:
    """Whether the last `patience` validations brought nothing better than those before."""
    if patience is None or len(scores) <= patience:
        return False
    values = [score for _, score in scores]
    return max(values[-patience:]) <= max(values[:-patience])


def _score(validation: Callable[[torch.nn.Module], float], model) -> float:
    score = float(validation(model))
    model.train()
    if not math.isfinite(score):
        raise ValueError(f"validation returned {score}; it must return a finite number, more is better")
    return score


def _with_best(checkpoint: Checkpoint, best: dict[str, Tensor]) -> Checkpoint:
    tensors = checkpoint.tensors | {f"best.{name}": tensor for name, tensor in best.items()}
    return Checkpoint(checkpoint.step, tensors, checkpoint.state)


def _check(model, examples: list[Example], recipe: Recipe, batch_size: int, checks_labels: bool) -> None:
    """Refuse what would fail after an hour, or silently learn something else."""
    check_whole("batch_size", batch_size, 1)
    if recipe.accumulate != 1:
        raise ValueError(
            f"accumulate is {recipe.accumulate}: fine_tune takes one batch a step; raise batch_size instead"
        )
    if not examples:
        raise ValueError("there are no examples; pass at least one")
    limit = model.config.max_len if model.config.position == "learned" else math.inf
    for number, example in enumerate(examples):
        tokens = len(example.ids)
        if not 0 < tokens <= limit or tokens != len(example.segment_ids):
            raise ValueError(
                f"example {number} has {tokens} ids and {len(example.segment_ids)} segment ids: expected equally many, "
                f"1 to {limit}; cut longer texts"
            )
        if checks_labels and (problem := _problem(model, example)):
            raise ValueError(f"example {number} has the label {example.label!r:.60}: {problem}")


def _problem(model, example: Example) -> str | None:
    """What is wrong with a label, if anything."""
    label, tokens = example.label, len(example.ids)
    if isinstance(model, SpanReader):
        fits = isinstance(label, tuple) and len(label) == 2 and 0 <= label[0] <= label[1] < tokens
        return None if fits else f"expected the (first, last) token of a span, from 0 to {tokens - 1}"
    if model.token_wise_logits:
        fits = isinstance(label, tuple) and len(label) == tokens
        fits = fits and all(type(one) is int and (one == IGNORE or 0 <= one < model.labels) for one in label)
        return None if fits else f"expected a tuple of {tokens} numbers, each from 0 to {model.labels - 1} or {IGNORE}"
    if model.labels == 1:
        return None if isinstance(label, float) and math.isfinite(label) else "a model with one label learns floats"
    fits = type(label) is int and 0 <= label < model.labels
    return None if fits else f"expected a whole number from 0 to {model.labels - 1}"
