"""Tokenizers from scratch: WordPiece (BERT) and byte-level BPE (RoBERTa, ModernBERT, EuroBERT), and their files.

To follow WordPiece read normalization, pretokenization, wordpiece and base; for BPE pretokenization, merges, bpe and
base. The rest: vocabulary (ids, roles, added tokens), template, encoding (truncation, batches), files (folder,
json_read, json_write), rust (the `tokenizers` library behind the same interface).

>>> from minibert.tokenization import WordPieceTokenizer
>>> tok = WordPieceTokenizer.train(["the cat sat on the mat"], vocab_size=40)
>>> tok.encode("the cat", "sat").segment_ids[:3]
[0, 0, 0]
"""

import warnings
from pathlib import Path

from minibert.tokenization import json_read
from minibert.tokenization.bpe import ByteLevelBPETokenizer
from minibert.tokenization.encoding import Batch, Encoding, pad_batch, truncate_pair
from minibert.tokenization.folder import Folder, read_folder
from minibert.tokenization.template import Template
from minibert.tokenization.wordpiece import WordPieceTokenizer

__all__ = [
    "Batch",
    "ByteLevelBPETokenizer",
    "Encoding",
    "Template",
    "WordPieceTokenizer",
    "load_tokenizer",
    "pad_batch",
    "truncate_pair",
]


def load_tokenizer(path: str | Path, rust: bool = False):
    """Open a tokenizer's folder, or a tokenizer.json alone; the files say which class it is.

    A folder is read in full (folder.py): tokenizer.json or Google's vocab.txt, and tokenizer_config.json with what
    stands beside it, so that ids are those of `transformers`. Where two files disagree, a `UserWarning` names both and
    says which one wins. rust: let the `tokenizers` library do the work, same interface.

    Raises:
        ValueError: a missing or damaged file, or a component we do not have; the message names the file and the key.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     WordPieceTokenizer({"[UNK]": 0, "the": 1}).save_pretrained(folder)
    ...     load_tokenizer(folder).ids("the")
    [1]
    """
    path = Path(path)
    if path.suffix == ".txt":
        raise ValueError(f"{path}: give its folder, or read it alone with WordPieceTokenizer.from_vocab_txt")
    if rust:
        from minibert.tokenization.rust import RustTokenizer  # imports `tokenizers`, which the rest does without

        if not path.is_dir():
            return RustTokenizer.from_file(path)
    opened = read_folder(path) if path.is_dir() else Folder(json_read.read_json(path), {}, None, path)
    with json_read.naming(opened.source):
        if rust:
            kind = RustTokenizer
        else:
            kind = WordPieceTokenizer if json_read.model_of(opened.data)[0] == "WordPiece" else ByteLevelBPETokenizer
        tokenizer = kind.from_json(opened.data, opened.roles)
    for message in opened.told:
        warnings.warn(message, UserWarning, stacklevel=2)
    tokenizer.model_max_length = opened.max_length
    return tokenizer
