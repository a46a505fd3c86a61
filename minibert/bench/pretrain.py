"""Pretraining end to end: tokens per second of the real loop on the speeches, and where the time goes.

There is no opponent here. What counts is how much of the loop is the model: the share of data preparation (cutting,
packing, masking) is time in which nothing is learnt.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from statistics import mean

import torch

from minibert import corpora
from minibert.bench.report import Settings, start_report
from minibert.bench.timing import summary
from minibert.config import EncoderConfig
from minibert.model import MaskedLanguageModel, PretrainingModel
from minibert.shipped_models import shipped
from minibert.tokenization import load_tokenizer
from minibert.training import PretrainingData, Recipe, train
from minibert.training.recipe import FAMILY_MASKING, FAMILY_RECIPES

NANO = ("bert-nano", "modernbert-nano", "eurobert-nano")
STEPS, MAX_LEN, BATCH_TOKENS = 30, 128, 2048
NOTES = (
    "The loop of `minibert pretrain` on the speeches, batches of up to 2,048 tokens, texts of up to 128. Each repeat "
    "is a run of its own; its first and last step (warm-up, checkpoint) are not counted. data_share: the part of the "
    "time that goes into the next batch. fill: real tokens in a batch over its 2,048. bf16: autocast."
)


def run(
    settings: Settings,
    save: Callable[[dict], None] = lambda report: None,
    say=lambda line: None,
    documents: Sequence[Sequence[str]] | None = None,
    steps: int = STEPS,
) -> dict:
    """Measure the loop for every model and dtype of `settings`; `documents` are lists of sentences, default: sotu.

    Raises:
        ValueError: fewer than three steps.
        DataUnavailable: the speeches are not cached; the message says how to fetch them.

    >>> texts = [["the bank lends money", "the river has a bank"]] * 60
    >>> report = run(Settings(models=("modernbert-nano",), repeats=1), documents=texts, steps=3)
    >>> 0 < report["results"][0]["fill"] <= 1
    True
    """
    if steps < 3:
        raise ValueError(f"steps={steps}: expected at least 3, the first and the last are not counted")
    if documents is None:
        documents = [document.sentences() for document in corpora.load("sotu", stand_in=False)]
    report = start_report("pretrain", settings, NOTES)
    for model in settings.models:
        for dtype in settings.dtypes:
            say(f"{model} {dtype}")
            report["results"].append(measure(model, dtype, documents, settings, steps))
            save(report)
    return report


def measure(preset: str, dtype: str, documents: Sequence[Sequence[str]], settings: Settings, steps: int) -> dict:
    """One model: `settings.repeats` short runs of the loop from the beginning.

    >>> texts = [["the bank lends money", "the river has a bank"]] * 60
    >>> found = measure("modernbert-nano", "fp32", texts, Settings(repeats=1), steps=3)
    >>> sorted(found["loop"])
    ['median_seconds', 'quartiles', 'seconds', 'tokens_per_second']
    """
    config = EncoderConfig.preset(preset)
    family = config.family
    tok = load_tokenizer(shipped("bert-nano" if family == "bert" else "modernbert-nano"))
    config = config.replace(vocab_size=tok.vocab_size)
    started = time.perf_counter()
    data = PretrainingData(
        documents, tok, pairs=config.nsp, max_len=MAX_LEN, batch_tokens=BATCH_TOKENS, validation_share=0.0,
        seed=settings.seed, **FAMILY_MASKING[family],
    )  # fmt: skip
    tokenised = time.perf_counter() - started
    recipe = Recipe(
        steps,
        optimizer=FAMILY_RECIPES[family]["optimizer"],
        checkpoint_every=0,
        bf16=dtype == "bf16",
        seed=settings.seed,
    )
    runs = []
    for _ in range(settings.repeats):
        generator = torch.Generator().manual_seed(settings.seed)
        model = (PretrainingModel if config.nsp else MaskedLanguageModel)(config, generator=generator)
        runs.append(timed_run(model.to(settings.device), data, recipe))
    per_step = mean(tokens for run in runs for tokens in run["tokens"])
    seconds = [run["seconds"] / len(run["tokens"]) for run in runs]
    return {
        "model": preset,
        "dtype": dtype,
        "steps": steps,
        "tokens_per_step": round(per_step, 1),
        "fill": round(per_step / BATCH_TOKENS, 4),
        "loop": summary(seconds, round(per_step)),
        "data_share": round(sum(run["data_seconds"] for run in runs) / sum(run["seconds"] for run in runs), 4),
        "seconds_to_tokenise_everything": round(tokenised, 2),
    }


def timed_run(model: torch.nn.Module, data: PretrainingData, recipe: Recipe) -> dict:
    """Run the loop once and take the time between its first and its last step but one.

    >>> from minibert.training.data import _tiny
    >>> config = EncoderConfig.preset("modernbert-nano").replace(vocab_size=128, hidden=16, intermediate=16, layers=1)
    >>> found = timed_run(MaskedLanguageModel(config), _tiny(), Recipe(4))
    >>> len(found["tokens"]), found["seconds"] > found["data_seconds"] > 0
    (2, True)
    """
    watched = WatchedData(data)
    ends = []

    def on_step(step: int) -> None:
        ends.append(time.perf_counter())
        watched.counting = 1 <= step < recipe.steps - 1

    with tempfile.TemporaryDirectory() as folder:
        train(model, watched, recipe, folder, progress=False, on_step=on_step)
    return {"seconds": ends[-2] - ends[0], "data_seconds": watched.seconds, "tokens": watched.tokens}


class WatchedData:
    """Data for the loop that notes, while `counting`, how long each batch took to make and how large it is.

    >>> from minibert.training.data import _tiny
    >>> watched = WatchedData(_tiny())
    >>> watched.counting = True
    >>> len(watched.next_batch().ids) == watched.tokens[0]
    True
    """

    def __init__(self, data: PretrainingData):
        self._data, self.counting, self.seconds, self.tokens = data, False, 0.0, []

    def __getattr__(self, name: str):
        return getattr(self._data, name)

    def next_batch(self, *arguments):
        """The data's next batch."""
        started = time.perf_counter()
        batch = self._data.next_batch(*arguments)
        if self.counting:
            self.seconds += time.perf_counter() - started
            self.tokens.append(len(batch.ids))
        return batch
