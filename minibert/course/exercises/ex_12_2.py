"""12.2 InfoNCE with hard negatives, in which copies of the right document are no negatives."""

import torch
from torch.nn import functional as F

from minibert.course.lab import Case, Exercise, Lab


def contrastive_loss(queries, documents, numbers, temperature):
    """Mean loss in nats: queries (B, D), documents (B + H, D), numbers (B + H,) of the texts -> a scalar."""
    B = len(queries)
    logits = F.normalize(queries, dim=-1) @ F.normalize(documents, dim=-1).T / temperature  # (B, B + H)
    copies = numbers[:B, None] == numbers  # (B, B + H)
    copies.fill_diagonal_(False)  # the right document itself stays
    logits = logits.masked_fill(copies, float("-inf"))
    own = torch.arange(B)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits[:, :B].T, own)) / 2


def cases(rng):
    eye, two = torch.eye(2), torch.arange(2)
    both = "each of the two directions costs ln(1 + exp(-1 / temperature)) here: (0.3133 + 0.3133) / 2"
    yield Case((eye, eye, two, 1.0), both, "the loss of two pairs at right angles, temperature 1,")
    yield Case((eye, 3 * eye, two, 0.5), "cosines: the vectors' norms do not count", "the loss of longer documents")
    B, D = 5, 7
    queries, documents = torch.randn(B, D, generator=rng), torch.randn(B, D, generator=rng)
    documents = 2 * documents + queries
    pairs = "both directions: the rows of (B, B), and its columns; the right answers stand on the diagonal"
    yield Case((queries, documents, torch.arange(B), 1.0), pairs, "the loss of 5 pairs, temperature 1,")
    yield Case((queries, documents, torch.arange(B), 0.2), pairs, "the loss of 5 pairs, temperature 0.2,")
    extra = torch.cat([documents, 1.5 * torch.randn(3, D, generator=rng) + queries[:3]])
    hard = "hard negatives: a query has B + H documents to choose from; the other direction knows the B pairs only"
    yield Case((queries, extra, torch.arange(B + 3), 0.3), hard, "the loss with 3 hard negatives")
    twice = "documents with the number of the right one are the same text: left out, in both directions"
    numbers = torch.tensor([4, 9, 4, 7, 9])
    yield Case((queries, documents, numbers, 0.3), twice, "the loss of pairs, where two texts come twice,")
    numbers = torch.tensor([4, 9, 4, 7, 8, 7, 1, 4])
    usual = "hard negatives, and copies: look at one row of the logits, and at one column"
    yield Case((queries, extra, numbers, 0.3), usual, "the loss with hard negatives and copies", gradient=True)
    yield Case((queries, extra, numbers, 0.3), usual, "the loss with hard negatives and copies", double=True)
    single = "a batch of one pair: the hard negatives are all that it is compared with"
    yield Case((queries[:1], extra[:3], torch.tensor([3, 1, 3]), 0.4), single, "the loss of one pair")
    none = "all are copies of one text: nothing is left to choose from, and the loss is 0"
    yield Case((queries, documents, torch.full((B,), 6), 0.3), none, "the loss of 5 copies")
    low = "exp overflows for logits above 88: leave exp to F.cross_entropy, log_softmax or logsumexp"
    as_it_is = "the temperature divides as it is, however low"
    yield Case((queries, extra, numbers, 0.004), as_it_is, "the loss at temperature 0.004", low, tolerance=1e-4)
    far = "left out is -inf: at this temperature logits go down to -250, and what replaces a copy must be lower"
    yield Case((queries, -documents, torch.full((B,), 6), 0.004), far, "the loss of 5 copies at temperature 0.004")


LOGITS = "F.normalize(queries, dim=-1) @ F.normalize(documents, dim=-1).T / temperature"
COPIES, KEPT = "numbers[:B, None] == numbers  #", "    copies.fill_diagonal_(False)"
HIDE, FIRST, SECOND = (
    'logits.masked_fill(copies, float("-inf"))',
    "F.cross_entropy(logits, own)",
    "F.cross_entropy(logits[:, :B].T, own)",
)
RETURN = f"return ({FIRST} + {SECOND}) / 2"
OWN = "    own = torch.arange(B)"


def both(body):
    """A patch with which `mine(rows)`, one line, is the loss of one direction."""
    return {
        OWN: f"    def mine(rows):\n        return {body}\n",
        RETURN: "return (mine(logits) + mine(logits[:, :B].T)) / 2",
    }


def of_copies(body):
    """The same, where `same` marks a row's right document and all copies of it."""
    patch = both(body.replace("same", "(rows.isfinite() & SAME[: rows.shape[0], : rows.shape[1]])"))
    return patch | {KEPT: "    SAME = copies", HIDE: "logits"}


