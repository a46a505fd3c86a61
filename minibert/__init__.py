"""minibert: BERT, ModernBERT and EuroBERT from scratch, to learn from and to trust.

The public names live in the files that teach them; they are imported on first use, so that
`python -m minibert --help` does not wait for torch.

>>> import minibert
>>> minibert.EncoderConfig.preset("bert-nano").family
'bert'
"""

from importlib import import_module

__version__ = "0.1.0"

_WHERE = {
    "EncoderConfig": "minibert.config",
    "Encoder": "minibert.model.encoder",
    "MaskedLanguageModel": "minibert.model.models",
    "PretrainingModel": "minibert.model.models",
    "SequenceClassifier": "minibert.model.task_models",
    "TokenClassifier": "minibert.model.task_models",
    "SpanReader": "minibert.model.task_models",
    "WordPieceTokenizer": "minibert.tokenization.wordpiece",
    "ByteLevelBPETokenizer": "minibert.tokenization.bpe",
    "load_tokenizer": "minibert.tokenization",
    "shipped": "minibert.shipped_models",
    "quantize": "minibert.tasks.quantize",
    "bf16_inside": "minibert.tasks.quantize",
    "corpora": "minibert.corpora",
    "tokenization": "minibert.tokenization",
    "model": "minibert.model",
    "varlen": "minibert.varlen",
    "objectives": "minibert.objectives",
    "training": "minibert.training",
    "checkpoints": "minibert.checkpoints",
    "tasks": "minibert.tasks",
    "viz": "minibert.viz",
}
__all__ = [*_WHERE, "__version__"]


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"module 'minibert' has no attribute {name!r}; public names: {', '.join(_WHERE)}")
    module = import_module(_WHERE[name])
    return module if _WHERE[name] == f"minibert.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
