"""Tokens and ids: the vocabulary, added tokens such as [MASK] that are never split, and which token plays which role.

A tokenizer file says what the special tokens are, not what they are for; the roles do.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import regex

from minibert.files import read_text

# The names the model families use, in the order in which they are tried.
NAMES = {
    "pad": ("[PAD]", "<pad>", "<|pad|>", "<|padding|>"),
    "unk": ("[UNK]", "<unk>", "<|unk|>"),
    "cls": ("[CLS]", "<s>", "<|begin_of_text|>"),
    "sep": ("[SEP]", "</s>", "<|end_of_text|>", "<|endoftext|>"),
    "mask": ("[MASK]", "<mask>", "<|mask|>"),
}
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
BERT_ROLES = {f"{role}_token": names[0] for role, names in NAMES.items()}  # as tokenizer_config.json spells them
ROBERTA_ROLES = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>"}
ROBERTA_ROLES |= {"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}

# Unicode's word characters (Technical Standard 18, annex C), as in the library. To Python's own \w the vowel signs of
# Hindi and the joiners are no letters, and superscript digits are.
_WORD = regex.compile(r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]")


@dataclass(frozen=True)
class AddedToken:
    """One never-split token.

    special: left out by `decode(skip_special_tokens=True)`. lstrip, rstrip: swallow the white space on that side
    (ModernBERT's [MASK] swallows the space before it). single_word: only where no letter or digit touches it.
    normalized: look for it in the normalised text, not in the original.

    >>> AddedToken(4, "[MASK]", lstrip=True).special
    True
    """

    id: int
    content: str
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = False
    special: bool = True


class Vocabulary:
    """token <-> id over the model's vocabulary and the added tokens, and the ids behind the roles; ids may have holes.

    Raises:
        ValueError: doubled ids, or roles given to tokens that are not there.

    >>> vocabulary = Vocabulary({"[UNK]": 0, "the": 1}, [AddedToken(7, "[MASK]")], None)
    >>> vocabulary.vocab_size, len(vocabulary), vocabulary.mask_id
    (8, 3, 7)
    """

    def __init__(self, vocab: Mapping[str, int], added: Sequence[AddedToken], roles: Mapping[str, str] | None):
        self._vocab = dict(vocab)
        self._token_of = check_vocabulary(self._vocab, added)
        self._id_of = {token: token_id for token_id, token in self._token_of.items()}
        self.roles = choose_roles(self._id_of, roles)
        self.special_ids: tuple[int, ...] = tuple(sorted(token.id for token in added if token.special))

    @property
    def vocab_size(self) -> int:
        """Rows an embedding table needs: the largest id + 1. `len(tokenizer)` counts the tokens (fewer if the
        numbering has holes)."""
        return max(self._token_of) + 1

    def __len__(self) -> int:
        return len(self._token_of)

    @property
    def vocab(self) -> dict[str, int]:
        """token -> id, added tokens included (a copy)."""
        return dict(self._id_of)

    def token_to_id(self, token: str) -> int | None:
        """The token's id, or None if there is no such token.

        >>> vocabulary = Vocabulary({"[UNK]": 0, "the": 1}, [], None)
        >>> vocabulary.token_to_id("the")
        1
        """
        return self._id_of.get(token)

    def id_to_token(self, token_id: int) -> str | None:
        """The id's token, or None if no token has this id.

        >>> vocabulary = Vocabulary({"[UNK]": 0, "the": 1}, [], None)
        >>> vocabulary.id_to_token(1)
        'the'
        """
        return self._token_of.get(token_id)

    def _role(self, role: str) -> int | None:
        return self.token_to_id(self.roles[role]) if role in self.roles else None

    @property
    def pad_id(self) -> int | None:
        """Id of the padding token, None without one."""
        return self._role("pad")

    @property
    def unk_id(self) -> int | None:
        """Id of the unknown-word token, None without one."""
        return self._role("unk")

    @property
    def cls_id(self) -> int | None:
        """Id of the classification (first) token, None without one."""
        return self._role("cls")

    @property
    def sep_id(self) -> int | None:
        """Id of the separator (last) token, None without one."""
        return self._role("sep")

    @property
    def mask_id(self) -> int | None:
        """Id of the mask token, None without one."""
        return self._role("mask")

    def _tokens(self, ids: Iterable[int], skip_special_tokens: bool) -> list[str]:
        """The tokens of ids (a list or a 1-D tensor); an id without a token is a ValueError."""
        special = set(self.special_ids) if skip_special_tokens else ()
        tokens = []
        for token_id in check_ids(ids):
            if token_id not in self._token_of:
                hint = "; -100 marks a position without a label, leave those out" if token_id == -100 else ""
                raise ValueError(
                    f"id {token_id} has no token; this tokenizer knows {len(self)} tokens with ids below "
                    f"{self.vocab_size}{hint}"
                )
            if token_id not in special:
                tokens.append(self._token_of[token_id])
        return tokens


def check_ids(ids: Iterable[int]) -> list[int]:
    """The ids to decode as a list of int.

    Raises:
        ValueError: several rows, a single number, a text, or numbers that are not whole; the message says what to do.

    >>> check_ids((5, 6))
    [5, 6]
    """
    if isinstance(ids, str | bytes | Mapping):
        raise ValueError(f"decode expects a list of ids, got {type(ids).__name__}: {ids!r:.80}")
    shape = tuple(getattr(ids, "shape", ()))
    if len(shape) > 1 or (not hasattr(ids, "shape") and isinstance(ids, Sequence) and _has_rows(ids)):
        what = f"an array of shape {shape}" if shape else "a list of lists"
        raise ValueError(f"decode expects the ids of one text, got {what}; decode row by row: [decode(row) for ...]")
    if not isinstance(ids, Iterable) or (hasattr(ids, "shape") and not shape):
        raise ValueError(f"decode expects a list of ids, got one number: {ids!r:.80}; write [id]")
    values = ids.tolist() if hasattr(ids, "tolist") else list(ids)
    for value in values:
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise ValueError(f"ids are whole numbers, got {value!r:.80}; logits are turned into ids by argmax(-1)")
    return [int(value) for value in values]


def _has_rows(ids: Sequence) -> bool:
    return any(isinstance(row, list | tuple) or len(getattr(row, "shape", ())) > 0 for row in ids)


def check_vocabulary(vocab: Mapping[str, int], added: Sequence[AddedToken]) -> dict[int, str]:
    """id -> token over the model's vocabulary and the added tokens; holes in the numbering are allowed.

    Raises:
        ValueError: no tokens, ids that are not whole numbers from 0, two tokens with one id, a token with two.

    >>> check_vocabulary({"a": 0}, [AddedToken(5, "[MASK]")])
    {0: 'a', 5: '[MASK]'}
    """
    token_of: dict[int, str] = {}
    if not vocab:
        raise ValueError("the vocabulary is empty")
    for token, token_id in [*vocab.items(), *((t.content, t.id) for t in added)]:
        if not isinstance(token_id, int) or isinstance(token_id, bool) or token_id < 0:
            raise ValueError(f"token {token!r} has id {token_id!r}; ids are whole numbers from 0")
        if token_of.setdefault(token_id, token) != token:
            raise ValueError(f"id {token_id} belongs to two tokens, {token_of[token_id]!r} and {token!r}")
        if vocab.get(token, token_id) != token_id:
            raise ValueError(f"token {token!r} has two ids, {vocab[token]} and {token_id}")
    return token_of


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


def add_tokens(
    vocab: Mapping[str, int],
    present: Sequence[AddedToken],
    stated: Sequence[AddedToken],
    named: Sequence[AddedToken] = (),
    extra: Sequence[AddedToken] = (),
) -> tuple[AddedToken, ...]:
    """The added tokens after some were added to those `present`, with the ids that `transformers` gives them.

    A token that is known keeps its id; a new one gets the next free id. stated: with the ids that they should have,
    and with options that win over those of a token that is present. named: what plays a role, and so is special;
    extra: other special tokens; both with id None.

    Raises:
        ValueError: a stated id that the token cannot have.

    >>> mask, pad = AddedToken(None, "<mask>"), AddedToken(None, "a")
    >>> [(token.content, token.id) for token in add_tokens({"a": 0, "b": 1}, (), (), [mask, pad])]
    [('a', 0), ('<mask>', 2)]
    """
    found = {token.content: token for token in present}
    wanted = {token.content: token for token in stated if found.get(token.content) != token}
    known = {*found, *wanted}
    for token in (*named, *extra):  # of two with the same content the last one's options count
        if token.content and token.content not in known:
            wanted[token.content] = token
    roles = {token.content for token in named}
    for content, token in wanted.items():
        token_id = vocab.get(content, found[content].id if content in found else None)
        if token_id is None:
            token_id = max([len(vocab), *(other.id + 1 for other in found.values())])
        if token.id not in (None, token_id):
            state = "its id in the vocabulary is" if content in vocab else "the next free id is"
            raise ValueError(
                f"{content!r} is to have the id {token.id}, but {state} {token_id}, which transformers takes; make the "
                "files agree with what the model was trained with"
            )
        found[content] = replace(token, id=token_id, special=token.special or content in roles)
    return tuple(sorted(found.values(), key=lambda token: token.id))


def read_vocab_txt(path: Path) -> dict[str, int]:
    """token -> id of Google's vocab.txt: one token a line, the id is the line's number from 0.

    White space after a token, a byte order mark and empty lines at the end are no part of it.

    Raises:
        ValueError: a missing file, one that is not UTF-8, or doubled or empty tokens; the message names the line.

    Source: Devlin et al. 2019, released code (load_vocab).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "vocab.txt").write_bytes(b"[UNK]\\r\\nthe\\r\\n")
    ...     read_vocab_txt(Path(folder) / "vocab.txt")
    {'[UNK]': 0, 'the': 1}
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    text = read_text(path)
    # Only "\n" ends a line: str.splitlines would also cut at U+2028 and others that vocabularies hold.
    lines = [line.rstrip() or line.rstrip("\r") for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    vocab: dict[str, int] = {}
    for index, token in enumerate(lines):
        if not token or token in vocab:
            what = f"was there before, in line {vocab[token] + 1}" if token else "is empty"
            raise ValueError(f"{path}, line {index + 1}: the token {token!r} {what}; a token has one line, its id")
        vocab[token] = index
    return vocab


class TokenFinder:
    """Finds added tokens in a text: leftmost first, and of those that start there the longest.

    >>> finder = TokenFinder({"[MASK]": AddedToken(4, "[MASK]")})
    >>> list(finder.split("a [MASK]."))
    [(None, 0, 2), (4, 2, 8), (None, 8, 9)]
    """

    def __init__(self, tokens: dict[str, AddedToken]):
        self.tokens = tokens
        longest_first = sorted((form for form in tokens if form), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def split(self, text: str) -> Iterator[tuple[int | None, int, int]]:
        """Cut a text into (id, start, stop); id is None for the ordinary text in between. No empty pieces.

        >>> list(TokenFinder({}).split("abc"))
        [(None, 0, 3)]
        """
        done = 0
        for match in self._pattern.finditer(text) if self._pattern else ():
            token = self.tokens[match.group()]
            start, stop = match.span()
            if token.single_word and (_is_word(text[start - 1 : start]) or _is_word(text[stop : stop + 1])):
                continue
            if token.lstrip:
                start = max(start, done)  # what the token before took along (rstrip) is not found again
                while start > done and _is_space(text[start - 1]):
                    start -= 1
            if token.rstrip:
                while stop < len(text) and _is_space(text[stop]):
                    stop += 1
            if start >= stop:
                continue
            if start > done:
                yield None, done, start
            yield token.id, start, stop
            done = stop
        if done < len(text):
            yield None, done, len(text)


def _is_word(char: str) -> bool:
    return _WORD.match(char) is not None


def _is_space(char: str) -> bool:
    # str.isspace also counts the four separators U+001C to U+001F, which Unicode does not call white space.
    return char.isspace() and not "\x1c" <= char <= "\x1f"