MISTAKES = {
    "the temperature is not used: divide the cosines by it": {" / temperature": ""},
    "the temperature is always 0.05; use the one that comes in": {" / temperature": " / 0.05"},
    "the cosines are multiplied by the temperature; divide by it": {" / temperature": " * temperature"},
    "the temperature divides twice": {" / temperature": " / temperature**2"},
    "the loss is multiplied by the temperature; it only divides the cosines": {RETURN: f"{RETURN} * temperature"},
    "these are dot products; cosines are asked: normalise queries and documents": {
        LOGITS: "queries @ documents.T / temperature"
    },
    "the documents are not normalised": {"F.normalize(documents, dim=-1)": "documents"},
    "the queries are not normalised": {"F.normalize(queries, dim=-1)": "queries"},
    "the vectors are normalised along the batch; each row gets a norm of 1": {
        "F.normalize(queries, dim=-1)": "F.normalize(queries, dim=0)",
        "F.normalize(documents, dim=-1)": "F.normalize(documents, dim=0)",
    },
    "one direction is missing: each document looks for its query, too": {RETURN: f"return {FIRST}"},
    "one direction is missing: each query looks for its document, too": {RETURN: f"return {SECOND}"},
    "the losses of the pairs are added up; their mean is asked": {
        RETURN: 'return (F.cross_entropy(logits, own, reduction="sum") '
        '+ F.cross_entropy(logits[:, :B].T, own, reduction="sum")) / 2'
    },
    "the two directions are added up; their mean is asked": {RETURN: RETURN.removesuffix(" / 2")},
    "the right document (the diagonal) is missing in the denominator: it is one of those to choose from": both(
        "(rows.masked_fill(torch.eye(*rows.shape).bool(), float('-inf')).logsumexp(1) - rows.diagonal()).mean()"
    ),
    "copies are left out and the right document with them; it stays": {KEPT: ""},
    "the right document is left out as a copy of itself; it stays": {
        KEPT: "",
        HIDE: "logits.masked_fill(copies, -1e9)",
    },
    "a text that comes twice is left out for all; leave it out only where it is the right document's": {
        COPIES: "((numbers == numbers[:, None]).triu(1).any(0) & (numbers >= 0)).repeat(B, 1)  #"
    },
    "copies are left out on one side of the diagonal only": {KEPT: "    copies = copies.triu(1)"},
    "copies of the right document still count as negatives": {HIDE: "logits"},
    "copies are left out for the queries; a document must not be compared with queries of its copies either": {
        "    logits = logits.masked": "    given = logits\n    logits = logits.masked",
        "(logits[:, :B].T": "(given[:, :B].T",
    },
    "copies are left out in the second direction only": {
        "    logits = logits.masked": "    given = logits\n    logits = logits.masked",
        "(logits, own)": "(given, own)",
    },
    "copies are left out among the hard negatives only": {KEPT: "    copies[:, :B] = False"},
    "copies are left out among the first B documents only; a hard negative may be one, too": {
        KEPT: f"{KEPT}\n    copies[:, B:] = False"
    },
    "copies have the logit 0; left out is -inf": {HIDE: "logits.masked_fill(copies, 0.0)"},
    "copies count as right answers: only the document in a pair's own row does": of_copies(
        "(rows.logsumexp(1) - rows.masked_fill(~same, float('-inf')).logsumexp(1)).mean()"
    ),
    "the mean over all copies is taken, as if each were right: only the document in a pair's own row is": of_copies(
        "(-(rows.log_softmax(1) * same).sum(1) / same.sum(1)).mean()"
    ),
    "the hard negatives are missing: a query has all B + H documents to choose from": {
        "(logits, own)": "(logits[:, :B], own)"
    },
    "the documents of other pairs are missing: they are negatives, too": {
        "(logits, own)": "(torch.cat([logits.diagonal()[:, None], logits[:, B:]], dim=1), 0 * own)"
    },
    "documents are compared with documents, too (as in SimCLR); a document chooses among the queries": {
        "(logits[:, :B].T, own)": "(torch.cat([logits[:, :B].T, (F.normalize(documents, dim=-1)[:B] @ "
        "F.normalize(documents, dim=-1)[:B].T / temperature).fill_diagonal_(-1e9)], dim=1), own)"
    },
    "the sign is turned round: the loss falls as the right documents get more likely": {
        RETURN: RETURN.replace("return ", "return -")
    },
    "these are bits (log2); nats are asked": {RETURN: f"{RETURN} / 0.6931471805599453"},
    "F.cross_entropy gets probabilities; it wants logits and takes the softmax by itself": {
        "(logits, own)": "(logits.softmax(1), own)",
        "(logits[:, :B].T, own)": "(logits[:, :B].T.softmax(1), own)",
    },
    "both directions use the softmax over the documents": {
        "(logits[:, :B].T, own)": "(logits.log_softmax(1)[:, :B].T, own)",
    },
    "this is the mean of 1 minus the probability; the loss is its log with a minus": both(
        "(1 - rows.softmax(1).diagonal()).mean()"
    ),
    "the sum is divided by the number of documents; there are B pairs": {RETURN: f"{RETURN} * B / len(documents)"},
    "each number is judged by itself (a sigmoid); a softmax lets the documents compete": both(
        "F.binary_cross_entropy_with_logits(rows.clamp(min=-1e4), torch.eye(*rows.shape))"
    ),
    "distances stand in place of cosines": {
        LOGITS: "-torch.cdist(F.normalize(queries, dim=-1), F.normalize(documents, dim=-1)) / temperature"
    },
    "the first document counts as right for every query; row i belongs to row i": {
        "torch.arange(B)": "torch.zeros(B).long()"
    },
    "the cosines of the pairs are cut off from the gradient": {
        LOGITS: f"({LOGITS}).detach() + 0 * queries.sum() + 0 * documents.sum()"
    },
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="contrastive_loss(queries (B, D), documents (B + H, D), numbers (B + H,) int64, temperature) -> a scalar",
    hints=(
        "Write the table of all logits on paper, a row for each query, a column for each document, and cross out what\n"
        "must not compete. Then read it twice: which row entries does a query choose from, and which column entries a\n"
        "document?",
        "cosines (B, B + H); where a number of the first B meets an equal number, (B, B + H) is True, on the diagonal\n"
        "too, where it must not be. Queries: softmax over B + H. Documents: the first B columns, softmax over B.",
        "table = cosines of every query with every document, over the temperature\n"
        "cross out (minus infinity) where the numbers are equal, but not on the diagonal\n"
        "one loss: cross-entropy of the rows, right answers 0, 1, ..., B - 1\n"
        "another: cross-entropy of the first B columns, the same right answers\n"
        "the mean of both",
    ),
    parts=(Lab(contrastive_loss, cases, MISTAKES),),
)
