"""The encoder, piece by piece: norms, embeddings, rotary, attention, feed-forward, block, encoder, heads."""

from minibert.model.encoder import Encoder
from minibert.model.models import (
    MaskedLanguageModel,
    PretrainingModel,
    SequenceClassifier,
    SpanReader,
    TokenClassifier,
)
from minibert.model.outputs import Output

__all__ = [
    "Encoder",
    "MaskedLanguageModel",
    "Output",
    "PretrainingModel",
    "SequenceClassifier",
    "SpanReader",
    "TokenClassifier",
]
