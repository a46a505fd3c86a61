"""Implementations for exercise 9.3: right ones, which a test must pass, and broken ones, which it must fail."""

import torch
from torch import Tensor
from torch.nn import functional as F

MASK_ID, VOCABULARY, IGNORE = 4, 1000, -100


def _norm(x: Tensor, eps: float = 1e-12, correction: int = 0) -> Tensor:
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=correction, keepdim=True) + eps).sqrt()


NORMS = (
    (
        (
            _norm,
            "is your oracle right? LayerNorm divides by the plain variance (correction=0), not by the one with n - 1",
        ),
        (lambda x: _norm(x, 1e-5), "an eps of 1e-5 or 1e-12 is a choice: use inputs of ordinary size, atol=1e-3"),
        (lambda x: F.layer_norm(x.double(), x.shape[-1:]).to(x), "other rounding is no bug: compare with a tolerance"),
    ),
    (
        (
            "divides by the variance with n - 1 (Bessel's correction)",
            lambda x: _norm(x, correction=1),
            "the factor is sqrt(1 - 1/D): clear at D = 4, 0.07 % at D = 768; use small D and a tolerance of 1e-3, and "
            "look at the mean square of the output, which must be 1",
        ),
        (
            "does not subtract the mean",
            lambda x: x / (x.square().mean(-1, keepdim=True) + 1e-12).sqrt(),
            "the output of each token has mean 0; inputs with a mean far from 0 (randn + 3) show it",
        ),
        (
            "normalises over the tokens instead of the width",
            lambda x: _norm(x.mT).mT,
            "look at each row of the output, that is along dim=-1",
        ),
    ),
)


def _pool(hidden: Tensor, mask: Tensor) -> Tensor:
    return torch.stack([row[real].mean(0) for row, real in zip(hidden, mask, strict=True)])


def _pool_by_product(hidden: Tensor, mask: Tensor) -> Tensor:
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


POOLS = (
    (
        (_pool, "compare the pooled vector of a text alone with that of the same text in a batch with padding"),
        (
            _pool_by_product,
            "hidden * mask is a fine way to leave padding out, unless the padding is NaN or infinite (0 * NaN is NaN), "
            "and a text without tokens has no mean: use ordinary numbers and real texts",
        ),
        (
            lambda hidden, mask: _pool(hidden, mask) + 2e-7 * (hidden.shape[1] % 5),
            "sums in another order differ in the seventh decimal: compare with a tolerance such as atol=1e-5",
        ),
    ),
    (
        (
            "takes the mean over all positions, padding included",
            lambda hidden, mask: hidden.mean(1),
            "give it a text with padding behind it, and the same text without: the results must agree",
        ),
        (
            "leaves the padding out of the sum and divides by T all the same",
            lambda hidden, mask: (hidden * mask[..., None]).mean(1),
            "compare numbers, not directions: the vector shrinks as padding grows",
        ),
        (
            "divides the sum by the length of the longest text",
            lambda hidden, mask: (hidden * mask[..., None]).sum(1) / mask.sum(1).max(),
            "put two texts of different lengths into one batch, and look at the shorter one",
        ),
    ),
)


def _loss_by_hand(logits: Tensor, labels: Tensor) -> Tensor:
    margin = logits[:, 1] - logits[:, 0]
    return F.softplus(torch.where(labels == 1, -margin, margin)).mean()


def _weighted(logits: Tensor, labels: Tensor, zero: float, one: float) -> Tensor:
    weight = torch.where(labels == 0, zero, one)
    each = F.cross_entropy(logits, labels, reduction="none")
    return (each * weight).sum() / weight.sum().clamp(min=1e-9)


LOSSES = (
    (
        (F.cross_entropy, "what does your test ask of the loss that the mean of -log p(label) does not fulfil?"),
        (_loss_by_hand, "the same loss, computed in another way: compare with a tolerance, not for equal bits"),
        (
            lambda logits, labels: F.cross_entropy(logits.double(), labels).to(logits),
            "the same loss, rounded in another way: compare with a tolerance",
        ),
    ),
    (
        (
            "ignores the pairs with label 0",
            lambda logits, labels: _weighted(logits, labels, 0.0, 1.0),
            "the two labels are mirror images: exchange the two columns of the logits and the labels 0 and 1, and the "
            "loss must stay; or ask for the gradient of a pair with label 0",
        ),
        (
            "ignores the pairs with label 1",
            lambda logits, labels: _weighted(logits, labels, 1.0, 0.0),
            "your test knows one label only: ask the same of the other (a mirror does both at once)",
        ),
        (
            "counts the pairs with label 0 half",
            lambda logits, labels: _weighted(logits, labels, 0.5, 1.0),
            "a loss above 0 is not yet the right one: compare it with its mirror image, with a tolerance of 1e-4",
        ),
    ),
)


