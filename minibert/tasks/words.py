"""The same word in many sentences: one vector for each sentence and layer."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from minibert.tasks.inference import inference


def word_vectors_by_layer(encoder, tokenizer, sentences: Sequence[str], word: str) -> Tensor:
    """What the encoder makes of `word` in each sentence, layer by layer; a word of several tokens is their mean.

    Number 0 are the embeddings (of BERT they already know the position), number i leaves block i. In pre-norm models
    all but the last are the raw residual stream: compare directions (cosines), not lengths. The model is in evaluation
    mode meanwhile, whatever mode it is in before and after.

    Shape: S sentences -> (L + 1, S, D), on the CPU, in the model's dtype.

    Raises:
        ValueError: no sentence, a sentence without the word or with it twice, one that is too long for the model.

    Source: Ethayarajh 2019; Wiedemann et al. 2019.

    >>> import minibert
    >>> sentences = ["the bank of the river", "money in the bank"]
    >>> tok = minibert.WordPieceTokenizer.train(sentences * 3, vocab_size=60)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> word_vectors_by_layer(minibert.Encoder(config), tok, sentences, "bank").shape
    torch.Size([5, 2, 128])
    """
    if isinstance(sentences, str):
        raise ValueError(f"sentences: got the one text {sentences!r}, expected a list of sentences")
    sentences = list(sentences)
    if not sentences or not all(isinstance(sentence, str) for sentence in sentences):
        raise ValueError("sentences: expected a list of at least one text")
    if not isinstance(word, str) or not word.strip():
        raise ValueError(f"word={word!r}: expected a word")
    found = []
    with inference(encoder) as device:
        for row, sentence in enumerate(sentences):
            encoded = tokenizer.encode(sentence)
            tokens = _tokens_of(word, sentence, encoded, row)
            if len(encoded.ids) > encoder.config.max_len:
                limit = encoder.config.max_len
                raise ValueError(
                    f"sentence {row} has {len(encoded.ids)} tokens, the model was made for {limit}: shorten it"
                )
            output = encoder(torch.tensor([encoded.ids], device=device), output_hidden_states=True)
            states = torch.stack(output.hidden_states)[:, 0]  # (L + 1, T, D)
            found.append(states[:, tokens].mean(1).cpu())  # (L + 1, D)
    return torch.stack(found, dim=1)  # (L + 1, S, D)


def _tokens_of(word: str, sentence: str, encoded, row: int) -> list[int]:
    """The places of the word's tokens: those that share a character with it."""
    hits = [hit.span() for hit in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", sentence, re.IGNORECASE)]
    if len(hits) != 1:
        times = "not at all" if not hits else f"{len(hits)} times"
        raise ValueError(f"sentence {row} holds the word {word!r} {times}, expected once: {sentence!r}")
    start, end = hits[0]
    return [i for i, (a, b) in enumerate(encoded.offsets) if max(a, start) < min(b, end)]
