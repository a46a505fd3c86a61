"""`python -m minibert pretrain`: the main job, from text to a model that fills blanks."""

import functools
import json
import platform
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from click.core import ParameterSource

from minibert.commands.corpus import Corpus, FileCorpus, read_corpus, say_what_is_kept
from minibert.commands.foreign_start import LEARNING_RATE, foreign_model
from minibert.commands.run_folder import SHARDS, claim_folder, own_tokenizer, train_tokenizer
from minibert.commands.second_phase import finished_run, stretch
from minibert.commands.shared import note, print_json
from minibert.config import EncoderConfig
from minibert.files import write_text
from minibert.presets import PRESETS


def stopwatch() -> Callable[[str], None]:
    """Return a function that notes a message with the seconds since now; only process 0 speaks.

    >>> stopwatch()("on standard error")
    """
    from minibert.training.distributed import rank

    started = time.perf_counter()

    def say(message: str) -> None:
        if rank() == 0:
            note(f"[{time.perf_counter() - started:5.0f} s] {message}")

    return say


def training_data(source, validation, tok, phase, say: Callable[[str], None], **settings):
    """The data of one phase (see phases.py), after saying what is kept of the text.

    >>> from minibert import EncoderConfig, load_tokenizer
    >>> from minibert.commands.phases import plan
    >>> from minibert.shipped_models import shipped
    >>> [phase] = plan(Path("runs/a"), EncoderConfig.preset("modernbert-nano"), 9, 0, 16, None)
    >>> tok = load_tokenizer(shipped("modernbert-nano"))
    >>> training_data([["One."], ["Two."]], None, tok, phase, lambda line: None, batch_tokens=64).max_len
    16
    """
    from minibert.training import PretrainingData

    pairs = phase.config.nsp
    data = PretrainingData(
        source, tok, pairs=pairs, max_len=phase.max_len, split_long=pairs, validation=validation,
        **phase.masking, **settings,
    )  # fmt: skip
    say_what_is_kept(data, say)
    say(f"{phase.tell()}; a step has {phase.recipe.accumulate} x {data.batch_tokens} tokens")
    return data


def check_settings(mask_rate, batch_tokens, max_len, config, whole_words, device) -> None:
    """Refuse what would fail minutes later.

    >>> from minibert import EncoderConfig
    >>> check_settings(0.15, 64, 128, EncoderConfig.preset("bert-nano"), False, "cpu")
    Traceback (most recent call last):
    ...
    ValueError: --batch-tokens 64 holds not even one text of --max-len 128: raise it or lower --max-len
    """
    import torch

    if not 0 < mask_rate < 1:
        raise ValueError(f"--mask-rate {mask_rate}: expected a share above 0 and below 1")
    if batch_tokens < max_len:
        raise ValueError(
            f"--batch-tokens {batch_tokens} holds not even one text of --max-len {max_len}: raise it or lower --max-len"
        )
    if config.position == "learned" and max_len > config.max_len:
        raise ValueError(f"--max-len {max_len}: this preset learns {config.max_len} positions")
    if whole_words and config.family != "bert":
        raise ValueError("--whole-words needs WordPiece, whose pieces say where a word goes on: use a BERT preset")
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {device}: {str(error).splitlines()[0]}") from None


def written_options() -> set[str]:
    """The options of the running command that the user wrote down, as against those left at their defaults.

    >>> with click.Context(pretrain, info_name="pretrain") as context:
    ...     _ = pretrain.parse_args(context, ["--steps", "5"])
    ...     written_options()
    {'steps'}
    """
    context = click.get_current_context()
    return {name for name in context.params if context.get_parameter_source(name) is not ParameterSource.DEFAULT}


def check_start(first: str, muon: bool, parallel: str, config: EncoderConfig, trained: Path | None) -> None:
    """Refuse a start that the model cannot have, and Muon on slices of matrices.

    >>> check_start("counts", False, "ddp", EncoderConfig.preset("modernbert-nano"), None)
    Traceback (most recent call last):
    ...
    ValueError: --start counts: for a preset of BERT, which learns positions; this is a modernbert
    """
    if first == "counts" and trained:
        raise ValueError(f"--start counts: the model of {trained} is trained already; leave it out")
    if first == "counts" and (config.family, config.position) != ("bert", "learned"):
        raise ValueError(f"--start counts: for a preset of BERT, which learns positions; this is a {config.family}")
    if muon and parallel == "fsdp":
        raise ValueError("--muon needs whole matrices, and --parallel fsdp cuts them into slices: use ddp")


