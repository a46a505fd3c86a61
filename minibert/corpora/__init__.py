"""Real data that is fetched once and checked, the interpreter's own code, and generated text for offline use."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from minibert.corpora import speeches, weights
from minibert.corpora.catalogue import ENTRIES, Entry, entry
from minibert.corpora.download import DataUnavailable, cache_folder, fetch_entry, folder_of, is_whole
from minibert.corpora.stand_ins import STAND_INS
from minibert.corpora.text import Document, split_sentences

_LOADERS: dict[str, Callable] = {"sotu": speeches.speeches, "bert-vocab": weights.bert_vocab}
_PATHS: dict[str, Callable] = {"minilm": weights.minilm, "bert-vocab": weights.bert_vocab_file}


def is_cached(name: str) -> bool:
    """Whether `load(name)` or `path(name)` finds its files without fetching."""
    return is_whole(entry(name))


def _folder(name: str) -> Path:
    found = entry(name)
    if not is_whole(found):
        raise DataUnavailable(
            f"{name!r} is not in the cache ({cache_folder()}); fetch it with: python -m minibert data fetch {found.name}"
        )
    return folder_of(found)


def load(name: str):
    """Rows of a data set."""
    return _LOADERS[name](_folder(name))


def path(name: str) -> Path:
    """A file or folder of the cache."""
    return _PATHS[name](_folder(name))
