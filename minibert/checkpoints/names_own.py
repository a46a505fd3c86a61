"""The names of a model that belongs to no published family: our own, unchanged."""

from minibert.checkpoints.names import NameTable
from minibert.checkpoints.names_bert import BERT
from minibert.checkpoints.names_eurobert import EUROBERT
from minibert.checkpoints.names_modernbert import MODERNBERT

TABLES = (BERT, MODERNBERT, EUROBERT)
KINDS = ("Encoder", "MaskedLanguageModel", "PretrainingModel", "SequenceClassifier", "TokenClassifier", "SpanReader")

OWN = NameTable(
    prefix="encoder.",
    body={name: name for table in TABLES for name in table.body},
    heads={kind: {name: name for table in TABLES for name in table.heads.get(kind, {})} for kind in KINDS},
    tied={"decoder.weight": "embeddings.token.weight"},
    architectures={kind: kind for kind in KINDS},
)