def begin(start, tok, seed: int, first: str, config: EncoderConfig, data):
    """The model before its first step: as `start` makes it, for "counts" with those of the training text.

    >>> from minibert import load_tokenizer
    >>> from minibert.shipped_models import shipped
    >>> config = EncoderConfig.preset("bert-nano")
    >>> begin(NewModel(config), load_tokenizer(shipped("bert-nano")), 0, "random", config, None).config.mask_id
    4
    """
    from minibert.training import start_from_counts

    model = start.model(config, tok, seed)
    if first == "counts":
        start_from_counts(model, data.documents, seed)
    return model


@dataclass(frozen=True)
class NewModel:
    """An untrained model of a preset, with a tokenizer that is trained on the corpus.

    >>> from minibert import load_tokenizer
    >>> from minibert.shipped_models import shipped
    >>> config = EncoderConfig.preset("eurobert-nano")
    >>> NewModel(config).model(config, load_tokenizer(shipped("bert-nano")), seed=0).config.mask_id
    4
    """

    config: EncoderConfig

    def facts(self) -> dict:
        """What run.json remembers, besides what is always there."""
        return {}

    def tokenizer(self, out: Path, corpus, size: int):
        """A tokenizer of the family's kind with at most `size` entries."""
        return own_tokenizer(out, lambda: train_tokenizer(self.config.family, corpus.sample(), size))

    def model(self, config, tok, seed: int):
        """A model for the tokenizer: with a next-sentence head where the config asks for one."""
        import torch

        from minibert import MaskedLanguageModel, PretrainingModel

        ids = dict(pad_id=tok.pad_id, mask_id=tok.mask_id, cls_id=tok.cls_id, sep_id=tok.sep_id)
        config = config.replace(vocab_size=tok.vocab_size, **ids)
        kind = PretrainingModel if config.nsp else MaskedLanguageModel
        return kind(config, generator=torch.Generator().manual_seed(seed))


def choose_start(preset: str, run: Path | None, foreign: Path | None, more: int, out: Path | None, written: set[str]):
    """What the model and its tokenizer begin as: a preset, a finished run of ours, or a folder of anybody's.

    Raises:
        ValueError: options that contradict each other, and as `finished_run` and `foreign_model`.

    >>> choose_start("bert-nano", None, None, 100, None, set())
    Traceback (most recent call last):
    ...
    ValueError: --extend-vocab 100: only the vocabulary of --continue-from can be extended
    """
    if foreign:
        return foreign_model(foreign, more, written)
    if more:
        raise ValueError(f"--extend-vocab {more}: only the vocabulary of --continue-from can be extended")
    return finished_run(run, written, out) if run else NewModel(EncoderConfig.preset(preset))


def check_folders(corpus: Corpus | FileCorpus, out: Path, shards: Path | None, prepare: bool) -> None:
    """Refuse a run within its own corpus, and shards of a corpus that needs none.

    >>> check_folders(Corpus("sotu", []), Path("runs/a"), Path("shards"), False)
    Traceback (most recent call last):
    ...
    ValueError: --shards and --prepare are for files of one's own: sotu is tokenised anew by each run
    """
    if isinstance(corpus, Corpus):
        if shards or prepare:
            raise ValueError(
                f"--shards and --prepare are for files of one's own: {corpus.name} is tokenised anew by each run"
            )
        return
    inside = corpus.files.path.resolve()
    for option, folder in (("--out", out), ("--shards", shards)):
        if folder and folder.resolve().is_relative_to(inside):
            raise ValueError(f"{option} {folder} lies in the corpus {corpus.name}: choose a folder outside it")


def finish(model, result: dict, out: Path, tok, phase, corpus: str, facts: dict, say: Callable[[str], None]) -> None:
    """Put a model together that may lie in slices, save it from process 0, and print what was reached.

    >>> import tempfile
    >>> from minibert import MaskedLanguageModel
    >>> config = EncoderConfig.preset("modernbert-nano").replace(vocab_size=64, hidden=16, intermediate=16, layers=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     finish(MaskedLanguageModel(config), {"step": 3}, Path(folder), None, None, "mine", {}, lambda line: None)
    {"step": 3}
    """
    from minibert.commands.phases import score_groups
    from minibert.training.distributed import rank, whole_weights, world_size

    weights = whole_weights(model)
    if rank() > 0:
        return
    whole = type(model)(model.config)  # without what several processes made of it
    whole.load_state_dict(weights)
    if corpus == "languages":
        result |= dict(groups=score_groups(whole, tok, phase))
    save_run(whole, out, facts | dict(corpus=corpus, processes=world_size()) | result)
    say(f'wrote {out}; try: python -m minibert fill --model {out} "The [MASK] of the United States"')
    print_json(result)


