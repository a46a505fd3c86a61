"""Heads: the last few weights that turn hidden states into an answer."""

import torch
from torch import Tensor, nn

from minibert.config import EncoderConfig
from minibert.model.feed_forward import activation
from minibert.model.linear import Linear
from minibert.model.norms import make_norm


class PredictionHead(nn.Module):
    """Dense layer, activation, norm: what BERT, its relatives and ModernBERT put before the vocabulary.

    Shape: (N, D) -> (N, D).

    Source: Devlin et al. 2019 (released code, "transform"); Warner et al. 2024.

    >>> PredictionHead(EncoderConfig.preset("bert-nano"))(torch.zeros(3, 128)).shape
    torch.Size([3, 128])
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.dense = Linear(config.hidden, config.hidden, bias=config.head_bias)
        self.activation = activation(config.head_act or config.act)
        self.norm = make_norm(config)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.norm(self.activation(self.dense(hidden)))


class TwoLayerHead(nn.Module):
    """Two dense layers without bias, an activation after each: what UltraBERT puts before the vocabulary.

    Shape: (N, D) -> (N, D), `mlm_head_size` wide in between.

    Source: the released code.

    >>> config = EncoderConfig.preset("eurobert-nano").replace(mlm_head="two_layer", mlm_head_size=64)
    >>> TwoLayerHead(config)(torch.zeros(3, 128)).shape
    torch.Size([3, 128])
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.first = Linear(config.hidden, config.mlm_head_size, bias=config.head_bias)
        self.second = Linear(config.mlm_head_size, config.hidden, bias=config.head_bias)
        self.activation = activation(config.head_act or config.act)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.activation(self.second(self.activation(self.first(hidden))))


def make_prediction_head(config: EncoderConfig) -> nn.Module:
    """What stands before the vocabulary; nothing for EuroBERT.

    >>> make_prediction_head(EncoderConfig.preset("eurobert-nano"))
    Identity()
    """
    return {"transform": PredictionHead, "two_layer": TwoLayerHead, "linear": lambda _: nn.Identity()}[config.mlm_head](
        config
    )


class DenseGelu(nn.Module):
    """Dense layer with bias, then GELU: what EuroBERT puts before its classifier.

    Shape: (N, D) -> (N, D).

    Source: Boizard et al. 2025 (released code).

    >>> DenseGelu(EncoderConfig.preset("eurobert-nano"))(torch.zeros(3, 128)).shape
    torch.Size([3, 128])
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden, config.hidden)

    def forward(self, hidden: Tensor) -> Tensor:
        return nn.functional.gelu(self.dense(hidden))


def first_token(hidden: Tensor, cu_seqlens: Tensor) -> Tensor:
    """The first token of each text: (N, D), (B + 1,) -> (B, D).

    >>> first_token(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([0, 2, 3])).tolist()
    [[1.0], [3.0]]
    """
    return hidden[cu_seqlens[:-1].to(hidden.device).long()]


def mean_token(hidden: Tensor, cu_seqlens: Tensor) -> Tensor:
    """The mean over each text's own tokens, padding never among them: (N, D), (B + 1,) -> (B, D).

    >>> mean_token(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([0, 2, 3])).tolist()
    [[1.5], [3.0]]
    """
    lengths = cu_seqlens.to(hidden.device).long().diff()
    document = torch.arange(len(lengths), device=hidden.device).repeat_interleave(lengths)  # (N,)
    sums = hidden.new_zeros(len(lengths), hidden.shape[1]).index_add(0, document, hidden)
    return sums / lengths[:, None]


POOLERS = {"bert": torch.tanh, "tanh": torch.tanh, "relu": torch.relu}  # values of `pool` with a pooler: its activation


class Pooler(nn.Module):
    """BERT's summary of a text: tanh (DistilBERT: ReLU) of a dense layer over its first token, [CLS].

    Shape: hidden (N, D), cu_seqlens (B + 1,) -> (B, D).

    Source: Devlin et al. 2019, section 3.1, task 2.

    >>> pooler = Pooler(EncoderConfig.preset("bert-nano"))
    >>> pooler(torch.zeros(5, 128), torch.tensor([0, 2, 5])).shape
    torch.Size([2, 128])
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden, config.hidden)
        self.activation = POOLERS[config.pool]

    def forward(self, hidden: Tensor, cu_seqlens: Tensor) -> Tensor:
        return self.activation(self.dense(first_token(hidden, cu_seqlens)))


class SequenceHead(nn.Module):
    """One prediction per text, pooled the way the config says.

    "bert", "tanh" and "relu": classifier(dropout(pooler output)). "cls" and "mean": pool, then head, dropout and
    classifier. "late" (EuroBERT): head and classifier on every token, then the mean of their logits.

    Shape: hidden (N, D), pooled (B, D) or None, cu_seqlens (B + 1,) -> logits (B, labels).

    Source: Devlin et al. 2019, section 4.1; Warner et al. 2024; Boizard et al. 2025 (released code).

    >>> head = SequenceHead(EncoderConfig.preset("eurobert-nano"), labels=3)
    >>> head(torch.zeros(5, 128), None, torch.tensor([0, 2, 5])).shape
    torch.Size([2, 3])
    """

    def __init__(self, config: EncoderConfig, labels: int):
        super().__init__()
        self.pool = config.pool
        self.head = make_classification_head(config)
        self.dropout = nn.Dropout(config.dropout_classifier)
        self.classifier = nn.Linear(config.hidden, labels)

    def forward(self, hidden: Tensor, pooled: Tensor | None, cu_seqlens: Tensor) -> Tensor:
        if self.pool == "late":
            return mean_token(self.classifier(self.dropout(self.head(hidden))), cu_seqlens)
        if self.pool not in POOLERS:
            pooled = (first_token if self.pool == "cls" else mean_token)(hidden, cu_seqlens)
        return self.classifier(self.dropout(self.head(pooled)))


def make_classification_head(config: EncoderConfig) -> nn.Module:
    """What stands between the pooled vector and the classifier: nothing for BERT, whose pooler did it already.

    Nothing for UltraBERT either, whose head is for the vocabulary only.

    >>> make_classification_head(EncoderConfig.preset("bert-nano"))
    Identity()
    """
    if config.pool in POOLERS or config.mlm_head == "two_layer":
        return nn.Identity()
    return PredictionHead(config) if config.mlm_head == "transform" else DenseGelu(config)


class TokenHead(nn.Module):
    """One prediction per token: head (ModernBERT only), dropout, classifier.

    Shape: (N, D) -> (N, labels).

    Source: Devlin et al. 2019, section 5.3; Warner et al. 2024 (released code).

    >>> TokenHead(EncoderConfig.preset("modernbert-nano"), labels=5, dropout=0.0)(torch.zeros(3, 128)).shape
    torch.Size([3, 5])
    """

    def __init__(self, config: EncoderConfig, labels: int, dropout: float):
        super().__init__()
        has_head = config.pool not in POOLERS and config.mlm_head == "transform"
        self.head = PredictionHead(config) if has_head else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(config.hidden, labels)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.classifier(self.dropout(self.head(hidden)))
