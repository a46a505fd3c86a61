"""Which token plays which role: a tokenizer file says what the special tokens are, not what they are for."""

from collections.abc import Mapping

# The names the model families use, in the order in which they are tried.
NAMES = {
    "pad": ("[PAD]", "<pad>", "<|pad|>", "<|padding|>"),
    "unk": ("[UNK]", "<unk>", "<|unk|>"),
    "cls": ("[CLS]", "<s>", "<|begin_of_text|>"),
    "sep": ("[SEP]", "</s>", "<|end_of_text|>", "<|endoftext|>"),
    "mask": ("[MASK]", "<mask>", "<|mask|>"),
}
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def choose_roles(tokens: Mapping[str, int], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """role -> token for the roles pad, unk, cls, sep and mask; what is not given is guessed from the usual names.

    Raises:
        ValueError: an unknown role, or a given token that is not in the vocabulary.

    >>> choose_roles({"[PAD]": 0, "<mask>": 7})
    {'pad': '[PAD]', 'mask': '<mask>'}
    """
    given = dict(given or {})
    for role, token in given.items():
        if role not in NAMES:
            raise ValueError(f"unknown role {role!r}; the roles are {', '.join(NAMES)}")
        if token not in tokens:
            raise ValueError(f"role {role!r} is given to {token!r}, which is not in the vocabulary")
    roles = {}
    for role, names in NAMES.items():
        found = [given[role]] if role in given else [name for name in names if name in tokens]
        if found:
            roles[role] = found[0]
    return roles
