"""What a trained encoder is used for."""

from minibert.tasks.classification import classify
from minibert.tasks.cloze import fill_blanks
from minibert.tasks.metrics import auc, entities, entity_scores, ndcg, recall, spearman, squad_score
from minibert.tasks.retrieval import Index, max_sim
from minibert.tasks.sentence_embeddings import combine_layers, compare, embed_layers, embed_texts, embed_tokens

__all__ = [
    "Index",
    "auc",
    "classify",
    "combine_layers",
    "compare",
    "embed_layers",
    "embed_texts",
    "embed_tokens",
    "entities",
    "entity_scores",
    "fill_blanks",
    "max_sim",
    "ndcg",
    "recall",
    "spearman",
    "squad_score",
]
