"""Cloze: name the word behind a [MASK], from both sides."""

import torch


def fill_blanks(text: str, model, tok, top: int = 5) -> list[list[tuple[str, float]]]:
    """For each [MASK] of `text`, the `top` most likely tokens and their probabilities.

    Raises:
        ValueError: no mask in the text, or `top` out of range.

    Source: Devlin et al. 2019, section 3.1, task 1.

    >>> import minibert
    >>> texts = ["the cat sat on the mat"] * 3
    >>> tok = minibert.WordPieceTokenizer.train(texts, vocab_size=40)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> ranked = fill_blanks("the [MASK] sat", minibert.MaskedLanguageModel(config).eval(), tok, top=3)
    >>> len(ranked), len(ranked[0])
    (1, 3)
    """
    mask = tok.id_to_token(tok.mask_id)
    encoded = tok.encode(text)
    blanks = [i for i, token_id in enumerate(encoded.ids) if token_id == tok.mask_id]
    if not blanks:
        raise ValueError(f"no {mask} in {text!r}: write {mask} where the hidden word stands")
    if not 1 <= top <= tok.vocab_size:
        raise ValueError(f"top={top}: expected 1 to {tok.vocab_size}, the size of the vocabulary")
    with torch.inference_mode():
        logits = model(torch.tensor([encoded.ids])).logits[0]  # (T, V)
    ranked = []
    for blank in blanks:
        probability, best = logits[blank].softmax(-1).topk(top)
        words = [tok.decode([token_id]).strip() for token_id in best.tolist()]
        ranked.append(list(zip(words, probability.tolist(), strict=True)))
    return ranked
