"""Sentences that hold both senses of a word: is a vector in place better than the words around it?

Where a sentence has one sense, any of its words gives the sense away, and a bag of words knows it. Two sentences with
different senses, joined, have one bag for both occurrences of the word.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from minibert.experiments.neighbours import Pool, Use, pairs_of_one_frame


def join_senses(uses: Sequence[Use], generator: torch.Generator) -> tuple[list[Use], list[Pool]]:
    """Sentences with both senses of a word: each use, *and*, a use of the other sense, drawn by `generator`.

    Each joined sentence gives two uses, its first and its second occurrence of the word, and a pool for each. Queries
    count on after the numbers of `uses`, among which the candidates are: none shares a content word with the joined
    sentence. Both occurrences have the same candidates, what is right for one is wrong for the other. So a vector that
    is the same at both, as a bag of all other words is, scores 0.5. Sentences without candidates are left out.

    >>> words = [("raft", "river"), ("oar", "river"), ("loan", "money"), ("debt", "money")]
    >>> uses = [Use(("the", "bank", "near", "the", w), 1, s) for w, s in words]
    >>> joined, pools = join_senses(uses, torch.Generator().manual_seed(0))
    >>> " ".join(joined[0].words), joined[1].place, joined[1].sense
    ('the bank near the raft and the bank near the loan', 7, 'money')
    >>> pools[1].query, pools[1].same.tolist(), pools[1].other.tolist()
    (5, [3], [1])
    """
    joined, pools = [], []
    for use in uses:
        others = [each for each in uses if each.word == use.word and each.sense != use.sense]
        if not others:
            continue
        second = others[int(torch.randint(len(others), (), generator=generator))]
        words = (*use.words, "and", *second.words)
        two = Use(words, use.place, use.sense), Use(words, len(use.words) + 1 + second.place, second.sense)
        free = [i for i, each in enumerate(uses) if each.word == use.word and not each.content & two[0].content]
        pairs = pairs_of_one_frame(uses, *([i for i in free if uses[i].sense == one.sense] for one in two))
        if pairs:
            first, other = torch.tensor(pairs).unbind(1)
            number = len(uses) + len(joined)
            pools += [Pool(number, first, other), Pool(number + 1, other, first)]
            joined += two
    return joined, pools


def bags_of_words(table: Tensor, uses: Sequence[Use], ids: Mapping[str, int], reach: int | None = None) -> Tensor:
    """The mean vector of the other words of each sentence, or of those at most `reach` places from the ambiguous one.

    Shape: table (V, D) -> (sentences, D).

    >>> use = Use(("the", "bank", "near", "the", "raft"), 1, "river")
    >>> ids = {"the": 0, "bank": 1, "near": 2, "raft": 3}
    >>> bags_of_words(torch.eye(4), [use], ids).tolist(), bags_of_words(torch.eye(4), [use], ids, reach=1).tolist()
    ([[0.5, 0.0, 0.25, 0.25]], [[0.5, 0.0, 0.5, 0.0]])
    """
    bags = []
    for use in uses:
        far = [abs(place - use.place) for place in range(len(use.words))]
        near = [ids[word] for word, d in zip(use.words, far, strict=True) if d > 0 and (reach is None or d <= reach)]
        bags.append(table[near].mean(0))
    return torch.stack(bags)
