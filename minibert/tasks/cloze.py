"""Cloze: name the word behind a [MASK], from both sides."""

import torch

from minibert.tasks.inference import inference


def fill_blanks(text: str, model, tok, top: int = 5) -> list[list[tuple[str, float]]]:
    """For each [MASK] of `text`, the `top` most likely tokens and their probabilities.

    Special tokens are never proposed: the probabilities are those among the other tokens of the vocabulary and sum to 1
    over them. A WordPiece that continues a word keeps its mark: `##ing`. A byte-level token is shown without the space
    before it. The model is in evaluation mode meanwhile, whatever mode it is in before and after.

    Raises:
        ValueError: no mask in the text or in the tokenizer, a text longer than the model's learned positions, a model
            that does not predict tokens, or `top` out of range.

    Source: Devlin et al. 2019, section 3.1, task 1.

    >>> import minibert
    >>> texts = ["the cat sat on the mat"] * 3
    >>> tok = minibert.WordPieceTokenizer.train(texts, vocab_size=40)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> ranked = fill_blanks("the [MASK] sat", minibert.MaskedLanguageModel(config), tok, top=3)
    >>> len(ranked), len(ranked[0])
    (1, 3)
    """
    if tok.mask_id is None:
        raise ValueError("the tokenizer has no mask token, so no text can hold a blank; use that of a masked model")
    mask = tok.id_to_token(tok.mask_id)
    encoded = tok.encode(text)
    blanks = [i for i, token_id in enumerate(encoded.ids) if token_id == tok.mask_id]
    if not blanks:
        raise ValueError(f"no {mask} in {text!r}: write {mask} where the hidden word stands")
    if model.config.position == "learned" and len(encoded.ids) > model.config.max_len:
        raise ValueError(
            f"the text has {len(encoded.ids)} tokens, the model positions for {model.config.max_len}; shorten it, but "
            f"keep what stands around {mask}"
        )
    special = set(tok.special_ids)
    words = [i for i in range(tok.vocab_size) if i not in special and tok.id_to_token(i) is not None]
    if isinstance(top, bool) or not isinstance(top, int) or not 1 <= top <= len(words):
        raise ValueError(f"top={top!r}: expected 1 to {len(words)}, the number of tokens that are not special")
    with inference(model) as device:
        logits = model(torch.tensor([encoded.ids], device=device)).logits  # (1, T, V)
    if logits is None or logits.shape[:2] != (1, len(encoded.ids)) or logits.shape[2] <= words[-1]:
        raise ValueError(
            f"{type(model).__name__} does not score the {tok.vocab_size} tokens of this tokenizer; give a "
            "MaskedLanguageModel or a PretrainingModel and the tokenizer it was trained with"
        )
    ranked = []
    for blank in blanks:
        probability, best = logits[0, blank, words].float().softmax(-1).topk(top)  # among the words only
        found = [tok.decode([words[i]]).strip() for i in best.tolist()]
        ranked.append(list(zip(found, probability.tolist(), strict=True)))
    return ranked
