"""Reading the post-processor of a tokenizer.json: the template around the texts, and how offsets treat spaces."""

from collections.abc import Mapping

from minibert.tokenization.json_entry import Entry, require
from minibert.tokenization.template import Slot, Template


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
        elif kind == "RobertaProcessing":  # <s> A </s></s> B </s>, all of it segment 0
            cls, sep = (_read_token(part, "cls", ids), 0), (_read_token(part, "sep", ids), 0)
            head = (cls, ("$A", 0), sep)
            template = Template(head, (*head, sep, ("$B", 0), sep))
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
