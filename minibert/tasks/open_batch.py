"""What the open task of chapter 6 measures: a small BERT, and a batch in which most places are padding.

A seed decides the weights, the ids and the order of the texts. Their lengths are the same for all seeds, so that every
learner has the same work to do.
"""

import torch
from torch import Tensor

from minibert import one_page
from minibert.config import EncoderConfig
from minibert.model.encoder import Encoder

HEADS = 4
LENGTHS = (5, 6, 7, 7, 8, 9, 9, 10, 11, 12, 12, 13, 14, 15, 16, 17, 18, 20, 22, 24, 27, 30, 35, 42, 50, 64)  # tokens
CONFIG = EncoderConfig.preset("bert-nano").replace(
    vocab_size=90, hidden=64, layers=3, heads=HEADS, intermediate=256, max_len=64, init_std=0.15
)


def small_bert(seed: int, config: EncoderConfig = CONFIG) -> dict[str, Tensor]:
    """The weights of an encoder by the names of `one_page`; norms and biases are random, too.

    >>> small_bert(0)["blocks.2.attention.query_key_value.weight"].shape
    torch.Size([192, 64])
    """
    rng = torch.Generator().manual_seed(seed)
    weights = dict(Encoder(config, generator=rng).state_dict())
    plain = [name for name, one in weights.items() if one.dim() == 1]
    return weights | {name: weights[name] + 0.2 * torch.randn(weights[name].shape, generator=rng) for name in plain}


def padded_batch(seed: int, lengths: tuple[int, ...] = LENGTHS) -> tuple[Tensor, Tensor]:
    """Ids and mask of texts of these lengths, in an order of the seed. Shape: (B, T) int64, (B, T) bool.

    >>> ids, mask = padded_batch(0)
    >>> ids.shape, f"{mask.float().mean():.2f} of the places are real tokens"
    (torch.Size([26, 64]), '0.30 of the places are real tokens')
    """
    rng = torch.Generator().manual_seed(seed)
    sizes = torch.tensor(lengths)[torch.randperm(len(lengths), generator=rng)]
    mask = torch.arange(max(lengths)) < sizes[:, None]
    ids = torch.randint(5, CONFIG.vocab_size, mask.shape, generator=rng)
    ids[:, 0] = CONFIG.cls_id
    return ids.masked_fill(~mask, CONFIG.pad_id), mask


def padded_vectors(weights: dict[str, Tensor], heads: int, ids: Tensor, mask: Tensor) -> Tensor:
    """The pooled vector of each text, as the padded batch computes it. Shape: (B, T), (B, T) -> (B, D).

    >>> padded_vectors(small_bert(0), HEADS, *padded_batch(0)).shape
    torch.Size([26, 64])
    """
    layers = sum(name.endswith("attention.output.weight") for name in weights)
    rows, width = weights["embeddings.token.weight"].shape
    sizes = dict(vocab_size=rows, hidden=width, layers=layers, heads=heads)
    sizes |= dict(
        intermediate=len(weights["blocks.0.feed_forward.input.bias"]),
        max_len=len(weights["embeddings.position.weight"]),
    )
    hidden = one_page.encode(weights, CONFIG.replace(**sizes), ids, mask)  # (B, T, D)
    return torch.tanh(one_page.linear(hidden[:, 0], weights, "pooler.dense"))
