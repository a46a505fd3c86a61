"""9.4 Open task: which sentence comes first? The check trains on stories of its own, and measures on others."""

from functools import lru_cache
from itertools import pairwise

import torch
from torch.nn import functional as F

from minibert.course.lab import Exercise, Lab, Wrong
from minibert.course.tools import call, expect_tensor, kind_of
from minibert.tasks.open_tasks import own_stories


def learn_order(pairs, V):
    """Pairs of tuples of ids, in their right order, to a function that scores a list of pairs: (P,)."""

    def features(pairs):
        bags = torch.zeros(2, len(pairs), V)  # which words A has, and which B has
        for place, pair in enumerate(pairs):
            for side in (0, 1):
                bags[side, place, list(pair[side])] = 1
        # The words that both have say little, and neither do two bags. Their product does: "A goes somewhere" means one
        # thing where B has the same place, and the opposite where it has another.
        common = bags.prod(dim=0).sum(dim=1, keepdim=True)  # (P, 1)
        return torch.cat([*bags, common * bags[0], common * bags[1]], dim=1)  # (P, 4 V)

    x = torch.cat([features(pairs), features([(b, a) for a, b in pairs])])  # the right order and the wrong one
    labels = torch.cat([torch.ones(len(pairs)), torch.zeros(len(pairs))])
    mean, spread = x.mean(dim=0), x.std(dim=0) + 0.01
    weights = torch.zeros(x.shape[1], requires_grad=True)
    optimizer = torch.optim.Adam([weights], lr=0.05, weight_decay=1e-4)
    for _ in range(150):
        loss = F.binary_cross_entropy_with_logits(((x - mean) / spread) @ weights, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lambda pairs: ((features(pairs) - mean) / spread @ weights).detach()


BAR, PAIRS = 0.93, 500
LOW = "about chance: what A and B share is the same for (A, B) and (B, A); look at each word together with its sentence"
SIDES = "each sentence by itself is not enough: the same two kinds of sentence stand in both orders; what decides it?"
SIGN = "the score is turned round: it is larger where A comes first"
CLOSE = (
    "close. All pairs, and enough steps? Word by word, a word of A with a word of B, is too sparse for 500 pairs: let "
    "whole bags meet. Join the two bags, then a hidden layer; or multiply each bag by the number of shared words"
)
SCORE = "return a function: score(list of P pairs) -> a tensor (P,) of floats, larger where A comes first"


@lru_cache(maxsize=8)
def neighbours(seed):
    """Neighbouring sentences of stories, in their right order: some to train with, others to measure; and V."""
    text = own_stories(seed, 600, 3)
    stop = text.tokenizer.ids(".")[0]

    def of(told):
        for story in told:
            ends = [place + 1 for place, word in enumerate(story.tolist()) if word == stop]
            cut = [tuple(story[start:end].tolist()) for start, end in pairwise(ends)]
            yield from pairwise(cut)  # without the first sentence, which says who has what

    return tuple(of(text.train))[:PAIRS], tuple(of(text.held_out)), text.tokenizer.vocab_size


def share_right(answer, seed):
    """How many held-out pairs get the higher score in their right order; a tie counts one half."""
    train, held_out, size = neighbours(seed)
    score = call(answer, list(train), size)
    if not callable(score):
        raise Wrong(f"learn_order returns {kind_of(score)}", "a function", SCORE)
    order = torch.randperm(2 * len(held_out), generator=torch.Generator().manual_seed(seed % 2**31))
    both = [*held_out, *((b, a) for a, b in held_out)]  # asked in a mixed order
    got = expect_tensor("the score", call(score, [both[place] for place in order]), (len(both),), None).double()
    scores = torch.empty(len(both), dtype=torch.double).index_copy(0, order, got)
    right, turned = scores.chunk(2)
    return ((right > turned).double() + (right == turned).double() / 2).mean().item()


def measure(answer, rng):
    """Train on stories of this seed, and compare the share of right orders with the bar."""
    share = share_right(answer, int(torch.randint(2**31, (), generator=rng)))
    if share < BAR:
        cause = SIGN if share < 0.4 else LOW if share < 0.6 else SIDES if share < 0.75 else CLOSE
        raise Wrong(f"{share:.2f} of the held-out pairs are put in order", f"at least {BAR:.2f}; chance is 0.50", cause)


def by_shared_words(pairs, V):
    return lambda pairs: torch.tensor([float(len(set(a) & set(b))) for a, b in pairs])


def from_memory(pairs, V):
    known = set(pairs)
    return lambda pairs: torch.tensor([float((a, b) in known) - ((b, a) in known) for a, b in pairs])


RETURN = "return lambda pairs: ((features(pairs) - mean) / spread @ weights).detach()"
MISTAKES = {
    LOW: by_shared_words,
    SIDES: {", common * bags[0], common * bags[1]]": "]", "(P, 4 V)": "(P, 2 V)"},
    SIGN: {RETURN: RETURN.replace(": ((", ": -((")},
    CLOSE: {"    def features(pairs)": "    pairs = pairs[:30]\n\n    def features(pairs)"},
    SCORE: {RETURN: "return weights.detach()"},
    "the score has shape": {RETURN: RETURN.replace(").detach()", ").detach()[:, None]")},
}

EXERCISE = Exercise(
    minutes=50,
    difficulty=4,
    signature="learn_order(pairs: list of (A, B), each a tuple of ids, V) -> score(list of P pairs) -> (P,) floats",
    hints=(
        "Write ten pairs on paper, as words: which come in both orders, and what tells you then which is right? The\n"
        "number of shared words is the same in both orders; so what must it be combined with?",
        "Each pair gives two examples: (A, B) with label 1, (B, A) with label 0. Bags of words of A and of B: (P, V)\n"
        "each; the number of shared words: (P, 1). A product of the two kinds: (P, V) again. Or two bags (P, 2 V)\n"
        "into a small network with one hidden layer. A logit for each pair: (P,).",
        "features of a list of pairs -> (P, number of features)\n"
        "x = features of the pairs as they came, then of the pairs turned round; labels 1, then 0\n"
        "train weights by binary cross-entropy for some hundred steps of Adam\n"
        "return a function: pairs -> the logits of their features, without a gradient",
    ),
    parts=(Lab(learn_order, lambda rng: [], MISTAKES, after=measure, coarse=True),),
    seconds=60.0,
)
