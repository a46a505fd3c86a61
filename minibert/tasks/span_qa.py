"""Questions whose answer is a piece of the text: long texts in windows, labels, the best span of all.

A text that is longer than the model's input is read in windows that overlap by some of their tokens. Each token of the
text then stands in several windows, and counts in the one that shows most of what is around it ("max context").
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minibert.corpora.rows import SpanQuestion
from minibert.tasks.inference import inference
from minibert.training.fine_tuning import Example, run_packed

CharSpan = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """A question and a part of its text as one input.

    spans: for each token the (start, end) characters of the text that it stands for, None for the question and for
    special tokens. central: whether this window, of all that hold the token, shows most of what is around it.

    >>> Window((2, 9, 3, 7), (0, 0, 0, 1), (None, None, None, (0, 4)), (False, False, False, True)).ids
    (2, 9, 3, 7)
    """

    ids: tuple[int, ...]
    segment_ids: tuple[int, ...]
    spans: tuple[CharSpan | None, ...]
    central: tuple[bool, ...]


def windows(
    question: str, text: str, tok, max_length: int = 384, stride: int = 128, max_question: int = 64
) -> list[Window]:
    """Cut the text so that each window has at most `max_length` tokens; each begins `stride` tokens after the last one.

    Of a question with more than `max_question` tokens only the beginning is asked. Where a window has fewer tokens of
    text than `stride`, the next one begins where it ends: no token is left out.

    Raises:
        ValueError: an empty text, a number below 1, or a `max_length` that leaves the text no room.

    Source: Devlin et al. 2019, released code (run_squad.py).

    >>> from minibert import WordPieceTokenizer
    >>> tok = WordPieceTokenizer.train(["where is the cat", "the cat is in the old house"] * 3, vocab_size=70)
    >>> [len(window.ids) for window in windows("where is the cat", "the cat is in the old house", tok, 11, stride=2)]
    [11, 11, 10]
    """
    for name, value in (("max_length", max_length), ("stride", stride), ("max_question", max_question)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r}: expected a whole number of at least 1")
    asked = tok.encode(question, add_special_tokens=False)
    if len(asked) > max_question:
        question = question[: asked.offsets[max_question - 1][1]]
        asked = tok.encode(question, add_special_tokens=False)
    whole = tok.encode(question, text)
    own = [place for place, special in enumerate(whole.special_mask) if not special][len(asked) :]
    if not own:
        raise ValueError(f"the text {text!r:.60} has no token: there is nothing to find an answer in")
    first, after = own[0], own[-1] + 1
    room = max_length - (len(whole) - len(own))
    if room < 1:
        raise ValueError(
            f"the question and special tokens are {len(whole) - len(own)} tokens; with max_length={max_length} there "
            "is no room for the text: raise it, or lower max_question"
        )
    starts = [0]
    while starts[-1] + room < len(own):
        starts.append(starts[-1] + min(room, stride))
    parts = [(start, min(start + room, len(own))) for start in starts]
    return [_window(whole, first, after, part, _central(parts, number)) for number, part in enumerate(parts)]


def _window(whole, first: int, after: int, part: tuple[int, int], central: list[bool]) -> Window:
    start, stop = part

    def put(values: Sequence, middle: Sequence | None = None) -> tuple:
        inside = values[first + start : first + stop] if middle is None else middle
        return (*values[:first], *inside, *values[after:])

    return Window(
        put(whole.ids),
        put(whole.segment_ids),
        put([None] * len(whole), whole.offsets[first + start : first + stop]),
        put([False] * len(whole), central),
    )


def _central(parts: Sequence[tuple[int, int]], number: int) -> list[bool]:
    """For each token of the part whether no other part shows more around it; of equals the first one counts."""

    def context(part: tuple[int, int], token: int) -> float:
        left, right = token - part[0], part[1] - 1 - token
        return min(left, right) + 0.01 * (part[1] - part[0]) if min(left, right) >= 0 else -1.0

    own = parts[number]
    return [
        max(range(len(parts)), key=lambda other: (context(parts[other], token), -other)) == number
        for token in range(*own)
    ]


def label(window: Window, span: CharSpan) -> tuple[int, int]:
    """The first and the last token of the answer; (0, 0), which is [CLS], where the window does not hold all of it.

    `span` is (start, end) in characters of the text, the end exclusive. A token counts when it touches the span.

    Raises:
        ValueError: a span without a character.

    Source: Devlin et al. 2019, section 4.2 and released code.

    >>> window = Window((2, 9, 3, 7, 8, 3), (0,) * 6, (None, None, None, (0, 3), (4, 7), None), (True,) * 6)
    >>> label(window, (4, 7)), label(window, (5, 12))
    ((4, 4), (0, 0))
    """
    start, end = span
    if not 0 <= start < end:
        raise ValueError(f"the answer spans characters {start} to {end}: expected at least one, the end exclusive")
    spans = [(place, found) for place, found in enumerate(window.spans) if found is not None]
    inside = [place for place, (low, high) in spans if low < end and high > start]
    if not inside or spans[0][1][0] > start or spans[-1][1][1] < end:
        return 0, 0
    return inside[0], inside[-1]


def examples(rows: Iterable[SpanQuestion], tok, max_length: int = 384, stride: int = 128) -> list[Example]:
    """Questions as examples for `fine_tune`: one for each of a question's `windows`, with the `label` of its answer.

    Raises:
        ValueError: no rows, or a row that `windows` or `label` refuses; the message names it.

    Source: Devlin et al. 2019, section 4.2 and released code.

    >>> from minibert import WordPieceTokenizer
    >>> row = SpanQuestion("Oz", "the cat is in the old house", "where is the cat", "the old house", 14)
    >>> tok = WordPieceTokenizer.train([row.context, row.question] * 3, vocab_size=70)
    >>> [(len(example.ids), example.label) for example in examples([row], tok, max_length=11, stride=2)]
    [(11, (0, 0)), (11, (0, 0)), (10, (6, 8))]
    """
    made = []
    for number, row in enumerate(rows):
        try:
            for window in windows(row.question, row.context, tok, max_length, stride):
                made.append(Example(window.ids, window.segment_ids, label(window, (row.start, row.end))))
        except ValueError as error:
            raise ValueError(f"row {number}: {error}") from None
    if not made:
        raise ValueError("there are no rows; pass at least one")
    return made


@dataclass(frozen=True)
class Answer:
    """A piece of the text, `text[start:end]`, and how much the model is for it: the sum of two logits.

    >>> Answer("Kansas", 17, 23, 4.5).text
    'Kansas'
    """

    text: str
    start: int
    end: int
    score: float


def best_answers(
    cut: Sequence[Window], logits: Sequence[Tensor], text: str, count: int = 20, longest: int = 30
) -> list[Answer]:
    """The answers with the highest start logit + end logit over all windows, best first, each piece of text once.

    An answer lies in the text, ends where it begins or later, and has at most `longest` tokens; its first token counts
    in the window where it is central.

    Shape: for each window logits (T, 2): start and end of each of its tokens.

    Raises:
        ValueError: logits that do not fit their windows, or a number below 1.

    Source: Devlin et al. 2019, section 4.2 and released code.

    >>> window = Window((2, 3, 7, 8), (0,) * 4, (None, None, (0, 3), (4, 7)), (False, False, True, True))
    >>> logits = torch.tensor([[9.0, 9.0], [0.0, 0.0], [1.0, 3.0], [2.0, 0.5]])
    >>> [(answer.text, answer.score) for answer in best_answers([window], [logits], "the cat")]
    [('the', 4.0), ('cat', 2.5), ('the cat', 1.5)]
    """
    if min(count, longest) < 1 or len(cut) != len(logits):
        raise ValueError(
            f"{len(cut)} windows, {len(logits)} logits, count={count}, longest={longest}: see the docstring"
        )
    found: dict[CharSpan, float] = {}
    for window, scores in zip(cut, logits, strict=True):
        if scores.shape != (len(window.ids), 2):
            raise ValueError(f"logits {tuple(scores.shape)} for a window of {len(window.ids)} tokens: expected (T, 2)")
        starts, ends = scores.detach().double().unbind(-1)  # (T,) each
        in_text = torch.tensor([span is not None for span in window.spans])
        allowed = (torch.tensor(window.central) & in_text)[:, None] & in_text  # (T, T): first and last token
        allowed = allowed.triu().tril(longest - 1)
        both = (starts[:, None] + ends).masked_fill(~allowed, -torch.inf).flatten()
        for score, place in zip(*(values.tolist() for values in both.topk(min(count, len(both)))), strict=True):
            if score > -torch.inf:
                first, last = divmod(place, len(starts))
                span = (window.spans[first][0], window.spans[last][1])
                found[span] = max(score, found.get(span, -torch.inf))
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:count]
    return [Answer(text[start:end], start, end, score) for (start, end), score in ranked]


def null_score(logits: Sequence[Tensor]) -> float:
    """How much the model is for "no answer": the sum of both logits at [CLS], in the window where it is lowest.

    Where this exceeds the best answer's score by more than a threshold, chosen on validation data, the answer is "".

    Source: Devlin et al. 2019, section 4.3 and released code.

    >>> null_score([torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.5, 1.0]])])
    1.5
    """
    return min(float(scores[0].detach().double().sum()) for scores in logits)


def read_answers(
    question: str, text: str, model, tok, count: int = 3, batch_size: int = 8, **cutting
) -> tuple[list[Answer], float]:
    """Ask a `SpanReader`: its best answers, and the score of "no answer" (`null_score`).

    `cutting` are the options of `windows`; `max_length` is at most what the model can read.

    Raises:
        ValueError: see `windows`.

    >>> import minibert
    >>> tok = minibert.WordPieceTokenizer.train(["where is the cat", "the cat is in the old house"] * 3, vocab_size=70)
    >>> model = minibert.SpanReader(minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size))
    >>> answers, none = read_answers("where is the cat", "the cat is in the old house", model, tok)
    >>> len(answers), answers[0].text in "the cat is in the old house"
    (3, True)
    """
    cutting["max_length"] = min(cutting.get("max_length", 384), model.config.max_len)
    cut, logits = windows(question, text, tok, **cutting), []
    with inference(model):
        for start in range(0, len(cut), batch_size):
            output, borders = run_packed(model, cut[start : start + batch_size])
            logits += [scores.cpu() for scores in output.logits.split(borders.diff().tolist())]
    return best_answers(cut, logits, text, count), null_score(logits)
