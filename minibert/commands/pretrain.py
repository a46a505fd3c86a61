"""`python -m minibert pretrain`: the main job, from text to a model that fills blanks."""

import json
import sys
import time
from pathlib import Path

import click

from minibert.presets import PRESETS

# What differs between the families besides the architecture. Sources: Devlin et al. 2019, appendix A.2; Warner et al.
# 2024, table 3; Boizard et al. 2025, table 4. The learning rates are larger than the papers': nano models, short runs.
FAMILY_RECIPES = {
    "bert": dict(
        optimizer="bert_adam",
        schedule="linear",
        learning_rate=2e-3,
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
FAMILY_MASKING = {
    "bert": dict(mask_rate=0.15, mask_split=(0.8, 0.1, 0.1)),
    "modernbert": dict(mask_rate=0.3, mask_split=(0.8, 0.1, 0.1)),
    "eurobert": dict(mask_rate=0.5, mask_split=(1.0, 0.0, 0.0)),
}


def read_documents(corpus: str, seed: int) -> list[list[str]]:
    """Documents as lists of sentences: "sotu", "synthetic", or a text file.

    A text file holds one sentence a line, and an empty line between documents.

    Raises:
        ValueError: no such corpus, or a file without text.

    Source: the file format is that of Devlin et al. 2019 (released code).

    >>> len(read_documents("synthetic", seed=0)) > 100
    True
    """
    from minibert import corpora

    if corpus == "synthetic":
        return corpora.synthetic.documents(2000, seed=seed)
    if corpus == "sotu":
        return [document.sentences() for document in corpora.load("sotu")]
    if not Path(corpus).is_file():
        raise ValueError(f"corpus {corpus!r}: expected sotu, synthetic, or a text file with one sentence a line")
    blocks = Path(corpus).read_text(encoding="utf-8").split("\n\n")
    documents = [[line.strip() for line in block.splitlines() if line.strip()] for block in blocks]
    documents = [document for document in documents if document]
    if not documents:
        raise ValueError(f"{corpus} holds no text")
    return documents


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


@click.command()
@click.option("--preset", type=click.Choice(list(PRESETS)), default="bert-nano", show_default=True)
@click.option("--corpus", default="sotu", show_default=True, help="sotu, synthetic, or a text file: a sentence a line.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run; default runs/PRESET.")
@click.option("--steps", default=600, show_default=True, type=click.IntRange(min=1))
@click.option("--batch-tokens", default=4096, show_default=True, type=click.IntRange(min=1), help="Tokens a step.")
@click.option("--max-len", default=128, show_default=True, type=click.IntRange(min=8), help="Tokens in one text.")
@click.option("--vocab-size", type=click.IntRange(min=300), help="Default: the preset's.")
@click.option("--learning-rate", type=float, help="Peak; default: by family.")
@click.option("--mask-rate", type=click.FloatRange(0, 1), help="Default: by family: 0.15, 0.3, 0.5.")
@click.option("--whole-words", is_flag=True, help="Mask all pieces of a word together (WordPiece only).")
@click.option("--seed", default=0, show_default=True, type=int)
@click.option("--bf16", is_flag=True, help="Compute in bfloat16.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--validate-every", default=0, help="Steps; 0 validates once, at the end.")
@click.option(
    "--checkpoint-every", default=100, show_default=True, help="Steps between checkpoints; 0 for the last only."
)
def pretrain(
    preset, corpus, out, steps, batch_tokens, max_len, vocab_size, learning_rate, mask_rate, whole_words, seed, bf16,
    device, validate_every, checkpoint_every,
):  # fmt: skip
    """Train a tokenizer and then an encoder, from nothing.

    BERT learns masked tokens and next sentences, the others masked tokens. The same command continues a run that was
    interrupted. OUT then holds a model folder: config.json, model.safetensors, tokenizer.json; and log.jsonl.

    Example: python -m minibert pretrain --preset bert-nano --out runs/bert-nano
    """
    import torch

    from minibert import EncoderConfig, MaskedLanguageModel, PretrainingModel
    from minibert.training import PretrainingData, Recipe, TrainingDiverged, train

    started = time.perf_counter()

    def say(message: str):
        click.echo(f"[{time.perf_counter() - started:5.0f} s] {message}", err=True)

    config = EncoderConfig.preset(preset)
    family, out = config.family, out or Path("runs") / preset
    out.mkdir(parents=True, exist_ok=True)
    documents = read_documents(corpus, seed)
    say(f"{corpus}: {len(documents)} documents, {sum(map(len, documents))} sentences")
    tok = make_tokenizer(family, documents, vocab_size or config.vocab_size, out / "tokenizer.json")
    say(f"tokenizer: {tok.vocab_size} entries, {out / 'tokenizer.json'}")
    ids = dict(pad_id=tok.pad_id, mask_id=tok.mask_id, cls_id=tok.cls_id, sep_id=tok.sep_id)
    config = config.replace(vocab_size=tok.vocab_size, **ids)
    masking = FAMILY_MASKING[family] | ({} if mask_rate is None else dict(mask_rate=mask_rate))
    data = PretrainingData(
        documents, tok, pairs=config.nsp, max_len=max_len, batch_tokens=batch_tokens, whole_words=whole_words,
        seed=seed, **masking,
    )  # fmt: skip
    say(f"data: {len(data.examples)} examples an epoch")
    settings = FAMILY_RECIPES[family] | ({} if learning_rate is None else dict(learning_rate=learning_rate))
    if settings["schedule"] == "trapezoid":
        settings |= dict(decay=steps // 4)
    recipe = Recipe(
        steps, warmup=max(1, steps // 10), bf16=bf16, seed=seed, validate_every=validate_every,
        checkpoint_every=checkpoint_every, **settings,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    model = (PretrainingModel if config.nsp else MaskedLanguageModel)(config, generator=generator).to(device)
    say(f"{preset}: {sum(p.numel() for p in model.parameters()):,} parameters; {steps} steps of {batch_tokens} tokens")
    try:
        result = train(model, data, recipe, out)
    except TrainingDiverged as error:
        raise click.ClickException(str(error)) from error
    model.eval().cpu().save_pretrained(out)
    summary = dict(
        command="python -m minibert " + " ".join(sys.argv[1:]), seed=seed, preset=preset, corpus=corpus,
        parameters=sum(p.numel() for p in model.parameters()), torch=torch.__version__, **result,
    )  # fmt: skip
    (out / "training.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8", newline="\n")
    say(f'wrote {out}; try: python -m minibert fill --model {out} "The [MASK] of the United States"')
    click.echo(json.dumps(result))
