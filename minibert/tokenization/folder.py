"""A tokenizer's folder, read in full, so that its ids are those of `transformers`' AutoTokenizer.

tokenizer.json holds a whole tokenizer, and still the files beside it have a say:

| file | what it says |
|---|---|
| tokenizer_config.json | the class; the roles (`mask_token` ...); tokens to add (`added_tokens_decoder`, `extra_special_tokens`) |
| special_tokens_map.json, added_tokens.json | roles and added tokens in older folders; not read beside an `added_tokens_decoder` |
| vocab.txt | Google's vocabulary, one token a line; not read beside a tokenizer.json |
| vocab.json, merges.txt | RoBERTa's vocabulary and merges; not read beside a tokenizer.json |
| config.json | the class, where tokenizer_config.json names none: BertTokenizer for BERT, RobertaTokenizer for RoBERTa |

The class decides. `BertTokenizer` takes only the vocabulary and the added tokens from tokenizer.json; case, accents,
Chinese characters, the unknown token and the template follow tokenizer_config.json, and BERT's defaults where that is
silent. `RobertaTokenizer` takes vocabulary, merges and added tokens; the prefix space, offsets and the template follow
tokenizer_config.json. For every other class tokenizer.json counts as it stands, and tokens are added to it. Where two
files disagree, the reader is told which two, and which one wins.

Source: `transformers` 5, with which the tests compare this.
"""  # noqa: E501 (a table row is one line)

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minibert.tokenization.json_read import (
    Entry,
    model_of,
    naming,
    read_added,
    read_json,
    read_merges,
    read_merges_txt,
    read_post_processor,
    read_token,
)
from minibert.tokenization.json_write import BERT_MODELS, BERT_OPTIONS, bert_json, roberta_json
from minibert.tokenization.vocabulary import BERT_ROLES, ROBERTA_ROLES, AddedToken, add_tokens, read_vocab_txt

CONFIG, TOKENIZER, WORDS, MODEL = "tokenizer_config.json", "tokenizer.json", "vocab.txt", "config.json"
TABLE, MERGES = "vocab.json", "merges.txt"
SPECIAL, ADDED = "special_tokens_map.json", "added_tokens.json"
ROLE_KEYS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
# Names of BertTokenizer; each may also end in "Fast".
BERT_CLASSES = ("BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer", "LayoutLMTokenizer")
ROBERTA = "RobertaTokenizer"
ANY_CLASS = ("PreTrainedTokenizer", "TokenizersBackend")  # tokenizer.json as it stands
_EXTRA, _OLD_EXTRA, _OWN = "extra_special_tokens", "additional_special_tokens", "model_specific_special_tokens"


@dataclass(frozen=True)
class Folder:
    """What a folder says: `data`, a tokenizer.json object; the roles; how long its model's texts may be, in tokens.

    source: the file that the vocabulary comes from, for messages. told: where two files disagree, and which one wins.

    >>> Folder({}, {}, None, Path("tokenizer.json")).told
    ()
    """

    data: dict
    roles: dict[str, str]
    max_length: int | None
    source: Path
    told: tuple[str, ...] = ()


