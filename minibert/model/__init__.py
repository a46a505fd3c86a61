"""The encoder, piece by piece: norms, embeddings, rotary, attention, feed-forward, block, encoder, heads."""

from minibert.model.encoder import Encoder
from minibert.model.models import MaskedLanguageModel, PretrainingModel
from minibert.model.outputs import Output
from minibert.model.task_models import SequenceClassifier, SpanReader, TokenClassifier

__all__ = [
    "Encoder",
    "MaskedLanguageModel",
    "Output",
    "PretrainingModel",
    "SequenceClassifier",
    "SpanReader",
    "TokenClassifier",
]
