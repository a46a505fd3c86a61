"""`python -m minibert pretrain`: the main job, from text to a model that fills blanks."""

import json
import shlex
import sys
import time
from pathlib import Path

import click

from minibert.commands.run_folder import claim_folder, read_text_file
from minibert.commands.shared import note, print_json
from minibert.presets import PRESETS


def read_documents(corpus: str, seed: int) -> list[list[str]]:
    """Documents as lists of sentences: "sotu", "synthetic", or a text file (see `read_text_file`).

    Raises:
        ValueError: no such corpus, or a file without text.
        DataUnavailable: the speeches are not in the cache.

    >>> len(read_documents("synthetic", seed=0)) > 100
    True
    """
    from minibert import corpora

    if corpus == "synthetic":
        return corpora.synthetic.documents(2000, seed=seed)
    if corpus == "sotu":
        return [document.sentences() for document in corpora.load("sotu", stand_in=False)]
    return read_text_file(Path(corpus))


def make_tokenizer(family: str, documents: list[list[str]], vocab_size: int, file: Path):
    """The tokenizer in `file`, or one trained and saved there: WordPiece for BERT, byte-level BPE for the others.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tok = make_tokenizer("bert", [["a b a b", "b a"]], 40, Path(folder) / "tokenizer.json")
    >>> type(tok).__name__
    'WordPieceTokenizer'
    """
    from minibert import ByteLevelBPETokenizer, WordPieceTokenizer, load_tokenizer

    if file.exists():
        return load_tokenizer(file)
    sentences = (sentence for document in documents for sentence in document)
    if family == "bert":
        tok = WordPieceTokenizer.train(sentences, vocab_size=vocab_size)
    else:
        pattern = "llama3" if family == "eurobert" else "gpt2"
        tok = ByteLevelBPETokenizer.train((" ".join(d) for d in documents), vocab_size=vocab_size, pattern=pattern)
    tok.save(file)
    return tok


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


@click.command()
@click.option("--preset", type=click.Choice(list(PRESETS)), default="bert-nano", show_default=True)
@click.option("--corpus", default="sotu", show_default=True, help="sotu, synthetic, or a text file: a sentence a line.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run; default runs/PRESET.")
@click.option("--steps", default=1200, show_default=True, type=click.IntRange(min=1))
@click.option("--batch-tokens", default=2048, show_default=True, type=click.IntRange(min=8), help="Tokens a batch.")
@click.option(
    "--accumulate", type=click.IntRange(min=1), help="Batches a step, of all processes; default: one for each."
)
@click.option("--max-len", default=128, show_default=True, type=click.IntRange(min=8), help="Tokens in one text.")
@click.option("--vocab-size", type=click.IntRange(min=300), help="Default: the preset's.")
@click.option("--learning-rate", type=float, help="Peak; default: by family.")
@click.option("--mask-rate", type=float, help="Default: by family: 0.15, 0.3, 0.5.")
@click.option("--whole-words", is_flag=True, help="Mask all pieces of a word together (WordPiece only).")
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
    preset, corpus, out, steps, batch_tokens, accumulate, max_len, vocab_size, learning_rate, mask_rate, whole_words,
    seed, bf16, device, parallel, validate_every, checkpoint_every,
):  # fmt: skip
    """Train a tokenizer and then an encoder, from nothing.

    BERT learns masked tokens and next sentences, the others masked tokens. The same command continues a run that was
    interrupted. OUT then holds a model folder: config.json, model.safetensors, tokenizer.json; and log.jsonl.

    Example: python -m minibert pretrain --preset bert-nano --out runs/bert-nano

    Several processes or GPUs: torchrun --nproc-per-node 8 -m minibert pretrain --device cuda ...
    """
    import torch

    from minibert import EncoderConfig, MaskedLanguageModel, PretrainingModel, corpora
    from minibert.files import write_text
    from minibert.training import PretrainingData, TrainingDiverged, train
    from minibert.training.distributed import first_process_first, process_group, rank, whole_weights, world_size
    from minibert.training.recipe import FAMILY_MASKING, family_recipe

    started = time.perf_counter()

    def say(message: str):
        if rank() == 0:
            note(f"[{time.perf_counter() - started:5.0f} s] {message}")

    device = click.get_current_context().with_resource(process_group(device))
    accumulate = accumulate or world_size()
    config = EncoderConfig.preset(preset)
    family, out = config.family, out or Path("runs") / preset
    # Everything that can be refused is refused before the tokenizer is trained.
    recipe = family_recipe(
        family, steps, learning_rate=learning_rate, accumulate=accumulate, bf16=bf16, seed=seed,
        validate_every=validate_every, checkpoint_every=checkpoint_every,
    )  # fmt: skip
    masking = FAMILY_MASKING[family] | ({} if mask_rate is None else dict(mask_rate=mask_rate))
    check_settings(masking["mask_rate"], batch_tokens, max_len, config, whole_words, device)
    try:
        documents = read_documents(corpus, seed)
    except corpora.DataUnavailable as error:
        say(f"{error} Until then: generated text in its place.")
        corpus = "synthetic"
        documents = read_documents(corpus, seed)
    say(f"{corpus}: {len(documents)} documents, {sum(map(len, documents))} sentences")
    vocab_size = vocab_size or config.vocab_size
    with first_process_first():  # the others read what it writes
        claim_folder(out, dict(preset=preset, corpus=corpus, seed=seed, vocab_size=vocab_size))
        tok = make_tokenizer(family, documents, vocab_size, out / "tokenizer.json")
    say(f"tokenizer: {tok.vocab_size} entries, {out / 'tokenizer.json'}")
    ids = dict(pad_id=tok.pad_id, mask_id=tok.mask_id, cls_id=tok.cls_id, sep_id=tok.sep_id)
    config = config.replace(vocab_size=tok.vocab_size, **ids)
    data = PretrainingData(
        documents, tok, pairs=config.nsp, max_len=max_len, batch_tokens=batch_tokens, whole_words=whole_words,
        seed=seed, **masking,
    )  # fmt: skip
    say(f"data: {len(data.examples)} examples an epoch")
    kind = PretrainingModel if config.nsp else MaskedLanguageModel
    model = kind(config, generator=torch.Generator().manual_seed(seed)).to(device)
    parameters = sum(p.numel() for p in model.parameters())
    say(f"{preset}: {parameters:,} parameters; {steps} steps of {accumulate} x {batch_tokens} tokens")
    try:
        result = train(model, data, recipe, out, parallel=parallel)
    except TrainingDiverged as error:
        raise click.ClickException(str(error)) from error
    weights = whole_weights(model)
    if rank() > 0:
        return
    model = kind(config)
    model.load_state_dict(weights)
    model.save_pretrained(out)
    summary = dict(
        command=shlex.join(["python", "-m", "minibert", *sys.argv[1:]]), seed=seed, preset=preset, corpus=corpus,
        parameters=parameters, torch=torch.__version__, threads=torch.get_num_threads(), processes=world_size(),
        **result,
    )  # fmt: skip
    write_text(out / "training.json", json.dumps(summary, indent=2) + "\n")
    say(f'wrote {out}; try: python -m minibert fill --model {out} "The [MASK] of the United States"')
    print_json(result)
