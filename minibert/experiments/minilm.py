"""MiniLM with a new head on the mean of its last states, with segments and without, for experiments on fine-tuning."""

from dataclasses import replace
from functools import cache

import torch

from minibert import corpora
from minibert.model.encoder import Encoder
from minibert.model.task_models import SequenceClassifier
from minibert.tokenization import load_tokenizer

LABELS = corpora.dataset("sentiment").labels  # negative, positive


@cache
def tokenizer():
    """MiniLM's, opened once."""
    return load_tokenizer(corpora.path("minilm"))


def mean_classifier(labels: int, seed: int) -> SequenceClassifier:
    """MiniLM's published encoder under a head with new weights, which reads the mean of the last states.

    BERT's own head reads [CLS]. MiniLM was published for the mean of its states, and learns from it in fewer steps.
    """
    published = Encoder.from_pretrained(corpora.path("minilm"))
    config = published.config.replace(pool="mean", nsp=False)
    model = SequenceClassifier(config, labels, torch.Generator().manual_seed(seed))
    weights = {name: tensor for name, tensor in published.state_dict().items() if not name.startswith("pooler.")}
    model.encoder.load_state_dict(weights)
    return model


def one_segment(row):
    """The same input, an `Example` or a `Window`, with all tokens in segment 0.

    >>> from minibert.training.fine_tuning import Example
    >>> one_segment(Example((2, 7, 3, 8, 3), (0, 0, 0, 1, 1), label=1)).segment_ids
    (0, 0, 0, 0, 0)
    """
    return replace(row, segment_ids=(0,) * len(row.ids))


def ignore_segments(model) -> None:
    """Give segment 1 the row of segment 0, in place: the model then cannot tell them apart.

    >>> from minibert import EncoderConfig
    >>> model = SequenceClassifier(EncoderConfig.preset("bert-nano"))
    >>> ignore_segments(model)
    >>> model.encoder.embeddings.segment.weight.diff(dim=0).any().item()
    False
    """
    table = model.encoder.embeddings.segment.weight
    with torch.no_grad():
        table[1:] = table[0]
