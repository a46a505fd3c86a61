"""WordPiece, BERT's tokenizer: words are cut into the longest pieces the vocabulary has, from the left."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from minibert.tokenization import json_write
from minibert.tokenization.base import Piece, Tokenizer
from minibert.tokenization.json_format import naming
from minibert.tokenization.json_models import read_wordpiece, wordpiece_model
from minibert.tokenization.merge_training import as_ids
from minibert.tokenization.normalization import BertNormalizer
from minibert.tokenization.parts import Parts, default_parts
from minibert.tokenization.pretokenization import bert_spans, bert_words
from minibert.tokenization.roles import SPECIAL_TOKENS
from minibert.tokenization.wordpiece_joining import join_pieces
from minibert.tokenization.wordpiece_training import CHUNK, learn_pieces


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
            parts = default_parts(vocab, special, BertNormalizer(lowercase=lowercase))
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
        point, merges. Ties: see merge_training.py.

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
        path = Path(path)
        if not path.is_file():
            raise ValueError(f"there is no file {path}")
        # Only "\n" ends a line: str.splitlines would also cut at U+2028 and others that vocabularies hold.
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        vocab: dict[str, int] = {}
        for index, line in enumerate(lines):
            token = line.rstrip("\r")
            if not token or token in vocab:
                raise ValueError(f"{path}, line {index + 1}: the token {token!r} is empty or was there before")
            vocab[token] = index
        return cls(vocab, lowercase=lowercase, max_chars=max_chars)

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
        arguments = read_wordpiece(path)
        with naming(path):
            return cls(**arguments, roles=roles)

    def to_json(self) -> dict:
        """The tokenizer as a Hugging Face tokenizer.json object.

        >>> WordPieceTokenizer({"[UNK]": 0}).to_json()["model"]["type"]
        'WordPiece'
        """
        model = wordpiece_model(self._vocab, self.unk_token, self.prefix, self.max_chars)
        decoder = {"type": "WordPiece", "prefix": self.prefix, "cleanup": self.cleanup}
        return json_write.to_json(self._parts, self._id_of, None, decoder, model)

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
