"""Exercise 8.1: random masking. Draws may be made in any order, so the check counts, and knows how far counts scatter.

Here: which entries may change, and the generator. The counts are in chapter_08_shares.py.
"""

import torch
from torch import Tensor

from minibert.course.checks.chapter_08_shares import check_shares, check_tiny
from minibert.course.exercise import Wrong
from minibert.course.tools import call, expect_tensor, show

NOTHING = -100
VOCAB = 60
SPECIAL = (0, 3, 17, 18, 59)  # not in one block, so that a range of ids cannot stand for "ordinary"
MASK = 17
ORDINARY = torch.tensor([i for i in range(VOCAB) if i not in SPECIAL])


def seeded(rng: torch.Generator) -> torch.Generator:
    """A generator for the learner's code, with a seed drawn from the check's own.

    >>> seeded(torch.Generator().manual_seed(0)).initial_seed() < 2**31
    True
    """
    return torch.Generator().manual_seed(int(torch.randint(2**31, (), generator=rng)))


def texts(rows: int, tokens: int, rng: torch.Generator) -> Tensor:
    """Texts with [CLS] 0, [SEP] 3 and padding 59 in places; ordinary tokens from the lower half of the vocabulary.

    >>> texts(2, 9, torch.Generator().manual_seed(0)).shape
    torch.Size([2, 9])
    """
    ids = ORDINARY[torch.randint(len(ORDINARY) // 2, (rows, tokens), generator=rng)]
    ids[:, 0], ids[:, tokens // 2], ids[:, -1] = 0, 3, 59
    return ids


def ask(answer, ids: Tensor, rate: float, generator: torch.Generator, special=SPECIAL, vocab=VOCAB, mask=MASK):
    """Inputs and labels of the learner's code, once they are known to be two tensors of integers like `ids`.

    >>> ask(lambda ids, *rest: (ids, ids), torch.ones(1, 2).long(), 1.0, torch.Generator())[0].tolist()
    [[1, 1]]
    """
    got = call(answer, ids, special, vocab, mask, rate, generator)
    if not (isinstance(got, tuple | list) and len(got) == 2):
        what = "is the `return` missing?" if got is None else "return inputs, labels"
        raise Wrong(f"your code returns {show(got)}", "two tensors: inputs, labels", what)
    inputs = expect_tensor("inputs", got[0], tuple(ids.shape), None)
    labels = expect_tensor("labels", got[1], tuple(ids.shape), None)
    for name, tensor in (("inputs", inputs), ("labels", labels)):
        if tensor.dtype != torch.int64:
            cause = "token ids are integers: start from ids, by torch.where, clone or masked_fill"
            raise Wrong(f"{name} has dtype {str(tensor.dtype)[6:]}", "int64, as ids", cause)
    return inputs, labels


def check_masking(answer, rng: torch.Generator) -> None:
    """Roles first (which entries may change, and how), then the generator, then the counts.

    >>> from minibert.course.checks.chapter_08_mutants import SOLUTIONS
    >>> check_masking(SOLUTIONS["8.1"], torch.Generator().manual_seed(0))
    """
    _check_roles(answer, rng)
    _check_generator(answer, rng)

    def asked(ids, rate, generator):
        return ask(answer, ids, rate, generator)

    check_shares(asked, texts, seeded, rng, SPECIAL, VOCAB, MASK)
    ids = torch.tensor([1, 2, 4])[torch.randint(3, (200, 250), generator=rng)]
    inputs, _ = ask(answer, ids, 1.0, seeded(rng), (0, 3, 5, 6), 7, 5)
    check_tiny(inputs, 5)


def _check_roles(answer, rng: torch.Generator) -> None:
    ids = texts(40, 50, rng)
    is_special = torch.isin(ids, torch.tensor(SPECIAL))
    inputs, labels = ask(answer, ids, 1.0, seeded(rng))  # rate 1: every ordinary token is chosen, and no special one
    if (inputs == NOTHING).any() and not (labels == NOTHING).any():
        raise Wrong("the first tensor holds -100", "inputs first, labels second", "the two are the wrong way round")
    if (inputs == NOTHING).any():
        cause = "-100 belongs to the labels; the inputs hold ids only, since they go into the token table"
        raise Wrong("the inputs hold -100", "ids", cause)
    marks = set(labels[is_special].tolist())
    if len(marks) == 1 and not marks & {NOTHING, *SPECIAL}:
        cause = "-100 is the number that losses leave out; any number from 0 on is a token's id"
        raise Wrong(f"the label {min(marks)} marks what is not predicted", "the label there has to be -100", cause)
    touched = is_special & ((inputs != ids) | (labels != NOTHING))
    if touched.any():
        cause = "special tokens are masked too: take them out of what may be chosen, as in `chosen & ~is_special`"
        if torch.equal(labels, ids) and torch.equal(inputs[is_special], ids[is_special]):
            cause = "labels everywhere: where a token is not chosen its label is -100, which the loss leaves out"
        raise Wrong(
            f"with rate 1, {int(touched.sum())} of {int(is_special.sum())} special tokens are changed or have a label",
            f"the special tokens {show(list(SPECIAL))} stay as they are, and their labels are -100",
            cause,
        )
    want = ids.masked_fill(is_special, NOTHING)
    if not torch.equal(labels, want):
        cause = "with rate 1 every ordinary token is chosen, and its label is the id that stood there"
        share = float((labels[~is_special] != NOTHING).double().mean())
        if share < 0.05:
            cause = "the comparison is turned round: a token is chosen where its draw lies below the rate"
        elif share < 0.5:
            cause = "`rate` is not used, or not for every token: with rate 1 each ordinary token is chosen"
        elif torch.equal(labels[~is_special], inputs[~is_special]):
            cause = "the labels are taken from the inputs after masking; the label is the id that stood there before"
        elif torch.equal(labels, ids.masked_fill(inputs == ids, NOTHING)):
            cause = "a chosen token that stays as it is has no label; it is predicted like the others"
        elif torch.equal(labels, ids.masked_fill(inputs != MASK, NOTHING)):
            cause = "only what became [MASK] has a label; random and unchanged tokens are predicted too"
        many = int((labels != want).sum())
        raise Wrong(f"with rate 1, {many} of {ids.numel()} labels are wrong", "the ids of all ordinary tokens", cause)

    inputs, labels = ask(answer, ids, 0.0, seeded(rng))
    if not torch.equal(inputs, ids) or (labels != NOTHING).any():
        cause = "nothing is chosen, so nothing changes and every label is -100"
        if (labels != NOTHING).any():
            cause = "`rate` is not used, or turned round: a token is chosen where its draw is below the rate"
        many = int((inputs != ids).sum())
        labelled = int((labels != NOTHING).sum())
        seen = f"with rate 0 {many} of {ids.numel()} inputs change, and {labelled} labels are not -100"
        raise Wrong(seen, "no change, and all labels -100", cause)
    inputs, labels = ask(answer, ids, 0.5, seeded(rng))
    chosen = labels != NOTHING
    if not torch.equal(labels[chosen], ids[chosen]):
        odd = sorted(set(labels[chosen & (labels != ids)].tolist()))
        raise Wrong(
            f"labels {show(odd)} where the text has other ids",
            "the original id where a token was chosen, and -100 elsewhere",
            "the labels are made from something else than ids and -100",
        )
    if (inputs != ids)[~chosen].any():
        raise Wrong(
            f"{int((inputs != ids)[~chosen].sum())} inputs change where the label is -100",
            "only chosen tokens change, and every chosen token has its original id as its label",
            "labels and inputs are drawn apart from each other; use the same `chosen` for both",
        )


def _check_generator(answer, rng: torch.Generator) -> None:
    ids = texts(30, 50, rng)
    first, second = seeded(rng), seeded(rng)
    one, again, other = (ask(answer, ids, 0.5, generator) for generator in (first, first, second))  # `ask` copies it
    cause = "a draw comes from the global state: every torch.rand and torch.randint gets generator=generator"
    if not torch.equal(one[1], again[1]):
        seen = "the same generator state gives other labels the second time"
        raise Wrong(seen, "the same masks: who has the seed can draw them again", cause)
    if not torch.equal(one[0], again[0]):
        seen = "the same generator state chooses the same tokens, but replaces them in another way"
        raise Wrong(seen, "the same inputs: who has the seed can draw them again", cause)
    cause = "the generator is not used, or replaced by one with a seed of its own: draw with generator=generator"
    if torch.equal(one[1], other[1]):
        raise Wrong("two generators with different seeds choose the same tokens", "other tokens", cause)
    both = (one[1] != NOTHING) & (other[1] != NOTHING)
    hidden, hidden_other = one[0][both] == MASK, other[0][both] == MASK
    if not hidden.all() and torch.equal(hidden, hidden_other):
        raise Wrong("two generators with different seeds replace in the same way", "other replacements", cause)

    def twice():
        return [answer(ids.clone(), SPECIAL, VOCAB, MASK, 0.5, first)[1] for _ in range(2)]

    batch, later = call(twice)
    if torch.equal(batch, later):
        raise Wrong(
            "the next batch, drawn from the same generator, hides the same places",
            "other places: the generator moves on with every draw (dynamic masking)",
            "the generator is copied or seeded anew inside; draw from the one that is passed in",
        )
