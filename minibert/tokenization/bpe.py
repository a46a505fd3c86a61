"""Byte-level BPE, the tokenizer of GPT-2, ModernBERT and EuroBERT: bytes are joined in the order of training.

There is no unknown token: every text is bytes, and all 256 bytes are in the vocabulary. Decoding is exact.

To follow it: pretokenization.py (text to words, words to bytes), merges.py (learning merges and applying them), this
file, and base.py (the road from text to encoding).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from minibert.tokenization import json_read, json_write
from minibert.tokenization.base import Piece, Tokenizer
from minibert.tokenization.merges import (
    as_ids,
    check_corpus,
    check_sizes,
    check_special,
    check_texts,
    learn_merges,
    merge_by_rank,
    merge_by_rank_heap,
)
from minibert.tokenization.normalization import NFCNormalizer, NoNormalizer
from minibert.tokenization.pretokenization import (
    BYTE_TO_CHAR,
    byte_level_words,
    check_pattern,
    from_byte_chars,
    to_byte_chars,
)
from minibert.tokenization.template import Parts, default_parts
from minibert.tokenization.vocabulary import SPECIAL_TOKENS

_ALPHABET = sorted(BYTE_TO_CHAR.values())
_NEVER_IN_UTF8 = (0xC0, 0xC1, *range(0xF5, 0x100))  # vocabularies may leave these out; OLMo's does
_LONG = 48  # symbols; about where the heap starts to pay


class ByteLevelBPETokenizer(Tokenizer):
    """Byte-level BPE. Ids, tokens and offsets equal the `tokenizers` library's.

    vocab: token (in the byte alphabet, see pretokenization.py) -> id. merges: pairs of tokens, first learnt first.
    pattern: "gpt2" or "llama3". nfc: compose characters first, as ModernBERT does. ignore_merges: a word that is a
    token is taken whole, as in Llama-3's file. special: these names, where the vocabulary has them, are special
    tokens and are never split; the mask token swallows the space before it, because a token here carries its leading
    space and a prediction for [MASK] therefore brings its own. The template is [CLS] A [SEP] (B [SEP]) where the
    vocabulary has those; offsets leave out the leading space. `parts`, as read from a file, overrules all this.

    Raises:
        ValueError: a vocabulary without all bytes of UTF-8, with doubled ids or without the template's tokens, or
            merges of tokens it does not have.

    Source: Radford et al. 2019, section 2.2; Sennrich et al. 2016.

    >>> tok = ByteLevelBPETokenizer.train(["low lower lowest"], vocab_size=270)
    >>> tok.decode(tok.encode("lowest 漢!").ids)
    'lowest 漢!'
    """

    def __init__(
        self,
        vocab: Mapping[str, int],
        merges: Iterable[tuple[str, str]],
        *,
        pattern: str = "gpt2",
        nfc: bool = False,
        ignore_merges: bool = False,
        special: Sequence[str] = SPECIAL_TOKENS,
        parts: Parts | None = None,
        roles: Mapping[str, str] | None = None,
    ):
        if parts is None:
            normalizer = NFCNormalizer() if nfc else NoNormalizer()
            parts = default_parts(vocab, special, normalizer, byte_level=True, roles=roles)
        super().__init__(vocab, parts, roles)
        self.pattern, self.ignore_merges = check_pattern(pattern), ignore_merges
        missing = [byte for byte, char in BYTE_TO_CHAR.items() if char not in vocab and byte not in _NEVER_IN_UTF8]
        if missing:
            raise ValueError(
                f"the vocabulary lacks {len(missing)} of the 243 bytes of UTF-8 (one is {missing[0]:#04x}); "
                "this is not a byte-level vocabulary"
            )
        self._byte_ids = [vocab.get(BYTE_TO_CHAR[byte], -1) for byte in range(256)]
        self.merges = [tuple(pair) for pair in merges]
        self._ranks: dict[tuple[int, int], tuple[int, int]] = {}
        for rank, (left, right) in enumerate(self.merges):
            try:
                self._ranks[vocab[left], vocab[right]] = rank, vocab[left + right]
            except KeyError as error:
                raise ValueError(f"merge {rank} ({left!r}, {right!r}) needs {error} in the vocabulary") from None

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int = 8000,
        *,
        pattern: str = "gpt2",
        nfc: bool = False,
        min_count: int = 2,
        special: Sequence[str] = SPECIAL_TOKENS,
    ) -> "ByteLevelBPETokenizer":
        """Learn merges until the vocabulary has `vocab_size` tokens (fewer if the texts have no more pairs).

        Ids: special tokens, the 256 bytes sorted by their character, merges. The merges are those of the
        library's BpeTrainer with the whole byte alphabet and min_frequency = min_count; ties: merges.py.

        Raises:
            ValueError: a vocab_size without room for special tokens and bytes, texts that are no str, or no words.

        Source: Sennrich et al. 2016, algorithm 1, on the bytes of Radford et al. 2019.

        >>> tok = ByteLevelBPETokenizer.train(["low lower lowest"], vocab_size=263)
        >>> tok.merges
        [('l', 'o'), ('lo', 'w')]
        """
        check_special(special)
        check_pattern(pattern)
        tokens = [*special, *_ALPHABET]
        check_sizes(vocab_size, len(tokens), min_count, f"{len(special)} special tokens and 256 bytes")
        normalizer = NFCNormalizer() if nfc else NoNormalizer()
        counter: Counter[str] = Counter()
        for text in check_texts(texts):
            counter.update(byte_level_words(normalizer.normalize(text), pattern))
        check_corpus(counter)
        ids = as_ids(tokens)
        words = [[ids[char] for char in to_byte_chars(word)] for word in counter]
        tokens, merges = learn_merges(words, list(counter.values()), tokens, vocab_size, min_count)
        pairs = [(tokens[left], tokens[right]) for left, right in merges]
        return cls(as_ids(tokens), pairs, pattern=pattern, nfc=nfc, special=special)

    @classmethod
    def from_ranks(
        cls,
        tokens: Sequence[bytes],
        special: Sequence[str] = (),
        *,
        pattern: str = "llama3",
        parts: Parts | None = None,
    ) -> "ByteLevelBPETokenizer":
        """Llama-3's (and so EuroBERT's) tokenizer from its ranked byte strings; `special` gets the ids after them.

        Takes a few seconds for 128,000 tokens: the merges have to be spelt out first.

        Raises:
            ValueError: doubled, empty or missing bytes and tokens.

        Source: Dubey et al. 2024, section 3.2 (the vocabulary).

        >>> tok = ByteLevelBPETokenizer.from_ranks([bytes([b]) for b in range(256)] + [b"th", b"the"], ["<|mask|>"])
        >>> tok.ids("the<|mask|>"), tok.mask_id
        ([257, 258], 258)
        """
        check_special(special)
        merges = merges_from_ranks(tokens)
        vocab = as_ids([*map(as_chars, tokens), *special])
        return cls(vocab, merges, pattern=pattern, ignore_merges=True, special=special, parts=parts)

    @classmethod
    def from_file(cls, path: str | Path, roles: Mapping[str, str] | None = None) -> "ByteLevelBPETokenizer":
        """Read a tokenizer.json. Its `truncation` and `padding` entries are ignored; ask for both in `encode`.

        Raises:
            ValueError: a missing or damaged file, one of another model, or with components we do not have; the
                message names the file and the key.

        >>> import tempfile
        >>> tok = ByteLevelBPETokenizer.train(["low lower lowest"], vocab_size=270)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     tok.save(Path(folder) / "tokenizer.json")
        ...     ByteLevelBPETokenizer.from_file(Path(folder) / "tokenizer.json").merges == tok.merges
        True
        """
        data = json_read.read_json(path)
        with json_read.naming(path):
            return cls.from_json(data, roles)

    @classmethod
    def from_json(cls, data: dict, roles: Mapping[str, str] | None = None) -> "ByteLevelBPETokenizer":
        """The tokenizer of a tokenizer.json object, as `to_json` gives it.

        Raises:
            ValueError: another model, a component we do not have, or a key that is missing or of a wrong type.

        >>> tok = ByteLevelBPETokenizer.train(["low lower lowest"], vocab_size=270)
        >>> ByteLevelBPETokenizer.from_json(tok.to_json()).merges == tok.merges
        True
        """
        return cls(**read_bpe(data), roles=roles)

    def to_json(self) -> dict:
        """The tokenizer as a Hugging Face tokenizer.json object.

        >>> ByteLevelBPETokenizer.train(["aa"], vocab_size=262, min_count=1).to_json()["model"]["merges"]
        [['a', 'a']]
        """
        model = json_write.bpe_model(self._vocab, self.merges, self.ignore_merges)
        decoder = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        return json_write.to_json(self._parts, self._id_of, self.pattern, decoder, model)

    def _byte_length(self, token: str) -> int:
        return len(token)  # in the byte alphabet one character is one byte

    def _word_spans(self, text: str) -> list[tuple[int, int]]:
        spans, start = [], 0
        for word in byte_level_words(text, self.pattern):  # the words joined are the text
            spans.append((start, start + len(word)))
            start += len(word)
        return spans

    def _pieces(self, word: str) -> tuple[Piece, ...]:
        # A character may take up to four bytes, and a token may end inside it: both tokens then cover the character.
        char_of = range(len(word)) if word.isascii() else [i for i, char in enumerate(word) for _ in char.encode()]
        pieces, start = [], 0
        for token_id in self._ids_of[word]:
            stop = start + len(self._token_of[token_id])
            pieces.append((token_id, char_of[start], char_of[stop - 1] + 1))
            start = stop
        return tuple(pieces)

    def _fast_words(self, text: str) -> list[str]:
        return byte_level_words(self._parts.led(self._parts.normalizer.normalize(text)), self.pattern)

    def _fast_ids(self, chunk: str) -> tuple[int, ...]:
        if self.ignore_merges:
            whole = self._vocab.get(to_byte_chars(chunk))
            if whole is not None:
                return (whole,)
        symbols = [self._byte_ids[byte] for byte in chunk.encode("utf-8")]
        return tuple((merge_by_rank if len(symbols) < _LONG else merge_by_rank_heap)(symbols, self._ranks))

    def _join(self, tokens: list[str]) -> str:
        """Bytes joined and read as UTF-8; bytes that are no whole character (a cut sequence) show as U+FFFD.

        An added token is its own text. (The library reads it, too, as characters of the byte alphabet if it can, and
        so garbles an added token such as "né".)
        """
        added = {token.content for token in self._parts.added_tokens}
        parts = [token.encode("utf-8") if token in added else from_byte_chars(token) for token in tokens]
        return b"".join(parts).decode("utf-8", errors="replace")


def read_bpe(data: dict) -> dict:
    """The arguments of a `ByteLevelBPETokenizer`, but for its roles, from a tokenizer.json object.

    Raises:
        ValueError: another model, a component we do not have, or a key that is missing or of a wrong type; the message
            names the key.

    >>> words = {"type": "ByteLevel", "add_prefix_space": False}
    >>> model = json_write.bpe_model({"a": 0, "aa": 1}, [("a", "a")], False)
    >>> read_bpe({"model": model, "pre_tokenizer": words})["merges"]
    [('a', 'a')]
    """
    kind, model = json_read.model_of(data)
    if kind != "BPE":
        raise ValueError(f"the file holds a {kind} tokenizer; open it with load_tokenizer or WordPieceTokenizer")
    for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
        if model.values.get(name):
            value = model.values[name]
            raise ValueError(
                f"BPE with {name}={value!r:.80} is not one that minibert spells out (it has byte-level BPE); let the "
                "`tokenizers` library run it: load_tokenizer(folder, rust=True)"
            )
    json_read.read_decoder(data, "ByteLevel")
    return {
        "vocab": model.get("vocab", dict),
        "merges": json_read.read_merges(model.get("merges", list)),
        "pattern": json_read.read_pattern(data),
        "ignore_merges": model.get("ignore_merges", bool, False),
        "parts": json_read.read_parts(data),
    }


# Llama-3's vocabulary as Meta publishes it: byte strings in order of rank, and no list of merges.
#
# None is needed: two neighbours are joined whenever the joined string is a token, lowest rank first. A file of merges
# must spell that out, one merge for every way to cut a token in two (some 280,000 for Llama-3's 128,000 tokens).


def merges_from_ranks(tokens: Sequence[bytes]) -> list[tuple[str, str]]:
    """The merges, in the byte alphabet, that do what a vocabulary of byte strings sorted by rank does.

    Several merges may make one token; among them those of earlier parts come first.

    Raises:
        ValueError: doubled or empty tokens, or one of the 256 bytes is missing.

    Source: Dubey et al. 2024, released tokenizer (a list of ranks, as `tiktoken` reads it).

    >>> merges_from_ranks([bytes([byte]) for byte in range(256)] + [b"th", b"he", b"the"])
    [('t', 'h'), ('h', 'e'), ('t', 'he'), ('th', 'e')]
    """
    check_ranks(tokens)
    rank = {token: index for index, token in enumerate(tokens)}
    chars = [as_chars(token) for token in tokens]
    merges = []
    for token in tokens:
        cuts = [(rank.get(token[:at]), rank.get(token[at:])) for at in range(1, len(token))]
        parts = sorted((left, right) for left, right in cuts if left is not None and right is not None)
        merges += [(chars[left], chars[right]) for left, right in parts]
    return merges


def as_chars(token: bytes) -> str:
    """A byte string in the byte alphabet.

    >>> as_chars(b" a")
    'Ġa'
    """
    return "".join([BYTE_TO_CHAR[byte] for byte in token])


def check_ranks(tokens: Sequence[bytes]) -> None:
    """Check that the byte strings are different, not empty, and hold all 256 single bytes.

    Raises:
        ValueError: they are not.

    >>> check_ranks([bytes([byte]) for byte in range(256)])
    """
    known = set(tokens)
    if len(known) != len(tokens) or b"" in known:
        raise ValueError("the ranked tokens must be different and not empty; is the file damaged?")
    missing = [byte for byte in range(256) if bytes([byte]) not in known]
    if missing:
        raise ValueError(f"the ranked tokens lack {len(missing)} of the 256 bytes (the first: {missing[0]:#04x})")
