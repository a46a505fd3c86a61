"""Words repeat: 12 MB of English hold two million words and fewer than fifty thousand different ones."""

from collections.abc import Callable


class WordCache(dict):
    """word -> value, worked out on first use. At `limit` words it stops growing: natural text is Zipfian.

    >>> WordCache(len)["four"]
    4
    """

    def __init__(self, compute: Callable[[str], tuple], limit: int = 1 << 18):
        super().__init__()
        self.compute, self.limit = compute, limit

    def __missing__(self, word: str):
        value = self.compute(word)
        if len(self) < self.limit and len(word) < 64:
            self[word] = value
        return value
