"""Hugging Face's tokenizer.json: one JSON object for normaliser, words, model, template and added tokens.

We read the components that the BERT, RoBERTa, ModernBERT (OLMo) and EuroBERT (Llama-3) files use, and refuse any
other by name rather than ignore it. Two entries of a file are read and NOT applied: `truncation` and `padding`. They
record how somebody last used the tokenizer (MiniLM's file cuts and pads everything to 128 tokens); here the caller
asks for both in `encode`. Our files store null for them.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from minibert.files import read_text
from minibert.tokenization.normalization import BertNormalizer, NFCNormalizer, NoNormalizer
from minibert.tokenization.pretokenization import GPT2, LLAMA3
from minibert.tokenization.template import Normalizer, Parts, Slot, Template
from minibert.tokenization.vocabulary import AddedToken

# The same GPT-2 rule as OpenAI wrote it in its second release.
_GPT2_SHORT = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_KNOWN_PATTERNS = {GPT2: "gpt2", _GPT2_SHORT: "gpt2", LLAMA3: "llama3"}
_REQUIRED = object()
_NAMES = {dict: "an object", list: "a list", str: "a string", int: "a whole number", bool: "true or false"}


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
        data = json.loads(read_text(path))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON in UTF-8: {error}; is the download complete?") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} holds a JSON {type(data).__name__}, expected an object")
    return data


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


@dataclass(frozen=True)
class Entry:
    """A JSON object and its place in the file, for messages such as "model.vocab is missing".

    >>> Entry({"type": "NFC"}, "normalizer").get("type", str)
    'NFC'
    """

    values: dict
    place: str = ""

    def get(self, key: str, kind: type, default=_REQUIRED):
        """The value of a key, of the type `kind`; `default`, if there is one, where the key is absent or null.

        Raises:
            ValueError: a value of another type, or none where there is no default; the message names the key.

        >>> Entry({"cleanup": "yes"}, "decoder").get("cleanup", bool, True)
        Traceback (most recent call last):
        ...
        ValueError: decoder.cleanup must be true or false, got 'yes'
        """
        value = self.values.get(key)
        if value is None and default is not _REQUIRED:
            return default
        if value is None:
            raise ValueError(f"{self.name(key)} is missing; expected {_NAMES[kind]}")
        return require(value, kind, self.name(key))

    def entry(self, key: str) -> "Entry | None":
        """The object under a key, None where the key is absent or null.

        Raises:
            ValueError: something else than an object.

        >>> Entry({"model": {"type": "BPE"}}).entry("model").place
        'model'
        """
        value = self.get(key, dict, None)
        return None if value is None else Entry(value, self.name(key))

    def entries(self, key: str, default=_REQUIRED) -> "list[Entry]":
        """The objects of the list under a key.

        Raises:
            ValueError: something else than a list of objects.

        >>> [part.place for part in Entry({"processors": [{}, {}]}, "post_processor").entries("processors")]
        ['post_processor.processors[0]', 'post_processor.processors[1]']
        """
        places = [(f"{self.name(key)}[{at}]", value) for at, value in enumerate(self.get(key, list, default))]
        return [Entry(require(value, dict, place), place) for place, value in places]

    def all_of(self, key: str, kind: type, default=_REQUIRED) -> list:
        """The list under a key, all its items of the type `kind`.

        Raises:
            ValueError: something else than such a list.

        >>> Entry({"tokens": ["a", 3]}).all_of("tokens", str)
        Traceback (most recent call last):
        ...
        ValueError: tokens[1] must be a string, got 3
        """
        items = self.get(key, list, default)
        return [require(value, kind, f"{self.name(key)}[{at}]") for at, value in enumerate(items)]

    def components(self, key: str, inside: str) -> "list[Entry]":
        """The component under a key, or those of a (possibly nested) Sequence; `inside` is where it lists them.

        Raises:
            ValueError: something else than objects with a "type", or a Sequence without its list.

        >>> parts = {"type": "Sequence", "normalizers": [{"type": "NFC"}]}
        >>> Entry({"normalizer": parts}).components("normalizer", "normalizers")[0].place
        'normalizer.normalizers[0]'
        """
        component = self.entry(key)
        return [] if component is None else component._flat(inside)

    def _flat(self, inside: str) -> "list[Entry]":
        if self.get("type", str) != "Sequence":
            return [self]
        return [part for entry in self.entries(inside) for part in entry._flat(inside)]

    def name(self, key: str) -> str:
        """The full name of a key.

        >>> Entry({}, "model").name("vocab")
        'model.vocab'
        """
        return f"{self.place}.{key}" if self.place else key


def require(value, kind: type, name: str):
    """The value, if it is of the type `kind`; true and false are no numbers.

    Raises:
        ValueError: it is not.

    >>> require(3, int, "model.max_input_chars_per_word")
    3
    """
    if type(value) is not kind:
        raise ValueError(f"{name} must be {_NAMES[kind]}, got {value!r:.80}")
    return value


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
        raise ValueError(
            f"model type {kind!r} is not one that minibert spells out (it has WordPiece and byte-level BPE); let the "
            "`tokenizers` library run it: load_tokenizer(folder, rust=True)"
        )
    return kind, model


def read_decoder(data: dict, kind: str) -> Entry:
    """The file's decoder, an empty entry where it has none.

    Raises:
        ValueError: one of another kind; the message names both.

    >>> read_decoder({}, "WordPiece").get("cleanup", bool, True)
    True
    """
    decoder = Entry(data).entry("decoder") or Entry({"type": kind}, "decoder")
    if decoder.get("type", str) != kind:
        raise ValueError(f"decoder {decoder.get('type', str)} is not supported here; expected {kind}")
    return decoder


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
    words = file.components("pre_tokenizer", "pretokenizers")
    byte_level = [part for part in words if part.get("type", str) == "ByteLevel"]
    prefix = any(part.get("add_prefix_space", bool, True) for part in byte_level)
    return Parts(_read_normalizer(file), template, read_added(file), trim, keep, prefix)


def read_added(file: Entry) -> tuple[AddedToken, ...]:
    """The added tokens of a tokenizer.json.

    Raises:
        ValueError: a field that is missing, unknown or of a wrong type; the message names it.

    >>> read_added(Entry({"added_tokens": [{"id": 4, "content": "[MASK]", "special": True}]}))[0].content
    '[MASK]'
    """
    tokens = []
    for entry in file.entries("added_tokens", []):
        unknown = set(entry.values) - set(AddedToken.__dataclass_fields__)
        if unknown:
            raise ValueError(f"{entry.place} has fields we do not know: {', '.join(sorted(unknown))}")
        tokens.append(read_token(entry, entry.get("id", int), special=False))
    return tuple(tokens)


def read_token(entry: Entry, token_id: int | None, special: bool) -> AddedToken:
    """An added token from an object with its options; `special` is the default of the option of that name.

    Raises:
        ValueError: no `content`, or an option of a wrong type; the message names it.

    >>> read_token(Entry({"content": "[MASK]", "lstrip": True}), 4, special=True).normalized
    False
    """
    special = entry.get("special", bool, special)
    flags = {name: entry.get(name, bool, False) for name in ("single_word", "lstrip", "rstrip")}
    # The library's default: an ordinary added token is looked for after normalisation.
    normalized = entry.get("normalized", bool, not special)
    return AddedToken(token_id, entry.get("content", str), **flags, normalized=normalized, special=special)


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
    if len(parts) > 1 and parts[-1].get("add_prefix_space", bool, True):
        raise ValueError("add_prefix_space=true after a Split puts a space before every word, which minibert does not")
    uses_gpt2 = parts[-1].get("use_regex", bool, True)
    if kinds == ["ByteLevel"] and uses_gpt2:
        return "gpt2"
    split = parts[0] if kinds[0] == "Split" else Entry({}, parts[0].place)
    pattern = (split.entry("pattern") or Entry({})).get("Regex", str, None)
    isolated = split.get("behavior", str, None) == "Isolated" and not split.get("invert", bool, False)
    if uses_gpt2 or pattern not in _KNOWN_PATTERNS or not isolated:
        raise ValueError(f"the word pattern {pattern!r} is not supported; minibert has the ones of GPT-2 and Llama-3")
    return _KNOWN_PATTERNS[pattern]


def read_merges(merges: list) -> list[tuple[str, str]]:
    """The merges of a BPE model: each ["a", "b"] or, in older files, "a b".

    Raises:
        ValueError: one that is not two tokens; the message says which.

    >>> read_merges([["a", "b"], "ab c"])
    [('a', 'b'), ('ab', 'c')]
    """
    pairs = []
    for rank, merge in enumerate(merges):
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise ValueError(f"model.merges[{rank}] must be two tokens, got {merge!r:.80}")
        pairs.append((pair[0], pair[1]))
    return pairs


def read_merges_txt(path: Path) -> list[tuple[str, str]]:
    """The merges of GPT-2's merges.txt: one a line, after a first line that states the version.

    Raises:
        ValueError: a file that is not UTF-8, or a line that is not two tokens.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "merges.txt").write_text("#version: 0.2\\na b\\n", encoding="utf-8")
    ...     read_merges_txt(Path(folder) / "merges.txt")
    [('a', 'b')]
    """
    # Only "\n" ends a line, and a merge may begin with "#": only the first line can be the version.
    lines = [line.rstrip("\r") for line in read_text(path).split("\n")]
    lines = lines[1:] if lines[0].startswith("#version") else lines
    with naming(path):
        return read_merges([line for line in lines if line])


def read_post_processor(file: Entry, ids: Mapping[str, int]) -> tuple[Template, bool, bool]:
    """The template, whether offsets leave spaces out, and whether they keep a text's first one.

    ids: token -> id. The library takes the ids of template tokens from the template, we from the vocabulary.

    Raises:
        ValueError: a component we do not have, one that lacks what it needs, or ids that are not the vocabulary's.

    >>> read_post_processor(Entry({"post_processor": {"type": "ByteLevel", "add_prefix_space": False}}), {})[1:]
    (True, False)
    """
    template, trim, keep = Template(), False, False
    for part in file.components("post_processor", "processors"):
        kind = part.get("type", str)
        if kind == "TemplateProcessing":
            expand = _read_special(part, ids)
            template = Template(_read_slots(part, "single", expand), _read_slots(part, "pair", expand))
        elif kind == "BertProcessing":
            template = Template.bert(_read_token(part, "cls", ids), _read_token(part, "sep", ids))
        elif kind == "RobertaProcessing":
            template = Template.roberta(_read_token(part, "cls", ids), _read_token(part, "sep", ids))
        elif kind != "ByteLevel":
            raise ValueError(
                f"post_processor {kind} is not supported; minibert has TemplateProcessing, BertProcessing, "
                "RobertaProcessing and ByteLevel"
            )
        if kind in ("ByteLevel", "RobertaProcessing"):
            trim, keep = part.get("trim_offsets", bool, True), part.get("add_prefix_space", bool, True)
    return template, trim, keep and trim


def _read_token(part: Entry, key: str, ids: Mapping[str, int]) -> str:
    """The token of ["[SEP]", 102]."""
    pair = part.get(key, list)
    if len(pair) != 2:
        raise ValueError(f"{part.name(key)} must be a list of a token and its id, got {pair!r:.80}")
    token = require(pair[0], str, part.name(f"{key}[0]"))
    _check_id(token, require(pair[1], int, part.name(f"{key}[1]")), ids, part.name(key))
    return token


def _read_special(part: Entry, ids: Mapping[str, int]) -> dict[str, list[str]]:
    """What each special token of a template stands for: itself, as a rule."""
    table = part.entry("special_tokens") or Entry({})
    expand = {}
    for name in table.values:
        entry = Entry(table.get(name, dict), table.name(name))
        expand[name], numbers = entry.all_of("tokens", str), entry.all_of("ids", int)
        if len(numbers) != len(expand[name]):
            raise ValueError(f"{entry.place} has {len(expand[name])} tokens and {len(numbers)} ids")
        for token, number in zip(expand[name], numbers, strict=True):
            _check_id(token, number, ids, entry.place)
    return expand


def _check_id(token: str, number: int, ids: Mapping[str, int], place: str) -> None:
    if ids.get(token) != number:
        known = f"its id is {ids[token]}" if token in ids else "it is not there"
        raise ValueError(f"{place} gives {token!r} the id {number}, but in the vocabulary {known}")


def _read_slots(part: Entry, key: str, expand: Mapping[str, list[str]]) -> tuple[Slot, ...]:
    slots: list[Slot] = []
    for piece in part.entries(key):
        kinds = list(piece.values)
        if kinds not in (["Sequence"], ["SpecialToken"]):
            raise ValueError(f"{piece.place} must be an object with the key Sequence or SpecialToken, got {kinds}")
        inner = Entry(piece.get(kinds[0], dict), piece.name(kinds[0]))
        name, segment = inner.get("id", str), inner.get("type_id", int, 0)
        if segment < 0:
            raise ValueError(f"{inner.name('type_id')} must not be negative, got {segment}")
        names = [f"${name}"] if kinds == ["Sequence"] else expand.get(name, [name])
        slots += [(name, segment) for name in names]
    return tuple(slots)


def ids_of_added(data: dict) -> dict[str, int]:
    """token -> id of the added tokens of a tokenizer.json object.

    Raises:
        ValueError: the added tokens are no list of objects with `id` and `content`; the message names the entry.

    >>> ids_of_added({"added_tokens": [{"id": 4, "content": "[MASK]"}]})
    {'[MASK]': 4}
    """
    return {entry.get("content", str): entry.get("id", int) for entry in Entry(data).entries("added_tokens", [])}
