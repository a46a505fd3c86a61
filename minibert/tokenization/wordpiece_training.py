"""Learning a WordPiece vocabulary: the merges of BPE over characters that know whether they begin a word."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from minibert.tokenization.checks import check_corpus, check_texts
from minibert.tokenization.merge_training import as_ids, check_sizes, check_special, count_words, learn_merges
from minibert.tokenization.normalization import BertNormalizer
from minibert.tokenization.pretokenization import bert_words

# Whatever the normaliser does, it never looks across one of these, so text may be cut here and its chunks cached.
CHUNK = re.compile(r"[^ \t\n\r]+")


def learn_pieces(
    texts: Iterable[str], vocab_size: int, lowercase: bool, min_count: int, max_alphabet: int, special: Sequence[str]
) -> list[str]:
    """The tokens of a new vocabulary, in the order of their ids; see `WordPieceTokenizer.train`.

    Raises:
        ValueError: a vocab_size without room for special tokens and alphabet, texts that are no str, or no words.

    Source: merges as in Sennrich et al. 2016; "##" marking as in Devlin et al. 2019.

    >>> learn_pieces(["aba ab"], 6, True, 1, 1000, ["[UNK]"])
    ['[UNK]', 'a', 'b', '##a', '##b', 'ab']
    """
    check_special(special)
    if "[UNK]" not in special:
        raise ValueError('special must hold "[UNK]"; WordPiece needs a token for unknown words')
    normalizer = BertNormalizer(lowercase=lowercase)
    chunks: Counter[str] = Counter()
    for text in check_texts(texts):
        chunks.update(CHUNK.findall(text))
    counter = count_words(chunks, lambda chunk: bert_words(normalizer.normalize(chunk)))
    check_corpus(counter)
    chars: Counter[str] = Counter()
    for word, count in counter.items():
        for char in word:
            chars[char] += count
    alphabet = set(sorted(chars, key=lambda char: (-chars[char], char))[:max_alphabet])
    tokens = [*special, *_symbols(counter, alphabet)]
    check_sizes(vocab_size, len(tokens), min_count, f"{len(special)} special tokens and the alphabet")
    ids = as_ids(tokens)
    words = [[ids[symbol] for symbol in _split(word, alphabet)] for word in counter]
    tokens, _ = learn_merges(words, list(counter.values()), tokens, vocab_size, min_count, prefix="##")
    return tokens


def _symbols(words: Iterable[str], alphabet: Collection[str]) -> list[str]:
    """Every kept character, then every kept character that continues a word as "##c", each sorted."""
    continuing = {symbol for word in words for symbol in _split(word, alphabet) if len(symbol) > 1}
    return sorted(alphabet) + sorted(continuing)


def _split(word: str, alphabet: Collection[str]) -> list[str]:
    kept = [("##" + char) if index else char for index, char in enumerate(word)]
    return [symbol for symbol, char in zip(kept, word, strict=True) if char in alphabet]
