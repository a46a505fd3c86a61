"""Tokenizers from scratch: WordPiece (BERT) and byte-level BPE (ModernBERT, EuroBERT), and their files.

To follow WordPiece read normalization, pretokenization, wordpiece and base; for BPE pretokenization, merges, bpe and
base. The rest: vocabulary (ids, roles, added tokens), template, encoding (truncation, batches), files (json_read,
json_write), rust (the `tokenizers` library behind the same interface).

>>> from minibert.tokenization import WordPieceTokenizer
>>> tok = WordPieceTokenizer.train(["the cat sat on the mat"], vocab_size=40)
>>> tok.encode("the cat", "sat").segment_ids[:3]
[0, 0, 0]
"""

from pathlib import Path

from minibert.tokenization import json_read
from minibert.tokenization.bpe import ByteLevelBPETokenizer
from minibert.tokenization.encoding import Batch, Encoding, pad_batch, truncate_pair
from minibert.tokenization.json_read import Entry
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
    """Open a tokenizer.json, or the folder that holds it; the file says which class it is.

    In a folder, tokenizer_config.json (if there) says which token plays which role (padding, mask, ...); otherwise
    the usual names do. A folder with only Google's vocab.txt is opened as WordPiece, lower-casing unless the
    config says `do_lower_case: false`. rust: let the `tokenizers` library do the work, same interface.

    Raises:
        ValueError: a missing or damaged file, or a component we do not have; the message names the file and the key.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     WordPieceTokenizer({"[UNK]": 0, "the": 1}).save_pretrained(folder)
    ...     load_tokenizer(folder).ids("the")
    [1]
    """
    path = Path(path)
    config_file = path / "tokenizer_config.json"
    config = json_read.read_json(config_file) if config_file.is_file() else {}
    with json_read.naming(config_file):
        roles = json_read.roles_from_config(config)
        lowercase = Entry(config).get("do_lower_case", bool, True)
    if path.is_dir():
        if not (path / "tokenizer.json").is_file() and (path / "vocab.txt").is_file() and not rust:
            return WordPieceTokenizer.from_vocab_txt(path / "vocab.txt", lowercase=lowercase)
        path = path / "tokenizer.json"
    if rust:
        from minibert.tokenization.rust import RustTokenizer  # imports `tokenizers`, which the rest does without

        return RustTokenizer.from_file(path, roles)
    data = json_read.read_json(path)
    with json_read.naming(path):
        kind, _ = json_read.model_of(data)
    return (WordPieceTokenizer if kind == "WordPiece" else ByteLevelBPETokenizer).from_file(path, roles)