def read_folder(folder: Path) -> Folder:
    """Read all files of a tokenizer's folder; `told` says where two of them disagree, and which wins.

    Raises:
        ValueError: no vocabulary, a damaged file, a class with other rules than we have, or added tokens whose stated
            ids cannot be; the message names the file and the key.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     _ = (Path(name) / "vocab.txt").write_text("[PAD]\\n[UNK]\\n[CLS]\\n[SEP]\\n[MASK]\\nthe", encoding="utf-8")
    ...     read_folder(Path(name)).data["normalizer"]["lowercase"]
    True
    """
    data = read_json(folder / TOKENIZER) if (folder / TOKENIZER).is_file() else None
    words = read_vocab_txt(folder / WORDS) if (folder / WORDS).is_file() else None
    if data is None and words is None and not ((folder / TABLE).is_file() and (folder / MERGES).is_file()):
        raise ValueError(f"there is no file {folder / TOKENIZER}, no {WORDS}, and no {TABLE} with {MERGES}")
    source = TOKENIZER if data is not None else WORDS if words is not None else TABLE
    config, told = _read_config(folder)
    with naming(folder / CONFIG):
        kind = _rebuilt(folder, config, source)
        is_bert = kind == "BertTokenizer"
        max_length, left = _check_options(config)
        stated = _read_stated(folder, config, data)
        if kind:
            config, present = (BERT_ROLES if is_bert else ROBERTA_ROLES) | config, ()
            for key in ("unk_token", "cls_token", "sep_token"):
                if config[key] is None:
                    raise ValueError(f"{key} is null, and {kind} cannot do without it")
            names = {key: _token(config[key], key).content for key in ROLE_KEYS if config.get(key) is not None}
        if is_bert:
            ids = words if data is None else _wordpiece_vocabulary(data)
            told += _capitals(config, ids)
            found = bert_json(config | names, ids, _add(config, ids, stated, present))
        elif kind == ROBERTA:
            ids, merges = _merged_vocabulary(folder, data)
            found = roberta_json(config | names, ids, merges, _add(config, ids, stated, present))
        else:
            ids, present = _vocabulary(data), read_added(Entry(data))
            found = data | {"added_tokens": [vars(token) for token in _add(config, ids, stated, present)]}
        known = {*ids, *(token.content for token in (*stated, *present))}
        told += [f"{CONFIG}: {message}" for message in left] + _new_roles(config, known, found)
        if data is not None:
            told += _compare(config, data, words, found, bool(kind))
            told += [] if kind else _unasked(folder, data)
    told = [f"{folder}: {message}" for message in told]
    return Folder(found, read_roles(config), max_length, folder / source, tuple(told))


def read_roles(config: Mapping) -> dict[str, str]:
    """The roles that a tokenizer_config.json names; bos and eos stand in for cls and sep when those are missing.

    Raises:
        ValueError: a token that is neither a string nor an object with `content`; the message names the key.

    >>> read_roles({"pad_token": "<pad>", "eos_token": {"content": "</s>"}})
    {'pad': '<pad>', 'sep': '</s>'}
    """
    roles = {}
    for role, *others in (("pad",), ("unk",), ("cls", "bos"), ("sep", "eos"), ("mask",)):
        for key in [f"{name}_token" for name in (role, *others)]:
            if config.get(key) is not None:
                roles.setdefault(role, _token(config[key], key).content)
    return roles


def _add(
    config: Mapping, vocab: Mapping[str, int], decoder: Sequence[AddedToken], present: Sequence[AddedToken]
) -> tuple[AddedToken, ...]:
    try:
        return add_tokens(vocab, present, decoder, _named(config), _extra(config))
    except ValueError as error:
        where = "added_tokens_decoder" if "added_tokens_decoder" in config else f"{ADDED} or {TOKENIZER}"
        raise ValueError(f"{where}: {error}") from error


def _token(value: object, key: str, token_id: int | None = None) -> AddedToken:
    """An added token written as a string or as an object with its options; `key` is its place, for messages."""
    if isinstance(value, str):
        return AddedToken(token_id, value)
    if not isinstance(value, dict):
        raise ValueError(f"{key} must be a string or an object with `content`, got {value!r:.80}")
    return read_token(Entry(value, key), token_id, special=token_id is None)


def _named(config: Mapping) -> list[AddedToken]:
    """The tokens that have a name: the roles, then others such as `image_token`."""
    own = {key: value for key, value in config.items() if key.endswith("_token") and isinstance(value, str)}
    own |= Entry(dict(config)).get(_OWN, dict, {})
    roles = {key: config[key] for key in ROLE_KEYS if config.get(key) is not None}
    named = [_token(value, key) for key, value in (roles | own).items()]
    return [token for token in named if token.content]


def _extra(config: Mapping) -> list[AddedToken]:
    """The special tokens without a name."""
    extra = Entry(dict(config)).get(_EXTRA, list, [])
    return [_token(token, f"{_EXTRA}[{at}]") for at, token in enumerate(extra)]


def _read_config(folder: Path) -> tuple[dict, list[str]]:
    """tokenizer_config.json with special_tokens_map.json where that counts, and where the two disagree."""
    config = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    if _OLD_EXTRA in config and not config.get(_EXTRA):
        config[_EXTRA] = config.pop(_OLD_EXTRA)
    special = read_json(folder / SPECIAL) if (folder / SPECIAL).is_file() else {}
    wins = SPECIAL if "added_tokens_decoder" not in config else CONFIG
    with naming(folder / SPECIAL):
        differ = [key for key in special if key in ROLE_KEYS and _differs(special[key], config.get(key), key)]
        pairs = [f"{key} is {special[key]!r:.60} there and {config[key]!r:.60} here" for key in differ]
    own = config.pop(_EXTRA) if isinstance(config.get(_EXTRA), dict) else {}  # name -> token
    if wins == SPECIAL:
        more, old = special.pop(_EXTRA, None), special.pop(_OLD_EXTRA, None)
        if isinstance(more, list):
            known = config.get(_EXTRA) or []
            config[_EXTRA] = [*known, *(token for token in more if token not in known)]
        elif old is not None:
            config.setdefault(_EXTRA, old)  # as in transformers, which leaves it out where the other file has a list
        config |= special
        own |= more if isinstance(more, dict) else {}
    return config | {_OWN: own}, _disagree(SPECIAL, CONFIG, pairs, wins)


