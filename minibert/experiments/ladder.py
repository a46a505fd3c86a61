"""From BERT to ModernBERT, one change at a time, and from ModernBERT with each change taken back: at equal size.

Every arm has as many parameters as BERT (the width of the feed-forward layer makes up for the rest), reads the same
rows in the same order, and is scored on the same hidden tokens. What is no rung is the same in all: size of the norm's
epsilon, the random start, the optimiser and its learning rate, no dropout. Three controls only count words in the
training text.
"""

import torch

from minibert.config import EncoderConfig
from minibert.experiments import small_bert
from minibert.experiments.record import Experiment
from minibert.experiments.sizes import step_cost, with_parameters
from minibert.experiments.small_encoders import Text, held_out_batches, read, score, train, with_ids_of
from minibert.model.cost import count_parameters
from minibert.objectives import IGNORE
from minibert.tasks.rows import rows_of
from minibert.training.evaluation import token_byte_lengths
from minibert.training.recipe import Recipe

CHANGES = {  # in the order in which they are made
    "no biases": dict(attention_bias=False, mlp_bias=False, norm_bias=False, head_bias=False),
    "pre-norm": dict(norm_placement="pre", final_norm=True, skip_first_attn_norm=True),
    "GeGLU": dict(mlp="glu"),
    "RoPE": dict(position="rope", rope_theta=10_000.0),
    "alternating attention": dict(layer_types=("global", "local", "local")),
    "no segments": dict(segments=0),
    "30 % masked": {},  # of the training, not of the model
}
TAKEN_BACK = {  # without 30 % it is the arm "+ no segments"
    "no biases": "with biases",
    "pre-norm": "with post-norm",
    "GeGLU": "with GELU",
    "RoPE": "with learned positions",
    "alternating attention": "with global attention only",
    "no segments": "with segments",
}
ARMS = {  # the last rung, + 30 % masked, is ModernBERT
    "BERT": (),
    **{f"+ {name}": tuple(CHANGES)[: number + 1] for number, name in enumerate(CHANGES)},
    **{f"ModernBERT {back}": tuple(c for c in CHANGES if c != name) for name, back in TAKEN_BACK.items()},
}
CONTROLS = ("word frequencies", "left neighbour", "both neighbours")


def config_of(settings: dict, changes: tuple[str, ...]) -> EncoderConfig:
    """The small model with these changes made to BERT, and BERT's number of parameters.

    >>> config_of(LADDER.settings, ()).norm_placement, config_of(LADDER.settings, tuple(CHANGES)).norm_placement
    ('post', 'pre')
    """
    fields = {}
    for name in changes:
        fields |= CHANGES[name]
    if "alternating attention" in changes:
        fields |= dict(local_window=settings["window"])
        fields |= dict(rope_theta_local=10_000.0) if "RoPE" in changes else {}
    bert = EncoderConfig.preset("bert-nano").replace(
        vocab_size=settings["vocab_size"],
        hidden=settings["width"],
        layers=settings["layers"],
        heads=settings["heads"],
        intermediate=4 * settings["width"],
        max_len=settings["row"],
        init_std=settings["init_std"],
        norm_eps=1e-5,
        pool="mean",
        nsp=False,
    )
    return with_parameters(bert.replace(**fields), count_parameters(bert))


def recipe_of(settings: dict) -> Recipe:
    """`small_bert.recipe_of` with a tenth of the steps to warm up."""
    return small_bert.recipe_of(settings | dict(warmup=settings["steps"] // 10))


def mask_rate_of(changes: tuple[str, ...]) -> float:
    """The share of the tokens that is hidden in training.

    >>> mask_rate_of(()), mask_rate_of(tuple(CHANGES))
    (0.15, 0.3)
    """
    return 0.3 if "30 % masked" in changes else 0.15


def count_words(text: Text, control: str, row: int, rows: int, rate: float = 0.15) -> float:
    """Bits per byte of a guesser that counts, on the hidden tokens of `score`; it may see neighbours that are hidden.

    A tenth of what follows a word is drawn from all words, so that nothing is impossible; "both neighbours" multiplies
    p(word | left) with p(word | right) / p(word).

    >>> text = read("stories", 160, 200)
    >>> count_words(text, "word frequencies", 16, 20) > count_words(text, "both neighbours", 16, 20)
    True
    """
    trained, size = rows_of(text.train, row), text.tokenizer.vocab_size
    alone = torch.bincount(trained.flatten(), minlength=size).double() + 0.01
    alone = alone / alone.sum()
    pairs = torch.bincount((trained[:, :-1] * size + trained[:, 1:]).flatten(), minlength=size**2).view(size, size)
    after, before = (0.9 * n / n.sum(1, keepdim=True).clamp(min=1) + 0.1 * alone for n in (pairs, pairs.T))
    lengths, bits, read_bytes = token_byte_lengths(text.tokenizer), 0.0, 0
    for batch in held_out_batches(text, row, rows, rate):
        hidden = batch.labels != IGNORE
        ids = torch.where(hidden, batch.labels, batch.ids).view(-1, row)
        at, place = hidden.view(-1, row).nonzero(as_tuple=True)
        guess = alone.expand(len(at), size)
        if control != "word frequencies":
            guess = torch.where(place[:, None] > 0, after[ids[at, (place - 1).clamp(min=0)]], guess)
        if control == "both neighbours":
            to_right = before[ids[at, (place + 1).clamp(max=row - 1)]] / alone
            guess = guess * torch.where(place[:, None] < row - 1, to_right, 1.0)
        right = ids[at, place]
        bits -= float((guess / guess.sum(1, keepdim=True))[torch.arange(len(at)), right].log2().sum())
        read_bytes += int(lengths[right].sum())
    return bits / read_bytes


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    text = read(settings["text"], settings["vocab_size"], settings["documents"])
    if arm in CONTROLS:
        return {"bits per byte": count_words(text, arm, settings["row"], settings["held_out_rows"])}
    config = config_of(settings, ARMS[arm])
    recipe, rate = recipe_of(settings), mask_rate_of(ARMS[arm])
    row, rows = settings["row"], settings["rows_a_step"]
    model = train(config, text, recipe, row, rows, seed, rate=rate)
    found = score(model, text, row, settings["held_out_rows"])
    cost = step_cost(model, held_out_batches(text, row, rows, rate)[0])
    return {
        "bits per byte": found["bits per byte"],
        "accuracy": found["accuracy"],
        "parameters": count_parameters(with_ids_of(config, text)),
    } | cost


LADDER = Experiment(
    name="ladder",
    question="Which of ModernBERT's changes to BERT pay in a short run, at equal parameters and tokens?",
    settings=dict(
        text="stories",
        documents=4000,
        vocab_size=160,
        row=48,
        width=32,
        layers=4,
        heads=2,
        window=12,
        init_std=0.1,  # 0.02 at a width of 768, made larger by sqrt(768 / 32)
        steps=300,
        rows_a_step=16,
        held_out_rows=300,
        learning_rate=8e-3,  # of 2e-3, 4e-3 and 8e-3 the best with seed 3 for each of the seven arms that were tried
    ),
    arms=(*ARMS, *CONTROLS),
    measure=_one,
    tiny=dict(documents=100, row=16, width=16, layers=4, heads=2, window=4, steps=2, rows_a_step=4, held_out_rows=20),
)
