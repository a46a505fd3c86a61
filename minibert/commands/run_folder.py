"""The folder of a training run: what it may hold before, how its tokenizer is made, and what is remembered of both.

Nothing stale is reused: run.json holds what the run was begun with, and checksums of its text and its tokenizer.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from minibert.files import read_text, sha256, write_text

SETTINGS, TOKENIZER, SHARDS = "run.json", "tokenizer.json", "shards"
Documents = Sequence[Sequence[str]]


def claim_folder(folder: Path, settings: dict) -> str | None:
    """Make `folder` this run's own, or find that it is already; return a remark if an earlier start is given up.

    run.json remembers the settings. All must be equal, but for the name of the corpus: its text counts, which is in
    "corpus_sha256". A start that never came to a checkpoint, for example because the text was refused, holds nothing
    to lose: it gives way to other settings, and its tokenizer and shards go.

    Raises:
        ValueError: the folder holds a trained run with other settings or another text, named by what differs; a damaged
            run.json; or files that are no run at all.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     claim_folder(Path(folder), {"seed": 0})
    ...     claim_folder(Path(folder), {"seed": 1})
    ...     _ = (Path(folder) / "model.safetensors").write_bytes(b"")
    ...     claim_folder(Path(folder), {"seed": 2})
    Traceback (most recent call last):
    ...
    ValueError: this folder holds a run with other settings (seed: 1 there, 2 now); choose another --out
    """
    file = folder / SETTINGS
    if not file.is_file():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ValueError(f"{folder} is not empty and holds no run of ours; choose another --out")
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder, settings)
        return None
    differing = _differences(read_settings(folder), settings)
    if not differing:
        return None
    if (folder / "model.safetensors").exists() or any(folder.rglob("checkpoints/step-*.json")):
        raise ValueError(f"this folder holds a run with other settings ({differing}); choose another --out")
    (folder / TOKENIZER).unlink(missing_ok=True)  # before run.json is new: a kill in between leaves nothing stale
    shutil.rmtree(folder / SHARDS, ignore_errors=True)
    _write(folder, settings)
    return f"{folder} held a start without a checkpoint ({differing}): begun anew"


def read_settings(folder: Path) -> dict:
    """What run.json says.

    Raises:
        ValueError: it is damaged; the message names it and what to do.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = claim_folder(Path(folder), {"seed": 0})
    ...     read_settings(Path(folder))
    {'seed': 0}
    """
    file = folder / SETTINGS
    try:
        settings = json.loads(read_text(file))
        if not isinstance(settings, dict):
            raise ValueError(f"a {type(settings).__name__}, expected an object")
    except ValueError as error:
        raise ValueError(
            f"{file} is damaged ({error}): put back a copy of it, or delete {folder} to begin anew, or choose another "
            "--out"
        ) from None
    return settings


def _write(folder: Path, settings: dict) -> None:
    write_text(folder / SETTINGS, json.dumps(settings, indent=2) + "\n")


def _differences(there: dict, now: dict) -> str:
    named = {"corpus_sha256": "the text of the corpus"}
    free = {"corpus", "tokenizer_sha256"}
    differing = [name for name in sorted((there.keys() | now.keys()) - free) if there.get(name) != now.get(name)]
    return ", ".join(
        f"{named[name]} is another" if name in named else f"{name}: {there.get(name)} there, {now.get(name)} now"
        for name in differing
    )


def text_checksum(documents: Documents) -> str:
    """SHA-256 of the documents: the same text has the same one, wherever its file lies.

    >>> text_checksum([["One."]])[:8], text_checksum([["One."], []])[:8]
    ('5ec8e55a', '8d310f1c')
    """
    return hashlib.sha256(json.dumps([list(document) for document in documents]).encode("utf-8")).hexdigest()


def own_tokenizer(folder: Path, make: Callable, rust: bool = False):
    """The tokenizer that this run made in `folder`, or else the one that `make()` gives, which is kept there.

    run.json has the checksum of the file, so that only what the run itself made is used again.

    Raises:
        ValueError: tokenizer.json is damaged, or another one took its place.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = claim_folder(Path(folder), {})
    ...     made = own_tokenizer(Path(folder), lambda: train_tokenizer("bert", [["a b a b", "b a"]], 40))
    ...     again = own_tokenizer(Path(folder), lambda: 1 / 0)
    >>> made.vocab == again.vocab
    True
    """
    from minibert import load_tokenizer

    file, settings = folder / TOKENIZER, read_settings(folder)
    made = settings.get("tokenizer_sha256")
    if made is None or not file.exists():
        tok = make()
        tok.save_pretrained(folder)
        _write(folder, settings | {"tokenizer_sha256": sha256(file)})
        return tok
    if sha256(file) != made:
        raise ValueError(
            f"{file} is damaged or not the one that this run made: delete it, and it is made again from the same text"
        )
    return load_tokenizer(folder, rust=rust)


def train_tokenizer(family: str, documents: Iterable[Sequence[str]], vocab_size: int):
    """A tokenizer of the family's kind: WordPiece for BERT, byte-level BPE for the others.

    EuroBERT's cuts text as Llama 3's does, and has the separator of parallel lines among its special tokens.

    >>> type(train_tokenizer("bert", [["a b a b", "b a"]], 40)).__name__
    'WordPieceTokenizer'
    """
    from minibert import ByteLevelBPETokenizer, WordPieceTokenizer
    from minibert.corpora.mixture import SEPARATOR
    from minibert.tokenization.vocabulary import SPECIAL_TOKENS

    if family == "bert":
        sentences = (sentence for document in documents for sentence in document)
        return WordPieceTokenizer.train(sentences, vocab_size=vocab_size)
    texts = (" ".join(document) for document in documents)
    if family == "modernbert":
        return ByteLevelBPETokenizer.train(texts, vocab_size=vocab_size)
    texts = (text.replace(SEPARATOR, "\n") for text in texts)  # no merges of its letters
    special = (*SPECIAL_TOKENS, SEPARATOR)
    return ByteLevelBPETokenizer.train(texts, vocab_size=vocab_size, pattern="llama3", special=special)
