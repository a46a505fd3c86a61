"""What training needs to know about every token of a vocabulary: its length in bytes, and whether it begins a word."""

import torch
from torch import Tensor

from minibert.tokenization.pretokenization import CHAR_TO_BYTE


def token_byte_lengths(tokenizer) -> Tensor:
    """Return how many bytes of text each token stands for; 0 for special tokens.

    A byte-level token counts its bytes, its leading space included; a WordPiece counts the UTF-8 of its letters,
    without the `##`.

    Shape: returns (V,) int64.

    >>> class Pieces:
    ...     vocab_size, special_ids = 3, (0,)
    ...     def id_to_token(self, i): return ("[PAD]", "caf\\u00e9", "##s")[i]
    >>> token_byte_lengths(Pieces()).tolist()
    [0, 5, 1]
    """
    special = set(tokenizer.special_ids)
    # In the byte alphabet one character is one byte, so the string's length is the answer there.
    # An id without a token (some files leave gaps) has no text either.
    tokens = ["" if i in special else tokenizer.id_to_token(i) or "" for i in range(tokenizer.vocab_size)]
    if is_byte_level(tokenizer):
        return torch.tensor([len(token) for token in tokens])
    return torch.tensor([len(token.removeprefix("##").encode("utf-8")) for token in tokens])


def is_byte_level(tokenizer) -> bool:
    """Whether the vocabulary is written in the byte alphabet: all 256 bytes are tokens of one character.

    >>> class Pieces:
    ...     def token_to_id(self, token): return {"a": 5}.get(token)
    >>> is_byte_level(Pieces())
    False
    """
    return hasattr(tokenizer, "token_to_id") and all(tokenizer.token_to_id(char) is not None for char in CHAR_TO_BYTE)


def starts_word(tokenizer) -> Tensor:
    """Return for each id whether it begins a word, as WordPiece marks it: all but the `##` pieces do.

    Shape: returns (V,) bool.

    Raises:
        ValueError: if no token begins with `##`, or the vocabulary is byte-level: this is no WordPiece vocabulary.

    >>> class Pieces:
    ...     vocab_size = 3
    ...     def id_to_token(self, i): return ("[PAD]", "caf\u00e9", "##s")[i]
    >>> starts_word(Pieces()).tolist()
    [True, True, False]
    """
    continues = [(tokenizer.id_to_token(i) or "").startswith("##") for i in range(tokenizer.vocab_size)]
    if is_byte_level(tokenizer):  # a "##" in it comes from the text, for example from a heading in Markdown
        raise ValueError(
            "whole_words needs a WordPiece tokenizer: this vocabulary is byte-level, its ## mark no pieces"
        )
    if not any(continues):
        raise ValueError("whole_words needs a WordPiece tokenizer: this vocabulary has no piece that begins with ##")
    return ~torch.tensor(continues)
