"""What surrounds the model: the template around one text or two, normaliser, added tokens, how offsets treat spaces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from minibert.tokenization.normalization import BertNormalizer, NFCNormalizer, NoNormalizer
from minibert.tokenization.vocabulary import AddedToken, choose_roles

Slot = tuple[str, int]  # ("$A", "$B" or a special token, segment id)
Normalizer = BertNormalizer | NFCNormalizer | NoNormalizer


@dataclass(frozen=True)
class Template:
    """The frame around one text (`single`) and around two (`pair`): slots of (name, segment id).

    Raises:
        ValueError: a frame without its texts, each exactly once.

    >>> Template.parse("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1").pair[3]
    ('$B', 1)
    """

    single: tuple[Slot, ...] = (("$A", 0),)
    pair: tuple[Slot, ...] = (("$A", 0), ("$B", 1))

    def __post_init__(self):
        for slots, texts in ((self.single, ["$A"]), (self.pair, ["$A", "$B"])):
            found = [name for name, _ in slots if name in ("$A", "$B")]
            if sorted(found) != texts:
                raise ValueError(f"a template must hold {' and '.join(texts)} exactly once, got {found} in {slots}")

    @classmethod
    def parse(cls, single: str, pair: str) -> "Template":
        """Read templates written as words; "$A" and "$B" are the texts, ":1" puts a slot into segment 1.

        Raises:
            ValueError: $A or $B is missing or doubled.

        >>> Template.parse("$A <eos>", "$A <eos> $B <eos>").single
        (('$A', 0), ('<eos>', 0))
        """
        return cls(_slots(single), _slots(pair))

    @classmethod
    def bert(cls, cls_token: str = "[CLS]", sep_token: str = "[SEP]", segments: bool = True) -> "Template":
        """[CLS] A [SEP] and [CLS] A [SEP] B [SEP]; `segments` puts B and its [SEP] into segment 1.

        Source: Devlin et al. 2019, section 3 and figure 2.

        >>> [segment for _, segment in Template.bert().pair]
        [0, 0, 0, 1, 1]
        """
        one = int(segments)
        head = ((cls_token, 0), ("$A", 0), (sep_token, 0))
        return cls(head, (*head, ("$B", one), (sep_token, one)))

    @classmethod
    def roberta(cls, cls_token: str = "<s>", sep_token: str = "</s>") -> "Template":
        """<s> A </s> and <s> A </s></s> B </s>, all of it segment 0.

        Source: Liu et al. 2019, released code.

        >>> [name for name, _ in Template.roberta().pair]
        ['<s>', '$A', '</s>', '</s>', '$B', '</s>']
        """
        sep = (sep_token, 0)
        head = ((cls_token, 0), ("$A", 0), sep)
        return cls(head, (*head, sep, ("$B", 0), sep))

    def special_tokens(self) -> list[str]:
        """The special tokens the two templates use, each once, in order.

        >>> Template.bert().special_tokens()
        ['[CLS]', '[SEP]']
        """
        names = [name for name, _ in (*self.single, *self.pair) if name not in ("$A", "$B")]
        return list(dict.fromkeys(names))


def _slots(spec: str) -> tuple[Slot, ...]:
    slots = []
    for word in spec.split():
        name, colon, segment = word.rpartition(":")
        slots.append((name, int(segment)) if colon and name and segment in ("0", "1") else (word, 0))
    return tuple(slots)


@dataclass(frozen=True)
class Parts:
    """Everything in a tokenizer file but the model: what surrounds WordPiece or BPE.

    trim_offsets: leave spaces out of the offsets of byte-level tokens; keep_prefix_space: but not the first one.
    prefix_space: put a space before a byte-level text that begins without one, so that its first word is written as
    it is elsewhere (an option of GPT-2's and RoBERTa's tokenizers).

    >>> Parts().trim_offsets
    False
    """

    normalizer: Normalizer = field(default_factory=NoNormalizer)
    template: Template = field(default_factory=Template)
    added_tokens: tuple[AddedToken, ...] = ()
    trim_offsets: bool = False
    keep_prefix_space: bool = False
    prefix_space: bool = False

    def led(self, text: str) -> str:
        """The text, with the space before it that `prefix_space` asks for.

        >>> Parts(prefix_space=True).led("low"), Parts(prefix_space=True).led(" low"), Parts().led("low")
        (' low', ' low', 'low')
        """
        return " " + text if self.prefix_space and text and not text.startswith(" ") else text


def default_parts(
    vocab: Mapping[str, int],
    special: Sequence[str],
    normalizer: Normalizer,
    byte_level: bool = False,
    roles: Mapping[str, str] | None = None,
) -> Parts:
    """The surroundings of a fresh tokenizer: special tokens, BERT's template if they allow it, trimmed offsets.

    roles: role -> token, where they are not the usual names; these tokens are special, too.

    >>> default_parts({"[CLS]": 0, "[SEP]": 1}, ["[CLS]", "[SEP]"], NoNormalizer()).template.single[0]
    ('[CLS]', 0)
    """
    special = [name for name in dict.fromkeys([*special, *(roles or {}).values()]) if name in vocab]
    roles = choose_roles({name: vocab[name] for name in special}, roles)
    added = [AddedToken(vocab[name], name, lstrip=byte_level and name == roles.get("mask")) for name in special]
    framed = "cls" in roles and "sep" in roles
    template = Template.bert(roles["cls"], roles["sep"]) if framed else Template()
    return Parts(normalizer, template, tuple(added), trim_offsets=byte_level)
