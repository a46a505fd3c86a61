"""BERT, ModernBERT and EuroBERT on one page: from token ids to the loss, in functions on a dictionary of tensors.

Read this file first. It is the specification: `minibert.model` computes the same numbers from the same weights, faster
and without padding, and a test compares the two. Most functions here have a class of that name there (`block`:
`Block`). Dropout, which acts in training only, is the one thing left out.

`config` is a `minibert.EncoderConfig`, which says what a model is made of:

                    BERT                   ModernBERT                      EuroBERT
    position        a learned table        RoPE                            RoPE
    norm            LayerNorm, after       LayerNorm, before               RMSNorm, before each sub-layer
    feed-forward    GELU                   GELU with a gate (GeGLU)        SiLU with a gate (SwiGLU)
    attention       every layer global     two layers in three local       every layer global; some sizes have G < H

Their relatives are on this page, too, spelled by the same config: DistilBERT, RoBERTa (CamemBERT, XLM-R) and NomicBERT
are BERT's column with a change or two, Ettin and mmBERT are ModernBERT's, UltraBERT and NeoBERT are EuroBERT's (rows of
NeoBERT's weights change places on loading). Left out are the layers that fine-tuning adds for a task.

`weights` maps names to tensors: the `state_dict()` of a `minibert.MaskedLanguageModel` or a `minibert.Encoder`.

Shape letters, the same in every file of this package:

    B texts in a batch     D width of the model      K size of a head                  W tokens that a local layer
    T tokens in a row      H query heads             F width of the feed-forward         sees to each side
    V size of vocabulary   G key/value heads         M tokens that have a label        L layers
    N tokens of all texts end to end, in the files that do without padding
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import gelu, relu, silu


def encode(weights: dict[str, Tensor], config, ids: Tensor, mask: Tensor, segment_ids: Tensor | None = None) -> Tensor:
    """The hidden states after the last layer, one vector for each token, zeros on padding.

    Shape: ids (B, T) int64, mask (B, T) with 1 on real tokens and 0 on padding, segment_ids (B, T) -> (B, T, D).

    >>> import minibert
    >>> model = minibert.MaskedLanguageModel(minibert.EncoderConfig.preset("bert-nano"))
    >>> ids, mask = torch.tensor([[2, 7, 9, 3], [2, 5, 3, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    >>> encode(model.state_dict(), model.config, ids, mask).shape
    torch.Size([2, 4, 128])
    """
    weights, mask = {name.removeprefix("encoder."): tensor for name, tensor in weights.items()}, mask.bool()
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)  # (B, T): 0, 1, 2, ... from the first real token of each row
    x = weights["embeddings.token.weight"][ids]  # (B, T, D): row number `id` of a table (V, D)
    if config.position == "learned":
        x = x + weights["embeddings.position.weight"][positions + config.position_offset]
    if config.segments:  # 0 for the first sentence, 1 for the second
        x = x + weights["embeddings.segment.weight"][torch.zeros_like(ids) if segment_ids is None else segment_ids]
    if config.embed_norm:
        x = norm(x, weights, "embeddings.norm", config)
    for layer in range(config.layers):
        own = f"blocks.{layer}."
        own_weights = {name.removeprefix(own): tensor for name, tensor in weights.items() if name.startswith(own)}
        x = block(x, own_weights, config, layer, mask, positions)
    if config.final_norm:
        x = norm(x, weights, "final_norm", config)
    return x.masked_fill(~mask[:, :, None], 0)


def block(x: Tensor, weights: dict, config, layer: int, mask: Tensor, positions: Tensor) -> Tensor:
    """One layer: attention, then feed-forward; the input of each is added to its output. (B, T, D) -> (B, T, D)."""
    if config.norm_placement == "post":  # BERT: add, then normalize
        x = norm(x + attention(x, weights, config, layer, mask, positions), weights, "attention_norm", config)
        return norm(x + feed_forward(x, weights, config), weights, "feed_forward_norm", config)
    skip = layer == 0 and config.skip_first_attn_norm  # ModernBERT: the embeddings are normalized already
    normed = x if skip else norm(x, weights, "attention_norm", config)  # (B, T, D)
    x = x + attention(normed, weights, config, layer, mask, positions)
    return x + feed_forward(norm(x, weights, "feed_forward_norm", config), weights, config)


def attention(x: Tensor, weights: dict, config, layer: int, mask: Tensor, positions: Tensor) -> Tensor:
    """Each token takes a weighted mean of the values of the tokens that it sees. (B, T, D) -> (B, T, D)."""
    H, G, K = config.heads, config.groups, config.head_size
    projected = linear(x, weights, "attention.query_key_value").unflatten(-1, (H + 2 * G, K))  # (B, T, H + 2 G, K)
    query, key, value = projected.transpose(1, 2).split([H, G, G], dim=1)  # (B, H, T, K), then twice (B, G, T, K)
    theta = config.rope_theta if config.is_global(layer) else config.rope_theta_local
    if theta is not None:
        query, key = rotate(query, positions, theta), rotate(key, positions, theta)
    key, value = (each.repeat_interleave(H // G, dim=1) for each in (key, value))  # (B, H, T, K)
    visible = mask[:, None, None, :]  # (B, 1, 1, T): no token sees padding
    if not config.is_global(layer):
        distance = (positions[:, :, None] - positions[:, None, :]).abs()  # (B, T, T)
        visible = visible & (distance <= config.half_window)[:, None]  # (B, 1, T, T): W tokens to each side
    scores = query @ key.mT / math.sqrt(K)  # (B, H, T, T): row i, column j: how well query i fits key j
    probabilities = scores.masked_fill(~visible, -torch.inf).softmax(dim=-1)  # (B, H, T, T): each row sums to 1
    mixed = (probabilities @ value).transpose(1, 2).flatten(2)  # (B, T, H K): the heads side by side
    return linear(mixed, weights, "attention.output")


def rotate(x: Tensor, positions: Tensor, theta: float) -> Tensor:
    """RoPE: rotate each pair of channels (k, k + K / 2) by position · theta^(-2k / K). (B, H, T, K) -> (B, H, T, K)."""
    K = x.shape[-1]
    frequencies = theta ** (-torch.arange(0, K, 2, dtype=x.dtype, device=x.device) / K)  # (K / 2,)
    angles = positions[:, None, :, None] * frequencies  # (B, 1, T, K / 2)
    first, second = x.chunk(2, dim=-1)  # (B, H, T, K / 2) each
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def feed_forward(x: Tensor, weights: dict, config) -> Tensor:
    """Two linear layers with an activation between them, for each token alone. (B, T, D) -> (B, T, D)."""
    if config.mlp == "glu":
        gate, up = linear(x, weights, "feed_forward.gate_up").chunk(2, dim=-1)  # (B, T, F) each
        inner = activation(gate, config.act) * up  # (B, T, F)
    else:
        inner = activation(linear(x, weights, "feed_forward.input"), config.act)  # (B, T, F)
    return linear(inner, weights, "feed_forward.output")


def activation(x: Tensor, name: str) -> Tensor:
    """The non-linear function of each number: silu(x) = x · sigmoid(x), gelu(x) = x · P(a normal variable < x)."""
    if name in ("silu", "relu"):
        return silu(x) if name == "silu" else relu(x)
    return gelu(x, approximate="tanh" if name == "gelu_tanh" else "none")


def norm(x: Tensor, weights: dict, name: str, config) -> Tensor:
    """Scale the D numbers of each token to a mean square of 1 (RMSNorm), after subtracting their mean (LayerNorm)."""
    if config.norm == "layernorm":
        x = x - x.mean(dim=-1, keepdim=True)
    x = x / torch.sqrt(x.pow(2).mean(dim=-1, keepdim=True) + config.norm_eps) * weights[name + ".weight"]
    return x + weights[name + ".bias"] if name + ".bias" in weights else x


def linear(x: Tensor, weights: dict, name: str) -> Tensor:
    """A matrix, and a bias where the model has one: x (..., in), weight (out, in), bias (out,) -> (..., out)."""
    y = x @ weights[name + ".weight"].mT
    return y + weights[name + ".bias"] if name + ".bias" in weights else y


def masked_token_loss(weights: dict[str, Tensor], config, hidden: Tensor, labels: Tensor) -> Tensor:
    """The loss of pre-training: the mean of -log p(right token) over the tokens that have a label; 0 if none has.

    Shape: hidden (B, T, D), labels (B, T) int64: the right token's id, or -100 where nothing is predicted -> a scalar.

    >>> import minibert
    >>> model = minibert.MaskedLanguageModel(minibert.EncoderConfig.preset("bert-nano").replace(init_std=1e-9))
    >>> loss = masked_token_loss(model.state_dict(), model.config, torch.ones(1, 2, 128), torch.tensor([[7, -100]]))
    >>> round(loss.item(), 2), round(math.log(8000), 2)  # with weights of zero, all 8,000 tokens are equally likely
    (8.99, 8.99)
    """
    weights = {name.removeprefix("encoder."): tensor for name, tensor in weights.items()}
    hidden, labels = hidden[labels != -100], labels[labels != -100]  # (M, D), (M,): the M tokens with a label
    act = config.head_act or config.act
    if config.mlm_head == "transform":  # BERT and ModernBERT
        hidden = norm(activation(linear(hidden, weights, "head.dense"), act), weights, "head.norm", config)
    if config.mlm_head == "two_layer":  # UltraBERT
        for layer in ("head.first", "head.second"):
            hidden = activation(linear(hidden, weights, layer), act)
    if config.tie:  # score each token with its own row of the embedding table
        weights = weights | {"decoder.weight": weights["embeddings.token.weight"]}
    log_probabilities = linear(hidden, weights, "decoder").log_softmax(dim=-1)  # (M, V)
    return -log_probabilities.gather(1, labels[:, None]).sum() / max(len(labels), 1)
