"""A corpus larger than memory: tokenised once into files of ids, the shards, and read from there a little at a time.

    shards.json           what the shards are made of: the checksums of the source files and of the tokenizer
    shard-00000.bin       the ids of whole documents, where each sentence ends, and where each document ends
    shard-00000.json      its numbers and checksum, its blocks, and the place in the source where the next one begins

A shard exists when its .json does, which is written last; both are written under another name and moved. So a kill at
any moment leaves whole shards, and writing goes on behind them. A block is a run of whole documents within a shard: an
epoch takes all blocks in a random order, a pool of `POOL` of them at a time. Blocks are read by their offset rather
than through a memory map, whose pages would count as memory of this process.
"""

import hashlib
import json
import random
import sys
from array import array
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from minibert.corpora.own_text import TextFiles
from minibert.files import read_text, replacing, sha256, write_text
from minibert.training.documents import held_out_documents, split_document, tokenise

SHARD = 1 << 22  # tokens
BLOCK = 1 << 15  # tokens
POOL = 32  # blocks: about a million tokens, from all over the corpus
HELD_OUT = 1 << 17  # tokens to validate with at most: a third of them masked tell the loss to a percent
FACTS, FORMAT = "shards.json", 1


def tokenizer_checksum(tokenizer) -> str:
    """The SHA-256 of all that decides a tokenizer's ids.

    >>> from minibert.tokenization import WordPieceTokenizer
    >>> one, other = WordPieceTokenizer({"[UNK]": 0, "a": 1}), WordPieceTokenizer({"[UNK]": 0, "b": 1})
    >>> tokenizer_checksum(one) == tokenizer_checksum(other)
    False
    """
    return hashlib.sha256(json.dumps(tokenizer.to_json(), sort_keys=True).encode("utf-8")).hexdigest()


def write_shards(
    folder: Path,
    texts: TextFiles,
    tokenizer,
    *,
    pairs: bool,
    shard: int = SHARD,
    block: int = BLOCK,
    progress: bool = True,
) -> "Shards":
    """Tokenise what `folder` does not hold yet of the texts, check what it holds, and open it.

    With `pairs` the sentences of a document stay apart. `shard` and `block` are in tokens; each ends with the document
    that fills it. `progress` shows a bar on stderr.

    Raises:
        ValueError: the folder holds shards of other texts, another tokenizer or other settings; a damaged shard; or
            what `TextFiles.documents` refuses. The message says what to do.

    >>> import tempfile
    >>> from minibert.training.data import _tiny
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.txt").write_text("abc\\nde\\n\\nfgh", encoding="utf-8")
    ...     texts, tokenizer = TextFiles(Path(folder) / "a.txt"), _tiny().tokenizer
    ...     shards = write_shards(Path(folder) / "shards", texts, tokenizer, pairs=True, progress=False)
    ...     shards.total("documents"), shards.total("tokens"), shards.read(0)
    (2, 8, [[[97, 98, 99], [100, 101]], [[102, 103, 104]]])
    """
    facts = {
        "format": FORMAT,
        "files": texts.checksums(),
        "text_key": texts.text_key,
        "tokenizer": tokenizer_checksum(tokenizer),
        "dtype": "uint16" if tokenizer.vocab_size <= 1 << 16 else "uint32",
        "pairs": pairs,
        "shard": shard,
        "block": block,
    }
    _claim(folder, facts)
    place, number, documents = [0, 0], 0, None
    bar = tqdm(total=texts.bytes, unit="B", unit_scale=True, file=sys.stderr, disable=not progress, desc="tokenising")
    with bar:
        while True:
            seal = read_seal(folder, number)
            if seal is None:
                documents = documents or texts.documents(tuple(place))
                seal = _write_shard(folder, number, place, documents, tokenizer, facts, bar)
            else:
                documents = None
                _check_bytes(folder, number, seal)
                if seal["start"] != place:
                    raise ValueError(_broken(folder, number, f"it begins at {seal['start']}, expected {place}"))
                bar.update(seal["bytes_read"] - bar.n)
            place, number = seal["next"], number + 1
            if seal["is_last"]:
                return Shards(folder)


