"""Hugging Face's tokenizer.json: one JSON object for normaliser, words, model, template and added tokens.

We read the components that the BERT, ModernBERT (OLMo) and EuroBERT (Llama-3) files use, and refuse any other by
name rather than ignore it. Two entries of a file are read and NOT applied: `truncation` and `padding`. They record
how somebody last used the tokenizer (MiniLM's file cuts and pads everything to 128 tokens); here the caller asks
for both in `encode`. Our files store null for them.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .added_tokens import AddedToken
from .normalization import BertNormalizer, NFCNormalizer, NoNormalizer
from .pretokenization import GPT2, LLAMA3, PATTERNS
from .template import Slot, Template

Normalizer = BertNormalizer | NFCNormalizer | NoNormalizer
# The same GPT-2 rule as OpenAI wrote it in its second release.
_GPT2_SHORT = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_KNOWN_PATTERNS = {GPT2: "gpt2", _GPT2_SHORT: "gpt2", LLAMA3: "llama3"}


@dataclass(frozen=True)
class Parts:
    """Everything in a tokenizer file but the model: what surrounds WordPiece or BPE.

    trim_offsets: leave spaces out of the offsets of byte-level tokens; keep_prefix_space: but not the first one.

    >>> Parts().trim_offsets
    False
    """

    normalizer: Normalizer = field(default_factory=NoNormalizer)
    template: Template = field(default_factory=Template)
    added_tokens: tuple[AddedToken, ...] = ()
    trim_offsets: bool = False
    keep_prefix_space: bool = False


def read_json(path: str | Path) -> dict:
    """Read a JSON object. Raises ValueError, with the path, for anything else.

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

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_json(Path(folder) / "a.json", {"a": 1})
    ...     read_json(Path(folder) / "a.json")
    {'a': 1}
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def model_of(data: dict) -> tuple[str, dict]:
    """("WordPiece" or "BPE", the file's model entry). Raises ValueError for other models.

    >>> model_of({"model": {"type": "BPE"}})[0]
    'BPE'
    """
    model = data.get("model")
    if not isinstance(model, dict):
        raise ValueError('not a tokenizer.json: it has no "model" object')
    # Files from before 2021 do not name the type.
    guess = "BPE" if "merges" in model else "WordPiece" if "max_input_chars_per_word" in model else ""
    kind = model.get("type") or guess
    if kind not in ("WordPiece", "BPE"):
        raise ValueError(f"model type {kind!r} is not supported; minibert reads WordPiece and byte-level BPE")
    vocab = model.get("vocab")
    if "vocab" in model and not isinstance(vocab, dict):
        raise ValueError(f"the model's vocab must map tokens to ids, got a {type(vocab).__name__}")
    return kind, model


