"""What a tokenizer hands back: `Encoding` for one text (or pair), `Batch` for several, padded into tensors.

Two texts that are too long together are cut before they go into the template (`truncate_pair`).
BERT's own scripts and the library use three different rules under similar names:

| policy | who uses it | rule |
|---|---|---|
| "longest_first" | `tokenizers`/`transformers` (same name, same result) | cut the longer; if both must be cut, halve the budget; an odd token goes to the second text unless the first was strictly longer |
| "pop_longer" | BERT's fine-tuning, run_classifier.py | drop the last token of the longer text, of the second when equal, until it fits |
| "pop_longer_random" | BERT's pre-training, create_pretraining_data.py | as before, but drop from the front or the back with probability one half each; needs a generator |
| "only_first", "only_second" | question answering (cut the passage, never the question) | cut that text only |
| "error" | | too long is an error |

All but "pop_longer_random" drop tokens from the end.
"""  # noqa: E501 (a table row is one line)

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minibert.tokenization.template import Slot

POLICIES = ("longest_first", "pop_longer", "pop_longer_random", "only_first", "only_second", "error")
Span = tuple[int, int]


@dataclass(frozen=True)
class Encoding:
    """One encoded text or pair. All lists have one entry per token.

    ids: vocabulary ids. tokens: their strings in the vocabulary. offsets: (start, end) in CHARACTERS of the original
    text (of the second text for tokens of the pair's second half); (0, 0) for template tokens. segment_ids: 0 or 1.
    special_mask: 1 where the template put the token ([CLS], [SEP]); a [MASK] that stands in the text is 0.
    word_ids: the number of the word within its text, None for template tokens.

    >>> Encoding([7], ["cat"], [(0, 3)], [0], [0], [0]).tokens
    ['cat']
    """

    ids: list[int]
    tokens: list[str]
    offsets: list[tuple[int, int]]
    segment_ids: list[int]
    special_mask: list[int]
    word_ids: list[int | None]

    def __len__(self) -> int:
        return len(self.ids)

    def cut(self, start: int, stop: int) -> "Encoding":
        """The tokens from `start` to `stop`.

        >>> Encoding([7, 8], ["cat", "##s"], [(0, 3), (3, 4)], [0, 0], [0, 0], [0, 0]).cut(0, 1).tokens
        ['cat']
        """
        return Encoding(**{name: values[start:stop] for name, values in vars(self).items()})


def fill_template(slots: Sequence[Slot], texts: Sequence[Encoding], id_of: Mapping[str, int]) -> Encoding:
    """Put one or two encoded texts into a template's slots.

    >>> cat = Encoding([7], ["cat"], [(0, 3)], [0], [0], [0])
    >>> fill_template([("$A", 0), ("[SEP]", 0)], [cat], {"[SEP]": 3}).ids
    [7, 3]
    """
    out = Encoding([], [], [], [], [], [])
    for name, segment in slots:
        is_text = name in ("$A", "$B")
        part = texts[0 if name == "$A" else 1] if is_text else Encoding([id_of[name]], [name], [(0, 0)], [], [], [None])
        out.ids.extend(part.ids)
        out.tokens.extend(part.tokens)
        out.offsets.extend(part.offsets)
        out.word_ids.extend(part.word_ids)
        out.segment_ids.extend([segment] * len(part))
        out.special_mask.extend([int(not is_text)] * len(part))
    return out


def check_truncation(max_length: int | None, policy: str) -> bool:
    """Whether there is something to cut; the two options must make sense together.

    Raises:
        ValueError: an unknown policy, one without a max_length, or a max_length that is no whole number from 1.

    >>> check_truncation(None, "longest_first"), check_truncation(128, "only_first")
    (False, True)
    """
    if policy not in POLICIES:
        like = {True: ' (True elsewhere is "longest_first" here)', False: " (without max_length nothing is cut)"}
        hint = like.get(policy, "") if isinstance(policy, bool) else ""
        raise ValueError(f"unknown truncation policy {policy!r}{hint}; choose one of {', '.join(POLICIES)}")
    if max_length is None:
        if policy != POLICIES[0]:
            raise ValueError(f"truncation={policy!r} has no effect without max_length; give max_length=..., in tokens")
        return False
    if isinstance(max_length, bool) or not hasattr(max_length, "__index__") or max_length < 1:
        raise ValueError(f"max_length must be a whole number of tokens from 1, or None, got {max_length!r:.80}")
    return True


