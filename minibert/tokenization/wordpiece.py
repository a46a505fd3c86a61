"""WordPiece, BERT's tokenizer: words are cut into the longest pieces the vocabulary has, from the left.

To follow it: normalization.py and pretokenization.py (text to words), this file (words to pieces, learning pieces,
pieces back to text), and base.py (the road from text to encoding). merges.py has the merges it is trained with.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from minibert.tokenization import json_read, json_write
from minibert.tokenization.base import Piece, Tokenizer, word_starts
from minibert.tokenization.merges import (
    as_ids,
    check_corpus,
    check_sizes,
    check_special,
    check_texts,
    count_words,
    learn_merges,
)
from minibert.tokenization.normalization import BertNormalizer
from minibert.tokenization.pretokenization import bert_spans, bert_words
from minibert.tokenization.template import Parts, default_parts
from minibert.tokenization.vocabulary import SPECIAL_TOKENS, read_vocab_txt

# Whatever the normaliser does, it never looks across one of these, so text may be cut here and its chunks cached.
CHUNK = re.compile(r"[^ \t\n\r]+")
_CLEAN_UP = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


def greedy_pieces(
    word: str, vocab: Mapping[str, int], unk_id: int, prefix: str = "##", max_chars: int = 100, longest: int = 1 << 30
) -> list[Piece]:
    """(id, start, stop) of the pieces of one word: always the longest piece that fits, from left to right.

    A piece that does not begin the word is looked up with `prefix`. If at some place nothing fits, or the word has
    more than `max_chars` characters, the WHOLE word is one unknown token: pieces already found are dropped.
    longest: no token is longer; saves look-ups and changes nothing.

    Source: Devlin et al. 2019, released code (WordpieceTokenizer); Wu et al. 2016, section 4.1.

    >>> vocab = {"[UNK]": 0, "un": 1, "##aff": 2, "##able": 3}
    >>> greedy_pieces("unaffable", vocab, unk_id=0)
    [(1, 0, 2), (2, 2, 5), (3, 5, 9)]
    >>> greedy_pieces("unaffected", vocab, unk_id=0)
    [(0, 0, 10)]
    """
    if len(word) > max_chars:
        return [(unk_id, 0, len(word))]
    pieces: list[Piece] = []
    start = 0
    while start < len(word):
        lead = prefix if start else ""
        for stop in range(min(len(word), start + longest), start, -1):
            found = vocab.get(lead + word[start:stop])
            if found is not None:
                break
        else:
            return [(unk_id, 0, len(word))]
        pieces.append((found, start, stop))
        start = stop
    return pieces


class WordPieceTokenizer(Tokenizer):
    """BERT's tokenizer. Ids, tokens and offsets equal the `tokenizers` library's (see normalization.py for the
    characters newer than its Unicode tables).

    vocab: token -> id. lowercase: also strips accents; cased models use False. max_chars: longer words become
    [UNK]; 100 as on the hub (Google's script: 200 since November 2018).
    special: these names, where the vocabulary has them, are special tokens and are never split. The template is
    [CLS] A [SEP] (B [SEP]) where the vocabulary has those. `parts`, as read from a file, overrules both.

    Raises:
        ValueError: a vocabulary without the unknown token, with doubled ids, or without the template's tokens.

    Source: Devlin et al. 2019, section 3; Schuster and Nakajima 2012.

    >>> tok = WordPieceTokenizer({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "un": 4, "##able": 5})
    >>> tok.encode("Unable!").tokens
    ['[CLS]', 'un', '##able', '[UNK]', '[SEP]']
    """

    def __init__(
        self,
        vocab: Mapping[str, int],
        *,
        lowercase: bool = True,
        max_chars: int = 100,
        unk_token: str = "[UNK]",
        prefix: str = "##",
        cleanup: bool = True,
        special: Sequence[str] = SPECIAL_TOKENS,
        parts: Parts | None = None,
        roles: Mapping[str, str] | None = None,
    ):
        if parts is None:
            parts = default_parts(vocab, special, BertNormalizer(lowercase=lowercase), roles=roles)
        if unk_token not in vocab:
            raise ValueError(f"the vocabulary has no {unk_token!r}; WordPiece needs a token for unknown words")
        if max_chars < 1:
            raise ValueError(f"max_chars must be at least 1, not {max_chars}")
        super().__init__(vocab, parts, roles)
        self.unk_token, self.prefix, self.max_chars, self.cleanup = unk_token, prefix, max_chars, cleanup
        self._longest = max(map(len, self._vocab))
        self._unk = self._vocab[unk_token]

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int = 8000,
        *,
        lowercase: bool = True,
        min_count: int = 2,
        max_alphabet: int = 1000,
        special: Sequence[str] = SPECIAL_TOKENS,
    ) -> "WordPieceTokenizer":
        """Learn a vocabulary of at most `vocab_size` tokens (fewer if the texts have no more pairs).

        Criterion: join the pair of pieces with the highest COUNT, as byte-pair encoding and the library's
        WordPieceTrainer do. Google never released its trainer; the score often quoted for it,
        count(ab) / (count(a) * count(b)), prefers pairs of rare pieces, and in practice fills the vocabulary with
        junk from the tail unless it is damped. Counts need no such repair and make the two trainers comparable.

        min_count: no pair rarer than this is joined. max_alphabet: only the most frequent characters are kept
        (words with others become [UNK]). Ids: special tokens, characters, "##" characters, both sorted by code
        point, merges. Ties: see merges.py.

        Raises:
            ValueError: a vocab_size without room for special tokens and alphabet, texts that are no str, or no words.

        Source: merges as in Sennrich et al. 2016; "##" marking as in Devlin et al. 2019.

        >>> tok = WordPieceTokenizer.train(["low lower lowest", "slow slower"], vocab_size=30, min_count=1)
        >>> tok.encode("slowest", add_special_tokens=False).tokens
        ['slow', '##es', '##t']
        """
        tokens = learn_pieces(texts, vocab_size, lowercase, min_count, max_alphabet, special)
        return cls(as_ids(tokens), lowercase=lowercase, special=special)

    @classmethod
    def from_vocab_txt(cls, path: str | Path, *, lowercase: bool = True, max_chars: int = 100) -> "WordPieceTokenizer":
        """Read Google's vocab.txt: one token per line, the id is the line's number from 0.

        `load_tokenizer` of the folder reads the files beside it, too.

        Raises:
            ValueError: a missing or empty file, doubled or empty tokens, or a file without [UNK].

        Source: Devlin et al. 2019, released code (load_vocab).

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "vocab.txt"
        ...     _ = path.write_text("[UNK]\\nthe\\n##re\\n", encoding="utf-8")
        ...     WordPieceTokenizer.from_vocab_txt(path).encode("there").ids
        [1, 2]
        """
        return cls(read_vocab_txt(Path(path)), lowercase=lowercase, max_chars=max_chars)

    @classmethod
    def from_file(cls, path: str | Path, roles: Mapping[str, str] | None = None) -> "WordPieceTokenizer":
        """Read a tokenizer.json. Its `truncation` and `padding` entries are ignored; ask for both in `encode`.

        Raises:
            ValueError: a missing or damaged file, one of another model, or with components we do not have; the
                message names the file and the key.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     WordPieceTokenizer({"[UNK]": 0, "the": 1}).save(Path(folder) / "tokenizer.json")
        ...     WordPieceTokenizer.from_file(Path(folder) / "tokenizer.json").ids("The cat")
        [1, 0]
        """
        data = json_read.read_json(path)
        with json_read.naming(path):
            return cls.from_json(data, roles)

    @classmethod
    def from_json(cls, data: dict, roles: Mapping[str, str] | None = None) -> "WordPieceTokenizer":
        """The tokenizer of a tokenizer.json object, as `to_json` gives it.

        Raises:
            ValueError: another model, a component we do not have, or a key that is missing or of a wrong type.

        >>> WordPieceTokenizer.from_json(WordPieceTokenizer({"[UNK]": 0, "the": 1}).to_json()).ids("the")
        [1]
        """
        return cls(**read_wordpiece(data), roles=roles)

    def to_json(self) -> dict:
        """The tokenizer as a Hugging Face tokenizer.json object.

        >>> WordPieceTokenizer({"[UNK]": 0}).to_json()["model"]["type"]
        'WordPiece'
        """
        model = json_write.wordpiece_model(self._vocab, self.unk_token, self.prefix, self.max_chars)
        decoder = {"type": "WordPiece", "prefix": self.prefix, "cleanup": self.cleanup}
        return json_write.to_json(self._parts, self._id_of, None, decoder, model)

    def word_starts(self) -> list[bool]:
        """For each id whether it begins a word: all but the pieces that begin with `##` do.

        Raises:
            ValueError: no token begins with it.

        >>> WordPieceTokenizer({"[UNK]": 0, "caf\u00e9": 1, "##s": 2}).word_starts()
        [True, True, False]
        """
        return word_starts(self._token_of, self.vocab_size, self.prefix)

    def _byte_length(self, token: str) -> int:
        return len(token.removeprefix(self.prefix).encode("utf-8"))

    def _word_spans(self, text: str) -> list[tuple[int, int]]:
        return bert_spans(text)

    def _pieces(self, word: str) -> tuple[Piece, ...]:
        return tuple(greedy_pieces(word, self._vocab, self._unk, self.prefix, self.max_chars, self._longest))

    def _fast_words(self, text: str) -> list[str]:
        return CHUNK.findall(text)

    def _fast_ids(self, chunk: str) -> tuple[int, ...]:
        words = bert_words(self._parts.normalizer.normalize(chunk))
        return tuple([piece[0] for word in words for piece in self._pieces_of[word]])

    def _join(self, tokens: list[str]) -> str:
        return join_pieces(tokens, self.prefix, self.cleanup)


def read_wordpiece(data: dict) -> dict:
    """The arguments of a `WordPieceTokenizer`, but for its roles, from a tokenizer.json object.

    Raises:
        ValueError: another model, a component we do not have, or a key that is missing or of a wrong type; the message
            names the key.

    >>> model = json_write.wordpiece_model({"[UNK]": 0}, "[UNK]", "##", 100)
    >>> read_wordpiece({"model": model, "pre_tokenizer": {"type": "BertPreTokenizer"}})["max_chars"]
    100
    """
    kind, model = json_read.model_of(data)
    if kind != "WordPiece":
        raise ValueError(f"the file holds a {kind} tokenizer; open it with load_tokenizer or ByteLevelBPETokenizer")
    json_read.read_bert_words(data)
    decoder = json_read.read_decoder(data, "WordPiece")
    prefix = model.get("continuing_subword_prefix", str, "##")
    if decoder.get("prefix", str, prefix) != prefix:
        raise ValueError(
            f"decoder.prefix is {decoder.get('prefix', str)!r}, the model's is {prefix!r}; make them the same"
        )
    return {
        "vocab": model.get("vocab", dict),
        "max_chars": model.get("max_input_chars_per_word", int, 100),
        "unk_token": model.get("unk_token", str, "[UNK]"),
        "prefix": prefix,
        "cleanup": decoder.get("cleanup", bool, True),
        "parts": json_read.read_parts(data),
    }


def learn_pieces(
    texts: Iterable[str], vocab_size: int, lowercase: bool, min_count: int, max_alphabet: int, special: Sequence[str]
) -> list[str]:
    """The tokens of a new vocabulary, in the order of their ids; see `WordPieceTokenizer.train`.

    Raises:
        ValueError: a vocab_size without room for special tokens and alphabet, texts that are no str, or no words.

    Source: merges as in Sennrich et al. 2016; "##" marking as in Devlin et al. 2019.

    >>> learn_pieces(["aba ab"], 6, True, 1, 1000, ["[UNK]"])
    ['[UNK]', 'a', 'b', '##a', '##b', 'ab']
    """
    check_special(special)
    if "[UNK]" not in special:
        raise ValueError('special must hold "[UNK]"; WordPiece needs a token for unknown words')
    normalizer = BertNormalizer(lowercase=lowercase)
    chunks: Counter[str] = Counter()
    for text in check_texts(texts):
        chunks.update(CHUNK.findall(text))
    counter = count_words(chunks, lambda chunk: bert_words(normalizer.normalize(chunk)))
    check_corpus(counter)
    chars: Counter[str] = Counter()
    for word, count in counter.items():
        for char in word:
            chars[char] += count
    alphabet = set(sorted(chars, key=lambda char: (-chars[char], char))[:max_alphabet])
    tokens = [*special, *_symbols(counter, alphabet)]
    check_sizes(vocab_size, len(tokens), min_count, f"{len(special)} special tokens and the alphabet")
    ids = as_ids(tokens)
    words = [[ids[symbol] for symbol in _split(word, alphabet)] for word in counter]
    tokens, _ = learn_merges(words, list(counter.values()), tokens, vocab_size, min_count, prefix="##")
    return tokens


def _symbols(words: Iterable[str], alphabet: Collection[str]) -> list[str]:
    """Every kept character, then every kept character that continues a word as "##c", each sorted."""
    continuing = {symbol for word in words for symbol in _split(word, alphabet) if len(symbol) > 1}
    return sorted(alphabet) + sorted(continuing)


def _split(word: str, alphabet: Collection[str]) -> list[str]:
    kept = [("##" + char) if index else char for index, char in enumerate(word)]
    return [symbol for symbol, char in zip(kept, word, strict=True) if char in alphabet]


def join_pieces(tokens: Iterable[str], prefix: str = "##", cleanup: bool = True) -> str:
    """Spaces between words, none before "##"; `cleanup` also closes the gaps before . ? ! , and in n't, 's.

    Not exact: where there was white space is a guess.

    >>> join_pieces(["the", "cat", "##s", "."])
    'the cats.'
    """
    parts = []
    for index, token in enumerate(tokens):
        if index:
            token = token.removeprefix(prefix) if token.startswith(prefix) else " " + token
        parts.append(_clean_up(token) if cleanup else token)
    return "".join(parts)


def _clean_up(text: str) -> str:
    for old, new in _CLEAN_UP:
        text = text.replace(old, new)
    return text
