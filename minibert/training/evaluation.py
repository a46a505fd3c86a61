"""How well a model fills in the masked tokens of text that it was not trained on."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from minibert.objectives import IGNORE, build_segments, mlm_loss_sum, nsp_loss_sum, pack_rows
from minibert.training.data import PackedBatch, mask_batch, pack


def token_byte_lengths(tokenizer) -> Tensor:
    """Return how many bytes of text each token stands for, 0 for special tokens: what bits per byte divide by.

    Shape: returns (V,) int64.

    >>> from minibert.tokenization import WordPieceTokenizer
    >>> token_byte_lengths(WordPieceTokenizer({"[UNK]": 0, "caf\u00e9": 1, "##s": 2})).tolist()
    [0, 5, 1]
    """
    return torch.tensor(tokenizer.byte_lengths())


def forward_losses(model, batch: PackedBatch, device: torch.device | None = None):
    """Run a packed batch and return `(output, targets, mlm_sum, next_sum)`; next_sum is None without pairs.

    The vocabulary is scored at the masked positions alone, which is most of the work of a small model. The model is on
    `device`, None for where the batch is. A batch from the CPU is looked at there, without waiting for a GPU.

    Shape: output.logits (M, V) and targets (M,) for the M masked tokens. The sums are scalars in nats.

    Raises:
        ValueError: if the batch has pairs and the model has no next-sentence head.

    >>> from types import SimpleNamespace
    >>> from minibert.objectives import Example
    >>> from minibert.training.data import pack
    >>> class Uniform:
    ...     def packed(self, ids, cu_seqlens, segment_ids=None, predict_at=None):
    ...         return SimpleNamespace(logits=torch.zeros(len(predict_at), 4))
    >>> batch = pack([Example([1, 3, 2], [0, 0, 0], None)])
    >>> batch.labels[1] = 3
    >>> round(forward_losses(Uniform(), batch)[2].item(), 4)
    1.3863
    """
    predict_at = (batch.labels != IGNORE).nonzero().squeeze(1)  # (M,)
    targets = batch.labels[predict_at]  # (M,)
    if device is not None:
        batch, predict_at, targets = batch.to(device), predict_at.to(device), targets.to(device)
    segment_ids = batch.segment_ids if batch.next_labels is not None else None
    output = model.packed(batch.ids, batch.cu_seqlens, segment_ids=segment_ids, predict_at=predict_at)
    mlm_sum, _ = mlm_loss_sum(output.logits, targets)
    if batch.next_labels is None:
        return output, targets, mlm_sum, None
    if getattr(output, "nsp_logits", None) is None:
        raise ValueError(
            "the data holds sentence pairs, but the model has no next-sentence head; train a PretrainingModel, or "
            "build the data with pairs=False"
        )
    return output, targets, mlm_sum, nsp_loss_sum(output.nsp_logits, batch.next_labels)[0]


@torch.no_grad()
def evaluate(model, batches: Iterable[PackedBatch], token_bytes: Tensor, bf16: bool = False) -> dict[str, float | None]:
    """Return how well `model` predicts the masked tokens of `batches`, as a dict of numbers.

    - `bits_per_byte`: the sum over all masked tokens of -log2 p(token), divided by the number of UTF-8 bytes of the
      text of these masked tokens. A loss per token cannot be compared between tokenizers, because long tokens are
      harder to guess and there are fewer of them; per byte it can. Two reservations: the bytes are those of the token
      as the tokenizer sees it (WordPiece without `##` and after lower-casing; byte-level BPE with the space before
      the word, which WordPiece does not count), and a masked model sees both sides, so this is not a compression rate.
    - `loss`: mean over the masked tokens, in nats. `accuracy`: share of them that is guessed right.
    - `masked_tokens`: how many there were.
    - `next_loss`, `next_accuracy`: the same for the next-sentence task, only if the batches are pairs.

    `token_bytes` is what `token_byte_lengths` says of the tokenizer; `bf16` computes in bfloat16 where torch thinks it
    safe. The model is in evaluation mode meanwhile and returns to the mode it was in. A number that has nothing to be
    measured on (no masked token) is None.

    Shape: token_bytes (V,) integer.

    Raises:
        ValueError: if the batches have pairs and the model has no next-sentence head.

    Source: Gao et al. 2020 (the Pile), section 3.1, for bits per byte, here of the masked tokens alone.

    >>> from types import SimpleNamespace
    >>> from minibert.objectives import Example
    >>> from minibert.training.data import pack
    >>> class Uniform(torch.nn.Module):
    ...     def packed(self, ids, cu_seqlens, segment_ids=None, predict_at=None):
    ...         return SimpleNamespace(logits=torch.zeros(len(predict_at), 4))
    >>> batch = pack([Example([1, 3, 2], [0, 0, 0], None)])
    >>> batch.labels[1] = 3
    >>> result = evaluate(Uniform(), [batch], token_bytes=torch.tensor([0, 0, 0, 4]))
    >>> round(result["bits_per_byte"], 4)  # a uniform guess among four is 2 bits, and the token has 4 bytes
    0.5
    """
    nats = next_nats = 0.0
    right = masked = size = next_right = pairs = 0
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    token_bytes = token_bytes.to(device)
    was_training = model.training
    model.eval()
    try:
        for batch in batches:
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
                output, targets, mlm_sum, next_sum = forward_losses(model, batch, device)
            nats += mlm_sum.item()
            right += int((output.logits.argmax(-1) == targets).sum())
            masked += len(targets)
            size += int(token_bytes[targets].sum())
            if next_sum is not None:
                next_nats += next_sum.item()
                next_right += int((output.nsp_logits.argmax(-1) == batch.next_labels.to(device)).sum())
                pairs += len(batch.next_labels)
    finally:
        model.train(was_training)
    result = {
        "bits_per_byte": _ratio(nats / math.log(2), size),
        "loss": _ratio(nats, masked),
        "accuracy": _ratio(right, masked),
        "masked_tokens": masked,
    }
    if pairs:
        result |= {"next_loss": next_nats / pairs, "next_accuracy": next_right / pairs}
    return result


def masked_batches(
    texts: Sequence[str], tokenizer, *, max_len: int, rate: float, seed: int, batch_tokens: int = 4096
) -> list[PackedBatch]:
    """Texts cut into segments of at most `max_len` tokens, packed, with [MASK] at `rate` of the places: for `evaluate`.

    The same seed hides the same tokens.

    Raises:
        ValueError: texts without a token, and as `mask_tokens`.

    >>> from minibert.tokenization import WordPieceTokenizer
    >>> tokenizer = WordPieceTokenizer.train(["a b a b"], 40)
    >>> [len(batch.ids) for batch in masked_batches(["a b", "b a b"], tokenizer, max_len=8, rate=0.5, seed=0)]
    [9]
    """
    documents = [tokenizer.ids(text) for text in texts]
    examples = build_segments(documents, max_len, tokenizer.cls_id, tokenizer.sep_id)
    if not examples:
        raise ValueError(f"{len(texts)} texts hold no token; give texts with words in them")
    rows = pack_rows([len(example.ids) for example in examples], batch_tokens)
    packed = [pack([examples[index] for index in row]) for (row,) in rows]
    return [
        mask_batch(batch, tokenizer, rate, (1.0, 0.0, 0.0), seed=1_000_003 * seed + number)
        for number, batch in enumerate(packed)
    ]


def _ratio(part: float, whole: int) -> float | None:
    return part / whole if whole else None
