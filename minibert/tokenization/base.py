"""What both tokenizers share: text -> added tokens -> normaliser -> words -> pieces -> template -> `Encoding`.

There are two roads through the same rules. `encode` carries the origin of every character along, so that each
token knows its place in the original text. `ids` only returns ids: it looks whole words up in a cache and is what
pre-training uses. A test holds that both give the same ids.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch

from . import json_format
from .added_tokens import AddedToken, TokenFinder
from .byte_alphabet import BYTE_TO_CHAR
from .encoding import Batch, Encoding, pad_batch
from .json_format import Parts
from .roles import choose_roles
from .template import Slot, Template
from .truncation import truncate_pair

Piece = tuple[int, int, int]  # (id, start, stop) within a word


class WordCache(dict):
    """word -> value, worked out on first use. At `limit` words it stops growing: natural text is Zipfian.

    >>> WordCache(len)["four"]
    4
    """

    def __init__(self, compute: Callable[[str], tuple], limit: int = 1 << 18):
        super().__init__()
        self.compute, self.limit = compute, limit

    def __missing__(self, word: str):
        value = self.compute(word)
        if len(self) < self.limit and len(word) < 64:
            self[word] = value
        return value


def check_text(text: str) -> None:
    """Raise ValueError unless `text` is a string that UTF-8 can hold.

    >>> check_text("fine")
    """
    if not isinstance(text, str):
        raise ValueError(f"expected a text (str), got {type(text).__name__}: {text!r:.80}")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(
                f"the text holds half of a surrogate pair at character {error.start}, which is not valid Unicode; "
                "read the source with the right encoding, or text.encode('utf-8', 'replace').decode('utf-8')"
            ) from error


def check_texts(texts: Iterable[str]) -> Iterable[str]:
    """The texts of a training corpus, checked one by one; a single str is refused (its items are characters).

    >>> list(check_texts(["a", "b"]))
    ['a', 'b']
    """
    if isinstance(texts, str):
        raise ValueError("train expects an iterable of texts, got one text; write [text]")
    for text in texts:
        check_text(text)
        yield text


class Tokenizer(ABC):
    """The common part of `WordPieceTokenizer` and `ByteLevelBPETokenizer`; see those.

    >>> from minibert.tokenization.wordpiece import WordPieceTokenizer
    >>> issubclass(WordPieceTokenizer, Tokenizer)
    True
    """

    def __init__(self, vocab: Mapping[str, int], parts: Parts, roles: Mapping[str, str] | None = None):
        self._vocab, self._parts = dict(vocab), parts
        self._token_of = json_format.check_vocabulary(self._vocab, parts.added_tokens)
        self._id_of = {token: token_id for token_id, token in self._token_of.items()}
        for name in parts.template.special_tokens():
            if name not in self._id_of:
                raise ValueError(f"the template uses {name!r}, which is not in the vocabulary; add it or the template")
        self.roles = choose_roles(self._id_of, roles)
        self._added_ids = {token.id for token in parts.added_tokens}
        # Two passes, as in the library: over the raw text, then over each normalised rest of it.
        self._raw_finder = TokenFinder({t.content: t for t in parts.added_tokens if not t.normalized})
        self._finder = TokenFinder(
            {parts.normalizer.normalize(t.content): t for t in parts.added_tokens if t.normalized}
        )
        self._pieces_of = WordCache(self._pieces)
        self._ids_of = WordCache(self._fast_ids)

    # What a family must say -------------------------------------------------------------------------------

    @abstractmethod
    def _word_spans(self, text: str) -> list[tuple[int, int]]:
        """(start, stop) of the words of a normalised text."""

    @abstractmethod
    def _pieces(self, word: str) -> tuple[Piece, ...]:
        """The tokens of one word with their character spans in it."""

    @abstractmethod
    def _fast_words(self, text: str) -> list[str]:
        """Cut a text (not normalised) into chunks that can be encoded one by one."""

    @abstractmethod
    def _fast_ids(self, chunk: str) -> tuple[int, ...]:
        """The ids of one such chunk."""

    @abstractmethod
    def _join(self, tokens: list[str]) -> str:
        """Tokens back to text."""

    @abstractmethod
    def to_json(self) -> dict:
        """The tokenizer as a Hugging Face tokenizer.json object."""

    # Vocabulary -------------------------------------------------------------------------------------------

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
        """The token's id, or None if there is no such token."""
        return self._id_of.get(token)

    def id_to_token(self, token_id: int) -> str | None:
        """The id's token, or None if no token has this id."""
        return self._token_of.get(token_id)

    def _role(self, role: str) -> int | None:
        return self._id_of[self.roles[role]] if role in self.roles else None

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

    @property
    def special_ids(self) -> tuple[int, ...]:
        """The ids of all special tokens, ascending."""
        return tuple(sorted(token.id for token in self._parts.added_tokens if token.special))

    # Text to ids ------------------------------------------------------------------------------------------

    def ids(self, text: str) -> list[int]:
        """The text's ids without template tokens: the fast road, for pre-training data.

        Raises ValueError for what is not a valid text.
        """
        check_text(text)
        out: list[int] = []
        lookup = self._ids_of.__getitem__
        for token_id, start, stop in self._raw_finder.split(text):
            if token_id is not None:
                out.append(token_id)
            elif self._finder:
                out += self._sequence(text[start:stop]).ids
            else:
                for found in map(lookup, self._fast_words(text[start:stop])):
                    out += found
        return out

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
        """Encode a text, or two, with offsets into the original.

        max_length: tokens, template included; None cuts nothing. truncation: a policy of truncation.py;
        generator: for "pop_longer_random" only.
        Raises ValueError for invalid text, and when max_length leaves no room for a token of the text.
        """
        check_text(text)
        texts = [self._sequence(text)]
        if pair is not None:
            check_text(pair)
            texts.append(self._sequence(pair))
        template = self._parts.template
        slots = template.single if pair is None else template.pair
        if not add_special_tokens:
            slots = tuple(slot for slot in slots if slot[0] in ("$A", "$B"))
        if max_length is not None:
            budget = max_length - (len(slots) - len(texts))
            if budget < 1:
                raise ValueError(
                    f"max_length={max_length} leaves no room for text: the template alone takes "
                    f"{len(slots) - len(texts)} tokens; use at least {max_length - budget + 1}"
                )
            second = len(texts[1]) if pair is not None else 0
            spans = truncate_pair(len(texts[0]), second, budget, truncation, generator)
            texts = [_cut(sequence, *span) for sequence, span in zip(texts, spans, strict=False)]
        return self._fill(slots, texts)

    def encode_batch(
        self,
        texts: Sequence[str | tuple[str, str]],
        *,
        add_special_tokens: bool = True,
        max_length: int | None = None,
        truncation: str = "longest_first",
        pad_to_multiple_of: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Batch:
        """Encode texts, or pairs of texts, and pad them on the right.

        Raises ValueError for an empty batch, a mix of texts and pairs, and what `encode` refuses.

        Shape: B texts in; `Batch` of (B, T) int64 tensors out.
        """
        pairs = check_batch(texts)
        options = {"add_special_tokens": add_special_tokens, "max_length": max_length, "truncation": truncation}
        encodings = [self.encode(text, pair, generator=generator, **options) for text, pair in pairs]
        return pad_batch(encodings, self.pad_id, pad_to_multiple_of)

    def _sequence(self, text: str) -> Encoding:
        """The tokens of one text, no template."""
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        words: list[int | None] = []
        word = 0
        for found, start, stop in self._raw_finder.split(text):
            if found is not None:
                ids.append(found)
                offsets.append((start, stop))
                words.append(word)
                word += 1
                continue
            normal, origin = self._parts.normalizer.align(text[start:stop])
            for token_id, low, high in self._finder.split(normal):
                spans = [(low, high)] if token_id is not None else self._word_spans(normal[low:high])
                for word_start, word_stop in spans:
                    if token_id is not None:
                        pieces, base = ((token_id, 0, high - low),), low
                    else:
                        pieces, base = self._pieces_of[normal[low + word_start : low + word_stop]], low + word_start
                    for piece, first, last in pieces:
                        ids.append(piece)
                        offsets.append((start + origin[base + first], start + origin[base + last - 1] + 1))
                        words.append(word)
                    word += 1
        tokens = [self._token_of[token_id] for token_id in ids]
        if self._parts.trim_offsets:
            offsets = [_trim(*pair, self._parts.keep_prefix_space) for pair in zip(tokens, offsets, strict=True)]
        return Encoding(ids, tokens, offsets, [0] * len(ids), [0] * len(ids), words)

    def _fill(self, slots: tuple[Slot, ...], texts: list[Encoding]) -> Encoding:
        """Put the texts into the template."""
        out = Encoding([], [], [], [], [], [])
        for name, segment in slots:
            if name in ("$A", "$B"):
                part = texts[0 if name == "$A" else 1]
                special = 0
            else:
                part = Encoding([self._id_of[name]], [name], [(0, 0)], [0], [1], [None])
                special = 1
            out.ids.extend(part.ids)
            out.tokens.extend(part.tokens)
            out.offsets.extend(part.offsets)
            out.word_ids.extend(part.word_ids)
            out.segment_ids.extend([segment] * len(part))
            out.special_mask.extend([special] * len(part))
        return out

    # Ids to text ------------------------------------------------------------------------------------------

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        """Ids (a list or a 1-D tensor) back to text.

        Raises ValueError for an id without a token.
        """
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
        return self._join(tokens)

    # Files ------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write a tokenizer.json that this class, `tokenizers` and `transformers` open."""
        json_format.write_json(Path(path), self.to_json())

    def save_pretrained(self, folder: str | Path) -> None:
        """Write tokenizer.json, and tokenizer_config.json with the roles, into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.save(folder / "tokenizer.json")
        json_format.write_json(folder / "tokenizer_config.json", json_format.roles_to_config(self.roles))


def check_batch(texts: Sequence[str | tuple[str, str]]) -> list[tuple[str, str | None]]:
    """(text, pair or None) for every entry of a batch that holds only texts or only pairs.

    Raises ValueError for one str, an empty batch, a mix, or tuples that do not hold two texts.

    >>> check_batch(["a", "b"])
    [('a', None), ('b', None)]
    """
    if isinstance(texts, str):
        raise ValueError("encode_batch expects a list of texts or pairs, got one text; use encode or [text]")
    texts = list(texts)
    if not texts:
        raise ValueError("the batch is empty; give at least one text")
    single = isinstance(texts[0], str)
    pairs: list[tuple[str, str | None]] = []
    for index, entry in enumerate(texts):
        if isinstance(entry, str) != single:
            raise ValueError(f"the batch mixes texts and pairs (entry {index}); encode them in two batches")
        if single:
            pairs.append((entry, None))
        elif isinstance(entry, tuple | list) and len(entry) == 2:
            pairs.append((entry[0], entry[1]))
            check_text(entry[1])
        else:
            raise ValueError(f"entry {index} must be a text or a pair of two texts, got {entry!r:.80}")
    return pairs


def _cut(sequence: Encoding, start: int, stop: int) -> Encoding:
    return Encoding(
        sequence.ids[start:stop],
        sequence.tokens[start:stop],
        sequence.offsets[start:stop],
        sequence.segment_ids[start:stop],
        sequence.special_mask[start:stop],
        sequence.word_ids[start:stop],
    )


def _trim(token: str, span: tuple[int, int], keep_prefix_space: bool) -> tuple[int, int]:
    """Leave the spaces of a byte-level token out of its offsets, as the library's ByteLevel post-processor does."""
    start, stop = span
    body = token.lstrip(_SPACES)
    leading, trailing = len(token) - len(body), len(token) - len(token.rstrip(_SPACES))
    if keep_prefix_space and start == 0 and leading == 1:
        leading = 0
    start = min(start + leading, stop)
    if trailing and stop >= trailing:
        stop = max(stop - trailing, start)
    return start, stop


_SPACES = BYTE_TO_CHAR[0x20] + "".join(chr(c) for c in range(0x3001) if chr(c).isspace() and not 0x1C <= c <= 0x1F)


def default_parts(
    vocab: Mapping[str, int], special: Sequence[str], normalizer: json_format.Normalizer, byte_level: bool = False
) -> Parts:
    """The surroundings of a fresh tokenizer: special tokens, BERT's template if they allow it, trimmed offsets.

    >>> default_parts({"[CLS]": 0, "[SEP]": 1}, ["[CLS]", "[SEP]"], json_format.NoNormalizer()).template.single[0]
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
