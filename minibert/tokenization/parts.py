"""What surrounds the model: normaliser, template, added tokens, and how offsets treat spaces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from minibert.tokenization.added_tokens import AddedToken
from minibert.tokenization.normalization import BertNormalizer, NFCNormalizer, NoNormalizer
from minibert.tokenization.roles import choose_roles
from minibert.tokenization.template import Template

Normalizer = BertNormalizer | NFCNormalizer | NoNormalizer


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


def default_parts(
    vocab: Mapping[str, int], special: Sequence[str], normalizer: Normalizer, byte_level: bool = False
) -> Parts:
    """The surroundings of a fresh tokenizer: special tokens, BERT's template if they allow it, trimmed offsets.

    >>> default_parts({"[CLS]": 0, "[SEP]": 1}, ["[CLS]", "[SEP]"], NoNormalizer()).template.single[0]
    ('[CLS]', 0)
    """
    roles = choose_roles({name: vocab[name] for name in special if name in vocab})
    added = [
        AddedToken(vocab[name], name, lstrip=byte_level and name == roles.get("mask"))
        for name in special
        if name in vocab
    ]
    framed = "cls" in roles and "sep" in roles
    template = Template.bert(roles["cls"], roles["sep"]) if framed else Template()
    return Parts(normalizer, template, tuple(added), trim_offsets=byte_level)
