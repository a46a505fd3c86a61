"""Texts as vectors that can be compared: the base of search."""

from collections.abc import Iterable

import torch
from torch import Tensor

from minibert.model.heads import first_token, mean_token
from minibert.tasks.inference import inference
from minibert.varlen import find_packing, unpad


def embed_texts(
    texts: Iterable[str], model, tok, pool: str = "mean", batch_size: int = 32, truncate: bool = True
) -> Tensor:
    """One unit-length vector per text, on the CPU.

    `pool` is "mean" (over the text's tokens, padding never among them) or "cls" (the first token). Of a text with more
    tokens than the model's `max_len` only the beginning counts; with `truncate=False` it is refused instead. The model
    is in evaluation mode meanwhile, whatever mode it is in before and after.

    Shape: B texts -> (B, D) float32, each row of length 1.

    Raises:
        ValueError: no text, one text that is not in a list, an unknown `pool`, a `batch_size` below 1, or, with
            `truncate=False`, a text that is too long.

    Source: Reimers and Gurevych 2019, section 3.

    >>> import minibert
    >>> tok = minibert.WordPieceTokenizer.train(["the cat sat on the mat"] * 3, vocab_size=40)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> embed_texts(["the cat", "the mat sat"], minibert.Encoder(config), tok).shape
    torch.Size([2, 128])
    """
    texts = _checked(texts)
    if pool not in ("mean", "cls"):
        raise ValueError(f"pool={pool!r}: expected mean or cls")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size={batch_size!r}: expected a whole number of at least 1")
    limit = model.config.max_len
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # like lengths together: less padding
    vectors = torch.empty(len(texts), model.config.hidden)
    with inference(model) as device:
        for start in range(0, len(texts), batch_size):
            rows = order[start : start + batch_size]
            batch = tok.encode_batch([texts[i] for i in rows], max_length=limit if truncate else None)
            lengths = batch.attention_mask.sum(1).tolist()
            if max(lengths) > limit:
                row = lengths.index(max(lengths))
                raise ValueError(
                    f"text {rows[row]} has {lengths[row]} tokens, the model was made for {limit}: split it, or let its "
                    "end be cut off with truncate=True"
                )
            packing = find_packing(batch.attention_mask.to(device))
            hidden = model.packed(unpad(batch.input_ids.to(device), packing), packing.cu_seqlens).hidden  # (N, D)
            pooled = (first_token if pool == "cls" else mean_token)(hidden, packing.cu_seqlens)  # (B, D)
            vectors[rows] = torch.nn.functional.normalize(pooled.float(), dim=-1).cpu()
    return vectors


def _checked(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        raise ValueError(f"texts is one text, {texts!r:.60}; give a list: [text]")
    if not isinstance(texts, Iterable):
        raise ValueError(f"texts is a {type(texts).__name__}, expected a list of texts")
    texts = list(texts)
    if not texts:
        raise ValueError("embed_texts: no text; pass at least one")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"text {index} is a {type(text).__name__}, expected a str: {text!r:.60}")
    return texts
