"""The `tokenizers` library (Rust) behind the interface of our own tokenizers: same results, other machine."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import tokenizers
import torch

from minibert.tokenization.base import TokenizerInterface, word_starts
from minibert.tokenization.encoding import Encoding, check_truncation, fitting_spans
from minibert.tokenization.json_read import naming
from minibert.tokenization.normalization import check_text
from minibert.tokenization.pretokenization import CHAR_TO_BYTE
from minibert.tokenization.vocabulary import AddedToken, check_ids


class RustTokenizer(TokenizerInterface):
    """A tokenizer.json run by the `tokenizers` library; methods as in `WordPieceTokenizer`.

    The library cuts the text into tokens. Truncation is ours, for it has not all of our policies; its own, and its
    padding, are switched off, also where the file asks for them.

    Raises:
        ValueError: doubled ids, or a role given to a token that is not there.

    >>> import tempfile
    >>> from minibert.tokenization.wordpiece import WordPieceTokenizer
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     WordPieceTokenizer({"[UNK]": 0, "the": 1}).save(Path(folder) / "tokenizer.json")
    ...     RustTokenizer.from_file(Path(folder) / "tokenizer.json").encode("The cat").ids
    [1, 0]
    """

    def __init__(self, inner: "tokenizers.Tokenizer", roles: Mapping[str, str] | None = None):
        added = inner.get_added_tokens_decoder().items()
        added_tokens = [AddedToken(token_id, token.content, special=token.special) for token_id, token in added]
        super().__init__(inner.get_vocab(with_added_tokens=True), added_tokens, roles)
        inner.no_truncation()
        inner.no_padding()
        self.inner = inner
        self._byte_level = all(char in self._id_of for char in CHAR_TO_BYTE)

    @classmethod
    def from_file(cls, path: str | Path, roles: Mapping[str, str] | None = None) -> "RustTokenizer":
        """Open a tokenizer.json.

        Raises:
            ValueError: there is none, or the library cannot read it.

        >>> RustTokenizer.from_file("missing.json")
        Traceback (most recent call last):
        ...
        ValueError: there is no file missing.json
        """
        if not Path(path).is_file():
            raise ValueError(f"there is no file {path}")
        try:
            inner = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"{path} is not a tokenizer the library can read: {error}") from error
        with naming(path):
            return cls(inner, roles)

    @classmethod
    def from_json(cls, data: dict, roles: Mapping[str, str] | None = None) -> "RustTokenizer":
        """The tokenizer of a tokenizer.json object.

        Raises:
            ValueError: the library cannot read it.

        >>> RustTokenizer.from_json({})
        Traceback (most recent call last):
        ...
        ValueError: not a tokenizer the library can read: Model missing. at line 1 column 2
        """
        try:
            inner = tokenizers.Tokenizer.from_str(json.dumps(data))
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"not a tokenizer the library can read: {error}") from error
        return cls(inner, roles)

    def to_json(self) -> dict:
        """The tokenizer as a Hugging Face tokenizer.json object.

        >>> tok = RustTokenizer(tokenizers.Tokenizer(tokenizers.models.WordLevel({"the": 0, "?": 1}, unk_token="?")))
        >>> tok.to_json()["model"]["type"]
        'WordLevel'
        """
        return json.loads(self.inner.to_str())

    def ids(self, text: str) -> list[int]:
        """The text's ids without template tokens.

        Raises:
            ValueError: not a text, half of a surrogate pair in it, or a text the library cannot encode.

        >>> tok = RustTokenizer(tokenizers.Tokenizer(tokenizers.models.WordLevel({"the": 0, "?": 1}, unk_token="?")))
        >>> tok.ids("the")
        [0]
        """
        return self._run(text, None, add_special_tokens=False).ids

    def encode(
        self,
        text: str,
        pair: str | None = None,
        *,
        add_special_tokens: bool = True,
        max_length: int | None = None,
        truncation: str = "longest_first",
        generator: torch.Generator | None = None,
    ) -> Encoding:
        """Encode a text, or two, with offsets into the original; the options are those of `WordPieceTokenizer.encode`.

        Raises:
            ValueError: invalid text, a text the library cannot encode, a max_length that leaves no room for a
                token of the text or that the policy cannot meet, an unknown policy, or one without max_length.

        >>> tok = RustTokenizer(tokenizers.Tokenizer(tokenizers.models.WordLevel({"the": 0, "?": 1}, unk_token="?")))
        >>> tok.encode("the").offsets
        [(0, 3)]
        """
        found = self._run(text, pair, add_special_tokens)
        # The library shows a token that swallowed a space as " [MASK]"; here a token is what the vocabulary calls it.
        tokens = [self._token_of[token_id] for token_id in found.ids]
        whole = Encoding(found.ids, tokens, found.offsets, found.type_ids, found.special_tokens_mask, found.word_ids)
        if not check_truncation(max_length, truncation):
            return whole
        sides = found.sequence_ids  # 0 or 1 for the texts, None for the template
        lengths = [sides.count(0)] if pair is None else [sides.count(0), sides.count(1)]
        spans = fitting_spans(sides.count(None), lengths, max_length, truncation, generator)
        return whole if len(whole) <= max_length else _cut(whole, sides, spans)

    def word_starts(self) -> list[bool]:
        """For each id whether it begins a word: all but the `##` pieces of WordPiece do.

        Raises:
            ValueError: this is no WordPiece vocabulary, or none of its tokens continues a word.

        >>> pieces = tokenizers.models.WordPiece({"[UNK]": 0, "cat": 1, "##s": 2}, unk_token="[UNK]")
        >>> RustTokenizer(tokenizers.Tokenizer(pieces)).word_starts()
        [True, True, False]
        """
        if not isinstance(self.inner.model, tokenizers.models.WordPiece):
            return super().word_starts()
        return word_starts(self._token_of, self.vocab_size, self.inner.model.continuing_subword_prefix)

    def _byte_length(self, token: str) -> int:
        if self._byte_level:
            return len(token)  # in the byte alphabet one character is one byte
        prefix = getattr(self.inner.model, "continuing_subword_prefix", None) or ""
        return len(token.removeprefix(prefix).encode("utf-8"))

    def _run(self, text: str, pair: str | None, add_special_tokens: bool) -> "tokenizers.Encoding":
        check_text(text)
        if pair is not None:
            check_text(pair)
        try:
            return self.inner.encode(text, pair, add_special_tokens=add_special_tokens)
        except BaseException as error:  # the library raises bare Exception, and where it stops a panic, which is none
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise ValueError(f"the library could not encode this text: {error}") from error

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        """Ids (a list or a 1-D tensor) back to text.

        Raises:
            ValueError: an id without a token, or anything but whole numbers in one row.

        >>> tok = RustTokenizer(tokenizers.Tokenizer(tokenizers.models.WordLevel({"the": 0, "?": 1}, unk_token="?")))
        >>> tok.decode([0])
        'the'
        """
        ids = check_ids(ids)
        self._tokens(ids, skip_special_tokens)  # refuses ids without a token
        return self.inner.decode(ids, skip_special_tokens=skip_special_tokens)


def _cut(whole: Encoding, sides: list[int | None], spans: tuple[tuple[int, int], tuple[int, int]]) -> Encoding:
    """Keep the template's tokens, and of each text those inside its span."""
    seen, kept = [0, 0], []
    for at, side in enumerate(sides):
        if side is None or spans[side][0] <= seen[side] < spans[side][1]:
            kept.append(at)
        if side is not None:
            seen[side] += 1
    return Encoding(**{name: [values[at] for at in kept] for name, values in vars(whole).items()})
