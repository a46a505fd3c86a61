"""How many tokens of each text stay when both together are too long.

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

import torch

POLICIES = ("longest_first", "pop_longer", "pop_longer_random", "only_first", "only_second", "error")
Span = tuple[int, int]


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
