"""Reading the components of a tokenizer.json; whatever we do not have is refused by name, never skipped."""

from minibert.tokenization.added_tokens import AddedToken
from minibert.tokenization.normalization import BertNormalizer, NFCNormalizer, NoNormalizer
from minibert.tokenization.parts import Normalizer, Parts
from minibert.tokenization.pretokenization import GPT2, LLAMA3
from minibert.tokenization.template import Slot, Template

# The same GPT-2 rule as OpenAI wrote it in its second release.
_GPT2_SHORT = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_KNOWN_PATTERNS = {GPT2: "gpt2", _GPT2_SHORT: "gpt2", LLAMA3: "llama3"}


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
            raise ValueError(
                f"added token {entry.get('content')!r} does not have the expected fields: it needs id and content"
                + (f", and {', '.join(sorted(unknown))} is unknown" if unknown else "")
            )
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
