"""The model of a tokenizer.json, WordPiece or BPE: what reading gives to a tokenizer and what writing takes from it.

The components around the model are the same for both, see json_read.py and json_write.py.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from minibert.tokenization import json_format, json_read
from minibert.tokenization.json_entry import Entry


def read_wordpiece(path: str | Path) -> dict:
    """The arguments of a `WordPieceTokenizer`, but for its roles, from a tokenizer.json.

    Raises:
        ValueError: a file of another model, a component we do not have, or a key that is missing or of a wrong type;
            the message names the file and the key.

    >>> import tempfile
    >>> words = {"type": "BertPreTokenizer"}
    >>> data = {"model": wordpiece_model({"[UNK]": 0}, "[UNK]", "##", 100), "pre_tokenizer": words}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     json_format.write_json(Path(folder) / "tokenizer.json", data)
    ...     read_wordpiece(Path(folder) / "tokenizer.json")["max_chars"]
    100
    """
    data = json_format.read_json(path)
    with json_format.naming(path):
        kind, model = json_format.model_of(data)
        if kind != "WordPiece":
            raise ValueError(f"the file holds a {kind} tokenizer; open it with load_tokenizer or ByteLevelBPETokenizer")
        json_read.read_bert_words(data)
        decoder = _read_decoder(data, "WordPiece")
        prefix = model.get("continuing_subword_prefix", str, "##")
        if decoder.get("prefix", str, prefix) != prefix:
            raise ValueError(
                f"decoder.prefix is {decoder.get('prefix', str)!r}, the model's is {prefix!r}; make them the same"
            )
        return {
            "vocab": model.get("vocab", dict),
            "max_chars": model.get("max_input_chars_per_word", int, 100),
            "unk_token": model.get("unk_token", str, "[UNK]"),
            "prefix": prefix,
            "cleanup": decoder.get("cleanup", bool, True),
            "parts": json_read.read_parts(data),
        }


def _read_decoder(data: dict, kind: str) -> Entry:
    decoder = Entry(data).entry("decoder") or Entry({"type": kind}, "decoder")
    if decoder.get("type", str) != kind:
        raise ValueError(f"decoder {decoder.get('type', str)} is not supported here; expected {kind}")
    return decoder


def wordpiece_model(vocab: Mapping[str, int], unk_token: str, prefix: str, max_chars: int) -> dict:
    """The model entry of a WordPiece tokenizer.json.

    >>> wordpiece_model({"[UNK]": 0}, "[UNK]", "##", 100)["continuing_subword_prefix"]
    '##'
    """
    return {
        "type": "WordPiece",
        "unk_token": unk_token,
        "continuing_subword_prefix": prefix,
        "max_input_chars_per_word": max_chars,
        "vocab": vocab,
    }


def read_bpe(path: str | Path) -> dict:
    """The arguments of a `ByteLevelBPETokenizer`, but for its roles, from a tokenizer.json.

    Raises:
        ValueError: a file of another model, a component we do not have, or a key that is missing or of a wrong type;
            the message names the file and the key.

    >>> import tempfile
    >>> words = {"type": "ByteLevel", "add_prefix_space": False}
    >>> data = {"model": bpe_model({"a": 0, "aa": 1}, [("a", "a")], False), "pre_tokenizer": words}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     json_format.write_json(Path(folder) / "tokenizer.json", data)
    ...     read_bpe(Path(folder) / "tokenizer.json")["merges"]
    [('a', 'a')]
    """
    data = json_format.read_json(path)
    with json_format.naming(path):
        kind, model = json_format.model_of(data)
        if kind != "BPE":
            raise ValueError(f"the file holds a {kind} tokenizer; open it with load_tokenizer or WordPieceTokenizer")
        for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
            if model.values.get(name):
                value = model.values[name]
                raise ValueError(f"BPE with {name}={value!r:.80} is not supported; minibert reads byte-level BPE")
        _read_decoder(data, "ByteLevel")
        return {
            "vocab": model.get("vocab", dict),
            "merges": _read_merges(model.get("merges", list)),
            "pattern": json_read.read_pattern(data),
            "ignore_merges": model.get("ignore_merges", bool, False),
            "parts": json_read.read_parts(data),
        }


def _read_merges(merges: list) -> list[tuple[str, str]]:
    """Merges as ["a", "b"] or, in older files, "a b"."""
    pairs = []
    for rank, merge in enumerate(merges):
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise ValueError(f"model.merges[{rank}] must be two tokens, got {merge!r:.80}")
        pairs.append((pair[0], pair[1]))
    return pairs


def bpe_model(vocab: Mapping[str, int], merges: Sequence[tuple[str, str]], ignore_merges: bool) -> dict:
    """The model entry of a byte-level BPE tokenizer.json, with every key the library wants.

    >>> bpe_model({"a": 0, "aa": 1}, [("a", "a")], False)["merges"]
    [['a', 'a']]
    """
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": ignore_merges,
        "vocab": vocab,
        "merges": [list(pair) for pair in merges],
    }
