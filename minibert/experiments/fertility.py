"""How many tokens the same messages take in fifteen languages, and code with and without its indentation.

The measures of an arm: `fr` and the other languages, tokens a message (the messages are the same ones in every
language); `fr unknown`, the share of them that is the unknown token; `code` and `code flat`, tokens for each byte of
source files, as they are and with every line moved to the left edge (bytes of the files as they are, both times);
`vocabulary`, the number of entries. The controls: `bytes` is what byte-level BPE without any merge would need,
`characters` and `words` (between white space) need no training. An arm whose data is not in the cache measures nothing
and says so: EuroBERT's needs `data fetch llama3`.

Each seed draws other messages and other files. The files are those of the running Python's standard library.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch

from minibert import corpora
from minibert.experiments.record import Experiment
from minibert.tokenization import ByteLevelBPETokenizer, load_tokenizer

Pieces = Callable[[str], list]  # a text's pieces, ids or strings; only their number counts, and which are unknown


def _without_runs_of_spaces() -> ByteLevelBPETokenizer:
    """ModernBERT's tokenizer less its own tokens for two to twenty-four spaces."""
    file = json.loads(corpora.path("modernbert-tokenizer").read_text(encoding="utf-8"))
    file["added_tokens"] = [token for token in file["added_tokens"] if token["content"].strip(" ")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        path.write_text(json.dumps(file), encoding="utf-8", newline="\n")
        return load_tokenizer(path)


def _eurobert() -> ByteLevelBPETokenizer:
    special = [f"<|special {number}|>" for number in range(256)]  # the names do not matter here, their number does
    return ByteLevelBPETokenizer.from_ranks(corpora.load("llama3-tokens"), special)


_TOKENIZERS = {
    "BERT": lambda: load_tokenizer(corpora.path("minilm")),
    "ModernBERT": lambda: load_tokenizer(corpora.path("modernbert-tokenizer")),
    "ModernBERT, runs of spaces left out": _without_runs_of_spaces,
    "EuroBERT": _eurobert,
}
_CONTROLS: dict[str, Pieces] = {
    "bytes": lambda text: list(text.encode("utf-8")),
    "characters": list,
    "words": str.split,
}


@lru_cache(maxsize=2)
def _tokenizer(arm: str):
    return _TOKENIZERS[arm]()


@lru_cache(maxsize=1)
def parallel_messages() -> list[dict[str, str]]:
    """The messages that exist in all fifteen languages: {language: text} for each, in the order of the source.

    Raises:
        DataUnavailable: the translations are not in the cache.
    """
    found: dict[str, dict[str, str]] = {}
    for row in corpora.load("multilingual"):
        found.setdefault(row.english, {"en": row.english})[row.language] = row.foreign
    return [message for message in found.values() if len(message) == 1 + len(corpora.LANGUAGES)]


@lru_cache(maxsize=1)
def _files() -> list[str]:
    return [document.text for document in corpora.load("code")]


def moved_left(code: str) -> str:
    """Code with every line moved to the left edge.

    >>> moved_left("if a:\\n    b()")
    'if a:\\nb()'
    """
    return "\n".join(line.lstrip(" \t") for line in code.split("\n"))


def draw(rows: list, number: int, seed: int) -> list:
    """`number` of the rows, others for every seed, none twice.

    >>> sorted(draw([1, 2, 3], 3, seed=0))
    [1, 2, 3]
    """
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    return [rows[place] for place in order[:number].tolist()]


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    measures: dict[str, float] = {}
    pieces, unknown = _CONTROLS.get(arm), None
    try:
        if pieces is None:
            tokenizer = _tokenizer(arm)
            pieces, unknown = tokenizer.ids, tokenizer.unk_id
            measures["vocabulary"] = len(tokenizer)
        messages = draw(parallel_messages(), settings["messages"], seed)
    except corpora.DataUnavailable as error:
        print(error, file=sys.stderr)
        return {}
    for language in messages[0]:
        found = [piece for message in messages for piece in pieces(message[language])]
        measures[language] = len(found) / len(messages)
        if arm in _TOKENIZERS:
            measures[f"{language} unknown"] = found.count(unknown) / len(found)
    code = draw(_files(), settings["files"], seed)
    size = sum(len(text.encode("utf-8")) for text in code)
    measures["code"] = sum(len(pieces(text)) for text in code) / size
    measures["code flat"] = sum(len(pieces(moved_left(text))) for text in code) / size
    return measures


FERTILITY = Experiment(
    name="fertility",
    question="How many tokens do the same messages take in fifteen languages, and how many does code?",
    settings={"messages": 400, "files": 60},
    arms=(*_TOKENIZERS, *_CONTROLS),
    measure=_one,
    tiny={"messages": 10, "files": 2},
)
