"""What both tokenizers share: text -> added tokens -> normaliser -> words -> pieces -> template -> `Encoding`.

There are two roads through the same rules. `encode` carries the origin of every character along, so that each
token knows its place in the original text. `ids` only returns ids: it looks whole words up in a cache and is what
pre-training uses. A test holds that both give the same ids.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping

import torch

from minibert.tokenization.added_tokens import TokenFinder
from minibert.tokenization.batching import EncodesBatches
from minibert.tokenization.checks import check_text
from minibert.tokenization.encoding import Encoding, fill_template
from minibert.tokenization.fitting import fit
from minibert.tokenization.offsets import trim_spaces
from minibert.tokenization.parts import Parts
from minibert.tokenization.saving import Savable
from minibert.tokenization.vocabulary import Vocabulary
from minibert.tokenization.word_cache import WordCache

Piece = tuple[int, int, int]  # (id, start, stop) within a word


class Tokenizer(Vocabulary, EncodesBatches, Savable):
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
        truncation: a policy of truncation.py; generator: for "pop_longer_random" only.

        Raises:
            ValueError: invalid text, or a max_length that leaves no room for a token of the text or that the policy
                cannot meet.

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
        if max_length is not None:
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
                spans = [(low, high)] if token_id is not None else self._word_spans(normal[low:high])
                for word_start, word_stop in spans:
                    if token_id is not None:
                        matched[len(ids)] = normal[low:high]
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
            keep = self._parts.keep_prefix_space
            shown = [matched.get(index, token) for index, token in enumerate(tokens)]
            offsets = [trim_spaces(token, span, keep) for token, span in zip(shown, offsets, strict=True)]
        return Encoding(ids, tokens, offsets, [0] * len(ids), [0] * len(ids), words)

    # Ids to text ------------------------------------------------------------------------------------------

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        """Ids (a list or a 1-D tensor) back to text.

        Raises:
            ValueError: an id without a token.

        >>> from minibert.tokenization import WordPieceTokenizer
        >>> tok = WordPieceTokenizer({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4, "cat": 5, "##s": 6})
        >>> tok.decode([2, 4, 5, 6, 3])
        'the cats'
        """
        return self._join(self._tokens(ids, skip_special_tokens))
