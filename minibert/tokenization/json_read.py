"""Reading the components of a tokenizer.json; whatever we do not have is refused by name, never skipped."""

from minibert.tokenization.added_tokens import AddedToken
from minibert.tokenization.json_entry import Entry
from minibert.tokenization.json_template import read_post_processor
from minibert.tokenization.normalization import BertNormalizer, NFCNormalizer, NoNormalizer
from minibert.tokenization.parts import Normalizer, Parts
from minibert.tokenization.pretokenization import GPT2, LLAMA3

# The same GPT-2 rule as OpenAI wrote it in its second release.
_GPT2_SHORT = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_KNOWN_PATTERNS = {GPT2: "gpt2", _GPT2_SHORT: "gpt2", LLAMA3: "llama3"}


def read_parts(data: dict) -> Parts:
    """Normaliser, template, added tokens and offset rule of a tokenizer.json object.

    Raises:
        ValueError: a component we do not have, or one that lacks what it needs; the message names it.

    >>> type(read_parts({"normalizer": {"type": "NFC"}}).normalizer).__name__
    'NFCNormalizer'
    """
    file = Entry(data)
    model = file.entry("model") or Entry({})
    ids = model.get("vocab", dict, {}) | ids_of_added(data)
    template, trim, keep = read_post_processor(file, ids)
    return Parts(_read_normalizer(file), template, _read_added(file), trim, keep)


def ids_of_added(data: dict) -> dict[str, int]:
    """token -> id of the added tokens of a tokenizer.json object.

    Raises:
        ValueError: the added tokens are no list of objects with `id` and `content`; the message names the entry.

    >>> ids_of_added({"added_tokens": [{"id": 4, "content": "[MASK]"}]})
    {'[MASK]': 4}
    """
    return {entry.get("content", str): entry.get("id", int) for entry in Entry(data).entries("added_tokens", [])}


def _read_added(file: Entry) -> tuple[AddedToken, ...]:
    flags = ("single_word", "lstrip", "rstrip")
    tokens = []
    for entry in file.entries("added_tokens", []):
        unknown = set(entry.values) - set(AddedToken.__dataclass_fields__)
        if unknown:
            raise ValueError(f"{entry.place} has fields we do not know: {', '.join(sorted(unknown))}")
        # The library's defaults: an ordinary added token is looked for after normalisation.
        special = entry.get("special", bool, False)
        options = {name: entry.get(name, bool, False) for name in flags}
        options |= {"normalized": entry.get("normalized", bool, not special), "special": special}
        tokens.append(AddedToken(entry.get("id", int), entry.get("content", str), **options))
    return tuple(tokens)


def _read_normalizer(file: Entry) -> Normalizer:
    parts = file.components("normalizer", "normalizers")
    if not parts:
        return NoNormalizer()
    kinds = [part.get("type", str) for part in parts]
    if kinds == ["NFC"]:
        return NFCNormalizer()
    if kinds != ["BertNormalizer"]:
        raise ValueError(f"normalizer {', '.join(kinds)} is not supported; minibert has BertNormalizer and NFC")
    return BertNormalizer(
        clean_text=parts[0].get("clean_text", bool, True),
        handle_chinese_chars=parts[0].get("handle_chinese_chars", bool, True),
        strip_accents=parts[0].get("strip_accents", bool, None),
        lowercase=parts[0].get("lowercase", bool, True),
    )


def read_bert_words(data: dict) -> None:
    """Check that the file cuts words as BERT does.

    Raises:
        ValueError: another pre-tokeniser; the message names it.

    >>> read_bert_words({"pre_tokenizer": {"type": "BertPreTokenizer"}})
    """
    parts = Entry(data).components("pre_tokenizer", "pretokenizers")
    kinds = [part.get("type", str) for part in parts]
    if kinds != ["BertPreTokenizer"]:
        names = ", ".join(kinds) or None
        raise ValueError(f"pre_tokenizer {names} is not supported for WordPiece; minibert has BertPreTokenizer")


def read_pattern(data: dict) -> str:
    """The byte-level word pattern of a file: "gpt2" or "llama3".

    Raises:
        ValueError: any other pattern or pre-tokeniser; the message shows it.

    >>> read_pattern({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False}})
    'gpt2'
    """
    parts = Entry(data).components("pre_tokenizer", "pretokenizers")
    kinds = [part.get("type", str) for part in parts]
    if kinds not in (["ByteLevel"], ["Split", "ByteLevel"]):
        raise ValueError(f"pre_tokenizer {', '.join(kinds) or None} is not supported for BPE; minibert has ByteLevel")
    if parts[-1].get("add_prefix_space", bool, True):
        raise ValueError("ByteLevel with add_prefix_space=true is not supported: it would change the text")
    uses_gpt2 = parts[-1].get("use_regex", bool, True)
    if kinds == ["ByteLevel"] and uses_gpt2:
        return "gpt2"
    split = parts[0] if kinds[0] == "Split" else Entry({}, parts[0].place)
    pattern = (split.entry("pattern") or Entry({})).get("Regex", str, None)
    isolated = split.get("behavior", str, None) == "Isolated" and not split.get("invert", bool, False)
    if uses_gpt2 or pattern not in _KNOWN_PATTERNS or not isolated:
        raise ValueError(f"the word pattern {pattern!r} is not supported; minibert has the ones of GPT-2 and Llama-3")
    return _KNOWN_PATTERNS[pattern]