def _differs(one: object, other: object, key: str) -> bool:
    return None not in (one, other) and _token(one, key).content != _token(other, key).content


def _rebuilt(folder: Path, config: Mapping, source: str) -> str:
    """The class, if it makes its tokenizer of the vocabulary and the config: BertTokenizer, RobertaTokenizer or ""."""
    model = Entry(read_json(folder / MODEL) if (folder / MODEL).is_file() else {}, MODEL)
    kind = model.get("model_type", str, "")
    stated = Entry(dict(config)).get("tokenizer_class", str, None) or model.get("tokenizer_class", str, None)
    name = (stated or "").removesuffix("Fast")
    if source != TOKENIZER:
        makes, classes = ("BertTokenizer", BERT_CLASSES) if source == WORDS else (ROBERTA, (ROBERTA,))
        if stated and name not in (*classes, *ANY_CLASS):
            raise ValueError(
                f"tokenizer_class is {stated!r}, whose rules minibert does not have; with {source} alone it reads "
                f"{', '.join(classes)}. Let transformers write a {TOKENIZER} (a fast tokenizer's save_pretrained)"
            )
        return makes
    if kind == "modernbert":
        return ""
    if not stated and (folder / CONFIG).is_file():
        name = "BertTokenizer" if kind in BERT_MODELS else ROBERTA if kind == "roberta" else ""
    return "BertTokenizer" if name in BERT_CLASSES else ROBERTA if name == ROBERTA else ""


def _unasked(folder: Path, data: dict) -> list[str]:
    """A BERT model without tokenizer_config.json, whose tokenizer.json is not what `transformers` would take then."""
    model = read_json(folder / MODEL) if (folder / MODEL).is_file() else {}
    if (folder / CONFIG).is_file() or model.get("model_type") not in BERT_MODELS or model.get("tokenizer_class"):
        return []
    try:
        vocab = _wordpiece_vocabulary(data)
        what = _differences(data, bert_json(BERT_ROLES, vocab, _add(BERT_ROLES, vocab, read_added(Entry(data)), ())))
    except ValueError:
        what = [f"BertTokenizer cannot be made of {TOKENIZER}"]
    if not what:
        return []
    return [
        f"there is no {CONFIG}, so transformers would take BERT's defaults ({'; '.join(what)}). minibert follows "
        f"{TOKENIZER}; save_pretrained writes both files"
    ]


def _check_options(config: Mapping) -> tuple[int | None, list[str]]:
    """The longest text in tokens, and options that do nothing here; one that would change ids is refused."""
    options = Entry(dict(config))
    for key in BERT_OPTIONS.values():
        options.get(key, bool, None)  # of the right type, even where it does not count
    if options.get("split_special_tokens", bool, False):
        raise ValueError("split_special_tokens is true, which minibert does not have: special tokens are never split")
    sides = [key for key in ("padding_side", "truncation_side") if options.get(key, str, "right") != "right"]
    told = [f"{key} is {config[key]!r}, but minibert always pads and cuts on the right" for key in sides]
    value = config.get("model_max_length", config.get("max_len"))
    if value is None:
        return None, told
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1:
        raise ValueError(f"model_max_length must be a number of tokens from 1, got {value!r:.80}")
    return int(value) if value < 1 << 30 else None, told  # transformers writes 1e30 for "no limit"


