"""Everything that decides a training run besides the model and the data: by family, and with checks of its numbers.

Settings that cannot work are refused when they are given, not after an hour of training.
"""

import math
from dataclasses import dataclass

import torch

from minibert.training.optimizers import AdamW, BertAdam, Muon, StableAdamW, muon_groups, parameter_groups
from minibert.training.schedules import batch_size, linear_decay, trapezoid

OPTIMIZERS = {"bert_adam": BertAdam, "adamw": AdamW, "stable_adamw": StableAdamW, "muon": Muon}


@dataclass(frozen=True)
class Recipe:
    """The settings of a training run.

    A run can only be resumed with the same ones; only the three `*_every` may change, which touch no weight.

    `optimizer` is "bert_adam", "adamw", "stable_adamw" or "muon"; `schedule` is "linear" (BERT's, with its drop) or
    "trapezoid", which falls during the last `decay` steps in the shape `decay_shape` (see `trapezoid`). One step is one
    update of the weights, made from `accumulate` batches; their gradients are weighted by tokens, as if they were one
    batch. Several processes share these batches, so that the number of processes changes nothing but the time. With
    `accumulate_start` the first steps have fewer batches: their number grows from it to `accumulate` over the first
    `batch_warmup` tokens of the run, with equally many steps for each number. `clip` is the largest global norm of the
    gradient, None for no clipping. Biases and norms are not decayed unless, as for EuroBERT, `decay_everything` is set.
    `bf16` computes in bfloat16 where torch thinks it safe; weights and optimiser stay float32. The `*_every` are in
    steps, 0 for never; the last step is always logged, validated and saved.

    Raises:
        ValueError: for an unknown optimizer or schedule, or numbers out of range.

    Source: Devlin et al. 2019, appendix A.2; Warner et al. 2024, table 3; both scaled down.

    >>> recipe = Recipe(steps=100, warmup=10)
    >>> [round(recipe.lr(step), 6) for step in (0, 5, 10, 99)]
    [0.0, 0.0005, 0.0009, 1e-05]
    """

    steps: int
    learning_rate: float = 1e-3
    optimizer: str = "bert_adam"
    schedule: str = "linear"
    warmup: int = 0
    decay: int = 0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-6
    clip: float | None = 1.0
    accumulate: int = 1
    accumulate_start: int | None = None
    batch_warmup: int = 0
    bf16: bool = False
    seed: int = 0
    log_every: int = 10
    validate_every: int = 0
    checkpoint_every: int = 100
    decay_everything: bool = False
    decay_shape: str = "1-sqrt"

    def __post_init__(self):
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer is {self.optimizer!r}; choose 'bert_adam', 'adamw', 'stable_adamw' or 'muon'")
        if self.schedule not in ("linear", "trapezoid"):
            raise ValueError(f"schedule is {self.schedule!r}; choose 'linear' or 'trapezoid'")
        if self.schedule == "linear" and self.decay:
            raise ValueError("the linear schedule decays over the whole run; decay belongs to schedule='trapezoid'")
        for name in ("steps", "accumulate"):
            check_whole(name, getattr(self, name), 1)
        for name in ("warmup", "decay", "log_every", "validate_every", "checkpoint_every"):
            check_whole(name, getattr(self, name), 0)
        self._check_batch_warmup()
        check_positive("learning_rate", self.learning_rate)
        check_positive("eps", self.eps)
        if self.clip is not None:
            check_positive("clip", self.clip, "; None for no clipping")
        check_not_negative("weight_decay", self.weight_decay)
        if not isinstance(self.betas, tuple | list) or len(self.betas) != 2:
            raise ValueError(f"betas must be two numbers, got {self.betas!r}")
        for beta in self.betas:
            check_share("each of betas", beta, may_be_all=False)
        check_switch("bf16", self.bf16)
        check_switch("decay_everything", self.decay_everything)
        check_seed(self.seed)
        self.lr(0)  # checks that warm-up and decay fit into the run, and the shape of the decay

    def _check_batch_warmup(self):
        check_whole("batch_warmup", self.batch_warmup, 0)
        if (self.accumulate_start is None) != (self.batch_warmup == 0):
            raise ValueError(
                f"accumulate_start is {self.accumulate_start!r} and batch_warmup {self.batch_warmup!r}: a batch-size "
                "warm-up needs both, the first number of batches and the tokens over which it grows to `accumulate`"
            )
        if self.accumulate_start is not None:
            check_whole("accumulate_start", self.accumulate_start, 1)
            if self.accumulate_start >= self.accumulate:
                raise ValueError(
                    f"accumulate_start ({self.accumulate_start}) must be under accumulate ({self.accumulate})"
                )

    def lr(self, step: int) -> float:
        """Return the learning rate of the update after `step` updates.

        >>> Recipe(steps=10, learning_rate=1.0, schedule="trapezoid", decay=4).lr(7)
        0.5
        """
        if self.schedule == "linear":
            return self.learning_rate * linear_decay(step, self.steps, self.warmup)
        return self.learning_rate * trapezoid(step, self.steps, self.warmup, self.decay, self.decay_shape)

    def batches(self, tokens: int) -> int:
        """Return how many batches the next step is made from, after `tokens` tokens of the run.

        >>> recipe = Recipe(steps=10, accumulate=5, accumulate_start=1, batch_warmup=1000)
        >>> [recipe.batches(tokens) for tokens in (0, 100, 1000)]
        [1, 2, 5]
        """
        if self.accumulate_start is None:
            return self.accumulate
        return batch_size(tokens, self.accumulate_start, self.accumulate, self.batch_warmup)

    def make_optimizer(self, model: torch.nn.Module) -> torch.optim.Optimizer:
        """Return the optimiser for `model`, with its parameter groups.

        >>> type(Recipe(steps=1, optimizer="adamw").make_optimizer(torch.nn.Linear(2, 2))).__name__
        'AdamW'
        """
        groups = (muon_groups if self.optimizer == "muon" else parameter_groups)(model, self.weight_decay)
        if self.decay_everything:
            for group in groups:
                group["weight_decay"] = self.weight_decay
        return OPTIMIZERS[self.optimizer](groups, self.learning_rate, self.betas, self.eps)


