"""Carry weights from their names and shapes to ours, and back; refuse whatever does not fit exactly."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from minibert.checkpoints.names import NameTable, rows_of_parts
from minibert.checkpoints.names_own import KINDS
from minibert.model.base import PackedModel

BUFFERS = ("position_ids", "token_type_ids", "inv_freq")  # constants that old files carry along
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


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


def plain_name(name: str, table: NameTable) -> str:
    """A foreign name without its prefix, and with the norm gains and offsets of TensorFlow days renamed.

    >>> from minibert.checkpoints.names_bert import BERT
    >>> plain_name("bert.embeddings.LayerNorm.gamma", BERT)
    'embeddings.LayerNorm.weight'
    """
    name = name.removeprefix(table.prefix)
    # behind "LayerNorm." and nowhere else: "gamma" may be part of anybody's name
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


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
    >>> from minibert.checkpoints.names_bert import BERT
    >>> encoder = Encoder(EncoderConfig.preset("bert-nano"))
    >>> stored = to_theirs(encoder, BERT) | {"cls.predictions.bias": torch.zeros(8000)}
    >>> ours, missing, unused = to_ours(encoder, stored, BERT)
    >>> len(ours) == len(encoder.state_dict()), missing, unused
    (True, {}, ('cls.predictions.bias',))
    """
    kind, tie = kind_of(type(model)), model.config.tie
    files = _plain_names(stored, table)  # plain name -> name in the file
    left = set(files)
    ours, missing = {}, {}
    for name, parameter in model.state_dict().items():
        if tie and name == "decoder.weight":
            continue  # the token table, under a second name
        wanted = table.theirs(name, kind)
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
        sizes = rows_of_parts(model.config, len(wanted), parameter.shape[0])
        parts = []
        for part, rows in zip(wanted, sizes, strict=True):
            expected = (rows, *parameter.shape[1:])
            parts.append(_checked(files[part], stored[files[part]], expected, dtype))
        ours[name] = torch.cat(parts) if len(parts) > 1 else parts[0]
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
    >>> from minibert.checkpoints.names_bert import BERT
    >>> next(iter(to_theirs(Encoder(EncoderConfig.preset("bert-nano")), BERT)))
    'embeddings.word_embeddings.weight'
    """
    kind, config = kind_of(type(model)), model.config
    prefix = "" if kind == "Encoder" else table.prefix
    theirs = {}
    for name, tensor in model.state_dict().items():
        if config.tie and name == "decoder.weight":
            continue
        wanted = table.theirs(name, kind)
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
        raise ValueError(
            f"{name}: shape {tuple(tensor.shape)}, expected {expected}; does config.json belong to these weights? "
            "(a new number of labels needs new_head=True)"
        )
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
        if not torch.equal(stored[files[copy]], stored[files[original]]):
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