def fit(
    slots: Sequence[Slot],
    texts: Sequence[Encoding],
    max_length: int,
    policy: str = "longest_first",
    generator: torch.Generator | None = None,
) -> list[Encoding]:
    """The texts, cut so that the filled template has at most `max_length` tokens; `policy` as above.

    Raises:
        ValueError: max_length leaves no room for a token of the text, or the policy cannot meet it.

    >>> cats = Encoding([7, 8], ["cat", "##s"], [(0, 3), (3, 4)], [0, 0], [0, 0], [0, 0])
    >>> fit([("[CLS]", 0), ("$A", 0)], [cats], max_length=2)[0].tokens
    ['cat']
    """
    spans = fitting_spans(len(slots) - len(texts), [len(text) for text in texts], max_length, policy, generator)
    return [text.cut(*span) for text, span in zip(texts, spans, strict=False)]


def fitting_spans(
    special: int,
    lengths: Sequence[int],
    max_length: int,
    policy: str = "longest_first",
    generator: torch.Generator | None = None,
) -> tuple[Span, Span]:
    """The (start, stop) slices of one or two texts that, with `special` template tokens, make `max_length` tokens.

    lengths: of the texts, in tokens. A single text has no use for the second slice. policy: as above.

    Raises:
        ValueError: max_length leaves no room for a token of the text, or the policy cannot meet it.

    >>> fitting_spans(3, [5, 4], max_length=9)
    ((0, 3), (0, 3))
    """
    if max_length - special < 1:
        raise ValueError(
            f"max_length={max_length} leaves no room for text: the template alone takes "
            f"{special} tokens; use at least {special + 1}"
        )
    return truncate_pair(*lengths, *[0] * (2 - len(lengths)), max_length - special, policy, generator)


def truncate_pair(
    first: int, second: int, budget: int, policy: str = "longest_first", generator: torch.Generator | None = None
) -> tuple[Span, Span]:
    """The (start, stop) slices of two token lists that stay, so that both together have at most `budget` tokens.

    first, second: lengths in tokens; use second=0 for a single text. budget: tokens, without [CLS] and [SEP].

    Raises:
        ValueError: an unknown policy, a missing generator, or a budget the policy cannot meet.

    Source: Devlin et al. 2019, released code (truncate_seq_pair in both scripts); Hugging Face `tokenizers`.

    >>> truncate_pair(6, 6, 7, "longest_first")
    ((0, 3), (0, 4))
    >>> truncate_pair(6, 6, 7, "pop_longer")
    ((0, 4), (0, 3))
    """
    if policy not in POLICIES:
        raise ValueError(f"unknown truncation policy {policy!r}; choose one of {', '.join(POLICIES)}")
    if budget < 0 or first < 0 or second < 0:
        raise ValueError(f"lengths and budget must not be negative, got {first}, {second} and {budget}")
    if policy == "pop_longer_random" and generator is None:
        raise ValueError('policy "pop_longer_random" draws random numbers: give generator=torch.Generator()')
    excess = first + second - budget
    if excess <= 0:
        return (0, first), (0, second)
    if policy == "error":
        raise ValueError(
            f"the input has {first + second} tokens and only {budget} fit; raise max_length or choose a truncation "
            f"policy ({', '.join(POLICIES[:-1])})"
        )
    if policy == "longest_first":
        return _longest_first(first, second, budget)
    if policy == "only_first" or policy == "only_second":
        length = first if policy == "only_first" else second
        if length <= excess:  # as in the library, one token of it must stay
            raise ValueError(
                f'{excess} tokens must go, but policy "{policy}" may cut only one text, and it has {length}; '
                'raise max_length or use "longest_first"'
            )
        return ((0, first - excess), (0, second)) if policy == "only_first" else ((0, first), (0, second - excess))
    return _pop_longer(first, second, budget, generator if policy == "pop_longer_random" else None)


