"""Models for tasks with labels: an encoder and a small head, trained together in fine-tuning."""

import torch
from torch import Tensor

from minibert.config import EncoderConfig
from minibert.model.base import EncoderWithHead
from minibert.model.check_input import pick
from minibert.model.encoder import Encoder
from minibert.model.heads import POOLERS, SequenceHead, TokenHead
from minibert.model.outputs import Output


class SequenceClassifier(EncoderWithHead):
    """One label, or one score, per text or pair of texts.

    Shape: logits (B, labels), in the padded and the packed call.

    Source: Devlin et al. 2019, section 4.1.

    >>> SequenceClassifier(EncoderConfig.preset("eurobert-nano"), labels=3)(torch.tensor([[2, 9]])).logits.shape
    torch.Size([1, 3])
    """

    token_wise_logits = False

    def __init__(self, config: EncoderConfig, labels: int = 2, generator: torch.Generator | None = None):
        super().__init__(config)
        self.labels = check_labels(labels)
        self.encoder = Encoder(config, pooler=config.pool in POOLERS, draw=False)
        self.head = SequenceHead(config, labels)
        self._finish(generator)

    def answer(self, output: Output, cu_seqlens: Tensor, predict_at: Tensor | None) -> None:
        if predict_at is not None:
            raise ValueError("predict_at: this model has one answer for each text, not for each token; leave it out")
        output.logits = self.head(output.hidden, output.pooled, cu_seqlens)


class TokenClassifier(EncoderWithHead):
    """One label per token: names, parts of speech.

    Shape: logits (B, T, labels) padded, (N, labels) packed.

    Source: Devlin et al. 2019, section 5.3.

    >>> TokenClassifier(EncoderConfig.preset("bert-nano"), labels=9)(torch.tensor([[2, 9, 3]])).logits.shape
    torch.Size([1, 3, 9])
    """

    def __init__(self, config: EncoderConfig, labels: int = 2, generator: torch.Generator | None = None):
        super().__init__(config)
        self.labels = check_labels(labels)
        self.encoder = Encoder(config, pooler=False, draw=False)
        self.head = TokenHead(config, labels, dropout=config.dropout_classifier)
        self._finish(generator)

    def answer(self, output: Output, cu_seqlens: Tensor, predict_at: Tensor | None) -> None:
        output.logits = self.head(pick(output.hidden, predict_at))


class SpanReader(EncoderWithHead):
    """Answer a question by a span of the text: a start score and an end score for every token.

    Shape: logits (B, T, 2) padded, (N, 2) packed: [..., 0] scores the start, [..., 1] the end (inclusive).

    Source: Devlin et al. 2019, section 4.2.

    >>> SpanReader(EncoderConfig.preset("modernbert-nano"))(torch.tensor([[2, 9, 3]])).logits.shape
    torch.Size([1, 3, 2])
    """

    def __init__(self, config: EncoderConfig, generator: torch.Generator | None = None):
        super().__init__(config)
        self.encoder = Encoder(config, pooler=False, draw=False)
        # BERT reads spans without dropout; ModernBERT keeps its classifier's rate
        self.head = TokenHead(config, 2, dropout=0.0 if config.pool == "bert" else config.dropout_classifier)
        self._finish(generator)

    def answer(self, output: Output, cu_seqlens: Tensor, predict_at: Tensor | None) -> None:
        output.logits = self.head(pick(output.hidden, predict_at))


def check_labels(labels: int) -> int:
    """The number of labels, if it is one.

    >>> check_labels(0)
    Traceback (most recent call last):
    ...
    ValueError: labels=0: expected a whole number of at least 1
    """
    if type(labels) is not int or labels < 1:
        raise ValueError(f"labels={labels!r}: expected a whole number of at least 1")
    return labels
