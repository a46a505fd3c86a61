"""The text of a pre-training run: a corpus that comes with the project, in memory, or one's own files, in shards."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from minibert.commands.run_folder import text_checksum
from minibert.corpora.own_text import SAMPLE, TextFiles, read_text_file

VALIDATION_SHARE = 0.05  # of the documents, as `PretrainingData` sets aside
Say = Callable[[str], None]


@dataclass(frozen=True)
class Corpus:
    """Documents in memory, each a list of sentences, under a name; and what is validated on, None for a share.

    >>> Corpus("mine", [["One."], ["Two."]]).validation is None
    True
    """

    name: str
    texts: list[list[str]]
    validation: list[list[str]] | None = None

    def checksum(self) -> str:
        """SHA-256 of all its text."""
        return text_checksum(self.texts + (self.validation or []))

    def sample(self) -> Sequence[Sequence[str]]:
        """What a vocabulary is learned from: all of it."""
        return self.texts

    def tokenise(self, folder: Path, tok, pairs: bool) -> None:
        """Nothing: documents in memory are tokenised by each process."""

    def documents(self, folder: Path) -> Sequence[Sequence[str]]:
        """What `PretrainingData` takes."""
        return self.texts


@dataclass(frozen=True)
class FileCorpus:
    """Text files that may be larger than memory: tokenised once into shards, which are read a little at a time.

    >>> FileCorpus("me", TextFiles(__file__)).validation is None
    True
    """

    name: str
    files: TextFiles
    validation = None

    def checksum(self) -> str:
        """SHA-256 of the files' own in their order, whatever their names."""
        sums = "".join(self.files.checksums().values())
        return hashlib.sha256((sums + self.files.text_key).encode("utf-8")).hexdigest()

    def sample(self) -> Iterable[list[str]]:
        """What a vocabulary is learned from: documents from all over the files, at most about `SAMPLE` bytes."""
        return self.files.sample()

    def tokenise(self, folder: Path, tok, pairs: bool) -> None:
        """Write the shards that are not there yet, and check those that are."""
        from minibert.training.shards import write_shards

        write_shards(folder, self.files, tok, pairs=pairs)

    def documents(self, folder: Path):
        """What `PretrainingData` takes."""
        from minibert.training.shards import Shards

        return Shards(folder)


def find_corpus(corpus: str, seed: int, pairs: bool = False, text_key: str = "text") -> Corpus | FileCorpus:
    """The corpus "sotu", "languages" or "synthetic", or one's own files (see `TextFiles`); a pipe is read into memory.

    A passage of "languages" is one text with its lines and spaces, for `pairs` a list of its lines.

    Raises:
        ValueError: no such corpus, or a file without text.
        DataUnavailable: the texts are not in the cache.

    >>> len(find_corpus("synthetic", seed=0).texts) > 100
    True
    """
    from minibert import corpora
    from minibert.corpora.mixture import languages

    if corpus == "synthetic":
        return Corpus(corpus, corpora.synthetic.documents(2000, seed=seed))
    if corpus == "sotu":
        return Corpus(corpus, [document.sentences() for document in corpora.load("sotu", stand_in=False)])
    if corpus == "languages":
        parts = languages(seed)
        return Corpus(corpus, *([list(p.paragraphs) if pairs else [p.text] for p in part] for part in parts))
    if Path(corpus).is_fifo():
        return Corpus(corpus, read_text_file(Path(corpus)))
    if not Path(corpus).exists():
        raise ValueError(f"corpus {corpus!r}: expected sotu, languages, synthetic, or a file or folder of text")
    return FileCorpus(corpus, TextFiles(corpus, text_key, lines=pairs))


def read_corpus(corpus: str, seed: int, pairs: bool, say: Say, text_key: str = "text") -> Corpus | FileCorpus:
    """The corpus; where the texts of a named one are not in the cache, generated text takes their place.

    Raises:
        ValueError: no such corpus, a file without text, or too few documents to train and to validate on.

    >>> read_corpus("synthetic", 0, True, print).name
    synthetic: 2000 documents, 20128 sentences
    'synthetic'
    """
    from minibert import corpora
    from minibert.training.documents import held_out_documents

    try:
        found = find_corpus(corpus, seed, pairs, text_key)
    except corpora.DataUnavailable as error:
        say(f"{error} Until then: generated text in its place.")
        found = find_corpus("synthetic", seed)
    fewest = 2 if pairs else 1
    if isinstance(found, Corpus):
        count = len(found.texts)
        say(f"{found.name}: {count} documents, {sum(map(len, found.texts))} sentences")
    else:
        files = found.files
        say(f"{found.name}: {len(files.files)} file(s), {files.bytes / 1e6:,.1f} MB")
        if files.left_out:
            names = ", ".join(files.left_out[:3]) + ", ..." * (len(files.left_out) > 3)
            say(f"{found.name}: {len(files.left_out)} file(s) of other kinds are left out: {names}")
        # As many as are needed tell whether there are enough.
        count = len(list(islice((document for document, _ in files.documents() if document), 2 * fewest)))
        if count == 0:
            raise ValueError(f"{found.name} holds no text")
        if files.bytes > SAMPLE:
            say(f"a vocabulary is learned from about {SAMPLE / 1e6:.0f} MB of it, documents from all over the files")
    if found.validation is None:
        held_out_documents(count, VALIDATION_SHARE, fewest)  # refuses too few
    return found


def say_what_is_kept(data, say: Say) -> None:
    """Say how much of the text an epoch holds, how much is dropped, and why.

    >>> from minibert.training.data import _tiny
    >>> say_what_is_kept(_tiny(), print)
    data: 3 documents, 5 sentences, 13 tokens to train on; set aside to validate: 1 document(s)
    data: 5 examples an epoch; they keep all 13 tokens
    """
    counts = data.count()
    documents, tokens, kept, examples = (counts[name] for name in ("documents", "pool_tokens", "kept", "examples"))
    sentences = f"{counts['sentences']:,} sentences, " if "sentences" in counts else ""
    say(
        f"data: {documents:,} documents, {sentences}{counts['tokens']:,} tokens to train on; "
        f"set aside to validate: {counts['validation_documents']:,} document(s)"
    )
    if counts["empty_documents"]:
        say(f"data: {counts['empty_documents']:,} document(s) dropped: the tokenizer finds no token in them")
    if data.split_long and counts["longest"] > data.max_len - 3:
        say(f"data: sentences longer than --max-len {data.max_len} are split")
    if counts["unknown"]:
        share, name = counts["unknown"] / counts["tokens"], data.tokenizer.roles["unk"]
        say(f"data: {share:.1%} of the tokens are {name}, unknown words")
    where = "an epoch" if counts["pools"] == 1 else f"in the first of {counts['pools']:,} pools of an epoch"
    if kept == tokens:
        say(f"data: {examples:,} examples {where}; they keep all {tokens:,} tokens")
    else:
        say(
            f"data: {examples:,} examples {where}; they keep {kept:,} tokens ({kept / tokens:.1%}) and drop "
            f"{tokens - kept:,}, where a pair came out longer than --max-len {data.max_len} and was cut"
        )
    if data.pairs and not counts["true_pairs"]:
        say("data: no pair is of true neighbours, for each document has one sentence: an empty line ends a document")