# What differs between the families besides the architecture. Sources: Devlin et al. 2019, appendix A.2; Warner et al.
# 2024, table 3; Boizard et al. 2025, table 4. Learning rates are larger than the papers': nano models, short runs.
FAMILY_RECIPES = {
    "bert": dict(
        optimizer="bert_adam",
        schedule="linear",
        learning_rate=7e-4,
        weight_decay=0.01,
        clip=1.0,
    ),
    "modernbert": dict(
        optimizer="stable_adamw",
        schedule="trapezoid",
        learning_rate=4e-3,
        weight_decay=1e-5,
        betas=(0.9, 0.98),
        clip=None,
    ),
    "eurobert": dict(
        optimizer="adamw",
        schedule="trapezoid",
        learning_rate=2e-3,
        weight_decay=0.1,
        betas=(0.9, 0.95),
        eps=1e-5,
        clip=1.0,
        decay_everything=True,
    ),
}
MUON = dict(optimizer="muon", schedule="trapezoid", decay_shape="linear", learning_rate=2e-3, betas=(0.9, 0.98))
EXTENSION_SHARE = 3 / 8  # ModernBERT-base: 3e-4 after 8e-4
FAMILY_MASKING = {  # how `PretrainingData` hides tokens, as in the papers
    "bert": dict(mask_rate=0.15, mask_split=(0.8, 0.1, 0.1)),
    "modernbert": dict(mask_rate=0.3, mask_split=(0.8, 0.1, 0.1)),
    "eurobert": dict(mask_rate=0.5, mask_split=(1.0, 0.0, 0.0)),
}
FAMILY_ANNEALING = {  # a last phase that hides less, on longer texts; RoPE's theta is raised for it, from `first_theta`
    "eurobert": dict(mask_rate=0.1, first_theta=10_000.0, longer=4),  # 2,048 -> 8,192 tokens
}
PHASES = ("whole", "plateau", "annealing")