def _score(hidden: Tensor, table: Tensor, bias: Tensor) -> Tensor:
    return hidden @ table.T + bias


BIASES = (
    (
        (_score, "what remains of the scores if you take hidden @ table.T away?"),
        (
            lambda hidden, table, bias: _score(hidden.double(), table.double(), bias.double()).to(hidden),
            "the same scores, rounded in another way: compare with a tolerance",
        ),
    ),
    (
        (
            "adds the bias twice",
            lambda hidden, table, bias: _score(hidden, table, bias) + bias,
            "the scores with a bias minus those without it must be the bias, once; take random numbers for it",
        ),
        (
            "leaves the bias out",
            lambda hidden, table, bias: hidden @ table.T,
            "the scores with a bias minus those without it must be the bias",
        ),
        (
            "adds the bias to the first token only",
            lambda hidden, table, bias: torch.cat([_score(hidden[:1], table, bias), hidden[1:] @ table.T]),
            "look at all tokens, and give it more than one",
        ),
    ),
)


def _mask(ids: Tensor, generator: torch.Generator, shares=(0.8, 0.1), first: int = 5, forget: bool = False):
    """BERT's masking with other shares, or without the labels of the tokens that stay."""
    chosen = torch.rand(ids.shape, generator=generator) < 0.15
    kind = torch.rand(ids.shape, generator=generator)
    strangers = torch.randint(first, VOCABULARY, ids.shape, generator=generator)
    hidden, replaced = chosen & (kind < shares[0]), chosen & (kind >= shares[0]) & (kind < sum(shares))
    inputs = torch.where(replaced, strangers, ids).masked_fill(hidden, MASK_ID)
    return inputs, ids.masked_fill(~(hidden | replaced if forget else chosen), IGNORE)


def _mask_exactly(ids: Tensor, generator: torch.Generator):
    """Exactly 15 % of the tokens, in exact shares: a permutation instead of coins."""
    order = torch.randperm(len(ids), generator=generator)[: round(0.15 * len(ids))]
    inputs, labels = ids.clone(), torch.full_like(ids, IGNORE)
    labels[order] = ids[order]
    hidden, replaced = round(0.8 * len(order)), round(0.9 * len(order))
    inputs[order[:hidden]] = MASK_ID
    some = order[hidden:replaced]
    inputs[some] = torch.randint(5, VOCABULARY, some.shape, generator=generator)
    return inputs, labels


_MANY = (
    "15 % of the tokens are chosen, 10 % of those stay: a count that must tell 9 % from 10 % needs about a million "
    "tokens, and a tolerance of about 0.005"
)
MASKINGS = (
    (
        (_mask, "counts are never exact: with n chosen tokens a share p wobbles by sqrt(p (1 - p) / n). " + _MANY),
        (
            lambda ids, generator: _mask(ids, generator, first=0),
            "a random token may be any entry, [MASK] and the token itself among them, once in a thousand: allow for it",
        ),
        (_mask_exactly, "15 % drawn exactly, or one coin for each token, are both right"),
    ),
    (
        (
            "comes out at 81/10/9 (a coin of 10 % for `random`, then one of 90 % for [MASK])",
            lambda ids, generator: _mask(ids, generator, (0.81, 0.10)),
            _MANY,
        ),
        (
            "comes out at 80/2/18 (`random` is drawn with 10 % among what [MASK] left)",
            lambda ids, generator: _mask(ids, generator, (0.8, 0.02)),
            "count all three: [MASK], another token, the same token, as shares of the chosen ones",
        ),
        (
            "gives no label to the chosen tokens that stay as they are",
            lambda ids, generator: _mask(ids, generator, forget=True),
            "count the tokens that stay: labels != -100 and inputs == labels",
        ),
    ),
)