def save_run(model, out: Path, facts: dict) -> None:
    """Write the model folder, and training.json with what was run.

    >>> import tempfile
    >>> from minibert import EncoderConfig, MaskedLanguageModel
    >>> config = EncoderConfig.preset("modernbert-nano").replace(vocab_size=64, hidden=16, intermediate=16, layers=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_run(MaskedLanguageModel(config), Path(folder), {"seed": 0})
    ...     sorted(file.name for file in Path(folder).iterdir())
    ['config.json', 'model.safetensors', 'training.json']
    """
    import torch

    model.save_pretrained(out)
    command = shlex.join(["python", "-m", "minibert", *sys.argv[1:]])
    versions = dict(python=platform.python_version(), torch=torch.__version__)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    summary = dict(command=command, **versions, threads=torch.get_num_threads(), parameters=parameters) | facts
    write_text(out / "training.json", json.dumps(summary, indent=2) + "\n")


@click.command()
@click.option("--preset", type=click.Choice(list(PRESETS)), default="bert-nano", show_default=True)
@click.option(
    "--corpus", default="sotu", show_default=True,
    help="sotu, languages (fifteen, with speeches and code), synthetic, or your own text: a file or a folder of .txt "
    "(a sentence a line, an empty line between documents), .jsonl, .parquet.",
)  # fmt: skip
@click.option("--text-key", default="text", show_default=True, help="Where .jsonl and .parquet have the text.")
@click.option(
    "--shards", type=click.Path(path_type=Path),
    help="Folder of the tokenised text, which runs may share; default OUT/shards, or those of --from.",
)  # fmt: skip
@click.option("--prepare", is_flag=True, help="Only train the tokenizer and write the shards.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run; default runs/PRESET.")
@click.option("--steps", default=1200, show_default=True, type=click.IntRange(min=1))
@click.option("--anneal", default=0, type=click.IntRange(min=0), help="Steps of EuroBERT's second phase; see below.")
@click.option("--batch-tokens", default=2048, show_default=True, type=click.IntRange(min=8), help="Tokens a batch.")
@click.option(
    "--accumulate", type=click.IntRange(min=1), help="Batches a step, of all processes; default: one for each."
)
@click.option("--max-len", default=128, show_default=True, type=click.IntRange(min=8), help="Tokens in one text.")
@click.option("--vocab-size", type=click.IntRange(min=300), help="Default: the preset's.")
@click.option("--learning-rate", type=float, help="Peak; default: by family.")
@click.option("--mask-rate", type=float, help="Default: by family: 0.15, 0.3, 0.5.")
@click.option("--whole-words", is_flag=True, help="Mask all pieces of a word together (WordPiece only).")
@click.option("--from", "run", type=click.Path(path_type=Path), help="A finished run, whose model is trained further.")
@click.option(
    "--continue-from", type=click.Path(path_type=Path), help="A model folder of anybody's, which is trained further."
)
@click.option(
    "--extend-vocab", default=0, type=click.IntRange(min=0), help="Pieces of the corpus to add to its vocabulary."
)
@click.option(
    "--start", "first", type=click.Choice(["random", "counts"]), default="random", show_default=True,
    help="counts: a BERT whose token vectors are counts of neighbours, and whose first layer looks at neighbours.",
)  # fmt: skip
@click.option("--muon", is_flag=True, help="Move the matrices of the blocks by Muon, all else by AdamW.")
@click.option("--theta", type=float, help="RoPE's theta in global layers; default: the preset's, or that of --from.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1))
@click.option("--bf16", is_flag=True, help="Compute in bfloat16.")
@click.option("--device", default="cpu", show_default=True, help="cpu, or cuda: with torchrun a GPU for each process.")
@click.option(
    "--parallel", type=click.Choice(["ddp", "fsdp"]), default="ddp", show_default=True,
    help="With torchrun: a whole model in each process, or a slice.",
)  # fmt: skip
@click.option("--validate-every", default=0, type=click.IntRange(min=0), help="Steps; 0 validates once, at the end.")
@click.option(
    "--checkpoint-every", default=100, show_default=True, type=click.IntRange(min=0), help="Steps; 0: at the end."
)
def pretrain(
    preset, corpus, text_key, shards, prepare, out, steps, anneal, batch_tokens, accumulate, max_len, vocab_size,
    learning_rate, mask_rate, whole_words, run, continue_from, extend_vocab, first, muon, theta, seed, bf16, device,
    parallel, validate_every, checkpoint_every,
):  # fmt: skip
    """Train a tokenizer and then an encoder, from nothing.

    BERT learns masked tokens and next sentences, the others masked tokens. The same command continues a run that was
    interrupted. OUT then holds a model folder: config.json, model.safetensors, tokenizer.json; and log.jsonl.

    Example: python -m minibert pretrain --preset bert-nano --out runs/bert-nano

    Text of your own may be larger than memory: it is tokenised once, into OUT/shards or --shards, and an interruption
    loses little of it. notebooks/own_language.md goes through it. --continue-from trains weights of anybody's further:

    python -m minibert pretrain --corpus my-texts --continue-from their-model --extend-vocab 1000 --out runs/mine

    A second phase on longer texts goes on with the model and the tokenizer of a finished run, by default with its text,
    with a constant learning rate and a new optimiser. RoPE may be given another theta, which holds from the first step:

    python -m minibert pretrain --preset modernbert-nano --theta 10000 --max-len 128 --out runs/short

    python -m minibert pretrain --from runs/short --theta 160000 --max-len 512 --out runs/long

    A small BERT leaves the word frequencies late. --start counts gives it what can be counted; so bert-nano was made:

    python -m minibert pretrain --preset bert-nano --start counts --muon --mask-rate 0.3 --steps 5000

    EuroBERT's two phases are one command with --anneal: --steps with half of the tokens masked and theta 10,000; then
    --anneal steps with a tenth masked, texts four times as long, theta 250,000, and a learning rate that falls to 0:

    python -m minibert pretrain --preset eurobert-nano --corpus languages --steps 900 --anneal 300

    Several processes or GPUs: torchrun --nproc-per-node 8 -m minibert pretrain --device cuda ...
    """
    from minibert.commands.phases import plan, train_phases
    from minibert.training.distributed import first_process_first, process_group, rank, told_by_first, world_size

    say, written = stopwatch(), written_options()
    device = click.get_current_context().with_resource(process_group(device))
    start = choose_start(preset, run, continue_from, extend_vocab, out, written)
    if run:
        preset, seed, vocab_size, corpus = start.take_over(corpus if "corpus" in written else None)
    elif continue_from:
        preset, learning_rate = None, learning_rate or LEARNING_RATE
    config = stretch(start.config, max_len if run or continue_from else 1, theta)
    out = out or Path("runs") / (preset or continue_from.name)
    # Everything that can be refused is refused before the tokenizer is trained.
    phases = plan(
        out, config, steps, anneal, max_len, mask_rate, extension=run is not None, learning_rate=learning_rate,
        accumulate=accumulate or world_size(), bf16=bf16, seed=seed, validate_every=validate_every,
        checkpoint_every=checkpoint_every, muon=muon,
    )  # fmt: skip
    check_start(first, muon, parallel, config, run or continue_from)
    for phase in phases:
        check_settings(phase.masking["mask_rate"], batch_tokens, phase.max_len, phase.config, whole_words, device)
    found = read_corpus(corpus, seed, config.nsp, say, text_key)
    check_folders(found, out, shards, prepare)
    has_them = run is not None and "corpus" not in written and (run / SHARDS).is_dir()  # the same text, tokenised
    shards, size = shards or (run if has_them else out) / SHARDS, vocab_size or config.vocab_size
    made_with = dict(preset=preset, corpus=found.name, seed=seed, vocab_size=size) | start.facts()
    made_with |= dict(start=first) if first != "random" else {}
    made_with |= dict(corpus_sha256=told_by_first(found.checksum)) | (dict(anneal=anneal) if anneal else {})
    with first_process_first():  # the others read what it writes
        if given_up := claim_folder(out, made_with):
            say(given_up)
        tok = start.tokenizer(out, found, size)
        say(f"tokenizer: {tok.vocab_size} entries, {out / 'tokenizer.json'}")
        if rank() == 0:
            found.tokenise(shards, tok, config.nsp)
    if prepare:
        return say(f"{shards} is ready: the same command without --prepare trains on it")

    data_settings = dict(batch_tokens=batch_tokens, whole_words=whole_words, seed=seed)
    data_of = functools.partial(training_data, found.documents(shards), found.validation, tok, say=say, **data_settings)
    model, result = train_phases(phases, data_of, functools.partial(begin, start, tok, seed, first), device, parallel)
    finish(model, result, out, tok, phases[-1], found.name, dict(seed=seed, preset=preset), say)
