"""Writing a tokenizer.json with every key that `tokenizers` and `transformers` need."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from minibert.tokenization.normalization import BertNormalizer, NFCNormalizer
from minibert.tokenization.pretokenization import PATTERNS
from minibert.tokenization.template import Parts, Slot, Template


def to_json(parts: Parts, ids: Mapping[str, int], pattern: str | None, decoder: dict, model: dict) -> dict:
    """A complete tokenizer.json object; `pattern` is None for BERT's words.

    >>> to_json(Parts(), {}, "gpt2", {}, {})["pre_tokenizer"]["type"]
    'ByteLevel'
    """
    normalizer = parts.normalizer
    normalizer_json = None
    if isinstance(normalizer, NFCNormalizer):
        normalizer_json = {"type": "NFC"}
    elif isinstance(normalizer, BertNormalizer):
        names = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
        normalizer_json = {"type": "BertNormalizer", **{name: getattr(normalizer, name) for name in names}}
    post = [_template_json(parts.template, ids)]
    if parts.trim_offsets:
        keep = parts.keep_prefix_space
        post.insert(0, {"type": "ByteLevel", "add_prefix_space": keep, "trim_offsets": True, "use_regex": True})
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [vars(token) for token in sorted(parts.added_tokens, key=lambda token: token.id)],
        "normalizer": normalizer_json,
        "pre_tokenizer": _words_json(pattern),
        "post_processor": post[0] if len(post) == 1 else {"type": "Sequence", "processors": post},
        "decoder": decoder,
        "model": model,
    }


def _words_json(pattern: str | None) -> dict:
    if pattern is None:
        return {"type": "BertPreTokenizer"}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": pattern == "gpt2"}
    if pattern == "gpt2":
        return byte_level
    split = {"type": "Split", "pattern": {"Regex": PATTERNS[pattern]}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [split, byte_level]}


def _template_json(template: Template, ids: Mapping[str, int]) -> dict:
    def pieces(slots: tuple[Slot, ...]) -> list[dict]:
        out = []
        for name, segment in slots:
            is_text = name in ("$A", "$B")
            inner = {"id": name[1:] if is_text else name, "type_id": segment}
            out.append({"Sequence" if is_text else "SpecialToken": inner})
        return out

    special = {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in template.special_tokens()}
    return {
        "type": "TemplateProcessing",
        "single": pieces(template.single),
        "pair": pieces(template.pair),
        "special_tokens": special,
    }


def roles_to_config(roles: Mapping[str, str]) -> dict:
    """tokenizer_config.json's entries for the roles.

    >>> roles_to_config({"mask": "[MASK]"})["mask_token"]
    '[MASK]'
    """
    return {"tokenizer_class": "PreTrainedTokenizerFast", **{f"{role}_token": token for role, token in roles.items()}}


def write_json(path: Path, data: dict) -> None:
    """Write a JSON object in one step: a reader sees the old file or the new one, never half of it.

    Raises:
        ValueError: the path is a folder, or there is no folder to write it to.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_json(Path(folder) / "a.json", {"a": 1})
    ...     json.loads((Path(folder) / "a.json").read_text(encoding="utf-8"))
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
