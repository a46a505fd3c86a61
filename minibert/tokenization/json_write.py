"""Writing a tokenizer's files, with every key that `tokenizers` and `transformers` need."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from minibert.files import write_text
from minibert.tokenization.json_read import Entry, read_added, read_json
from minibert.tokenization.normalization import BertNormalizer, NFCNormalizer, NoNormalizer
from minibert.tokenization.pretokenization import PATTERNS
from minibert.tokenization.template import Parts, Slot, Template
from minibert.tokenization.vocabulary import BERT_ROLES, AddedToken, add_tokens

# BertNormalizer's options in tokenizer.json, and their names in tokenizer_config.json.
BERT_OPTIONS = {
    "lowercase": "do_lower_case",
    "strip_accents": "strip_accents",
    "handle_chinese_chars": "tokenize_chinese_chars",
}
BERT_MODELS = ("bert", "distilbert", "electra", "layoutlm", "nomic_bert")  # their class is BertTokenizer
WITH_SEGMENTS = ("bert", "electra", "layoutlm", "nomic_bert")  # and of these read segment ids


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
        "pre_tokenizer": _words_json(pattern, parts.prefix_space),
        "post_processor": post[0] if len(post) == 1 else {"type": "Sequence", "processors": post},
        "decoder": decoder,
        "model": model,
    }


def _words_json(pattern: str | None, prefix_space: bool) -> dict:
    if pattern is None:
        return {"type": "BertPreTokenizer"}
    byte_level = {"type": "ByteLevel", "add_prefix_space": prefix_space, "trim_offsets": True}
    byte_level["use_regex"] = pattern == "gpt2"
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


def bert_json(config: Mapping, vocab: Mapping[str, int], added: Sequence[AddedToken]) -> dict:
    """The tokenizer.json object of the tokenizer that the class BertTokenizer makes of a vocabulary and a config.

    config: a tokenizer_config.json with all of BERT's roles as strings.

    Raises:
        ValueError: no unknown, first or last token, an unknown token that the vocabulary lacks, or a value of another
            type; the message names the key.

    >>> vocab = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "[MASK]": 4}
    >>> bert_json(BERT_ROLES, vocab, ())["model"]["unk_token"]
    '[UNK]'
    """
    options = Entry(dict(config))
    unk, cls, sep = (options.get(key, str) for key in ("unk_token", "cls_token", "sep_token"))
    if unk not in vocab:
        raise ValueError(f"unk_token is {unk!r}, which the vocabulary does not have; name the token for unknown words")
    normalizer = BertNormalizer(
        handle_chinese_chars=options.get("tokenize_chinese_chars", bool, True),
        strip_accents=options.get("strip_accents", bool, None),
        lowercase=options.get("do_lower_case", bool, True),
    )
    ids = {**vocab, **{token.content: token.id for token in added}}
    parts = Parts(normalizer, Template.bert(cls, sep), tuple(added))
    decoder = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    return to_json(parts, ids, None, decoder, wordpiece_model(vocab, unk, "##", 100))


def roberta_json(
    config: Mapping, vocab: Mapping[str, int], merges: Sequence[tuple[str, str]], added: Sequence[AddedToken]
) -> dict:
    """The tokenizer.json object of the tokenizer that RobertaTokenizer makes of a vocabulary, merges and a config.

    config: a tokenizer_config.json with all of RoBERTa's roles as strings.

    Raises:
        ValueError: an option of another type; the message names the key.

    >>> config = {"cls_token": "<s>", "sep_token": "</s>", "add_prefix_space": True}
    >>> roberta_json(config, {"<s>": 0, "</s>": 1}, [], ())["pre_tokenizer"]["add_prefix_space"]
    True
    """
    options, ids = Entry(dict(config)), {**vocab, **{token.content: token.id for token in added}}
    prefix, trim = options.get("add_prefix_space", bool, False), options.get("trim_offsets", bool, True)
    cls, sep = options.get("cls_token", str), options.get("sep_token", str)
    parts = Parts(NoNormalizer(), Template.roberta(cls, sep), tuple(added), trim, prefix and trim, prefix)
    decoder = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    return to_json(parts, ids, "gpt2", decoder, bpe_model(vocab, merges, False))


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
    write_text(path, json.dumps(data, ensure_ascii=False, indent=1) + "\n")


def write_folder(
    folder: Path, data: dict, roles: Mapping[str, str], max_length: int | None = None, segments: bool | None = None
) -> None:
    """Write a tokenizer's files: tokenizer.json, tokenizer_config.json, and vocab.txt where BertTokenizer can read it.

    The other files of a tokenizer that lay there go: they would be read beside the new ones.
    segments: whether the model reads `token_type_ids`; if None, the folder's config.json says it, if it is there.

    >>> import tempfile
    >>> from minibert.tokenization import WordPieceTokenizer
    >>> vocab = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "the": 5}
    >>> with tempfile.TemporaryDirectory() as name:
    ...     write_folder(Path(name), WordPieceTokenizer(vocab).to_json(), {"unk": "[UNK]"})
    ...     sorted(path.name for path in Path(name).iterdir())
    ['tokenizer.json', 'tokenizer_config.json', 'vocab.txt']
    """
    if segments is None and (folder / "config.json").is_file():
        segments = read_json(folder / "config.json").get("model_type") in WITH_SEGMENTS
    config = describe(data, roles)
    if segments is not None:
        config["model_input_names"] = input_names(segments)
    if max_length is not None:
        config["model_max_length"] = max_length
    write_json(folder / "tokenizer.json", data)
    write_json(folder / "tokenizer_config.json", config)
    is_bert = config["tokenizer_class"] == "BertTokenizer"  # others may have no vocabulary, or a list with scores
    words = {index: word for word, index in data["model"]["vocab"].items()} if is_bert else {}
    lines = [words.get(index, "") for index in range(len(words))]
    if is_bert and all(word and word == word.rstrip() and "\n" not in word for word in lines):
        write_text(folder / "vocab.txt", "".join(f"{word}\n" for word in lines))
    else:
        (folder / "vocab.txt").unlink(missing_ok=True)
    for stale in ("special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"):
        (folder / stale).unlink(missing_ok=True)


def input_names(segments: bool) -> list[str]:
    """What `transformers`' tokenizer hands to a model with or without segments.

    >>> input_names(segments=False)
    ['input_ids', 'attention_mask']
    """
    return ["input_ids", *(["token_type_ids"] if segments else []), "attention_mask"]


def describe(data: dict, roles: Mapping[str, str]) -> dict:
    """tokenizer_config.json: the roles, BERT's options, and the class that makes this very tokenizer.

    >>> describe({"model": {"type": "BPE"}}, {"mask": "[MASK]"})
    {'tokenizer_class': 'PreTrainedTokenizerFast', 'mask_token': '[MASK]'}
    """
    config = {"tokenizer_class": "PreTrainedTokenizerFast"} | {f"{role}_token": token for role, token in roles.items()}
    normalizer = data.get("normalizer") or {}
    if normalizer.get("type") != "BertNormalizer" or data["model"].get("type") != "WordPiece":
        return config
    config |= {key: normalizer.get(name) for name, key in BERT_OPTIONS.items()}
    full, vocab = BERT_ROLES | config, data["model"]["vocab"]
    try:
        named = [AddedToken(None, full[key]) for key in BERT_ROLES]
        same = bert_json(full, vocab, add_tokens(vocab, (), read_added(Entry(data)), named))
    except ValueError:
        return config
    parts = ("normalizer", "pre_tokenizer", "post_processor", "decoder", "model", "added_tokens")
    return config | ({"tokenizer_class": "BertTokenizer"} if all(same[part] == data[part] for part in parts) else {})
