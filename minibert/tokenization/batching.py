"""Encoding many texts at once: the same for our own tokenizers and for the wrapped library."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch

from minibert.tokenization.checks import check_batch
from minibert.tokenization.encoding import Batch, Encoding, pad_batch


class EncodesBatches(ABC):
    """A tokenizer that encodes one text, and so can encode a batch of them.

    >>> from minibert.tokenization import WordPieceTokenizer
    >>> issubclass(WordPieceTokenizer, EncodesBatches)
    True
    """

    pad_id: int | None

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
