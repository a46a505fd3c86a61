"""The phases of one run: a single one, or with `--anneal` two as EuroBERT's, the second of them annealing.

The first phase has a folder of its own within that of the run, `first`, for its log and its checkpoints. The second one
begins with the last of these: the weights and the optimiser's averages go on, the data begins anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from minibert.commands.second_phase import stretch
from minibert.config import EncoderConfig
from minibert.corpora.mixture import GROUPS, passages
from minibert.training.recipe import FAMILY_ANNEALING, FAMILY_MASKING, Recipe, family_recipe

FIRST = "first"
MIXED_LIKE = "modernbert"  # what a foreign model of another block is trained further like
GROUP_PASSAGES = 30  # held-out passages of each group of `languages` that are scored at the end


@dataclass(frozen=True)
class Phase:
    """What differs between the phases: where log and checkpoints lie, the config, the recipe, masks and lengths.

    >>> config = EncoderConfig.preset("eurobert-nano")
    >>> Phase(Path("runs/a"), config, Recipe(steps=9), {"mask_rate": 0.5}, 128).tell()
    '9 steps, 50 % masked, texts of up to 128 tokens, theta 250,000'
    """

    folder: Path
    config: EncoderConfig
    recipe: Recipe
    masking: dict
    max_len: int

    def tell(self) -> str:
        """The phase in one line."""
        theta = f", theta {self.config.rope_theta:,.0f}" if self.config.position == "rope" else ""
        return (
            f"{self.recipe.steps} steps, {100 * self.masking['mask_rate']:g} % masked, "
            f"texts of up to {self.max_len} tokens{theta}"
        )

    def facts(self) -> dict:
        """The same for training.json.

        >>> config = EncoderConfig.preset("eurobert-nano")
        >>> Phase(Path("runs/a"), config, Recipe(steps=9), {"mask_rate": 0.5}, 128).facts()
        {'steps': 9, 'mask_rate': 0.5, 'max_len': 128, 'theta': 250000.0}
        """
        return {
            "steps": self.recipe.steps,
            "mask_rate": self.masking["mask_rate"],
            "max_len": self.max_len,
            "theta": self.config.rope_theta,
        }


def plan(
    out: Path,
    config: EncoderConfig,
    steps: int,
    anneal: int,
    max_len: int,
    mask_rate: float | None,
    *,
    extension: bool = False,
    **settings,
) -> list[Phase]:
    """One phase of `steps`, or, where `anneal` is not 0, one of `steps` and then one of `anneal` steps.

    Annealing hides 10 % and takes texts four times as long. RoPE's theta is the config's there, 10,000 before. The rate
    of learning stays at its peak until then and falls to 0. `settings` are those of `family_recipe`.

    Raises:
        ValueError: a family that is not annealed, annealing after `--from`, and as `Recipe`.

    >>> config = EncoderConfig.preset("eurobert-nano")
    >>> for phase in plan(Path("runs/a"), config, 90, 30, 128, None):
    ...     print(phase.folder.name, phase.tell())
    first 90 steps, 50 % masked, texts of up to 128 tokens, theta 10,000
    a 30 steps, 10 % masked, texts of up to 512 tokens, theta 250,000
    """
    family = config.family if config.family in FAMILY_MASKING else MIXED_LIKE
    masking = FAMILY_MASKING[family] | ({} if mask_rate is None else {"mask_rate": mask_rate})
    if not anneal:
        recipe = family_recipe(family, steps, extension=extension, **settings)
        return [Phase(out, config, recipe, masking, max_len)]
    if extension or config.family not in FAMILY_ANNEALING:
        why = "the run of --from has had its first phase" if extension else f"{config.family} has one phase"
        raise ValueError(f"--anneal {anneal}: {why}; annealing is for a new run with a preset of EuroBERT")
    later = FAMILY_ANNEALING[config.family]
    early = config.replace(rope_theta=later["first_theta"])
    longer = later["longer"] * max_len
    return [
        Phase(out / FIRST, early, family_recipe(config.family, steps, phase="plateau", **settings), masking, max_len),
        Phase(
            out,
            stretch(config, longer, None),
            family_recipe(config.family, anneal, phase="annealing", **settings),
            masking | {"mask_rate": later["mask_rate"]},
            longer,
        ),
    ]


def train_phases(phases: Sequence[Phase], data_of: Callable, make: Callable, device, parallel: str) -> tuple:
    """Train one phase after the other; return the model and what was reached, of all phases where there are several.

    `data_of(phase)` gives the data, `make(config, data)` the model. A later phase begins with the last checkpoint of
    the one before.

    >>> train_phases([], None, None, "cpu", "ddp")
    (None, {})
    """
    from minibert.training import train
    from minibert.training.checkpoint import load_newest_checkpoint
    from minibert.training.distributed import first_process_first

    model, result, start, past = None, {}, None, []
    for phase in phases:
        data = data_of(phase)
        model = make(phase.config, data).to(device)
        result = train(model, data, phase.recipe, phase.folder, parallel=parallel, start=start)
        past.append(phase.facts() | result)
        if phase is not phases[-1]:
            with first_process_first():  # it has written what the others read
                start = load_newest_checkpoint(phase.folder / "checkpoints")
    if len(past) > 1:
        result |= {name: sum(each[name] for each in past) for name in ("step", "tokens")} | {"phases": past}
    return model, result


def score_groups(model, tokenizer, phase: Phase, groups: Sequence[str] = GROUPS) -> dict[str, dict]:
    """How well a model fills blanks in held-out passages of each group of the corpus `languages`, masked as in `phase`.

    Raises:
        DataUnavailable: the texts are not in the cache.

    >>> from minibert import MaskedLanguageModel, load_tokenizer
    >>> from minibert.shipped_models import shipped
    >>> folder = shipped("modernbert-nano")
    >>> model = MaskedLanguageModel.from_pretrained(folder)
    >>> phase = Phase(folder, model.config, Recipe(steps=9), {"mask_rate": 0.1}, 128)
    >>> list(score_groups(model, load_tokenizer(folder), phase, ["code"]))
    ['code']
    """
    from minibert.training.evaluation import evaluate, masked_batches, token_byte_lengths

    sizes, found = token_byte_lengths(tokenizer), {}
    for group in groups:
        texts = [passage.text for passage in passages(group, "held-out")[:GROUP_PASSAGES]]
        rate = phase.masking["mask_rate"]
        found[group] = evaluate(
            model, masked_batches(texts, tokenizer, max_len=phase.max_len, rate=rate, seed=0), sizes
        )
    return found
