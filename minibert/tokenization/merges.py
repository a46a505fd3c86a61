"""Learning merges: join the most frequent pair of neighbouring symbols, again and again.

Both tokenizers of this package are trained by this one loop (so are the library's). `learn_merges_by_recounting` is
the rule as one reads it: it counts all pairs anew for every merge. `learn_merges` gives the same merges and is what
runs. It is fast because a merge changes only the words that hold the pair: counts are corrected there, never
recounted. The most frequent pair comes from a heap whose entries may be out of date ("lazy invalidation"): an entry
with an old count goes back with the new one.

Ties, the only freedom the rule leaves: of two pairs with equal counts the one with the smaller pair of ids is
merged first, (3, 9) before (4, 1). Ids are given in the order special tokens, alphabet sorted by code point,
merges as they are made. This is the library's rule, so byte-level merges come out identical to the library's. Its
WordPiece trainer numbers the "##" characters in the order of a randomly seeded hash table and so breaks their ties
differently from run to run; ours sorts them too.

Applying merges to a word stands below: as one reads the rule (`merge_by_rank`), and once more for long words.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import pairwise

from minibert.tokenization.normalization import check_text, kind_of

Pair = tuple[int, int]
Ranks = Mapping[tuple[int, int], tuple[int, int]]  # pair of ids -> (rank, id of the joined token)
_NEVER = (1 << 60, -1)


def learn_merges_by_recounting(
    words: Sequence[list[int]],
    counts: Sequence[int],
    tokens: Sequence[str],
    vocab_size: int,
    min_count: int = 1,
    prefix: str = "",
) -> tuple[list[str], list[Pair]]:
    """The specification of `learn_merges`, with the same arguments: all pairs are counted anew for every merge.

    Source: Sennrich et al. 2016, algorithm 1.

    >>> learn_merges_by_recounting([[0, 1, 0, 1], [0, 1]], [3, 2], ["a", "b"], vocab_size=4)
    (['a', 'b', 'ab', 'abab'], [(0, 1), (2, 2)])
    """
    tokens, merges = list(tokens), []
    while len(tokens) < vocab_size:
        pair_counts: Counter[Pair] = Counter()
        for word, count in zip(words, counts, strict=True):
            for pair in pairwise(word):
                pair_counts[pair] += count
        best = min(pair_counts, key=lambda pair: (-pair_counts[pair], pair), default=None)
        if best is None or pair_counts[best] < min_count:
            break
        left, right = best
        joined = tokens[left] + tokens[right].removeprefix(prefix)
        if joined not in tokens:  # it may have been made from two other parts before
            tokens.append(joined)
        merges.append(best)
        words = [merge_by_rank(word, {best: (0, tokens.index(joined))}) for word in words]
    return tokens, merges


def learn_merges(
    words: Sequence[list[int]],
    counts: Sequence[int],
    tokens: Sequence[str],
    vocab_size: int,
    min_count: int = 1,
    prefix: str = "",
) -> tuple[list[str], list[Pair]]:
    """Merge until there are `vocab_size` tokens or no pair occurs `min_count` times.

    words: each distinct word as symbol ids; counts: how often it occurs; tokens: the strings of the ids so far;
    prefix: what a continuing piece starts with ("##"), dropped from the second half of a merge.
    Returns all tokens, and the pairs in the order in which they were merged.

    Source: Sennrich et al. 2016, algorithm 1 (with incremental counts as in its released code).

    >>> learn_merges([[0, 1, 0, 1], [0, 1]], [3, 2], ["a", "b"], vocab_size=4)
    (['a', 'b', 'ab', 'abab'], [(0, 1), (2, 2)])
    """
    words = [list(word) for word in words]
    tokens = list(tokens)
    ids = {token: index for index, token in enumerate(tokens)}
    pair_counts: dict[Pair, int] = defaultdict(int)
    where: dict[Pair, list[int]] = defaultdict(list)
    for index, word in enumerate(words):
        for pair in pairwise(word):
            pair_counts[pair] += counts[index]
            _note(where[pair], index)
    serial = 0  # keeps the heap from comparing lists
    heap: list[tuple[int, Pair, int, list[int]]] = []
    for pair, places in where.items():
        heap.append((-pair_counts[pair], pair, serial, places))
        serial += 1
    heapq.heapify(heap)
    merges: list[Pair] = []
    while len(tokens) < vocab_size and heap:
        count, pair, entry, places = heapq.heappop(heap)
        if pair_counts[pair] != -count:
            heapq.heappush(heap, (-pair_counts[pair], pair, entry, places))
            continue
        if -count < max(min_count, 1):
            break
        left, right = pair
        joined = tokens[left] + (tokens[right].removeprefix(prefix) if prefix else tokens[right])
        new = ids.setdefault(joined, len(tokens))
        if new == len(tokens):
            tokens.append(joined)
        merges.append(pair)
        fresh: dict[Pair, list[int]] = {}
        for index in places:
            _merge_word(words[index], left, right, new, counts[index], index, pair_counts, fresh)
        for made, where_made in fresh.items():
            if pair_counts[made] > 0:
                heapq.heappush(heap, (-pair_counts[made], made, serial, where_made))
                serial += 1
    return tokens, merges


def _note(places: list[int], index: int) -> None:
    if not places or places[-1] != index:
        places.append(index)


def _merge_word(
    word: list[int],
    left: int,
    right: int,
    new: int,
    count: int,
    index: int,
    pair_counts: dict[Pair, int],
    fresh: dict[Pair, list[int]],
) -> None:
    """Replace (left, right) by `new` in one word, from left to right, and correct the counts of the neighbours.

    In "aaa" with (a, a): the first two are joined, the third stays; pairs never overlap.
    """
    at = 0
    while True:
        try:
            at = word.index(left, at)
        except ValueError:
            return
        if at + 1 < len(word) and word[at + 1] == right:
            word[at : at + 2] = [new]
            if at > 0:
                before = word[at - 1]
                pair_counts[before, left] -= count
                pair_counts[before, new] += count
                _note(fresh.setdefault((before, new), []), index)
            if at + 1 < len(word):
                after = word[at + 1]
                pair_counts[right, after] -= count
                pair_counts[new, after] += count
                _note(fresh.setdefault((new, after), []), index)
        at += 1


def merge_by_rank(symbols: Sequence[int], ranks: Ranks) -> list[int]:
    """Join pairs until none is left, each time the pair that was learnt EARLIEST, the leftmost of equals.

    Source: Sennrich et al. 2016, section 3.2.

    >>> merge_by_rank([0, 0, 0], {(0, 0): (0, 1)})
    [1, 0]
    """
    symbols = list(symbols)
    while len(symbols) > 1:
        best, at = min((ranks.get(pair, _NEVER)[0], i) for i, pair in enumerate(pairwise(symbols)))
        if best == _NEVER[0]:
            break
        symbols[at : at + 2] = [ranks[symbols[at], symbols[at + 1]][1]]
    return symbols


def merge_by_rank_heap(symbols: Sequence[int], ranks: Ranks) -> list[int]:
    """`merge_by_rank` for long words: a heap of candidate pairs, n log n steps where the plain loop takes n * n.

    Without it one line of Chinese, or one long run of spaces, takes seconds.

    Source: the rule is that of Sennrich et al. 2016, section 3.2.

    >>> merge_by_rank_heap([0, 0, 0], {(0, 0): (0, 1)})
    [1, 0]
    """
    symbols = list(symbols)
    after = list(range(1, len(symbols) + 1))
    before = list(range(-1, len(symbols) - 1))
    heap = []
    for at, pair in enumerate(pairwise(symbols)):
        if pair in ranks:
            heap.append((ranks[pair][0], at, pair))
    heapq.heapify(heap)
    while heap:
        _, at, pair = heapq.heappop(heap)
        right = after[at]
        if right >= len(symbols) or (symbols[at], symbols[right]) != pair:
            continue  # one of the two was joined elsewhere in the meantime
        symbols[at] = ranks[pair][1]
        symbols[right] = -1
        after[at] = after[right]
        if after[at] < len(symbols):
            before[after[at]] = at
        for left in (before[at], at):
            if left >= 0 and after[left] < len(symbols):
                pair = symbols[left], symbols[after[left]]
                if pair in ranks:
                    heapq.heappush(heap, (ranks[pair][0], left, pair))
    return [symbol for symbol in symbols if symbol >= 0]


def count_words(counter: Counter[str], words_of: Callable[[str], Iterable[str]]) -> Counter[str]:
    """Counts of the words in counted chunks: `words_of(chunk)` lists a chunk's words.

    >>> count_words(Counter({"a b": 2, "a": 1}), str.split)
    Counter({'a': 3, 'b': 2})
    """
    out: Counter[str] = Counter()
    for chunk, count in counter.items():
        for word in words_of(chunk):
            out[word] += count
    return out


def check_texts(texts: Iterable[str]) -> Iterable[str]:
    """The texts of a training corpus, checked one by one; a single str is refused (its items are characters).

    Raises:
        ValueError: one str, or a text that `check_text` refuses.

    >>> list(check_texts(["a", "b"]))
    ['a', 'b']
    """
    if isinstance(texts, str):
        raise ValueError("train expects an iterable of texts, got one text; write [text]")
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise ValueError(f"train expects an iterable of texts, got {kind_of(texts)}")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"text {index} of the corpus: expected a text (str), got {kind_of(text)}")
        check_text(text)
        yield text


def check_corpus(words: Collection[str]) -> None:
    """Check that the texts of a training corpus held a word at all.

    Raises:
        ValueError: they did not.

    >>> check_corpus({"the": 3})
    """
    if not words:
        raise ValueError("there is nothing to learn from: the texts hold no words; is the iterator used up?")


def check_sizes(vocab_size: int, smallest: int, min_count: int, what: str) -> None:
    """Check that the vocabulary has room for what it must hold.

    Raises:
        ValueError: it has not, min_count is below 1, or one of the two is no whole number.

    >>> check_sizes(300, 261, 1, "5 special tokens and 256 bytes")
    """
    for name, value in (("vocab_size", vocab_size), ("min_count", min_count)):
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise ValueError(f"{name} must be a whole number, got {value!r:.80}")
    if vocab_size < smallest:
        raise ValueError(f"vocab_size={vocab_size} is too small: {what} already take {smallest} entries")
    if min_count < 1:
        raise ValueError(f"min_count must be at least 1, not {min_count}")


def check_special(names: Sequence[str]) -> None:
    """Check that special tokens are different, non-empty strings.

    Raises:
        ValueError: they are not.

    >>> check_special(["[PAD]", "[UNK]"])
    """
    if len(set(names)) != len(names) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"special tokens must be different, non-empty strings, got {list(names)!r}")


def as_ids(tokens: Sequence[str]) -> Mapping[str, int]:
    """token -> its position.

    >>> as_ids(["a", "b"])
    {'a': 0, 'b': 1}
    """
    return {token: index for index, token in enumerate(tokens)}
