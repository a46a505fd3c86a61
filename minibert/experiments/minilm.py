"""MiniLM with a new head on the mean of its last states, with segments and without, for experiments on fine-tuning."""

from dataclasses import fields, replace
from functools import cache

import torch
from torch import Tensor, nn

from minibert import corpora
from minibert.config import EncoderConfig
from minibert.model.encoder import Encoder
from minibert.model.task_models import SequenceClassifier
from minibert.tokenization import load_tokenizer

LABELS = corpora.dataset("sentiment").labels  # negative, positive
DROPOUT = tuple(field.name for field in fields(EncoderConfig) if field.name.startswith("dropout_"))


@cache
def tokenizer():
    """MiniLM's, opened once."""
    return load_tokenizer(corpora.path("minilm"))


def with_new_head(kind: type, seed: int, **options):
    """A model of this class with MiniLM's published weights and a head that the seed draws."""
    generator = torch.Generator().manual_seed(seed)
    return kind.from_pretrained(corpora.path("minilm"), new_head=True, generator=generator, **options)


def mean_classifier(labels: int, seed: int) -> SequenceClassifier:
    """MiniLM's published encoder under a head with new weights, which reads the mean of the last states.

    BERT's own head reads [CLS]. MiniLM was published for the mean of its states, and learns from it in fewer steps.
    """
    return _published(labels, seed, pool="mean", nsp=False)


def _published(labels: int, seed: int, **changes) -> SequenceClassifier:
    """MiniLM's encoder, with some fields of its config changed, under a head that the seed draws."""
    published = Encoder.from_pretrained(corpora.path("minilm"))
    model = SequenceClassifier(published.config.replace(**changes), labels, torch.Generator().manual_seed(seed))
    there = model.encoder.state_dict()  # without the pooler, if the head reads the mean
    model.encoder.load_state_dict({name: tensor for name, tensor in published.state_dict().items() if name in there})
    return model


class _FastLinear(nn.Linear):
    """A linear layer whose parameters count `TIMES`: AdamW moves it as it would at `TIMES` the learning rate."""

    TIMES = 100

    def forward(self, x: Tensor) -> Tensor:
        return self.TIMES * super().forward(x)  # (B, C)


def judge(seed: int, with_dropout: bool = False, reads: str = "mean", is_fast: bool = True) -> SequenceClassifier:
    """Chapter 10's judge of two labels: MiniLM, the mean of the last states, one linear layer at 100 times the rate.

    What chapter 10 changes one at a time: dropout, "[CLS]" through the pooler instead of the mean, a head at the rate
    of the encoder.
    """
    changes = {} if with_dropout else dict.fromkeys(DROPOUT, 0.0)
    model = _published(2, seed, **changes, **(dict(pool="mean", nsp=False) if reads == "mean" else {}))
    model.head.head = nn.Identity()
    if is_fast:
        drawn, model.head.classifier = model.head.classifier, _FastLinear(model.config.hidden, 2)
        model.head.classifier.load_state_dict({k: v / _FastLinear.TIMES for k, v in drawn.state_dict().items()})
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
