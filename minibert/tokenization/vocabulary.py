"""Tokens and ids, and the ids of the tokens that play a role."""

from collections.abc import Iterable, Mapping, Sequence

from minibert.tokenization.added_tokens import AddedToken
from minibert.tokenization.json_format import check_vocabulary
from minibert.tokenization.roles import choose_roles


class Roles:
    """The ids behind the roles; shared by our tokenizers and the wrapped library.

    >>> from minibert.tokenization import WordPieceTokenizer
    >>> tok = WordPieceTokenizer({"[PAD]": 0, "[UNK]": 1})
    >>> tok.pad_id, tok.unk_id, tok.mask_id
    (0, 1, None)
    """

    roles: dict[str, str]

    def token_to_id(self, token: str) -> int | None:
        """The token's id, or None if there is no such token."""
        raise NotImplementedError

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


class Vocabulary(Roles):
    """token <-> id over the model's vocabulary and the added tokens; ids may have holes.

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

    def _tokens(self, ids: Iterable[int], skip_special_tokens: bool) -> list[str]:
        """The tokens of ids (a list or a 1-D tensor); an id without a token is a ValueError."""
        special = set(self.special_ids) if skip_special_tokens else ()
        tokens = []
        for token_id in map(int, ids):
            if token_id not in self._token_of:
                raise ValueError(
                    f"id {token_id} has no token; this tokenizer knows {len(self)} tokens with ids below "
                    f"{self.vocab_size}"
                )
            if token_id not in special:
                tokens.append(self._token_of[token_id])
        return tokens
