"""Exercise 8.1, the counts: how many tokens are chosen, what becomes of them, and whether each is drawn for itself."""

from math import sqrt

import torch
from torch import Tensor

from minibert.course.exercise import Wrong

FAR = 6  # standard deviations: by chance a right answer lies further away once in 100 million
RIGHT = (0.8, 0.1, 0.1)  # of the chosen: [MASK], another token, unchanged
SPLITS = {  # what the well-known mistakes make of it
    (0.81, 0.10, 0.09): "81/10/9: 10 % random first, and then 90 % of the rest become [MASK]; shares of a rest are not "
    "shares of the whole. Compare one draw with 0.8 and with 0.9",
    (0.81, 0.09, 0.10): "81/9/10: 10 % are kept first, and then 90 % of the rest become [MASK]; shares of a rest are "
    "not shares of the whole. Compare one draw with 0.8 and with 0.9",
    (0.80, 0.02, 0.18): "10 % of the 20 % that [MASK] left over become random: half of that rest makes 10 % of all",
    (0.72, 0.10, 0.18): "the random tokens overwrite some [MASK]: two draws that know nothing of each other; compare "
    "one draw with 0.8 and with 0.9",
    (0.82, 0.08, 0.10): "the [MASK]s overwrite some random tokens",
    (1.00, 0.00, 0.00): "every chosen token becomes [MASK]: 10 % become random, 10 % stay",
    (0.80, 0.20, 0.00): "every chosen token that is not [MASK] becomes random: half of them stay as they are",
    (0.80, 0.00, 0.20): "no token becomes random: `inputs` has to be given the random ids, and a mask of its own",
    (0.90, 0.10, 0.00): "90/10/0: none of the chosen tokens stays as it is",
    (0.90, 0.00, 0.10): "90/0/10: what should become random becomes [MASK] too",
    (0.80, 0.18, 0.02): "80/18/2: 90 % of the rest become random; half of it does",
    (0.10, 0.80, 0.10): "[MASK] and random are exchanged",
    (0.10, 0.10, 0.80): "the comparison is turned round: 80 % of the chosen stay",
    (0.20, 0.80, 0.00): "the comparison is turned round: 80 % become random",
    (0.00, 0.10, 0.90): "no token becomes [MASK]",
    (0.00, 0.00, 1.00): "nothing is replaced; is the changed tensor the one you return?",
}


def check_shares(ask, texts, seeded, rng: torch.Generator, special: tuple, vocab: int, mask: int) -> None:
    """Refuse an answer whose counts lie too far from 15 % and 80/10/10, or that draws tokens together.

    >>> check_shares.__name__  # `check_masking` has an example of the whole
    'check_shares'
    """
    ids = texts(400, 300, rng)
    inputs, labels = ask(ids, 1.0, seeded(rng))
    chosen, masked = labels >= 0, inputs == mask
    _apart("becomes [MASK]", masked, chosen, ids)
    _split(inputs, ids, chosen, mask, "with rate 1, ")
    _random_tokens(inputs, chosen & ~masked & (inputs != ids), special, vocab)

    ids = texts(100, 300, rng)
    ordinary = ~torch.isin(ids, torch.tensor(special))
    for rate in (0.15, 0.4):
        inputs, labels = ask(ids, rate, seeded(rng))
        chosen = labels >= 0
        _apart("is chosen", chosen, ordinary, ids)
        share = float(chosen.sum() / ordinary.sum())
        if abs(share - rate) > FAR * sqrt(rate * (1 - rate) / int(ordinary.sum())):
            cause = f"each ordinary token is chosen with probability {rate:g}: torch.rand(ids.shape) < rate"
            if abs(share - (1 - rate)) < 0.02:
                cause = "the comparison is turned round: a draw lies *below* 0.15 in 15 % of cases"
            elif abs(share - 0.15) < 0.01:
                cause = "0.15 is written into the code: use `rate`"
            elif abs(share - rate * 0.9) < 0.01:
                cause = "tokens that stay unchanged are not counted as chosen: they have labels too"
            raise Wrong(f"with rate {rate:g}, {share:.1%} of the ordinary tokens are chosen", f"{rate:.0%}", cause)
        _split(inputs, ids, chosen, mask, f"with rate {rate:g} (with rate 1 all was well), ")


def check_tiny(inputs: Tensor, mask: int) -> None:
    """Of three ordinary tokens and [MASK], random draws that include [MASK] would show: 82.5 % instead of 80.

    >>> check_tiny(torch.tensor([[5] * 8 + [1, 2]]), 5)
    """
    share = float((inputs == mask).double().mean())
    if abs(share - 0.8) > FAR * sqrt(0.16 / inputs.numel()):
        raise Wrong(
            f"with three ordinary tokens in the vocabulary, {share:.1%} of the chosen become [MASK]",
            "80.0 %, however small the vocabulary",
            "the random token may be [MASK] itself: draw among the ordinary tokens only",
        )


