"""Hugging Face's tokenizer.json: one JSON object for normaliser, words, model, template and added tokens.

We read the components that the BERT, ModernBERT (OLMo) and EuroBERT (Llama-3) files use, and refuse any other by
name rather than ignore it. Two entries of a file are read and NOT applied: `truncation` and `padding`. They record
how somebody last used the tokenizer (MiniLM's file cuts and pads everything to 128 tokens); here the caller asks
for both in `encode`. Our files store null for them.

This file holds what reading (json_read.py) and writing (json_write.py) share.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from minibert.tokenization.added_tokens import AddedToken
from minibert.tokenization.json_entry import Entry, require


def read_json(path: str | Path) -> dict:
    """Read a JSON object.

    Raises:
        ValueError: no such file, or something else in it; the message names the file.

    >>> read_json("missing.json")
    Traceback (most recent call last):
    ...
    ValueError: there is no file missing.json
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON in UTF-8: {error}; is the download complete?") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} holds a JSON {type(data).__name__}, expected an object")
    return data


def write_json(path: Path, data: dict) -> None:
    """Write a JSON object in one step: a reader sees the old file or the new one, never half of it.

    Raises:
        ValueError: the path is a folder, or there is no folder to write it to.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_json(Path(folder) / "a.json", {"a": 1})
    ...     read_json(Path(folder) / "a.json")
    {'a': 1}
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give a file in it, such as {path / 'tokenizer.json'}")
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent} to write {path.name} to; create it first")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # still there only if something went wrong


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Put the file's name before the message of a ValueError raised inside.

    >>> with naming("tokenizer.json"):
    ...     raise ValueError("model.vocab is missing")
    Traceback (most recent call last):
    ...
    ValueError: tokenizer.json: model.vocab is missing
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def model_of(data: dict) -> tuple[str, Entry]:
    """("WordPiece" or "BPE", the file's model entry).

    Raises:
        ValueError: no model, or another one.

    >>> model_of({"model": {"type": "BPE"}})[0]
    'BPE'
    """
    model = Entry(data).entry("model")
    if model is None:
        raise ValueError('not a tokenizer.json: it has no "model" object')
    # Files from before 2021 do not name the type.
    guess = "BPE" if "merges" in model.values else "WordPiece" if "max_input_chars_per_word" in model.values else ""
    kind = model.get("type", str, guess)
    if kind not in ("WordPiece", "BPE"):
        raise ValueError(f"model type {kind!r} is not supported; minibert reads WordPiece and byte-level BPE")
    return kind, model


def check_vocabulary(vocab: Mapping[str, int], added: Sequence[AddedToken]) -> dict[int, str]:
    """id -> token over the model's vocabulary and the added tokens; holes in the numbering are allowed.

    Raises:
        ValueError: no tokens, ids that are not whole numbers from 0, two tokens with one id, a token with two.

    >>> check_vocabulary({"a": 0}, [AddedToken(5, "[MASK]")])
    {0: 'a', 5: '[MASK]'}
    """
    token_of: dict[int, str] = {}
    if not vocab:
        raise ValueError("the vocabulary is empty")
    for token, token_id in [*vocab.items(), *((t.content, t.id) for t in added)]:
        if not isinstance(token_id, int) or isinstance(token_id, bool) or token_id < 0:
            raise ValueError(f"token {token!r} has id {token_id!r}; ids are whole numbers from 0")
        if token_of.setdefault(token_id, token) != token:
            raise ValueError(f"id {token_id} belongs to two tokens, {token_of[token_id]!r} and {token!r}")
        if vocab.get(token, token_id) != token_id:
            raise ValueError(f"token {token!r} has two ids, {vocab[token]} and {token_id}")
    return token_of


def roles_to_config(roles: Mapping[str, str]) -> dict:
    """tokenizer_config.json's entries for the roles.

    >>> roles_to_config({"mask": "[MASK]"})["mask_token"]
    '[MASK]'
    """
    return {"tokenizer_class": "PreTrainedTokenizerFast", **{f"{role}_token": token for role, token in roles.items()}}


def roles_from_config(config: Mapping) -> dict[str, str]:
    """The roles a tokenizer_config.json names; bos and eos stand in for cls and sep when those are missing.

    Raises:
        ValueError: a token that is neither a string nor an object with `content`; the message names the key.

    >>> roles_from_config({"pad_token": "<pad>", "eos_token": {"content": "</s>"}})
    {'pad': '<pad>', 'sep': '</s>'}
    """
    roles, entry = {}, Entry(dict(config))
    for role, *others in (("pad",), ("unk",), ("cls", "bos"), ("sep", "eos"), ("mask",)):
        for key in [f"{name}_token" for name in (role, *others)]:
            token = entry.values.get(key)
            if isinstance(token, dict):
                token = Entry(token, key).get("content", str)
            if token is not None and require(token, str, key):
                roles.setdefault(role, token)
    return roles
