"""What a model costs, counted from its config and not timed: parameters, and operations of a forward pass.

An operation is a multiplication or an addition of two floating-point numbers: a weight of a matrix costs two for each
token. Norms, activations, rotations and softmax are left out: they are a few percent.
"""

from collections.abc import Sequence

import torch

from minibert.config import EncoderConfig
from minibert.model.encoder import Encoder
from minibert.model.models import MaskedLanguageModel


def parameters_by_part(config: EncoderConfig) -> dict[str, int]:
    """How many parameters each part has: embeddings, blocks (with the final norm), BERT's pooler, prediction head.

    A matrix that two parts share (`tie`) counts with the embeddings. Published counts differ in what they include:
    EuroBERT-210m is embeddings and blocks, ModernBERT-base has its head with it, BERT-base its pooler.

    Source: the sizes are those of Devlin et al. 2019 (section 3), Warner et al. 2024 (table 4), Boizard et al. 2025
    (table 3).

    >>> parameters_by_part(EncoderConfig.preset("bert-base"))
    {'embeddings': 23837184, 'blocks': 85054464, 'pooler': 590592, 'head': 622650}
    """
    with torch.device("meta"):  # shapes without numbers
        encoder, model = Encoder(config), MaskedLanguageModel(config)
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in encoder.named_children()}
    bare = sum(sizes.values()) - sizes.get("pooler", 0)
    return {
        "embeddings": sizes["embeddings"],
        "blocks": bare - sizes["embeddings"],
        "pooler": sizes.get("pooler", 0),
        "head": sum(p.numel() for p in model.parameters()) - bare,
    }


def count_parameters(config: EncoderConfig) -> int:
    """How many parameters a masked language model of this config has; a shared matrix counts once.

    Source: see `parameters_by_part`.

    >>> count_parameters(EncoderConfig.preset("modernbert-base"))
    149655232
    """
    parts = parameters_by_part(config)
    return sum(parts.values()) - parts["pooler"]


def matrix_weights(config: EncoderConfig) -> tuple[int, int]:
    """The weights of the matrices that each token is multiplied with in the blocks, and each hidden one in the head.

    Source: Chowdhery et al. 2022 (PaLM), appendix B.

    >>> matrix_weights(EncoderConfig.preset("bert-base"))
    (84934656, 24030720)
    """
    D, F = config.hidden, config.intermediate
    columns = (config.heads + 2 * config.groups) * config.head_size  # of query, key and value together
    layer = D * (columns + D) + (3 if config.mlp == "glu" else 2) * D * F
    transform = {"transform": D * D, "two_layer": 2 * D * (config.mlm_head_size or 0), "linear": 0}[config.mlm_head]
    return config.layers * layer, transform + D * config.vocab_size


def attention_pairs(length: int, window: int | None) -> int:
    """How many pairs of a query and a key that it sees a text has; `window` is W, None for all pairs.

    Source: Chowdhery et al. 2022 (PaLM), appendix B.

    >>> attention_pairs(5, None), attention_pairs(5, 1)
    (25, 13)
    """
    if window is None or length <= window:
        return length * length
    return length * (2 * window + 1) - window * (window + 1)  # the first and the last W tokens see fewer


def attention_flops(config: EncoderConfig, lengths: Sequence[int]) -> int:
    """Operations of all layers' attention scores and mixtures: 4 H K for every pair of a query and a key it may see.

    Source: Chowdhery et al. 2022 (PaLM), appendix B, for counting a multiplication and an addition as two.

    >>> attention_flops(EncoderConfig.preset("bert-nano"), [10])  # 4 layers, 4 heads of 32 channels
    204800
    """
    pairs = 0
    for layer in range(config.layers):
        window = None if config.is_global(layer) else config.half_window
        pairs += sum(attention_pairs(length, window) for length in lengths)
    return 4 * config.hidden * pairs


def model_flops(config: EncoderConfig, lengths: Sequence[int], predicted: int = 0, training: bool = False) -> int:
    """Operations on texts of these lengths, of which `predicted` tokens go through the head; in training thrice that.

    Source: Chowdhery et al. 2022 (PaLM), appendix B.

    >>> model_flops(EncoderConfig.preset("bert-nano"), [10])
    15933440
    """
    blocks, head = matrix_weights(config)
    forward = 2 * sum(lengths) * blocks + 2 * predicted * head + attention_flops(config, lengths)
    return 3 * forward if training else forward


def token_flops(config: EncoderConfig, length: int) -> tuple[float, float]:
    """Operations of the forward pass for each token in the blocks, in texts of `length`, and for each hidden one in the
    head.

    Source: Chowdhery et al. 2022 (PaLM), appendix B.

    >>> blocks, head = token_flops(EncoderConfig.preset("modernbert-base"), 1024)
    >>> round(blocks / 1e6), round(head / 1e6, 1)
    (251, 78.5)
    """
    return model_flops(config, [length]) / length, 2 * matrix_weights(config)[1]
