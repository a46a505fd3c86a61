"""Vectors for words: one for each word (skip-gram, CBOW, GloVe), and one for each word in its sentence (ELMo)."""

from minibert.word_vectors.glove import Cooccurrence, cooccurrence, glove_loss, glove_weights, train_glove
from minibert.word_vectors.sampling import keep_probabilities, noise_probabilities
from minibert.word_vectors.skipgram import cbow_loss, skipgram_loss, train_word_vectors, windows
from minibert.word_vectors.vectors import Trained, WordVectors
from minibert.word_vectors.words import WordCorpus, count_corpus, split_words

__all__ = [
    "Cooccurrence",
    "Trained",
    "WordCorpus",
    "WordVectors",
    "cbow_loss",
    "cooccurrence",
    "count_corpus",
    "glove_loss",
    "glove_weights",
    "keep_probabilities",
    "noise_probabilities",
    "skipgram_loss",
    "split_words",
    "train_glove",
    "train_word_vectors",
    "windows",
]
