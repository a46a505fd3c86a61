"""What both tokenizers share: text -> added tokens -> normaliser -> words -> pieces -> template -> `Encoding`.

There are two roads through the same rules. `encode` carries the origin of every character along, so that each
token knows its place in the original text. `ids` only returns ids: it looks whole words up in a cache and is what
pre-training uses. A test holds that both give the same ids.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch

from minibert.tokenization.encoding import Batch, Encoding, check_truncation, fill_template, fit, pad_batch
from minibert.tokenization.json_write import write_folder, write_json
from minibert.tokenization.normalization import check_text, kind_of
from minibert.tokenization.pretokenization import BYTE_TO_CHAR
from minibert.tokenization.template import Parts
from minibert.tokenization.vocabulary import TokenFinder, Vocabulary

Piece = tuple[int, int, int]  # (id, start, stop) within a word
_SPACES = BYTE_TO_CHAR[0x20] + "".join(chr(c) for c in range(0x3001) if chr(c).isspace() and not 0x1C <= c <= 0x1F)


class TokenizerInterface(Vocabulary, ABC):
    """What our own tokenizers and the wrapped library have in common: batches and files on top of `encode`.

    >>> from minibert.tokenization import WordPieceTokenizer
    >>> issubclass(WordPieceTokenizer, TokenizerInterface)
    True
    """

    model_max_length: int | None = None  # tokens that the model reads, where a folder says it; nothing is cut unasked

    @abstractmethod
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
        """Encode a text, or two."""

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
        """Encode texts, or pairs of texts, and pad them on the right; the options are those of `encode`.

        pad_to_multiple_of: make T a multiple of this many tokens.

        Shape: B texts in; `Batch` of (B, T) int64 tensors out.

        Raises:
            ValueError: an empty batch, a mix of texts and pairs, a row without a single token (an empty text without
                special tokens), no padding token where one is needed, and what `encode` refuses.

        >>> from minibert.tokenization import WordPieceTokenizer
        >>> tok = WordPieceTokenizer({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4, "cat": 5, "##s": 6})
        >>> tok.encode_batch(["The", "The cats"]).input_ids
        tensor([[2, 4, 3, 0, 0],
                [2, 4, 5, 6, 3]])
        """
        pairs = check_batch(texts)
        options = {"add_special_tokens": add_special_tokens, "max_length": max_length, "truncation": truncation}
        encodings = [self.encode(text, pair, generator=generator, **options) for text, pair in pairs]
        return pad_batch(encodings, self.pad_id, pad_to_multiple_of)

    def byte_lengths(self) -> list[int]:
        """How many bytes of text each id stands for; 0 for special tokens and for ids without a token.

        A byte-level token counts its bytes, its leading space included; a WordPiece counts the UTF-8 of its letters,
        without the `##`.

        >>> from minibert.tokenization import WordPieceTokenizer
        >>> WordPieceTokenizer({"[UNK]": 0, "caf\u00e9": 1, "##s": 2}).byte_lengths()
        [0, 5, 1]
        """
        known = set(self._token_of) - set(self.special_ids)
        return [self._byte_length(self._token_of[i]) if i in known else 0 for i in range(self.vocab_size)]

    @abstractmethod
    def _byte_length(self, token: str) -> int:
        """How many bytes of text a token that is not special stands for."""

    def word_starts(self) -> list[bool]:
        """For each id whether it begins a word: all but the `##` pieces of WordPiece do.

        Raises:
            ValueError: the vocabulary does not say where a word goes on: it is byte-level, or has no such piece.

        >>> from minibert.tokenization import WordPieceTokenizer
        >>> WordPieceTokenizer({"[UNK]": 0, "caf\u00e9": 1, "##s": 2}).word_starts()
        [True, True, False]
        """
        raise ValueError(
            "whole words need a WordPiece tokenizer: this vocabulary does not mark the pieces that continue a word "
            "(a ## in byte-level text is only a ##)"
        )

    @abstractmethod
    def to_json(self) -> dict:
        """The tokenizer as a Hugging Face tokenizer.json object."""

    def save(self, path: str | Path) -> None:
        """Write a tokenizer.json that this class, `tokenizers` and `transformers` open.

        Raises:
            ValueError: the path is a folder, or there is no folder to write it to.

        >>> import tempfile
        >>> from minibert.tokenization import WordPieceTokenizer
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     WordPieceTokenizer({"[UNK]": 0}).save(Path(folder) / "tokenizer.json")
        ...     (Path(folder) / "tokenizer.json").is_file()
        True
        """
        write_json(Path(path), self.to_json())

    def save_pretrained(self, folder: str | Path, *, segments: bool | None = None) -> None:
        """Write all the files that `load_tokenizer` and `transformers` open into a folder, made if needed.

        These are tokenizer.json and tokenizer_config.json (class, case, roles, `model_max_length`), and vocab.txt for
        a tokenizer like BERT's. segments: whether the model reads segment ids (`token_type_ids`); if it is not said,
        the folder's config.json is asked, and where there is none yet, the model says it when it is saved.

        Raises:
            ValueError: the path is a file.

        >>> import tempfile
        >>> from minibert.tokenization import WordPieceTokenizer
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     WordPieceTokenizer({"[UNK]": 0}).save_pretrained(folder)
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['tokenizer.json', 'tokenizer_config.json']
        """
        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is a file; give a folder to write tokenizer.json into")
        folder.mkdir(parents=True, exist_ok=True)
        write_folder(folder, self.to_json(), self.roles, self.model_max_length, segments)


def word_starts(token_of: Mapping[int, str], size: int, prefix: str) -> list[bool]:
    """For each of `size` ids whether its token begins a word: those that carry WordPiece's `prefix` do not.

    Raises:
        ValueError: no token begins with the prefix.

    >>> word_starts({0: "caf\u00e9", 1: "##s"}, 2, "##")
    [True, False]
    """
    starts = [not token_of.get(i, "").startswith(prefix) for i in range(size)]
    if all(starts):
        raise ValueError(
            f"whole words need pieces that continue a word: this vocabulary has none that begin with {prefix}"
        )
    return starts


class Tokenizer(TokenizerInterface):
    """The common part of `WordPieceTokenizer` and `ByteLevelBPETokenizer`; see those.

    >>> from minibert.tokenization.wordpiece import WordPieceTokenizer
    >>> issubclass(WordPieceTokenizer, Tokenizer)
    True
    """

    def __init__(self, vocab: Mapping[str, int], parts: Parts, roles: Mapping[str, str] | None = None):
        super().__init__(vocab, parts.added_tokens, roles)
        self._parts = parts
        for name in parts.template.special_tokens():
            if name not in self._id_of:
                raise ValueError(f"the template uses {name!r}, which is not in the vocabulary; add it or the template")
        # Two passes, as in the library: over the raw text, then over each normalised rest of it.
        self._raw_finder = TokenFinder({t.content: t for t in parts.added_tokens if not t.normalized})
        normalized = [t for t in parts.added_tokens if t.normalized]
        # Of two tokens with the same normalised form the first is found; in the library either may be, run by run.
        self._finder = TokenFinder({parts.normalizer.normalize(t.content): t for t in reversed(normalized)})
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

    # Text to ids ------------------------------------------------------------------------------------------

    def ids(self, text: str) -> list[int]:
        """The text's ids without template tokens: the fast road, for pre-training data.

        Raises:
            ValueError: not a text, or half of a surrogate pair in it.

        >>> from minibert.tokenization import WordPieceTokenizer
        >>> tok = WordPieceTokenizer({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4, "cat": 5, "##s": 6})
        >>> tok.ids("The cats")
        [4, 5, 6]
        """
        check_text(text)
        if self._finder:  # tokens that are looked for in the normalised text: rare, and not for the fast road
            return self._sequence(text).ids
        out: list[int] = []
        lookup = self._ids_of.__getitem__
        for token_id, start, stop in self._raw_finder.split(text):
            if token_id is not None:
                out.append(token_id)
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

        add_special_tokens: put the template around it. An empty text gives the bare template, [CLS] [SEP] as a rule:
        that is intended, and something a model can read. max_length: tokens, template included; None cuts nothing.
        truncation: a policy of encoding.py; generator: for "pop_longer_random" only.

        Raises:
            ValueError: invalid text, a max_length that leaves no room for a token of the text or that the policy
                cannot meet, an unknown policy, or one without max_length.

        >>> from minibert.tokenization import WordPieceTokenizer
        >>> tok = WordPieceTokenizer({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4, "cat": 5, "##s": 6})
        >>> enc = tok.encode("The cats")
        >>> enc.tokens
        ['[CLS]', 'the', 'cat', '##s', '[SEP]']
        >>> enc.offsets
        [(0, 0), (0, 3), (4, 7), (7, 8), (0, 0)]
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
        if check_truncation(max_length, truncation):
            texts = fit(slots, texts, max_length, truncation, generator)
        return fill_template(slots, texts, self._id_of)

    def _sequence(self, text: str) -> Encoding:
        """The tokens of one text, no template."""
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        words: list[int | None] = []
        matched: dict[int, str] = {}  # where an added token stands: the text it took, white space included
        word = 0
        for found, start, stop in self._raw_finder.split(text):
            if found is not None:
                matched[len(ids)] = text[start:stop]
                ids.append(found)
                offsets.append((start, stop))
                words.append(word)
                word += 1
                continue
            normal, origin = self._parts.normalizer.align(text[start:stop])
            for token_id, low, high in self._finder.split(normal):
                part, places = normal[low:high], origin[low:high]
                if token_id is not None:
                    matched[len(ids)] = part
                    found_words = [(0, ((token_id, 0, len(part)),))]
                else:
                    led = self._parts.led(part)
                    if len(led) > len(part):  # the added space has the place of the first character
                        part, places = led, [places[0], *places]
                    found_words = [(at, self._pieces_of[part[at:end]]) for at, end in self._word_spans(part)]
                for at, pieces in found_words:
                    for piece, first, last in pieces:
                        ids.append(piece)
                        offsets.append((start + places[at + first], start + places[at + last - 1] + 1))
                        words.append(word)
                    word += 1
        tokens = [self._token_of[token_id] for token_id in ids]
        if self._parts.trim_offsets:
            keep = self._parts.keep_prefix_space
            shown = [matched.get(index, token) for index, token in enumerate(tokens)]
            offsets = [trim_spaces(token, span, keep) for token, span in zip(shown, offsets, strict=True)]
        return Encoding(ids, tokens, offsets, [0] * len(ids), [0] * len(ids), words)

    # Ids to text ------------------------------------------------------------------------------------------

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        """Ids (a list or a 1-D tensor) back to text.

        Raises:
            ValueError: an id without a token, or anything but whole numbers in one row.

        >>> from minibert.tokenization import WordPieceTokenizer
        >>> tok = WordPieceTokenizer({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4, "cat": 5, "##s": 6})
        >>> tok.decode([2, 4, 5, 6, 3])
        'the cats'
        """
        return self._join(self._tokens(ids, skip_special_tokens))


class WordCache(dict):
    """word -> value, worked out on first use. Words repeat: 12 MB of English hold two million words and fewer than
    fifty thousand different ones. At `limit` words it stops growing: natural text is Zipfian.

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


