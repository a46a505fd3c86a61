"""What a table of foreign weight names is made of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from minibert.config import EncoderConfig


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

    def theirs(self, ours: str, kind: str) -> tuple[str, ...]:
        """Their names for our parameter `ours` of a model of class `kind`; the body's come without prefix.

        Raises:
            ValueError: this family has no such tensor.
        """
        name = ours.removeprefix("encoder.")
        layer = re.match(r"blocks\.(\d+)\.", name)
        pattern = name.replace(f"blocks.{layer[1]}.", "blocks.{i}.", 1) if layer else name
        found = self.body.get(pattern) or self.heads.get(kind, {}).get(pattern)
        if found is None:
            raise ValueError(f"{ours}: this family's name table has no line for it")
        found = (found,) if isinstance(found, str) else found
        return tuple(name.replace("{i}", layer[1]) for name in found) if layer else found

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


def rows_of_parts(config: EncoderConfig, parts: int, rows: int) -> list[int]:
    """How the rows of one of our tensors divide into `parts` of theirs: query, key, value or gate, up.

    >>> rows_of_parts(EncoderConfig.preset("eurobert-610m"), 3, 1920)
    [1152, 384, 384]
    """
    if parts == 3:
        return [config.heads * config.head_size, *[config.groups * config.head_size] * 2]
    return [rows // parts] * parts