def _read_stated(folder: Path, config: Mapping, data: dict | None) -> list[AddedToken]:
    """The tokens to add, with the ids that they should get."""
    key = "added_tokens_decoder"
    if key in config:
        table = Entry(dict(config)).get(key, dict, {})
        bad = [name for name in table if not name.isdecimal()]
        if bad:
            raise ValueError(f"the keys of {key} are ids, whole numbers in quotes, got {bad[0]!r:.80}")
        return [_token(table[name], f"{key}.{name}", int(name)) for name in sorted(table, key=int)]
    tokens: dict[int, AddedToken] = {}
    if (folder / ADDED).is_file():
        special = {token.content for token in [*_named(config), *_extra(config)]}
        entry = Entry(read_json(folder / ADDED), ADDED)
        for content in entry.values:
            token_id, is_special = entry.get(content, int), content in special
            tokens[token_id] = AddedToken(token_id, content, normalized=not is_special, special=is_special)
    if data is not None:
        tokens |= {token.id: token for token in read_added(Entry(data))}
    return [tokens[token_id] for token_id in sorted(tokens)]


def _vocabulary(data: dict) -> dict[str, int]:
    """token -> id of any model; some kinds, which only the library runs, list tokens with their scores."""
    model = Entry(data).entry("model") or Entry({})
    vocab = model.values.get("vocab")
    if isinstance(vocab, list):
        return {piece[0]: index for index, piece in enumerate(vocab) if isinstance(piece, list) and piece}
    return model.get("vocab", dict, {})


def _wordpiece_vocabulary(data: dict) -> dict[str, int]:
    kind, model = model_of(data)
    if kind != "WordPiece":
        raise ValueError(
            f"the class is BertTokenizer, which is WordPiece, but {TOKENIZER} holds a {kind} tokenizer; set "
            'tokenizer_class to "PreTrainedTokenizerFast"'
        )
    return model.get("vocab", dict)


def _merged_vocabulary(folder: Path, data: dict | None) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The vocabulary and the merges of RoBERTa's files."""
    if data is None:
        table = Entry(read_json(folder / TABLE), TABLE)
        return {token: table.get(token, int) for token in table.values}, read_merges_txt(folder / MERGES)
    kind, model = model_of(data)
    if kind != "BPE":
        raise ValueError(
            f"the class is {ROBERTA}, which is byte-level BPE, but {TOKENIZER} holds a {kind} tokenizer; set "
            'tokenizer_class to "PreTrainedTokenizerFast"'
        )
    return model.get("vocab", dict), read_merges(model.get("merges", list))


# ---- where two files disagree


def _disagree(one: str, other: str, what: Sequence[str], wins: str) -> list[str]:
    if not what:
        return []
    return [f"{one} and {other} disagree: {'; '.join(what)}. {wins} wins, as in transformers; make the two agree"]


def _capitals(config: Mapping, vocab: Mapping[str, int]) -> list[str]:
    """A cased vocabulary, where nothing says whether letters are made small: then they are."""
    cased = [word for word in vocab if word != word.lower() and not word.startswith(("[", "<"))]
    if config.get("do_lower_case") is not None or len(cased) <= len(vocab) / 10:
        return []
    return [
        f"the vocabulary has capital letters ({len(cased)} tokens, such as {cased[0]!r}), but {CONFIG} does not say "
        "do_lower_case, so texts are lower-cased, as in transformers; for a cased model write "
        '"do_lower_case": false into it'
    ]


def _new_roles(config: Mapping, known: Collection[str], found: dict) -> list[str]:
    """Roles whose token no file has."""
    ids = {token["content"]: token["id"] for token in found["added_tokens"]}
    return [
        f"{token.content!r} has a role, but is not in the vocabulary; it becomes a new token with id "
        f"{ids[token.content]}, as in transformers, and a model needs a row for it"
        for token in _named(config)
        if token.content not in known
    ]


def _compare(config: Mapping, data: dict, words: Mapping[str, int] | None, found: dict, rebuilt: bool) -> list[str]:
    """What two files say differently, and which of them `found` follows."""
    ids = _vocabulary(found) | {token["content"]: token["id"] for token in found["added_tokens"]}
    other = [word for word, index in (words or {}).items() if ids.get(word) != index]
    what = [f"{word!r} has the id {words[word]} there and {ids.get(word)} here" for word in other[:1]]
    what += [f"{len(other) - 1} more tokens differ"] if len(other) > 1 else []
    told = _disagree(WORDS, TOKENIZER, what, TOKENIZER)
    options = {token["content"]: token for token in found["added_tokens"]}
    changed = [token for token in read_added(Entry(data)) if vars(token) != options.get(token.content)]
    what = [
        f"{token.content!r} has other options there" if token.content in options else f"{token.content!r} is not here"
        for token in changed
    ]
    told += _disagree(f"the added tokens of {TOKENIZER}", CONFIG, what, CONFIG)
    model, free = _vocabulary(found), len(_vocabulary(found))
    for token in sorted((t for t in read_added(Entry(data)) if t.content not in model), key=lambda token: token.id):
        if token.id != free and not rebuilt:
            two = f"the id {token.id}, transformers {free}, the next free one"
            told.append(f"{TOKENIZER} gives {token.content!r} {two}; minibert follows the file")
        free += 1
    if rebuilt:
        return told + _disagree(TOKENIZER, CONFIG, _differences(data, found), CONFIG)
    return told + _disagree(TOKENIZER, CONFIG, _contradictions(data, ids, config), TOKENIZER)


