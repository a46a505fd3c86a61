"""The `tokenizers` library (Rust) behind the interface of our own tokenizers: same results, other machine."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import tokenizers

from minibert.tokenization import json_format
from minibert.tokenization.checks import check_batch, check_text
from minibert.tokenization.encoding import Batch, Encoding, pad_batch
from minibert.tokenization.roles import choose_roles
from minibert.tokenization.vocabulary import Roles

_POLICIES = ("longest_first", "only_first", "only_second")


class RustTokenizer(Roles):
    """A tokenizer.json run by the `tokenizers` library; methods as in `WordPieceTokenizer`.

    The file's truncation and padding are switched off, as in our own classes.

    >>> import tempfile
    >>> from minibert.tokenization.wordpiece import WordPieceTokenizer
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     WordPieceTokenizer({"[UNK]": 0, "the": 1}).save(Path(folder) / "tokenizer.json")
    ...     RustTokenizer.from_file(Path(folder) / "tokenizer.json").encode("The cat").ids
    [1, 0]
    """

    def __init__(self, inner: "tokenizers.Tokenizer", roles: Mapping[str, str] | None = None):
        self.inner = inner
        inner.no_truncation()
        inner.no_padding()
        self.roles = choose_roles(self.vocab, roles)

    @classmethod
    def from_file(cls, path: str | Path, roles: Mapping[str, str] | None = None) -> "RustTokenizer":
        """Open a tokenizer.json. Raises ValueError if there is none or the library cannot read it.

        >>> RustTokenizer.from_file("missing.json")
        Traceback (most recent call last):
        ...
        ValueError: there is no file missing.json
        """
        if not Path(path).is_file():
            raise ValueError(f"there is no file {path}")
        try:
            return cls(tokenizers.Tokenizer.from_file(str(path)), roles)
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"{path} is not a tokenizer the library can read: {error}") from error

    @property
    def vocab(self) -> dict[str, int]:
        """token -> id, added tokens included."""
        return self.inner.get_vocab(with_added_tokens=True)

    @property
    def vocab_size(self) -> int:
        """Rows an embedding table needs: the largest id + 1."""
        return max(self.vocab.values()) + 1

    def __len__(self) -> int:
        return len(self.vocab)

    def token_to_id(self, token: str) -> int | None:
        """The token's id, or None.

        >>> tok = RustTokenizer(tokenizers.Tokenizer(tokenizers.models.WordLevel({"the": 0, "?": 1}, unk_token="?")))
        >>> tok.token_to_id("the")
        0
        """
        return self.inner.token_to_id(token)

    def id_to_token(self, token_id: int) -> str | None:
        """The id's token, or None.

        >>> tok = RustTokenizer(tokenizers.Tokenizer(tokenizers.models.WordLevel({"the": 0, "?": 1}, unk_token="?")))
        >>> tok.id_to_token(0)
        'the'
        """
        return self.inner.id_to_token(token_id)

    @property
    def special_ids(self) -> tuple[int, ...]:
        """The ids of all special tokens, ascending."""
        return tuple(sorted(i for i, token in self.inner.get_added_tokens_decoder().items() if token.special))

    def ids(self, text: str) -> list[int]:
        """The text's ids without template tokens.

        >>> tok = RustTokenizer(tokenizers.Tokenizer(tokenizers.models.WordLevel({"the": 0, "?": 1}, unk_token="?")))
        >>> tok.ids("the")
        [0]
        """
        check_text(text)
        return self.inner.encode(text, add_special_tokens=False).ids

    def encode(
        self,
        text: str,
        pair: str | None = None,
        *,
        add_special_tokens: bool = True,
        max_length: int | None = None,
        truncation: str = "longest_first",
    ) -> Encoding:
        """Encode a text, or two; see `WordPieceTokenizer.encode`.

        truncation: "longest_first", "only_first", "only_second" or "error"; the library has no other.
        Raises ValueError for invalid text and for what cannot be truncated as asked.

        >>> tok = RustTokenizer(tokenizers.Tokenizer(tokenizers.models.WordLevel({"the": 0, "?": 1}, unk_token="?")))
        >>> tok.encode("the").offsets
        [(0, 3)]
        """
        check_text(text)
        if pair is not None:
            check_text(pair)
        if max_length is not None:
            self._ask_truncation(max_length, truncation, add_special_tokens, pair is not None)
        try:
            found = self.inner.encode(text, pair, add_special_tokens=add_special_tokens)
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"the library could not encode this text: {error}") from error
        finally:
            self.inner.no_truncation()
        if truncation == "error" and max_length is not None and len(found.ids) > max_length:
            raise ValueError(f"the input has {len(found.ids)} tokens, max_length is {max_length}; raise it or truncate")
        # The library shows a token that swallowed a space as " [MASK]"; here a token is what the vocabulary calls it.
        tokens = [self.inner.id_to_token(token_id) for token_id in found.ids]
        return Encoding(found.ids, tokens, found.offsets, found.type_ids, found.special_tokens_mask, found.word_ids)

    def _ask_truncation(self, max_length: int, truncation: str, add_special_tokens: bool, is_pair: bool) -> None:
        room = max_length - (self.inner.num_special_tokens_to_add(is_pair) if add_special_tokens else 0)
        if room < 1:
            raise ValueError(f"max_length={max_length} leaves no room for text; use at least {max_length - room + 1}")
        if truncation in _POLICIES:
            self.inner.enable_truncation(max_length, strategy=truncation)
        elif truncation != "error":
            raise ValueError(
                f"the library has no truncation policy {truncation!r}; choose one of {', '.join(_POLICIES)}, error"
            )

    def encode_batch(
        self,
        texts: Sequence[str | tuple[str, str]],
        *,
        add_special_tokens: bool = True,
        max_length: int | None = None,
        truncation: str = "longest_first",
        pad_to_multiple_of: int | None = None,
    ) -> Batch:
        """Encode texts, or pairs of texts, and pad them on the right.

        Raises ValueError for an empty batch, a mix of texts and pairs, and what `encode` refuses.

        Shape: B texts in; `Batch` of (B, T) int64 tensors out.

        >>> tok = RustTokenizer(tokenizers.Tokenizer(tokenizers.models.WordLevel({"the": 0, "?": 1}, unk_token="?")))
        >>> tok.encode_batch(["the", "a"]).input_ids.tolist()
        [[0], [1]]
        """
        options = {"add_special_tokens": add_special_tokens, "max_length": max_length, "truncation": truncation}
        encodings = [self.encode(text, pair, **options) for text, pair in check_batch(texts)]
        return pad_batch(encodings, self.pad_id, pad_to_multiple_of)

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        """Ids (a list or a 1-D tensor) back to text. Raises ValueError for an id without a token.

        >>> tok = RustTokenizer(tokenizers.Tokenizer(tokenizers.models.WordLevel({"the": 0, "?": 1}, unk_token="?")))
        >>> tok.decode([0])
        'the'
        """
        ids = [int(token_id) for token_id in ids]
        for token_id in ids:
            if token_id < 0 or self.inner.id_to_token(token_id) is None:
                raise ValueError(f"id {token_id} has no token; ids are below {self.vocab_size}")
        return self.inner.decode(ids, skip_special_tokens=skip_special_tokens)

    def save(self, path: str | Path) -> None:
        """Write the tokenizer.json.

        >>> import tempfile
        >>> tok = RustTokenizer(tokenizers.Tokenizer(tokenizers.models.WordLevel({"the": 0, "?": 1}, unk_token="?")))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     tok.save(Path(folder) / "tokenizer.json")
        ...     RustTokenizer.from_file(Path(folder) / "tokenizer.json").ids("the")
        [0]
        """
        json_format.write_json(Path(path), json.loads(self.inner.to_str()))
