"""Deep and narrow, or shallow and wide? Models of ModernBERT's block with equal parameters, rows and hidden tokens.

All layers are global, so that depth and width are all that differs; heads have 16 channels in every model, and the
random start has the same size at every width, and the learning rate is the one of `ladder`.
"""

from minibert.config import EncoderConfig
from minibert.experiments.ladder import CHANGES, recipe_of
from minibert.experiments.record import Experiment
from minibert.experiments.sizes import step_cost, with_parameters
from minibert.experiments.small_encoders import held_out_batches, read, score, train, with_ids_of
from minibert.model.cost import count_parameters

ARMS = {"1 x 96": (1, 96), "2 x 64": (2, 64), "4 x 48": (4, 48), "8 x 32": (8, 32)}
BLOCK = {
    name: value
    for change in ("no biases", "pre-norm", "GeGLU", "RoPE", "no segments")
    for name, value in CHANGES[change].items()
}


def config_of(settings: dict, arm: str) -> EncoderConfig:
    """The model of an arm, layers x width, each with `parameters` weights.

    >>> [config_of(DEPTH_WIDTH.settings, arm).layers for arm in ARMS]
    [1, 2, 4, 8]
    """
    layers, width = ARMS[arm]
    config = EncoderConfig.preset("bert-nano").replace(
        vocab_size=settings["vocab_size"],
        hidden=width,
        layers=layers,
        heads=width // settings["head_size"],
        intermediate=2 * width,
        max_len=settings["row"],
        init_std=0.02 * (768 / width) ** 0.5,
        norm_eps=1e-5,
        pool="mean",
        nsp=False,
        **BLOCK,
    )
    return with_parameters(config, settings["parameters"])


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    text = read(settings["text"], settings["vocab_size"], settings["documents"])
    config = config_of(settings, arm)
    row, rows = settings["row"], settings["rows_a_step"]
    model = train(config, text, recipe_of(settings), row, rows, seed, rate=0.3)
    found = score(model, text, row, settings["held_out_rows"])
    cost = step_cost(model, held_out_batches(text, row, rows, 0.3)[0])
    return {
        "bits per byte": found["bits per byte"],
        "accuracy": found["accuracy"],
        "parameters": count_parameters(with_ids_of(config, text)),
        "feed-forward width": config.intermediate,
    } | cost


DEPTH_WIDTH = Experiment(
    name="depth_width",
    question="At equal parameters and tokens, how deep should a small ModernBERT be?",
    settings=dict(
        text="stories",
        documents=4000,
        vocab_size=160,
        row=48,
        parameters=120_000,
        head_size=16,
        steps=200,
        rows_a_step=16,
        held_out_rows=300,
        learning_rate=8e-3,
    ),
    arms=tuple(ARMS),
    measure=_one,
    tiny=dict(documents=100, row=16, steps=2, rows_a_step=2, held_out_rows=8),
)
