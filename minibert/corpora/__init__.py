"""Real data that is fetched once and checked, the interpreter's own code, and generated text for offline use.

    python -m minibert data fetch            # or corpora.fetch()
    documents = corpora.load("sotu")         # a list of small frozen rows; never touches the network
    folder = corpora.path("minilm")          # a checkpoint to read in place

`catalogue.py` says what exists, under which licence, with which hash; `datasets.py` which rows are made of it.
"""

from minibert.corpora import synthetic
from minibert.corpora.catalogue import ENTRIES, LANGUAGES, Entry, entry
from minibert.corpora.datasets import DATASETS, DataSet, dataset
from minibert.corpora.describe import catalogue_table, describe
from minibert.corpora.download import DataUnavailable, cache_folder
from minibert.corpora.mixture import Message, Passage, messages, mixture, passages
from minibert.corpora.rows import (
    DocumentedFunction,
    LabelledPair,
    LabelledText,
    RatedText,
    SpanQuestion,
    TaggedTokens,
    Translation,
    YesNoQuestion,
)
from minibert.corpora.sentiment import without_leaks
from minibert.corpora.speeches import Speech
from minibert.corpora.splits import is_held_out
from minibert.corpora.store import fetch, is_cached, load, names, path
from minibert.corpora.text import Document, naive_sentences, sentence_spans, split_sentences

__all__ = [
    "DATASETS",
    "ENTRIES",
    "LANGUAGES",
    "DataSet",
    "DataUnavailable",
    "Document",
    "DocumentedFunction",
    "Entry",
    "LabelledPair",
    "LabelledText",
    "Message",
    "Passage",
    "RatedText",
    "SpanQuestion",
    "Speech",
    "TaggedTokens",
    "Translation",
    "YesNoQuestion",
    "cache_folder",
    "catalogue_table",
    "dataset",
    "describe",
    "entry",
    "fetch",
    "is_cached",
    "is_held_out",
    "load",
    "messages",
    "mixture",
    "naive_sentences",
    "names",
    "passages",
    "path",
    "sentence_spans",
    "split_sentences",
    "synthetic",
    "without_leaks",
]