def _differences(data: dict, found: dict) -> list[str]:
    """What BertTokenizer or RobertaTokenizer makes otherwise than tokenizer.json says."""
    out = _bert_options(data, found) if found["model"]["type"] == "WordPiece" else _roberta_options(data, found)
    ids = _vocabulary(found) | {token["content"]: token["id"] for token in found["added_tokens"]}
    here = read_post_processor(Entry(found), ids)[0]
    try:
        there = read_post_processor(Entry(data), ids)[0]
    except ValueError:
        there = None
    if there != here:
        out.append(f"the template is another one there, {' '.join(name for name, _ in here.pair)} here")
    return out


def _bert_options(data: dict, found: dict) -> list[str]:
    theirs, ours = _bert_normalizer(data), _bert_normalizer(found)
    effective = {key: _option(ours, name) for name, key in BERT_OPTIONS.items()}
    out = ["the normalizer is no BertNormalizer there"] if theirs is None else _clashes(theirs, effective)
    for name in ("unk_token", "max_input_chars_per_word", "continuing_subword_prefix"):
        there, here = data["model"].get(name), found["model"][name]
        if there not in (None, here):
            out.append(f"model.{name} is {there!r} there, {here!r} here")
    return out


def _roberta_options(data: dict, found: dict) -> list[str]:
    out = [f"there is a normalizer there ({data['normalizer']!r:.60}), none here"] if data.get("normalizer") else []
    words, here = data.get("pre_tokenizer") or {}, found["pre_tokenizer"]["add_prefix_space"]
    if words.get("type") != "ByteLevel":
        return [*out, f"the words are cut otherwise there ({words!r:.60})"]
    there = words.get("add_prefix_space", True)
    return out if there == here else [*out, f"add_prefix_space is {str(there).lower()} there, {str(here).lower()} here"]


def _contradictions(data: dict, ids: Mapping[str, int], config: Mapping) -> list[str]:
    """What tokenizer_config.json says and tokenizer.json does not do."""
    theirs = _bert_normalizer(data)
    out = [] if theirs is None else _clashes(theirs, config)
    if theirs is None and config.get("do_lower_case"):
        out.append("nothing lower-cases there, do_lower_case is true here")
    unknown = (data.get("model") or {}).get("unk_token")
    if unknown is not None and _differs(unknown, config.get("unk_token"), "unk_token"):
        out.append(f"model.unk_token is {unknown!r} there, unk_token is {config['unk_token']!r:.60} here")
    try:
        frame = read_post_processor(Entry(data), ids)[0].special_tokens()
    except ValueError:
        return out  # only the library can run it
    for key in ("cls_token", "sep_token") if frame else ():
        if config.get(key) is not None and _token(config[key], key).content not in frame:
            out.append(f"the template puts {', '.join(frame)} around a text there, {key} is {config[key]!r:.60} here")
    return out


def _clashes(normalizer: Mapping, wanted: Mapping) -> list[str]:
    pairs = [(name, key, _option(normalizer, name), wanted.get(key)) for name, key in BERT_OPTIONS.items()]
    return [
        f"{name} is {str(there).lower()} there, {key} is {str(here).lower()} here"
        for name, key, there, here in pairs
        if here not in (None, there)
    ]


def _option(normalizer: Mapping, name: str) -> bool:
    """An option of a BertNormalizer; accents go where nothing else is said and letters are made small."""
    value = normalizer.get(name)
    if value is None:
        return normalizer.get("lowercase", True) if name == "strip_accents" else True
    return value


def _bert_normalizer(data: dict) -> dict | None:
    parts = Entry(data).components("normalizer", "normalizers")
    return parts[0].values if [part.get("type", str) for part in parts] == ["BertNormalizer"] else None
