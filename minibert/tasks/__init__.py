"""What a trained encoder is used for."""

from minibert.tasks.classification import classify
from minibert.tasks.cloze import fill_blanks
from minibert.tasks.metrics import entities, entity_scores, ndcg, recall, squad_score
from minibert.tasks.retrieval import Index, max_sim
from minibert.tasks.sentence_embeddings import compare, embed_texts

__all__ = [
    "Index",
    "classify",
    "compare",
    "embed_texts",
    "entities",
    "entity_scores",
    "fill_blanks",
    "max_sim",
    "ndcg",
    "recall",
    "squad_score",
]