def _claim(folder: Path, facts: dict) -> None:
    """Make a new folder one of these facts, or find that it is."""
    if not (folder / FACTS).is_file():
        if folder.exists() and (not folder.is_dir() or any(file.suffix != ".tmp" for file in folder.iterdir())):
            raise ValueError(f"{folder} is not empty and holds no shards of ours; choose another --shards")
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / FACTS, json.dumps(facts, indent=1) + "\n")
        return
    there = _read_facts(folder)
    differing = [name for name in sorted(there.keys() | facts.keys()) if there.get(name) != facts.get(name)]
    # A text is the same under another name: the contents count, in their order.
    if "files" in differing and list(there["files"].values()) == list(facts["files"].values()):
        differing.remove("files")
    if differing:
        told = {"files": _changed_files(there["files"], facts["files"]), "tokenizer": "the tokenizer is another one"}
        what = [told.get(n, f"{n} was {there.get(n)!r} and is now {facts.get(n)!r}") for n in differing]
        raise ValueError(
            f"the shards in {folder} are of something else: {'; '.join(what)}. Put back what they were made of, or "
            "choose another --shards, or delete the folder to tokenise again"
        )


def _changed_files(there: dict, now: dict) -> str:
    what = {
        "changed": [name for name in now if name in there and now[name] != there[name]],
        "new": [name for name in now if name not in there],
        "gone": [name for name in there if name not in now],
    }
    told = [f"{kind}: {', '.join(names[:3])}{', ...' * (len(names) > 3)}" for kind, names in what.items() if names]
    return f"the text of the corpus is another ({'; '.join(told) or 'the order of its files'})"


