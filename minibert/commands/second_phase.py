"""`pretrain --from RUN`: a second phase that goes on with the model of a finished run, on longer texts."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from minibert.commands.run_folder import SETTINGS, TOKENIZER, read_settings
from minibert.config import EncoderConfig
from minibert.files import sha256

TAKEN_OVER = ("preset", "seed", "vocab_size")  # as RUN began; the seed also decides which documents are set aside


@dataclass(frozen=True)
class FirstPhase:
    """A finished run: its folder, the config of its model, what it began with (run.json), its weights' SHA-256.

    >>> FirstPhase(Path("runs/a"), EncoderConfig.preset("modernbert-nano"), {"seed": 0}, "5ec8").settings["seed"]
    0
    """

    folder: Path
    config: EncoderConfig
    settings: dict
    weights_sha256: str

    def take_over(self, corpus: str | None) -> tuple:
        """The values of `TAKEN_OVER`, and the corpus: another one where the user gives one.

        >>> began = dict(preset="modernbert-nano", seed=3, vocab_size=400, corpus="sotu")
        >>> FirstPhase(Path("a"), EncoderConfig.preset("modernbert-nano"), began, "").take_over(None)
        ('modernbert-nano', 3, 400, 'sotu')
        """
        return *(self.settings[name] for name in TAKEN_OVER), corpus or self.settings["corpus"]

    def facts(self) -> dict:
        """What run.json remembers."""
        return {"from_sha256": self.weights_sha256}

    def tokenizer(self, out: Path, corpus, size: int | None):
        """The tokenizer of the first run, copied into the folder of the second."""
        return copy_tokenizer(self.folder, out)

    def model(self, config: EncoderConfig, tok, seed: int):
        """The model of the first run with the config of the second."""
        return continued_model(config, self.folder)


def finished_run(folder: Path, given: Collection[str] = (), out: Path | None = None) -> FirstPhase:
    """Read the first phase; `given` are the options that the user wrote down, `out` the folder of the second.

    Raises:
        ValueError: the folder holds no finished run, `out` is the same folder, or an option is given that a second
            phase takes from the first.

    >>> finished_run(Path("nowhere"))
    Traceback (most recent call last):
    ...
    ValueError: --from nowhere: no finished run, for it has no run.json; give the --out of a pretrain that has ended
    """
    for name in (SETTINGS, TOKENIZER, "config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise ValueError(
                f"--from {folder}: no finished run, for it has no {name}; give the --out of a pretrain that has ended"
            )
    if given := [name for name in TAKEN_OVER if name in given]:
        options = ", ".join("--" + name.replace("_", "-") for name in given)
        raise ValueError(f"{options}: with --from this is what the first run began with; leave it out")
    if out is None or out.resolve() == folder.resolve():
        raise ValueError("--from needs an --out of its own: the first run stays as it is")
    from minibert.checkpoints import load_config

    return FirstPhase(folder, load_config(folder), read_settings(folder), sha256(folder / "model.safetensors"))


def stretch(config: EncoderConfig, max_len: int, theta: float | None) -> EncoderConfig:
    """The config with RoPE for texts of up to `max_len` tokens; global layers rotate by `theta`, None for as before.

    A table of learned positions cannot grow: a config with one stays as it is.

    Raises:
        ValueError: a theta for a config without RoPE, or one that is not positive.

    >>> config = stretch(EncoderConfig.preset("modernbert-nano"), 1024, 10_000.0)
    >>> config.max_len, config.rope_theta, config.rope_theta_local
    (1024, 10000.0, 10000.0)
    """
    if config.position != "rope":
        if theta is not None:
            raise ValueError(f"--theta {theta:g}: a model with learned positions does not rotate; use a RoPE preset")
        return config
    return config.replace(
        max_len=max(config.max_len, max_len), rope_theta=config.rope_theta if theta is None else theta
    )


def copy_tokenizer(run: Path, out: Path):
    """The tokenizer of the first run, copied into the folder of the second, each time the second is started.

    >>> import tempfile
    >>> from minibert.shipped_models import shipped
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     copy_tokenizer(shipped("modernbert-nano"), Path(folder)).vocab_size
    8000
    """
    from minibert import load_tokenizer

    tok = load_tokenizer(run)
    tok.save_pretrained(out)
    return tok


def continued_model(config: EncoderConfig, run: Path):
    """The model of the first run with the config of the second: every weight fits, for RoPE has none.

    >>> from minibert.shipped_models import shipped
    >>> longer = stretch(EncoderConfig.preset("modernbert-nano"), 1024, 10_000.0)
    >>> continued_model(longer, shipped("modernbert-nano")).config.max_len
    1024
    """
    from minibert import MaskedLanguageModel, PretrainingModel

    kind = PretrainingModel if config.nsp else MaskedLanguageModel
    model = kind(config)
    model.load_state_dict(kind.from_pretrained(run).state_dict())
    return model