def check_vocabulary(vocab: Mapping[str, int], added: Sequence[AddedToken]) -> dict[int, str]:
    """id -> token over the model's vocabulary and the added tokens; holes in the numbering are allowed.

    Raises ValueError for ids that are no natural numbers and for two tokens with one id.

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


def _kind(component: dict, what: str) -> str:
    if not isinstance(component, dict) or "type" not in component:
        raise ValueError(f'the {what} must be an object with a "type", got {component!r:.80}')
    return component["type"]


def _flat(component: dict | None, what: str, key: str) -> list[dict]:
    """The components of a possibly nested Sequence."""
    if component is None:
        return []
    if _kind(component, what) == "Sequence":
        return [inner for part in component[key] for inner in _flat(part, what, key)]
    return [component]


def read_parts(data: dict) -> Parts:
    """Normaliser, template, added tokens and offset rule of a tokenizer.json object.

    Raises ValueError naming any component we do not have.

    >>> type(read_parts({"normalizer": {"type": "NFC"}}).normalizer).__name__
    'NFCNormalizer'
    """
    template, trim, keep = _read_post_processor(data.get("post_processor"))
    return Parts(_read_normalizer(data.get("normalizer")), template, _read_added(data), trim, keep)


def _read_added(data: dict) -> tuple[AddedToken, ...]:
    tokens = []
    for entry in data.get("added_tokens") or []:
        unknown = set(entry) - set(AddedToken.__dataclass_fields__)
        if unknown or not {"id", "content"} <= set(entry):
            raise ValueError(f"added token {entry!r:.120} does not have the expected fields")
        # The library's defaults: an ordinary added token is looked for after normalisation.
        special = entry.get("special", False)
        tokens.append(AddedToken(**{"special": special, "normalized": not special, **entry}))
    return tuple(tokens)


def _read_normalizer(component: dict | None) -> Normalizer:
    parts = _flat(component, "normalizer", "normalizers")
    if not parts:
        return NoNormalizer()
    kind = _kind(parts[0], "normalizer")
    if len(parts) > 1 or kind not in ("NFC", "BertNormalizer"):
        names = ", ".join(_kind(part, "normalizer") for part in parts)
        raise ValueError(f"normalizer {names} is not supported; minibert has BertNormalizer and NFC")
    if kind == "NFC":
        return NFCNormalizer()
    names = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
    return BertNormalizer(**{name: parts[0][name] for name in names if name in parts[0]})


def read_bert_words(data: dict) -> None:
    """Check that the file cuts words as BERT does. Raises ValueError naming the pre-tokeniser if not.

    >>> read_bert_words({"pre_tokenizer": {"type": "BertPreTokenizer"}})
    """
    parts = _flat(data.get("pre_tokenizer"), "pre_tokenizer", "pretokenizers")
    kinds = [_kind(part, "pre_tokenizer") for part in parts]
    if kinds != ["BertPreTokenizer"]:
        names = ", ".join(kinds) or None
        raise ValueError(f"pre_tokenizer {names} is not supported for WordPiece; minibert has BertPreTokenizer")


def read_pattern(data: dict) -> str:
    """The byte-level word pattern of a file: "gpt2" or "llama3". Raises ValueError for any other.

    >>> read_pattern({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False}})
    'gpt2'
    """
    parts = _flat(data.get("pre_tokenizer"), "pre_tokenizer", "pretokenizers")
    kinds = [_kind(part, "pre_tokenizer") for part in parts]
    if kinds not in (["ByteLevel"], ["Split", "ByteLevel"]):
        raise ValueError(f"pre_tokenizer {', '.join(kinds) or None} is not supported for BPE; minibert has ByteLevel")
    if parts[-1].get("add_prefix_space", True):
        raise ValueError("ByteLevel with add_prefix_space=true is not supported: it would change the text")
    uses_gpt2 = parts[-1].get("use_regex", True)
    if kinds == ["ByteLevel"] and uses_gpt2:
        return "gpt2"
    split = parts[0]
    pattern = split.get("pattern", {}).get("Regex") if kinds[0] == "Split" else None
    if uses_gpt2 or pattern not in _KNOWN_PATTERNS or split.get("behavior") != "Isolated" or split.get("invert"):
        raise ValueError(f"the word pattern {pattern!r} is not supported; minibert has the ones of GPT-2 and Llama-3")
    return _KNOWN_PATTERNS[pattern]


def _read_post_processor(component: dict | None) -> tuple[Template, bool, bool]:
    template, trim, keep = Template(), False, False
    for part in _flat(component, "post_processor", "processors"):
        kind = _kind(part, "post_processor")
        if kind == "TemplateProcessing":
            expand = {name: entry["tokens"] for name, entry in part.get("special_tokens", {}).items()}
            template = Template(_read_slots(part["single"], expand), _read_slots(part["pair"], expand))
        elif kind == "BertProcessing":
            template = Template.bert(part["cls"][0], part["sep"][0])
        elif kind == "RobertaProcessing":  # <s> A </s></s> B </s>, all of it segment 0
            cls, sep = (part["cls"][0], 0), (part["sep"][0], 0)
            head = (cls, ("$A", 0), sep)
            template = Template(head, (*head, sep, ("$B", 0), sep))
            trim, keep = part.get("trim_offsets", True), part.get("add_prefix_space", True)
        elif kind == "ByteLevel":
            trim, keep = part.get("trim_offsets", True), part.get("add_prefix_space", True)
        else:
            raise ValueError(
                f"post_processor {kind} is not supported; minibert has TemplateProcessing, BertProcessing, "
                "RobertaProcessing and ByteLevel"
            )
    return template, trim, keep and trim


def _read_slots(pieces: list[dict], expand: dict[str, list[str]]) -> tuple[Slot, ...]:
    slots: list[Slot] = []
    for piece in pieces:
        (kind, value), *_ = piece.items()
        names = [f"${value['id']}"] if kind == "Sequence" else expand.get(value["id"], [value["id"]])
        slots += [(name, value.get("type_id", 0)) for name in names]
    return tuple(slots)


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


def roles_from_config(config: Mapping) -> dict[str, str]:
    """The roles a tokenizer_config.json names; bos and eos stand in for cls and sep when those are missing.

    >>> roles_from_config({"pad_token": "<pad>", "eos_token": {"content": "</s>"}})
    {'pad': '<pad>', 'sep': '</s>'}
    """
    roles = {}
    for role, other in (("pad", ""), ("unk", ""), ("cls", "bos"), ("sep", "eos"), ("mask", "")):
        token = config.get(f"{role}_token") or (config.get(f"{other}_token") if other else None)
        token = token.get("content") if isinstance(token, Mapping) else token
        if isinstance(token, str):
            roles[role] = token
    return roles
