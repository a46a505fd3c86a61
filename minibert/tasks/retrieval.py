"""Texts as vectors that can be compared: the base of search."""

import torch


def embed_texts(texts: list[str], model, tok, pool: str = "mean", batch_size: int = 32):
    """One unit-length vector per text.

    `pool` is "mean" (over the text's tokens, padding never among them) or "cls" (the first token).

    Shape: B texts -> (B, D) float32, each row of length 1.

    Raises:
        ValueError: no text, or an unknown `pool`.

    Source: Reimers and Gurevych 2019, section 3.

    >>> import minibert
    >>> tok = minibert.WordPieceTokenizer.train(["the cat sat on the mat"] * 3, vocab_size=40)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> embed_texts(["the cat", "the mat sat"], minibert.Encoder(config).eval(), tok).shape
    torch.Size([2, 128])
    """
    if not texts:
        raise ValueError("embed_texts: no text; pass at least one")
    if pool not in ("mean", "cls"):
        raise ValueError(f"pool={pool!r}: expected mean or cls")
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # like lengths together: less padding
    vectors = torch.empty(len(texts), model.config.hidden)
    for start in range(0, len(texts), batch_size):
        rows = order[start : start + batch_size]
        batch = tok.encode_batch([texts[i] for i in rows], max_length=model.config.max_len)
        with torch.inference_mode():
            hidden = model(batch.input_ids, batch.attention_mask).hidden  # (B, T, D)
        real = batch.attention_mask.unsqueeze(-1)
        pooled = hidden[:, 0] if pool == "cls" else (hidden * real).sum(1) / real.sum(1)
        vectors[rows] = torch.nn.functional.normalize(pooled.float(), dim=-1)
    return vectors