def _longest_first(first: int, second: int, budget: int) -> tuple[Span, Span]:
    short, long = min(first, second), max(first, second)
    long = max(short, budget - short)
    if short + long > budget:
        short = budget // 2
        long = budget - short
    return ((0, long), (0, short)) if first > second else ((0, short), (0, long))


def _pop_longer(first: int, second: int, budget: int, generator: torch.Generator | None) -> tuple[Span, Span]:
    spans = [[0, first], [0, second]]
    while first + second > budget:
        longer = 0 if first > second else 1
        front = generator is not None and torch.rand((), generator=generator).item() < 0.5
        spans[longer][0 if front else 1] += 1 if front else -1
        first, second = (first - 1, second) if longer == 0 else (first, second - 1)
    return tuple(spans[0]), tuple(spans[1])


@dataclass(frozen=True)
class Batch:
    """Several encodings padded on the right to one length.

    Shape: input_ids, attention_mask, segment_ids, special_mask: (B, T) int64. attention_mask is 1 on tokens and
    0 on padding; special_mask is 1 on template tokens and on padding. tokens, offsets and word_ids are lists of
    the unpadded lists.

    >>> pad_batch([Encoding([7], ["cat"], [(0, 3)], [0], [0], [0])], pad_id=0).input_ids
    tensor([[7]])
    """

    input_ids: Tensor
    attention_mask: Tensor
    segment_ids: Tensor
    special_mask: Tensor
    tokens: list[list[str]]
    offsets: list[list[tuple[int, int]]]
    word_ids: list[list[int | None]]


def pad_batch(encodings: Sequence[Encoding], pad_id: int | None, pad_to_multiple_of: int | None = None) -> Batch:
    """Pad encodings on the right to the longest one, or to the next multiple of `pad_to_multiple_of`.

    Shape: B encodings in, (B, T) int64 tensors out.

    Raises:
        ValueError: an empty batch, a row without tokens, a multiple below 1, or padding needed and no pad id.

    >>> short = Encoding([7], ["cat"], [(0, 3)], [0], [0], [0])
    >>> long = Encoding([7, 8], ["cat", "##s"], [(0, 3), (3, 4)], [0, 0], [0, 0], [0, 0])
    >>> pad_batch([short, long], pad_id=0).attention_mask.tolist()
    [[1, 0], [1, 1]]
    """
    if not encodings:
        raise ValueError("the batch is empty; give at least one text")
    for row, encoding in enumerate(encodings):
        if not len(encoding):
            raise ValueError(
                f"row {row} of the batch has no tokens, its row would be all padding; drop empty texts, "
                "or encode with add_special_tokens=True and a template"
            )
    if pad_to_multiple_of is not None and pad_to_multiple_of < 1:
        raise ValueError(f"pad_to_multiple_of must be at least 1, not {pad_to_multiple_of}")
    longest = max(len(encoding) for encoding in encodings)
    if pad_to_multiple_of is not None:
        longest = -(-longest // pad_to_multiple_of) * pad_to_multiple_of
    if pad_id is None and any(len(encoding) < longest for encoding in encodings):
        raise ValueError(
            "these texts have different lengths and the tokenizer has no padding token; "
            "give it one (roles={'pad': ...}) or encode the texts one by one"
        )

    def padded(rows: list[list[int]], fill: int) -> Tensor:
        return torch.tensor([row + [fill] * (longest - len(row)) for row in rows], dtype=torch.int64)  # (B, T)

    return Batch(
        input_ids=padded([encoding.ids for encoding in encodings], pad_id or 0),
        attention_mask=padded([[1] * len(encoding) for encoding in encodings], 0),
        segment_ids=padded([encoding.segment_ids for encoding in encodings], 0),
        special_mask=padded([encoding.special_mask for encoding in encodings], 1),
        tokens=[encoding.tokens for encoding in encodings],
        offsets=[encoding.offsets for encoding in encodings],
        word_ids=[encoding.word_ids for encoding in encodings],
    )