def _split(inputs: Tensor, ids: Tensor, chosen: Tensor, mask: int, when: str) -> None:
    many = int(chosen.sum())
    kinds = (inputs == mask, (inputs != mask) & (inputs != ids), inputs == ids)
    seen = [float((chosen & kind).sum()) / many for kind in kinds]
    lost = 0.1 / 55  # a random token is by chance the old one
    want = (RIGHT[0], RIGHT[1] - lost / 2, RIGHT[2] + lost / 2)
    if all(abs(a - b) < FAR * sqrt(b * (1 - b) / many) + lost / 2 for a, b in zip(seen, want, strict=True)):
        return
    near = {max(abs(a - b) for a, b in zip(seen, split, strict=True)): split for split in SPLITS}
    cause = SPLITS[near[min(near)]] if min(near) < 0.003 + 2 / sqrt(many) else "compare one draw with 0.8 and with 0.9"
    if when.startswith("with rate 0") and seen[0] > 0.99:
        cause = (
            "the draw that chooses the tokens is used again for the replacement: below the rate it is always below "
            "0.8, too; draw a second time"
        )
    raise Wrong(
        f"{when}{seen[0]:.1%} of {many} chosen tokens become [MASK], {seen[1]:.1%} another token, {seen[2]:.1%} stay",
        "80 %, 10 % and 10 %",
        cause,
    )


def _apart(what: str, yes: Tensor, among: Tensor, ids: Tensor) -> None:
    """Refuse draws that rows, columns or equal tokens share: their counts scatter more, or less, than single draws."""
    size = ids.shape
    groups = {
        "text": torch.arange(size[0])[:, None].expand(size),
        "place": torch.arange(size[1]).expand(size),
        "vocabulary entry": ids,
    }
    share, ratios = float((yes & among).sum() / among.sum()), {}
    for name, group in groups.items():
        counts = torch.bincount(group[among].flatten()).double()
        found = torch.bincount(group[among & yes].flatten(), minlength=len(counts)).double()[counts > 0]
        counts = counts[counts > 0]
        expected = (counts * share * (1 - share)).clamp(min=1e-9)
        ratio = float(((found - counts * share).square() / expected).mean())  # 1 +- sqrt(2 / groups)
        if ratio > 4:
            raise Wrong(
                f"whether a token {what} depends on its {name}: the counts scatter {ratio:.0f} times as much as they "
                "would by chance",
                "a draw for each token of each text",
                f"one draw is shared by all tokens of a {name}: draw with torch.rand(ids.shape, ...)",
            )
        ratios[name] = ratio
    if ratios["text"] < 0.3 and 0 < share < 1:
        raise Wrong(
            f"every text has nearly the same number of tokens where it {what}",
            "a draw for each token, so that the numbers differ by chance",
            "a fixed number of places is picked from each text, as BERT's own script did; here each token is "
            "drawn for itself, with probability `rate`",
        )


def _random_tokens(inputs: Tensor, random: Tensor, special: tuple, vocab: int) -> None:
    drawn = inputs[random]
    if int(drawn.min()) < 0 or int(drawn.max()) >= vocab:
        seen = f"a random token is {int(drawn.max()) if int(drawn.max()) >= vocab else int(drawn.min())}"
        raise Wrong(seen, f"an id from 0 to {vocab - 1}", "torch.randint(vocab_size, ...) stops before vocab_size")
    if odd := sorted(set(drawn.tolist()) & set(special)):
        raise Wrong(
            f"the random token is a special one in {int(torch.isin(drawn, torch.tensor(special)).sum())} places: {odd}",
            "a random ordinary token",
            "draw among the ordinary ids only: make a list of them, draw a place in that list",
        )
    counts = torch.bincount(drawn, minlength=vocab)
    usual = len(drawn) / (vocab - len(special))  # 216 +- 15
    several = [len(set(row[hit].tolist())) for row, hit in zip(inputs, random, strict=True)]
    down = [len(set(row[hit].tolist())) for row, hit in zip(inputs.T, random.T, strict=True)]
    if min(sum(several) / len(several), sum(down) / max(1, sum(n > 0 for n in down))) < 8:
        raise Wrong(
            "the random tokens of one text, or of one place, are nearly all the same",
            "another draw for each token",
            "one random id is shared by many tokens: draw with torch.randint(..., ids.shape)",
        )
    ordinary = [i for i in range(vocab) if i not in special]
    if never := [i for i in ordinary if counts[i] < usual * 0.45]:
        some = ", ".join(map(str, never[:5])) + (", ..." if len(never) > 5 else "")
        raise Wrong(
            f"of {len(drawn)} random tokens none, or too few, are {some}",
            f"every ordinary id about {usual:.0f} times",
            "the random tokens come from a part of the vocabulary, or from the texts themselves; draw from all "
            "ordinary ids, equally often",
        )
    if often := [i for i in ordinary if counts[i] > usual * 1.7]:
        seen = f"of {len(drawn)} random tokens {int(counts[often[0]])} are {often[0]}"
        raise Wrong(seen, f"every ordinary id about {usual:.0f} times", "the draw is not the same for all ordinary ids")