def _read_facts(folder: Path) -> dict:
    file = folder / FACTS
    if not file.is_file():
        raise ValueError(f"{folder} holds no {FACTS}: it is no folder of shards")
    try:
        facts = json.loads(read_text(file))
        _ = facts["files"].values(), facts["tokenizer"], facts["pairs"], np.dtype(facts["dtype"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} is damaged ({error}): delete {folder}, and the text is tokenised again") from None
    return facts


def _write_shard(folder: Path, number: int, start: list[int], documents, tokenizer, facts: dict, bar: tqdm) -> dict:
    """Tokenise documents until the shard is full or there are no more; return its seal."""
    ids = array("H" if facts["dtype"] == "uint16" else "I")
    sentence_ends, document_ends = array("I"), array("I")
    blocks: list[list[int]] = []  # where each begins: its document, sentence and token
    seal = dict(start=start, next=start, is_last=True, bytes_read=0, empty=0, unknown=0, longest=0)
    unknown = getattr(tokenizer, "unk_id", None)
    for document, place in documents:
        seal |= dict(next=[place.file, place.document], bytes_read=place.bytes)
        tokens = tokenise(document, tokenizer, facts["pairs"])
        if not tokens:
            seal["empty"] += 1
            continue
        if not blocks or len(ids) - blocks[-1][2] >= facts["block"]:
            blocks.append([len(document_ends), len(sentence_ends), len(ids)])
        for sentence in tokens if facts["pairs"] else [tokens]:
            ids.extend(sentence)
            sentence_ends.append(len(ids))
            seal["unknown"] += sentence.count(unknown)
            seal["longest"] = max(seal["longest"], len(sentence) if facts["pairs"] else 0)
        document_ends.append(len(sentence_ends))
        bar.update(place.bytes - bar.n)
        if len(ids) >= facts["shard"]:
            seal["is_last"] = False
            break
    counts = dict(tokens=len(ids), pieces=len(sentence_ends), documents=len(document_ends), blocks=blocks)
    with replacing(_bin(folder, number)) as staged:
        with staged.open("wb") as file:
            for part in (ids, sentence_ends, document_ends):
                part.tofile(file)
        seal |= counts | dict(bin_sha256=sha256(staged))
    body = json.dumps(seal)
    seal_text = json.dumps({"sha256": hashlib.sha256(body.encode("utf-8")).hexdigest(), "seal": seal})
    write_text(_json(folder, number), seal_text + "\n")
    return seal


def read_seal(folder: Path, number: int) -> dict | None:
    """What is written beside a shard, None where there is no such shard yet.

    Raises:
        ValueError: it is damaged.

    >>> read_seal(Path("nowhere"), 0) is None
    True
    """
    file = _json(folder, number)
    if not file.is_file():
        return None
    try:
        found = json.loads(read_text(file))
        seal = found["seal"]
        if hashlib.sha256(json.dumps(seal).encode("utf-8")).hexdigest() != found["sha256"]:
            raise ValueError("other numbers than it was written with")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(_broken(folder, number, error)) from None
    return seal


def _check_bytes(folder: Path, number: int, seal: dict) -> None:
    file = _bin(folder, number)
    if not file.is_file():
        raise ValueError(_broken(folder, number, f"{file.name} is missing"))
    if sha256(file) != seal["bin_sha256"]:
        raise ValueError(_broken(folder, number, f"{file.name} has another checksum than it was written with"))


def _broken(folder: Path, number: int, what) -> str:
    return (
        f"{_json(folder, number)}: this shard is damaged ({what}): delete this file, and the same command makes the "
        "shard again from the same text"
    )


def _bin(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}.bin"


def _json(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}.json"


class Shards:
    """The finished shards of a folder, to read blocks from; only their numbers are in memory. See `write_shards`.

    Raises:
        ValueError: no shards, not all of them, or a damaged .json; the .bin files are checked by `write_shards`.

    >>> Shards("nowhere")
    Traceback (most recent call last):
    ...
    ValueError: nowhere holds no shards.json: it is no folder of shards
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.facts = _read_facts(self.folder)
        self.seals: list[dict] = []
        while not self.seals or not self.seals[-1]["is_last"]:
            seal = read_seal(self.folder, len(self.seals))
            if seal is None:
                raise ValueError(
                    f"{self.folder} has {len(self.seals)} shards and lacks more: start what writes them again"
                )
            self.seals.append(seal)
        rows = []  # of each block: its shard; its first document, sentence and token; those behind its last ones
        for number, seal in enumerate(self.seals):
            ends = [*seal.pop("blocks"), [seal[name] for name in ("documents", "pieces", "tokens")]]
            rows += [[number, *begin, *end] for begin, end in pairwise(ends)]
        self.blocks = np.array(rows, dtype=np.int64).reshape(-1, 7)

    def total(self, name: str) -> int:
        """The sum of a number over all shards: "documents", "pieces", "tokens", "empty" or "unknown"."""
        return sum(seal[name] for seal in self.seals)

    def read(self, block: int, wanted: Callable[[int], bool] = lambda number: True) -> list:
        """The documents of a block whose number in it is `wanted`: with `pairs` lists of sentences of ids, else of ids.

        Raises:
            ValueError: the file has become shorter.
        """
        shard, document, sentence, token, last_document, last_sentence, last_token = self.blocks[block].tolist()
        seal, dtype = self.seals[shard], np.dtype(self.facts["dtype"])
        sentence_ends = seal["tokens"] * dtype.itemsize
        document_ends = sentence_ends + 4 * seal["pieces"]
        parts = [
            np.fromfile(_bin(self.folder, shard), kind, stop - start, offset=offset + start * np.dtype(kind).itemsize)
            for kind, offset, start, stop in (
                (dtype, 0, token, last_token),
                (np.uint32, sentence_ends, sentence, last_sentence),
                (np.uint32, document_ends, document, last_document),
            )
        ]
        if len(parts[2]) < last_document - document:
            raise ValueError(_broken(self.folder, shard, "the file is too short"))
        spans = list(pairwise([0, *(parts[1] - token).tolist()]))  # of the sentences
        documents = [spans[start:stop] for start, stop in pairwise([0, *(parts[2] - sentence).tolist()])]
        read = [[parts[0][a:b].tolist() for a, b in spans] for i, spans in enumerate(documents) if wanted(i)]
        return read if self.facts["pairs"] else [ids for [ids] in read]

    def documents(self, *, pairs: bool, split_at: int | None, seed: int, validation_share: float) -> "ShardedDocuments":
        """The documents, as `PretrainingData` asks for them; sentences too long for `split_at` tokens are split.

        Raises:
            ValueError: sentences are wanted and the shards have none, or the other way round; too few documents.
        """
        if pairs != self.facts["pairs"]:
            kinds = ("documents without sentences", "sentences")
            raise ValueError(
                f"the shards in {self.folder} hold {kinds[self.facts['pairs']]}, and this model is trained on "
                f"{kinds[pairs]}: choose another --shards"
            )
        return ShardedDocuments(self, split_at, seed, validation_share)


class ShardedDocuments:
    """Shards as `TokenisedDocuments`: pools of random blocks, without the documents that are set aside to validate.

    The same documents are set aside for the same seed: their share, but `HELD_OUT` tokens at most.

    >>> ShardedDocuments.order
    ', pools of 32 blocks'
    """

    order = f", pools of {POOL} blocks"

    def __init__(self, shards: Shards, split_at: int | None, seed: int, validation_share: float):
        self.shards, self.split_at, self.seed = shards, split_at, seed
        self.split_long = split_at is not None
        pairs, count, tokens = shards.facts["pairs"], shards.total("documents"), shards.total("tokens")
        fewest = 2 if pairs else 1
        held_out = held_out_documents(count, validation_share, fewest)
        held_out = min(held_out, max(fewest, HELD_OUT * count // max(tokens, 1)))
        self.pools = max(1, len(shards.blocks) // POOL)
        self._held_out: dict[int, set[int]] = {}  # block -> its documents that are set aside
        first = np.concatenate([[0], (shards.blocks[:, 4] - shards.blocks[:, 1]).cumsum()])  # document of each block
        for document in random.Random(f"{seed} split").sample(range(count), held_out):
            block = int(np.searchsorted(first, document, side="right")) - 1
            self._held_out.setdefault(block, set()).add(document - int(first[block]))
        apart: list = []
        for block, numbers in sorted(self._held_out.items()):
            apart += shards.read(block, numbers.__contains__)
        sentences = [sentence for document in apart for sentence in (document if pairs else [document])]
        self.validation_documents = self._split(apart)
        self.counts = {
            "documents": count - held_out,
            "validation_documents": held_out,
            "empty_documents": shards.total("empty"),
            "longest": max(seal["longest"] for seal in shards.seals),
            "tokens": tokens - sum(map(len, sentences)),
            "unknown": shards.total("unknown"),
        }
        if pairs:
            self.counts["sentences"] = shards.total("pieces") - len(sentences)

    def pool(self, epoch: int, number: int) -> list:
        """The documents to train on of one pool; each epoch has the blocks in another order."""
        order = list(range(len(self.shards.blocks)))
        random.Random(f"{self.seed} blocks of epoch {epoch}").shuffle(order)
        start, stop = (len(order) * place // self.pools for place in (number, number + 1))
        documents = []
        for block in order[start:stop]:
            apart = self._held_out.get(block, ())
            documents += self.shards.read(block, lambda number, apart=apart: number not in apart)
        return self._split(documents)

    def fingerprint(self) -> str:
        """A checksum of all ids, from those of the shards."""
        sums = "".join(seal["bin_sha256"] for seal in self.shards.seals)
        return hashlib.sha256(sums.encode("utf-8")).hexdigest()

    def _split(self, documents: list) -> list:
        if self.split_at is None:
            return documents
        return [split_document(document, self.split_at) for document in documents]
