"""A vocabulary made larger with pieces of new text: the old pieces keep their ids, the new ones come behind them.

Learning goes on where it ended: the words of the text are cut by the old tokenizer, and the most frequent pairs of its
pieces are joined (merges.py). So every new piece is spelt by old ones, but for letters that WordPiece has never seen.
"""

from collections import Counter
from collections.abc import Iterable

from minibert.tokenization.bpe import ByteLevelBPETokenizer
from minibert.tokenization.merges import check_corpus, check_texts, count_words, learn_merges, merge_by_rank_heap
from minibert.tokenization.pretokenization import CHAR_TO_BYTE, bert_words
from minibert.tokenization.wordpiece import CHUNK, WordPieceTokenizer, greedy_pieces

Own = WordPieceTokenizer | ByteLevelBPETokenizer


def extend(tokenizer: Own, texts: Iterable[str], count: int, min_count: int = 2) -> Own:
    """The tokenizer with `count` more pieces, learned from the texts; fewer where no pair occurs `min_count` times.

    WordPiece first gets the letters that it lacks, the most frequent ones, half of `count` at most.

    Raises:
        ValueError: a tokenizer that the library runs, less than one piece, texts that are no str, or no words.

    >>> old = WordPieceTokenizer.train(["low lower lowest"], vocab_size=20, min_count=1)
    >>> new = extend(old, ["slow slowly slow", "low"], 5, min_count=1)
    >>> [new.id_to_token(i) for i in range(old.vocab_size, new.vocab_size)]
    ['##l', '##y', 'sl', '##ow', 'slow']
    """
    if not isinstance(tokenizer, Own):
        raise ValueError(
            f"a {type(tokenizer).__name__} cannot be extended: expected WordPiece or byte-level BPE; keep its "
            "vocabulary as it is"
        )
    if count < 1:
        raise ValueError(f"{count} new pieces: expected at least 1")
    learn = _more_pieces if isinstance(tokenizer, WordPieceTokenizer) else _more_merges
    data = tokenizer.to_json()
    # An added token stands in the vocabulary, too: else the library would number it after the new pieces.
    added = {token["content"]: token["id"] for token in data["added_tokens"]}
    new, merges = learn(tokenizer, check_texts(texts), count, min_count)
    start = tokenizer.vocab_size
    data["model"]["vocab"] = {**data["model"]["vocab"], **added} | {piece: start + i for i, piece in enumerate(new)}
    if merges:
        data["model"]["merges"] += [list(pair) for pair in merges]
    return type(tokenizer).from_json(data, tokenizer.roles)


def spelling(old: Own, piece: str) -> list[int]:
    """The ids of the old tokenizer that spell a piece which it does not have; none where it lacks a letter.

    >>> old = WordPieceTokenizer({"[UNK]": 0, "s": 1, "##l": 2, "##o": 3, "##lo": 4})
    >>> spelling(old, "slo"), spelling(old, "##oo"), spelling(old, "##y")
    ([1, 4], [3, 3], [])
    """
    if isinstance(old, ByteLevelBPETokenizer):
        byte_ids = [old.token_to_id(char) for char in piece]
        return merge_by_rank_heap(byte_ids, old._ranks) if all(char in CHAR_TO_BYTE for char in piece) else []
    body, goes_on = piece.removeprefix(old.prefix), piece.startswith(old.prefix)
    # A word that begins with a letter of nobody's: what follows it is cut as what goes on.
    vocab = old.vocab | {"\0": -2} if goes_on else old.vocab
    pieces = greedy_pieces("\0" * goes_on + body, vocab, -1, old.prefix, max_chars=len(body) + 1)
    ids = [piece_id for piece_id, _, _ in pieces]
    return [] if -1 in ids else ids[goes_on:]


def _more_pieces(tokenizer: WordPieceTokenizer, texts: Iterable[str], count: int, min_count: int) -> tuple:
    chunks: Counter[str] = Counter()
    for text in texts:
        chunks.update(CHUNK.findall(text))
    words = count_words(chunks, lambda chunk: bert_words(tokenizer._parts.normalizer.normalize(chunk)))
    check_corpus(words)
    vocab, prefix = dict(tokenizer.vocab), tokenizer.prefix
    letters: Counter[str] = Counter()
    for word, times in words.items():
        for index, letter in enumerate(word):
            letters[prefix * (index > 0) + letter] += times
    lacking = [letter for letter in letters if letter not in vocab and letters[letter] >= min_count]
    new = sorted(lacking, key=lambda letter: (-letters[letter], letter))[: (count + 1) // 2]
    tokens = _by_id(tokenizer) + new
    vocab |= {letter: tokenizer.vocab_size + i for i, letter in enumerate(new)}
    cut = {word: [piece[0] for piece in greedy_pieces(word, vocab, -1, prefix)] for word in words}
    known = {word: ids for word, ids in cut.items() if -1 not in ids}
    size = tokenizer.vocab_size + count
    tokens, _ = learn_merges(list(known.values()), [words[w] for w in known], tokens, size, min_count, prefix)
    return tokens[tokenizer.vocab_size :], []


def _more_merges(tokenizer: ByteLevelBPETokenizer, texts: Iterable[str], count: int, min_count: int) -> tuple:
    words: Counter[str] = Counter()
    for text in texts:
        words.update(tokenizer._fast_words(text))
    check_corpus(words)
    tokens, size = _by_id(tokenizer), tokenizer.vocab_size + count
    cut = [list(tokenizer._fast_ids(word)) for word in words]
    tokens, merges = learn_merges(cut, list(words.values()), tokens, size, min_count)
    return tokens[tokenizer.vocab_size :], [(tokens[left], tokens[right]) for left, right in merges]


def _by_id(tokenizer: Own) -> list[str]:
    """The pieces in the order of their ids; an id without one has a text that no merge makes."""
    known = {index: piece for piece, index in tokenizer.vocab.items()}
    return [known.get(index, f"\0{index}") for index in range(tokenizer.vocab_size)]