def family_recipe(
    family: str,
    steps: int,
    *,
    learning_rate: float | None = None,
    accumulate: int = 1,
    bf16: bool = False,
    seed: int = 0,
    validate_every: int = 0,
    checkpoint_every: int = 100,
    extension: bool = False,
    phase: str = "whole",
    muon: bool = False,
) -> Recipe:
    """The family's recipe for a run of `steps`: a tenth warms up, and a trapezoid's last quarter decays.

    A run of two phases has a recipe for each: the `phase` "plateau" warms up and stays at the peak, "annealing" goes on
    from there and falls to 0 as a cosine. With `muon` the matrices of the blocks are moved by Muon, a twentieth of the
    run warms up, and the rate falls linearly over the rest.

    An `extension` goes on with a trained model on longer texts: its learning rate is constant from the first step to
    the last, by default `EXTENSION_SHARE` of the family's peak.

    Raises:
        ValueError: for another family or phase, and as `Recipe`.

    Source: Warner et al. 2024, table 3, for the extension; Boizard et al. 2025, section 2.3, for the two phases.

    >>> family_recipe("modernbert", 100).decay
    25
    >>> family_recipe("bert", 100, muon=True).decay
    95
    >>> [round(family_recipe("modernbert", 100, extension=True).lr(step), 4) for step in (0, 99)]
    [0.0015, 0.0015]
    >>> [round(family_recipe("eurobert", 100, phase="annealing").lr(step), 4) for step in (0, 50, 99)]
    [0.002, 0.001, 0.0]
    """
    if phase not in PHASES:
        raise ValueError(f"phase is {phase!r}; choose one of {', '.join(PHASES)}")
    if family not in FAMILY_RECIPES:
        raise ValueError(f"family is {family!r}; choose one of {', '.join(FAMILY_RECIPES)}")
    settings = dict(FAMILY_RECIPES[family])
    if extension:
        settings |= dict(schedule="trapezoid", learning_rate=EXTENSION_SHARE * settings["learning_rate"])
    elif phase == "annealing":
        settings |= dict(schedule="trapezoid", decay=steps, decay_shape="cosine")
    elif settings["schedule"] == "trapezoid" and phase == "whole":
        settings |= dict(decay=steps // 4)
    if muon:
        settings |= MUON | (dict(decay=steps - max(1, steps // 20)) if phase == "whole" and not extension else {})
    if learning_rate is not None:
        settings |= dict(learning_rate=learning_rate)
    return Recipe(
        steps,
        warmup=0 if extension or phase == "annealing" else max(1, steps // (20 if muon else 10)),
        accumulate=accumulate,
        bf16=bf16,
        seed=seed,
        validate_every=validate_every,
        checkpoint_every=checkpoint_every,
        **settings,
    )


SEED_LIMIT = 2**63  # what torch's generators take


def check_whole(name: str, value: int, least: int) -> None:
    """Refuse what is not a whole number of at least `least`.

    >>> check_whole("steps", 3.5, 1)
    Traceback (most recent call last):
    ...
    ValueError: steps must be a whole number of at least 1, got 3.5
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def check_seed(seed: int) -> None:
    """Refuse what no generator can be seeded with.

    >>> check_seed(2**63)
    Traceback (most recent call last):
    ...
    ValueError: seed must be a whole number from -2**63 to 2**63 - 1, got 9223372036854775808
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not -SEED_LIMIT <= seed < SEED_LIMIT:
        raise ValueError(f"seed must be a whole number from -2**63 to 2**63 - 1, got {seed!r}")


def check_share(name: str, value: float, may_be_all: bool = True) -> None:
    """Refuse what is not a number from 0 to 1, or, unless it `may_be_all`, to less than 1.

    >>> check_share("validation_share", 1.0, may_be_all=False)
    Traceback (most recent call last):
    ...
    ValueError: validation_share must be at least 0 and under 1, got 1.0
    """
    if not _is_number(value) or not 0 <= value <= 1 or (value == 1 and not may_be_all):
        raise ValueError(f"{name} must be at least 0 and {'at most' if may_be_all else 'under'} 1, got {value!r}")


def check_not_negative(name: str, value: float) -> None:
    """Refuse what is not a finite number of at least 0.

    >>> check_not_negative("weight_decay", -1)
    Traceback (most recent call last):
    ...
    ValueError: weight_decay must be a finite number of at least 0, got -1
    """
    if not _is_number(value) or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")


def check_positive(name: str, value: float, hint: str = "") -> None:
    """Refuse what is not a finite number above 0.

    >>> check_positive("learning_rate", float("inf"))
    Traceback (most recent call last):
    ...
    ValueError: learning_rate must be a finite number above 0, got inf
    """
    if not _is_number(value) or not 0 < value < math.inf:
        raise ValueError(f"{name} must be a finite number above 0, got {value!r}{hint}")


def check_switch(name: str, value: bool) -> None:
    """Refuse what is neither True nor False.

    >>> check_switch("bf16", "no")
    Traceback (most recent call last):
    ...
    ValueError: bf16 must be True or False, got 'no'
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}")


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
