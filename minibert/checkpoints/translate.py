"""Weights from their names and shapes to ours, and back; whatever does not fit exactly is refused.

A family's table of names stands in its own file (`bert.py`, ...).
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from minibert.checkpoints import hf_config
from minibert.checkpoints.hf_config import published_family
from minibert.config import EncoderConfig
from minibert.model.base import PackedModel
from minibert.model.initialization import initialize

BUFFERS = ("position_ids", "token_type_ids", "inv_freq")  # constants that old files carry along
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
KINDS = ("Encoder", "MaskedLanguageModel", "PretrainingModel", "SequenceClassifier", "TokenClassifier", "SpanReader")


@dataclass(frozen=True)
class NameTable:
    """`ours <- theirs` for one family, one line per kind of tensor; `{i}` stands for the layer.

    Where our tensor is fused, the right side is a tuple: their tensors stand below each other (dimension 0) in ours.
    Names of the body have neither our prefix (`encoder.`) nor theirs (`bert.`, `model.`): a bare encoder has none.
    A table lists every tensor a family can have; a model takes the lines it has parameters for.

    >>> table = NameTable("bert.", {"blocks.{i}.x": ("layer.{i}.a", "layer.{i}.b")}, {}, {}, {})
    >>> table.theirs("encoder.blocks.3.x", "MaskedLanguageModel")
    ('layer.3.a', 'layer.3.b')
    """

    prefix: str  # what stands before the body's names when a model has a head
    body: Mapping[str, str | tuple[str, ...]]
    heads: Mapping[str, Mapping[str, str]]  # our class -> the lines of its head
    tied: Mapping[str, str]  # their duplicate -> their name of the tensor it must equal
    architectures: Mapping[str, str]  # our class -> theirs
    untied: Mapping[str, str] = field(default_factory=dict)  # ours <- theirs instead, in a config with tie=False
    or_else: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)  # other lines for the body
    old: Mapping[str, str] = field(default_factory=dict)  # the start of a name in a first release: what it is today
    rows: Callable[[EncoderConfig], Tensor] | None = None  # which of their rows are ours, in query, key and value

    def theirs(self, ours: str, kind: str, stored: Container[str] | None = None) -> tuple[str, ...]:
        """Their names for our parameter `ours` of a model of class `kind`; the body's come without prefix.

        Where there are two sets of names, `stored`, the names of a file, decides.

        Raises:
            ValueError: this family has no such tensor.
        """
        name = ours.removeprefix("encoder.")
        layer = re.match(r"blocks\.(\d+)\.", name)
        pattern = name.replace(f"blocks.{layer[1]}.", "blocks.{i}.", 1) if layer else name
        found = self.heads.get(kind, {}).get(pattern) or self.body.get(pattern)
        if found is None:
            raise ValueError(f"{ours}: this family's name table has no line for it")
        sets = [(names,) if isinstance(names, str) else names for names in (found, self.or_else.get(pattern)) if names]
        sets = [tuple(name.replace("{i}", layer[1]) for name in names) if layer else names for names in sets]
        return next((names for names in sets if stored is not None and names[0] in stored), sets[0])

    def is_body(self, name: str) -> bool:
        """Whether `name` (theirs, without prefix) belongs to the bare encoder rather than to a head.

        >>> NameTable("bert.", {"blocks.{i}.x": "layer.{i}.a"}, {}, {}, {}).is_body("layer.3.a")
        True
        """
        return re.sub(r"\.\d+\.", ".{i}.", name, count=1) in self._body_names()

    def is_head(self, name: str) -> bool:
        """Whether `name` is a tensor of some head of this family, the pooler included.

        >>> NameTable("bert.", {}, {}, {}, {}).is_head("pooler.dense.bias")
        True
        """
        in_a_head = any(name in lines.values() for lines in self.heads.values())
        return in_a_head or name in self.tied or name.startswith("pooler.")

    def _body_names(self) -> set[str]:
        names = set()
        for right in self.body.values():
            names.update((right,) if isinstance(right, str) else right)
        return names


FAMILIES = {kind: NameTable(**family.NAMES) for kind, family in hf_config.FAMILIES.items()}
for kind, word in (("camembert", "Camembert"), ("xlm-roberta", "XLMRoberta")):
    classes = {ours: theirs.replace("Roberta", word) for ours, theirs in FAMILIES[kind].architectures.items()}
    FAMILIES[kind] = replace(FAMILIES[kind], architectures=classes)
OWN = NameTable(  # the names of a model that belongs to no published family: our own, unchanged
    prefix="encoder.",
    body={name: name for table in FAMILIES.values() for name in table.body},
    heads={kind: {name: name for t in FAMILIES.values() for name in t.heads.get(kind, {})} for kind in KINDS},
    tied={"decoder.weight": "embeddings.token.weight"},
    architectures={kind: kind for kind in KINDS},
)
FAMILIES["minibert"] = OWN


def load_state_dict_from(
    model: PackedModel,
    stored: Mapping[str, Tensor],
    *,
    table: NameTable | None = None,
    new_head: bool = False,
    foreign_head: bool = False,
    dtype: torch.dtype = torch.float32,
    generator: torch.Generator | None = None,
) -> PackedModel:
    """Fill `model` with weights that carry their family's published names, and return it.

    `stored` maps names to tensors, as `transformers_model.state_dict()` does; it is not changed and shares no memory
    with the model afterwards. A model on the meta device takes the tensors (in `dtype`) as its own; any other copies
    them into its parameters. `new_head=True` draws the weights of a head (and BERT's pooler) that `stored` lacks, with
    `generator`. The names of weights that no part of the model wanted, other heads, end up in `model.unused_weights`.

    Raises:
        ValueError: missing or unknown names, wrong shapes, integer weights, NaN or infinity; see `to_ours`.

    >>> from minibert import EncoderConfig, Encoder
    >>> source, copy = (Encoder(EncoderConfig.preset("bert-nano")) for _ in range(2))
    >>> copy = load_state_dict_from(copy, to_theirs(source, FAMILIES["bert"]))
    >>> torch.equal(copy.embeddings.token.weight, source.embeddings.token.weight)
    True
    """
    table = FAMILIES[published_family(model.config)] if table is None else table
    ours, missing, unused = to_ours(model, stored, table, dtype, new_head, foreign_head)
    drawn = _new_weights(model, ours, missing, new_head, dtype)
    model.load_state_dict(ours | drawn, assign=next(model.parameters()).is_meta)
    if hasattr(model, "tie_weights"):
        model.tie_weights()
        if model.config.tie:
            assert model.decoder.weight is model.encoder.embeddings.token.weight
    if drawn:
        initialize(model, model.config, generator, only=drawn)
    model.unused_weights = unused
    return model


def _new_weights(model: PackedModel, found, missing: dict[str, str], new_head: bool, dtype) -> dict[str, Tensor]:
    """Placeholders for the head's missing weights: gains 1, the rest 0, for `initialize` to draw over."""
    tops = ("encoder.pooler.", "pooler.", "head.", "decoder.", "nsp.")
    body = [name for name in missing if not name.startswith(tops)]
    derived = ("decoder.weight",) if model.config.tie else ()
    half = [name for name in missing if any(_same_module(name, other) for other in found if other not in derived)]
    if body or half or (missing and not new_head):
        names = body or half or missing
        hint = (
            "these belong to the head: pass new_head=True to draw them afresh for fine-tuning"
            if not body and not half
            else "the file is incomplete, or config.json does not describe it"
        )
        raise ValueError(f"weights missing from the file: {some_of(missing[name] for name in names)}; {hint}")
    shapes = {name: parameter.shape for name, parameter in model.state_dict().items()}
    fill = {name: torch.ones if name.endswith("norm.weight") else torch.zeros for name in missing}
    return {name: fill[name](shapes[name], dtype=dtype) for name in missing}


def _same_module(one: str, other: str) -> bool:
    return one.rpartition(".")[0] == other.rpartition(".")[0]


def kind_of(cls: type[PackedModel]) -> str:
    """The name under which the tables know a model class, or a class derived from it.

    >>> from minibert import Encoder
    >>> kind_of(Encoder)
    'Encoder'
    """
    for base in cls.__mro__:
        if base.__name__ in KINDS:
            return base.__name__
    raise ValueError(f"{cls.__name__}: expected one of {', '.join(KINDS)}, or a class derived from one")


def stated_kind(raw: dict) -> str | None:
    """The name of our class for the model that a config.json was written for, None where it does not say.

    >>> stated_kind({"model_type": "bert", "architectures": ["BertForTokenClassification"]})
    'TokenClassifier'
    """
    table, stated = FAMILIES.get(raw.get("model_type")), raw.get("architectures")
    kinds = {name: kind for kind, name in table.architectures.items()} if table else {}
    return next((kinds[name] for name in stated if name in kinds), None) if isinstance(stated, list) else None


def plain_name(name: str, table: NameTable) -> str:
    """A foreign name without its prefix, and with the norm gains and offsets of TensorFlow days renamed.

    The prefixes of models that were saved inside torch.compile or DistributedDataParallel go, too.

    >>> plain_name("bert.embeddings.LayerNorm.gamma", FAMILIES["bert"])
    'embeddings.LayerNorm.weight'
    """
    name = name.replace("_orig_mod.", "").removeprefix("module.").removeprefix(table.prefix)
    for old, new in table.old.items():
        name = new + name.removeprefix(old) if name.startswith(old) else name
    # behind "LayerNorm." and nowhere else: "gamma" may be part of anybody's name
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def rows_of_parts(config: EncoderConfig, parts: int, rows: int) -> list[int]:
    """How the rows of one of our tensors divide into `parts` of theirs: query, key, value or gate, up.

    >>> rows_of_parts(EncoderConfig.preset("eurobert-610m"), 3, 1920)
    [1152, 384, 384]
    """
    if parts == 3:
        return [config.heads * config.head_size, *[config.groups * config.head_size] * 2]
    return [rows // parts] * parts


def to_ours(
    model: PackedModel,
    stored: Mapping[str, Tensor],
    table: NameTable,
    dtype: torch.dtype = torch.float32,
    new_head: bool = False,
    foreign_head: bool = False,
) -> tuple[dict[str, Tensor], dict[str, str], tuple[str, ...]]:
    """Translate `stored` weights into a state dict for `model`.

    Returns the tensors found (new memory, in `dtype`), those not found (our name and theirs), and their names of those
    that belong to heads this model does not have. The file's classifier is left out when it is a `foreign_head`, one
    that answers another question, or when a `new_head` is wanted and its number of labels is not the model's.

    Raises:
        ValueError: an unknown name, a name twice, a shape, an integer weight, NaN or infinity, or a copy of a tied
            weight that differs from the original. The message names the tensors.

    >>> from minibert import Encoder, EncoderConfig
    >>> encoder = Encoder(EncoderConfig.preset("bert-nano"))
    >>> stored = to_theirs(encoder, FAMILIES["bert"]) | {"cls.predictions.bias": torch.zeros(8000)}
    >>> ours, missing, unused = to_ours(encoder, stored, FAMILIES["bert"])
    >>> len(ours) == len(encoder.state_dict()), missing, unused
    (True, {}, ('cls.predictions.bias',))
    """
    kind, tie = kind_of(type(model)), model.config.tie
    files = _plain_names(stored, table)  # plain name -> name in the file
    if tie:  # a file without duplicates keeps either name
        for copy, original in table.tied.items():
            if copy in files:
                files.setdefault(original, files[copy])
    left = set(files)
    ours, missing = {}, {}
    for name, parameter in model.state_dict().items():
        if tie and name == "decoder.weight":
            continue  # the token table, under a second name
        wanted = table.theirs(name, kind, files)
        if not tie and table.untied.get(name) in files:
            wanted = (table.untied[name],)
        absent = [part for part in wanted if part not in files]
        if absent:
            left.difference_update(wanted)  # what is left of a fused tensor is no stranger
        found = not absent
        if found and name.startswith("head.classifier."):
            found = not foreign_head and not (new_head and stored[files[wanted[0]]].shape != parameter.shape)
        if not found:
            missing[name] = f"{name} (theirs: {', '.join(absent or wanted)})"
            continue
        parts = []
        for part, rows in zip(wanted, rows_of_parts(model.config, len(wanted), parameter.shape[0]), strict=True):
            parts.append(_checked(files[part], stored[files[part]], (rows, *parameter.shape[1:]), dtype))
        ours[name] = torch.cat(parts) if len(parts) > 1 else parts[0]
        if table.rows and name.endswith(".query_key_value.weight"):
            ours[name] = ours[name][table.rows(model.config)]
        left.difference_update(wanted)
    if tie:
        left -= _check_tied(stored, files, table)
    unknown = sorted(files[name] for name in left if not table.is_head(name))
    if unknown:
        raise ValueError(
            f"weights that no {kind} of this configuration has: {some_of(unknown)}; "
            + (f"and weights missing: {some_of(missing.values())}; " if missing else "")
            + "the file belongs to another model, or config.json does not describe it"
        )
    if tie and "decoder.weight" in model.state_dict() and "encoder.embeddings.token.weight" in ours:
        ours["decoder.weight"] = ours["encoder.embeddings.token.weight"]
    return ours, missing, tuple(sorted(files[name] for name in left))


def to_theirs(model: PackedModel, table: NameTable) -> dict[str, Tensor]:
    """The weights of `model` under the names of `table`, fused ones split, tied ones once; memory is not shared.

    >>> from minibert import EncoderConfig, Encoder
    >>> next(iter(to_theirs(Encoder(EncoderConfig.preset("bert-nano")), FAMILIES["bert"])))
    'embeddings.word_embeddings.weight'
    """
    kind, config = kind_of(type(model)), model.config
    prefix = "" if kind == "Encoder" else table.prefix
    theirs = {}
    for name, tensor in model.state_dict().items():
        if config.tie and name == "decoder.weight":
            continue
        wanted = table.theirs(name, kind)
        if table.rows and name.endswith(".query_key_value.weight"):
            tensor = tensor[table.rows(config).argsort()]
        pieces = tensor.split(rows_of_parts(config, len(wanted), tensor.shape[0]))
        if not config.tie and name in table.untied:
            wanted, pieces = (*wanted, table.untied[name]), (*pieces, *pieces)
        for part, piece in zip(wanted, pieces, strict=True):
            full = prefix + part if table.is_body(part) else part
            theirs[full] = piece.detach().to("cpu", copy=True).contiguous()
    return theirs


def _plain_names(stored: Iterable[str], table: NameTable) -> dict[str, str]:
    files = {}
    for full in stored:
        if full.rpartition(".")[2] in BUFFERS:
            continue
        plain = plain_name(full, table)
        if plain in files:
            raise ValueError(f"{files[plain]} and {full} are the same tensor under two names: keep one")
        files[plain] = full
    return files


def _checked(name: str, tensor: Tensor, expected: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    if tuple(tensor.shape) != expected:
        hint = "does config.json belong to these weights?"
        if "classifier" in name and tensor.shape[1:] == expected[1:]:
            hint = f"labels={len(tensor)} opens the classifier as it is, new_head=True draws a new one"
        raise ValueError(f"{name}: shape {tuple(tensor.shape)}, expected {expected}; {hint}")
    if tensor.dtype not in FLOATS:
        raise ValueError(f"{name}: dtype {tensor.dtype}, expected floating-point weights (float16, bfloat16, float32)")
    tensor = tensor.detach().to(dtype, copy=True)  # a copy: the file must not stay mapped into memory
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{name}: holds NaN or infinity (as {dtype}); the file is damaged or its training diverged")
    return tensor


def _check_tied(stored: Mapping[str, Tensor], files: dict[str, str], table: NameTable) -> set[str]:
    copies = set()
    for copy, original in table.tied.items():
        if copy not in files or original not in files:
            continue
        first, second = stored[files[copy]], stored[files[original]]
        if first.shape != second.shape or not torch.equal(first.float(), second.float()):
            raise ValueError(
                f"{files[copy]} differs from {files[original]}, but the config ties them (tie_word_embeddings): "
                "set it to false in config.json if the file is right"
            )
        copies.add(copy)
    return copies


def some_of(names: Iterable[str], limit: int = 8) -> str:
    """The first few names of what may be hundreds.

    >>> some_of("abcd", limit=2)
    'a, b and 2 more'
    """
    names = list(names)
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
