"""14.4 Open task: the lowest bits per byte for a budget. The check trains and measures."""

import json
from functools import lru_cache

import torch

from minibert.course.lab import Exercise, Lab, Wrong
from minibert.course.tools import call, kind_of, show
from minibert.tasks.open_tasks import BUDGET, RECIPE, spend_budget, within_budget
from minibert.training.loop import TrainingDiverged


def best_run():
    """What to train, and how: (architecture, recipe), two dictionaries."""
    block = dict(position="rope", rope_theta=10_000.0, segments=0)  # no table of positions, no segments
    # Four rows a step are 400 steps; 40 % of the tokens teach; AdamW forgets fast, as the run is short. Norms and gates
    # make little difference at two layers, once each block has a learning rate of its own.
    recipe = dict(rows_a_step=4, mask_rate=0.4, learning_rate=5e-3, warmup=20, betas=(0.9, 0.98))
    return block, recipe


BAR = 0.6  # bits per byte; BERT's block with the recipe as it stands comes to 1.2, ModernBERT's to 1.5
SLOW = "the learning rate is small for a run this short: measure 3e-3 and 1e-2"
FEW = "this makes few steps; tokens are what you pay for, so fewer rows a step make more steps"
RARE = "few tokens teach: at a mask rate of 30 % or 40 % the same rows teach more of them"
HOT = "the learning rate is too high: measure 1e-2 and 5e-3, or a longer warm-up"
OPEN = "change one thing at a time, and measure it with two or three seeds before you keep it"
LARGE = "make it smaller: hidden, layers or intermediate"
PAIR = "return architecture, recipe: two dictionaries, as spend_budget takes them"
NOTHING = "the architecture changes fields of BERT's block, the recipe those of RECIPE; both may be empty"


@lru_cache(maxsize=64)
def measured(choice: str, seed: int) -> float:
    """Bits per byte of a run; the choice is JSON, so that the same run is not made twice."""
    architecture, recipe = json.loads(choice)
    return spend_budget(architecture, recipe, seed)


def likely(recipe: dict) -> str:
    """What to try first."""
    choices = RECIPE | recipe
    if choices["learning_rate"] < 2e-3:
        return SLOW
    if choices["learning_rate"] > 3e-2:
        return HOT
    if BUDGET.steps(choices["rows_a_step"]) < 200:
        return FEW
    return RARE if choices["mask_rate"] < 0.2 else OPEN


def measure(answer, rng):
    """Train what the answer asks for, on stories of this seed, and compare the bits per byte with the bar."""
    got = call(answer)
    if type(got) not in (tuple, list) or len(got) != 2 or not all(isinstance(one, dict) for one in got):
        what = f"({', '.join(map(kind_of, got))})" if type(got) in (tuple, list) else kind_of(got)
        raise Wrong(f"best_run returns {what}", "(a dict, a dict)", PAIR)
    try:
        choice = json.dumps([dict(one) for one in got])
        within_budget(*json.loads(choice))
    except (TypeError, ValueError) as error:
        text = str(error)
        if "JSON" in text:
            text = "a value is neither a number, a text, True, False, None nor a tuple of numbers"
        raise Wrong(text, "a run that the budget pays for", LARGE if "parameters" in text else NOTHING) from None
    seed = int(torch.randint(2**31, (), generator=rng))
    try:
        bits = measured(choice, seed)
    except TrainingDiverged:
        raise Wrong("the loss became infinite or NaN while it was trained", "a run that ends", HOT) from None
    if not bits <= BAR:
        seen = f"after {BUDGET.steps((RECIPE | got[1])['rows_a_step'])} steps {show(round(bits, 2))} bits per byte"
        raise Wrong(seen, f"at most {BAR:g}", likely(got[1]))


RATE, FIELD = "learning_rate=5e-3", "segments=0)  #"
MISTAKES = {
    SLOW: {RATE: "learning_rate=2e-4"},
    HOT: {RATE: "learning_rate=0.3"},
    FEW: {"rows_a_step=4": "rows_a_step=48"},
    RARE: {"mask_rate=0.4": "mask_rate=0.02"},
    LARGE: {FIELD: "segments=0, intermediate=300)  #"},
    PAIR: {"return block, recipe": "return block"},
    NOTHING: {FIELD: 'segments=0, mlp="geglu")  #'},
    "layers is 12, at most 6 is allowed": {FIELD: "segments=0, layers=12)  #"},
    "steps is decided by the budget": {"rows_a_step=4": "rows_a_step=4, steps=5000"},
    "vocab_size is decided by the text": {FIELD: "segments=0, vocab_size=60)  #"},
    "expected a whole number from 4 to 64": {"rows_a_step=4": "rows_a_step=1"},
    "mask_rate is 1.5, expected a number between 0 and 1": {"mask_rate=0.4": "mask_rate=1.5"},
}

EXERCISE = Exercise(
    minutes=60,
    difficulty=5,
    signature="best_run() -> (architecture, recipe), two dictionaries",
    hints=(
        "Two things are short: parameters and tokens. Ask of every choice what it costs in each, and what a run with\n"
        "so few tokens is short of: is it the size of the model, or the number of updates?",
        "76,800 tokens in rows of 48 are 1,600 rows: 100 steps of 16 rows, 400 steps of 4. At a mask rate of 15 % a\n"
        "step of 4 rows has 29 labels, at 40 % it has 77. The table and the head take 8,000 of the 60,000 parameters.",
        "for each of learning_rate, rows_a_step, mask_rate and the parts of the block:\n"
        "    try two other values, each with two seeds, all else as it was\n"
        "    keep the better one\n"
        "begin with what changes most",
    ),
    parts=(Lab(best_run, lambda rng: [], MISTAKES, after=measure, coarse=True),),
    seconds=120.0,
)