def trim_spaces(token: str, span: tuple[int, int], keep_prefix_space: bool) -> tuple[int, int]:
    """Leave the spaces of a byte-level token out of its offsets, as the library's ByteLevel post-processor does.

    keep_prefix_space: the very first token keeps a single leading space.

    >>> trim_spaces("Ġcat", (3, 7), keep_prefix_space=False)
    (4, 7)
    """
    start, stop = span
    body = token.lstrip(_SPACES)
    leading, trailing = len(token) - len(body), len(token) - len(token.rstrip(_SPACES))
    if keep_prefix_space and start == 0 and leading == 1:
        leading = 0
    start = min(start + leading, stop)
    if trailing and stop >= trailing:
        stop = max(stop - trailing, start)
    return start, stop


def check_batch(texts: Sequence[str | tuple[str, str]]) -> list[tuple[str, str | None]]:
    """(text, pair or None) for every entry of a batch that holds only texts or only pairs.

    Raises:
        ValueError: one str, an empty batch, an entry that is neither a text nor a pair of two, or a mix; the message
            says which entry, and what it is.

    >>> check_batch(["a", "b"])
    [('a', None), ('b', None)]
    """
    if isinstance(texts, str):
        raise ValueError("encode_batch expects a list of texts or pairs, got one text; use encode or [text]")
    if isinstance(texts, bytes | Mapping) or not isinstance(texts, Iterable):
        raise ValueError(f"encode_batch expects a list of texts or pairs, got {kind_of(texts)}")
    pairs: list[tuple[str, str | None]] = []
    for index, entry in enumerate(texts):
        if isinstance(entry, str):
            pair = entry, None
        elif isinstance(entry, tuple | list) and len(entry) == 2:
            for place, text in zip(("first", "second"), entry, strict=True):
                if not isinstance(text, str):
                    raise ValueError(f"the {place} text of entry {index}: expected a text (str), got {kind_of(text)}")
            pair = entry[0], entry[1]
        elif isinstance(entry, tuple | list):
            raise ValueError(f"entry {index} must be a text or a pair of two texts, got {len(entry)}: {entry!r:.80}")
        else:
            raise ValueError(f"entry {index}: expected a text (str) or a pair of two, got {kind_of(entry)}")
        pairs.append(pair)
        if (pair[1] is None) != (pairs[0][1] is None):
            raise ValueError(f"the batch mixes texts and pairs (entry {index}); encode them in two batches")
    if not pairs:
        raise ValueError("the batch is empty; give at least one text")
    return pairs
