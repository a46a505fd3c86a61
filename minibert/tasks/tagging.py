"""One tag for each word: names and parts of speech, with a model that reads pieces of words.

A word becomes one token or several. Its tag is learned and read at its first token; the others have no label. Words
are joined by single spaces and found again by the offsets, so every tokenizer will do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from minibert.corpora.rows import TaggedTokens
from minibert.objectives import IGNORE
from minibert.tasks.inference import inference
from minibert.training.fine_tuning import Example, run_packed


@dataclass(frozen=True)
class Aligned:
    """The ids of a text, and for each word the place of its first token, None for a word without a token.

    >>> Aligned((2, 7, 8, 9, 3), (1, 3)).labels([4, 0])
    [-100, 4, -100, 0, -100]
    """

    ids: tuple[int, ...]
    places: tuple[int | None, ...]

    @property
    def segment_ids(self) -> tuple[int, ...]:
        """All 0: one text."""
        return (0,) * len(self.ids)

    def labels(self, tags: Sequence[int]) -> list[int]:
        """A label for each token: the number of the word's tag at its first token, -100 everywhere else.

        Raises:
            ValueError: another number of tags than of words.
        """
        if len(tags) != len(self.places):
            raise ValueError(f"{len(tags)} tags for {len(self.places)} words: expected one each")
        labels = [IGNORE] * len(self.ids)
        for place, tag in zip(self.places, tags, strict=True):
            if place is not None:
                labels[place] = tag
        return labels


def align(words: Sequence[str], tok, max_length: int | None = None) -> Aligned:
    """Encode words, and find the first token of each.

    A word has no token where the tokenizer drops all of its characters, or where it stands after `max_length` tokens
    (special ones counted).

    Raises:
        ValueError: no words, one text instead of words, or a word that is empty or holds a space.

    Source: Devlin et al. 2019, section 5.3.

    >>> from minibert import WordPieceTokenizer
    >>> vocab = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "em": 4, "##ily": 5, "met": 6}
    >>> align(["Emily", "met", "Em"], WordPieceTokenizer(vocab))
    Aligned(ids=(2, 4, 5, 6, 4, 3), places=(1, 3, 4))
    """
    if isinstance(words, str) or not len(words):
        raise ValueError(f"words is {words!r:.60}: expected a list of at least one word")
    for number, word in enumerate(words):
        if not isinstance(word, str) or not word or any(character.isspace() for character in word):
            raise ValueError(f"word {number} is {word!r:.60}: expected a word, without a space in it")
    encoding = tok.encode(" ".join(words), max_length=max_length)
    places: list[int | None] = []
    start = token = 0
    for word in words:
        end, place = start + len(word), None
        while token < len(encoding) and (encoding.special_mask[token] or encoding.offsets[token][0] < end):
            inside = not encoding.special_mask[token] and encoding.offsets[token][1] > start
            place = token if inside and place is None else place
            token += 1
        places.append(place)
        start = end + 1
    return Aligned(tuple(encoding.ids), tuple(places))


def examples(rows: Iterable[TaggedTokens], tok, tags: Sequence[str], max_length: int = 128) -> list[Example]:
    """Tagged texts as examples for `fine_tune`: the number of its tag at the first token of each word.

    Words after `max_length` tokens are cut off.

    Raises:
        ValueError: no rows, another number of tags than of words, a tag that is not one of `tags`, or what `align`
            refuses; the message names the row.

    Source: Devlin et al. 2019, section 5.3.

    >>> from minibert import WordPieceTokenizer
    >>> vocab = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "em": 4, "##ily": 5, "met": 6}
    >>> rows = [TaggedTokens(("met", "Emily"), ("O", "B-person"))]
    >>> examples(rows, WordPieceTokenizer(vocab), ["O", "B-person"])[0].label
    (-100, 0, 1, -100, -100)
    """
    numbers = {name: number for number, name in enumerate(tags)}
    made = []
    for number, row in enumerate(rows):
        if unknown := [one for one in row.tags if one not in numbers]:
            raise ValueError(f"row {number} has the tag {unknown[0]!r}: expected one of {', '.join(tags)}")
        try:
            aligned = align(row.tokens, tok, max_length)
            labels = aligned.labels([numbers[one] for one in row.tags])
        except ValueError as error:
            raise ValueError(f"row {number}: {error}") from None
        made.append(Example(aligned.ids, aligned.segment_ids, tuple(labels)))
    if not made:
        raise ValueError("there are no rows; pass at least one")
    return made


def tag(texts: Sequence[Sequence[str]], model, tok, tags: Sequence[str], batch_size: int = 32) -> list[list[str]]:
    """The most likely tag of each word, from a `TokenClassifier`: each text a list of words, `tags` by their number.

    A word without a token (see `align`) is "O" where there is such a tag, and otherwise the first tag.

    Raises:
        ValueError: another number of tags than the model has labels, or words that `align` refuses.

    >>> import minibert
    >>> tok = minibert.WordPieceTokenizer.train(["Dorothy lived in Kansas"] * 3, vocab_size=60)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> found = tag([["Dorothy", "left"], ["Kansas"]], minibert.TokenClassifier(config, 3), tok, ["O", "B-X", "I-X"])
    >>> [len(words) for words in found]
    [2, 1]
    """
    if len(tags) != model.labels:
        raise ValueError(f"{len(tags)} tags, but the model tells {model.labels} labels apart")
    missing = "O" if "O" in tags else tags[0]
    limit = model.config.max_len if model.config.position == "learned" else None
    aligned = [align(words, tok, limit) for words in texts]
    found = []
    with inference(model):
        for start in range(0, len(aligned), batch_size):
            part = aligned[start : start + batch_size]
            output, borders = run_packed(model, part)
            best = output.logits.argmax(-1).cpu()  # (N,)
            for text, numbers in zip(part, best.split(borders.diff().tolist()), strict=True):
                found.append([missing if place is None else tags[numbers[place]] for place in text.places])
    return found
