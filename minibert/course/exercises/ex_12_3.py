"""12.3 MaxSim of the `count` best partners, for batches with padding and for documents that lie end to end."""

import torch
from torch.nn import functional as F

from minibert.course.lab import Case, Exercise, Lab


def max_sim(queries, query_mask, documents, document_mask, count):
    """Scores (A, B) of queries (A, Q, D) and documents (B, T, D); masks (A, Q) and (B, T) are True on real tokens."""
    queries, documents = F.normalize(queries, dim=-1), F.normalize(documents, dim=-1)
    cosines = torch.einsum("aqd,btd->abqt", queries, documents)  # (A, B, Q, T)
    best = cosines.masked_fill(~document_mask[None, :, None], float("-inf"))
    best = best.topk(min(count, best.shape[-1]), dim=-1).values  # (A, B, Q, count), -inf where too few are real
    found = best > float("-inf")
    best = best.masked_fill(~found, 0.0).sum(dim=-1) / found.sum(dim=-1)  # (A, B, Q)
    return best.masked_fill(~query_mask[:, None], 0.0).sum(dim=-1)


def max_sim_packed(query, tokens, borders, count):
    """Scores (B,) of a query (Q, D) and B documents, tokens (N, D); document b is tokens[borders[b]:borders[b + 1]]."""
    cosines = F.normalize(query, dim=-1) @ F.normalize(tokens, dim=-1).T  # (Q, N)
    parts = cosines.split(borders.diff().tolist(), dim=1)
    return torch.stack([part.topk(min(count, part.shape[1]), dim=1).values.mean(dim=1).sum() for part in parts])


def drawn(rng, *shape):
    """Vectors of different norms, which would decide if they counted."""
    return torch.randn(*shape, generator=rng) * (3 * torch.rand(*shape[:-1], 1, generator=rng) + 0.3)


USUAL = (
    "for each real token of the query the mean of its `count` highest cosines with real ones of the document; then add"
)
NEGATIVE = "all cosines are negative here: what padding gets must lie below any of them, so -inf and not 0"
NOTHING = "padding of a query adds nothing, 0 and not -inf; so a query of padding alone has the score 0"
FEW = "a document has fewer real tokens than `count`: the mean of those that it has"


def padded(rng):
    query, document = torch.tensor([[[2.0, 0], [0, 1]]]), torch.tensor([[[3.0, 0], [1, 1]]])
    hand = (query, real(query), document, real(document))
    yield Case(
        (*hand, 1),
        "each query token's highest cosine, 1 and, at 45 degrees, 0.7071, added",
        "a score by hand, count 1,",
    )
    yield Case((*hand, 2), "(1 + 0.7071) / 2 and (0 + 0.7071) / 2, added", "a score by hand, count 2,")
    queries, documents = drawn(rng, 3, 4, 6), drawn(rng, 2, 5, 6)
    yield Case((queries, real(queries), documents, real(documents), 2), USUAL, "the scores without padding")
    rows = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]]).bool()
    for count in (1, 3):
        name = f"the scores with padded documents, count {count},"
        yield Case((queries, real(queries), documents, rows, count), USUAL, name)
    for count in (4, 9):
        yield Case((queries, real(queries), documents, rows, count), FEW, f"the scores for count {count}", FEW)
    columns = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]]).bool()
    yield Case((queries, columns, documents, real(documents), 2), USUAL, "the scores with padded queries", NOTHING)
    both = (queries, columns, documents, rows, 2)
    yield Case(both, USUAL, "the scores with padding in both", gradient=True, double=True)
    holes = torch.tensor([[0, 1, 0, 1, 1], [0, 0, 1, 1, 0]]).bool()
    where = "the masks say where padding stands: anywhere"
    yield Case((queries, columns.flip(1), documents, holes, 2), where, "the scores with padding anywhere")
    ahead = queries[:1, :1].abs()  # all numbers positive, and those of the documents negative
    against = -documents.abs()
    away = "the scores of a query and documents that point away from it"
    yield Case((ahead, real(ahead), against, rows, 2), NEGATIVE, away)
    like = torch.where(rows[..., None], against, ahead)
    yield Case((ahead, real(ahead), like, rows, 2), NEGATIVE, "the scores where the padding looks like the query")
    yield Case((ahead, real(ahead), against * rows[..., None], rows, 2), NEGATIVE, "the scores where padding is zeros")
    nothing = torch.tensor([[1, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]]).bool()
    yield Case((queries, nothing, documents, rows, 2), NOTHING, "the scores with an empty query", NOTHING)
    huge = documents.masked_fill(~rows[..., None], 1e4)
    large = "the scores where padding is large and states are small"
    yield Case((1e-3 * queries, columns, huge, rows, 2), USUAL, large)


def real(vectors):
    """A mask without padding."""
    return torch.ones(vectors.shape[:2]).bool()


HAND = "the borders make documents of 2 tokens and of 1: 1 + 0.7071, and 0 - 1 (a cosine may be negative)"


def packed(rng):
    hand = torch.tensor([[3.0, 0], [1, 1], [0, -2]])
    query, borders = torch.tensor([[2.0, 0], [0, 1]]), torch.tensor([0, 2, 3])
    yield Case((query, hand, borders, 1), HAND, "scores by hand, count 1,")
    yield Case((query, hand, borders, 2), "(1 + 2 * 0.7071 + 0) / 2; and 0 - 1: " + FEW, "scores by hand, count 2,")
    query = drawn(rng, 4, 6)
    for lengths, count in (((3, 5, 2), 2), ((1, 1, 4, 1), 3), ((7,), 2), ((2, 6), 3)):
        borders = torch.tensor([0, *lengths]).cumsum(0)
        name = f"the scores for documents of {', '.join(map(str, lengths))} tokens, count {count},"
        cause = "each document by itself, from its border up to, without, the next one"
        last = lengths == (2, 6)
        tokens = drawn(rng, sum(lengths), 6)
        inputs = (query, tokens, borders.int() if last else borders, count)
        yield Case(inputs, cause, name, gradient=last, double=last)
    yield Case((query[:1].abs(), -tokens.abs(), borders, 2), "all cosines are negative here", "the scores of opposites")
    yield Case((query[:1], tokens, borders, 1), "", "the scores for a query of one token")


NORMAL, SCORES = "F.normalize(queries, dim=-1), F.normalize(documents, dim=-1)", '"aqd,btd->abqt", queries, documents'
HIDE, TOP = 'cosines.masked_fill(~document_mask[None, :, None], float("-inf"))', "min(count, best.shape[-1])"
KEPT, TAKEN = f"    best = {HIDE}", f"best.topk({TOP}, dim=-1).values"
MEAN, RETURN = (
    "best.masked_fill(~found, 0.0).sum(dim=-1) / found.sum(dim=-1)",
    "return best.masked_fill(~query_mask[:, None], 0.0).sum(dim=-1)",
)
ONLY = "only the highest cosine counts, whatever `count` is"
PARTLY = "the sum is divided by `count`; a document may have fewer tokens, and then by their number"
SUMMED = "the `count` highest are added up; their mean is asked"
ALL = "all cosines are in the mean; the `count` highest are asked"
LOWEST = "this is the last of the `count` highest alone; the mean of them is asked"
PADDED = {
    "neither is normalised: these are dot products, cosines are asked": {NORMAL: "queries, documents"},
    "the documents are not normalised": {", F.normalize(documents, dim=-1)": ", documents"},
    "the queries are not normalised": {"F.normalize(queries, dim=-1), ": "queries, "},
    "the vectors are normalised along the tokens; each token gets a norm of 1": {
        NORMAL: "F.normalize(queries, dim=1), F.normalize(documents, dim=1)"
    },
    "the vectors are divided by one norm for all; each token gets a norm of 1": {
        NORMAL: "queries / queries.norm(), documents / documents.norm()"
    },
    "padding of the documents counts: it may hold the highest cosine": {HIDE: "cosines"},
    "padding of the documents counts as a cosine of 0, which is more than a negative one": {
        HIDE: "cosines.masked_fill(~document_mask[None, :, None], 0.0)"
    },
    "padding of the documents is lowered by 1, which is not enough: set it to -inf": {
        HIDE: "(cosines + document_mask[None, :, None].float() - 1)"
    },
    "padding of the queries counts: its best cosines are in the sum": {RETURN: "return best.sum(dim=-1)"},
    "the masks are turned round: they are True on real tokens": {
        HIDE: HIDE.replace("~", ""),
        RETURN: RETURN.replace("~", ""),
    },
    "the maximum is taken over the query's tokens, and the sum over the document's; it is the other way round": {
        KEPT: "    best = cosines.transpose(2, 3).masked_fill(~query_mask[:, None, None], float('-inf'))",
        RETURN: "return best.masked_fill(~document_mask[None], 0.0).sum(dim=-1)",
    },
    "the mean over the query's tokens is taken; the sum is asked": {
        RETURN: f"{RETURN} / query_mask.sum(dim=1)[:, None].clamp(min=1)"
    },
    "the best token of the query alone counts; each one adds its own": {
        RETURN: "return best.masked_fill(~query_mask[:, None], -2.0).amax(dim=-1)"
    },
    "a score below 0 is set to 0; it stays": {RETURN: f"{RETURN}.relu()"},
    "the sign of the cosines is lost (abs); -1 is the worst partner, not the best": {
        HIDE: HIDE.replace("cosines", "cosines.abs()")
    },
    "the `count` lowest are taken; the highest are asked": {
        TAKEN: f"-(-cosines).masked_fill(~document_mask[None, :, None], -9.0).topk({TOP}, dim=-1).values"
    },
    "the sum is divided by Q, padding included; the sum is asked": {RETURN: f"{RETURN} / query_mask.shape[1]"},
    "the first real token of a query is left out; each one counts": {
        RETURN: RETURN.replace("~query_mask[:, None]", "~(query_mask & (query_mask.cumsum(1) > 1))[:, None]")
    },
    ONLY: {TOP: "1"},
    SUMMED: {MEAN: "best.masked_fill(~found, 0.0).sum(dim=-1)"},
    PARTLY: {MEAN: "best.masked_fill(~found, 0.0).sum(dim=-1) / count"},
    ALL: {TOP: "best.shape[-1]"},
    LOWEST: {MEAN: "best.masked_fill(~found, 9.0).amin(dim=-1)"},
    "a softmax mixes the cosines; the `count` highest count alike": {
        TAKEN: "(best.softmax(dim=-1) * cosines).sum(dim=-1, keepdim=True)"
    },
    "negative cosines count as 0; they lower the score": {MEAN: MEAN.replace("0.0)", "0.0).clamp(min=0)")},
    "the documents stand in the rows: (A, B), a row for each query": {RETURN: f"{RETURN}.T"},
    "query number i is compared with document i only; every one meets every other": {RETURN: f"{RETURN}.diagonal()"},
    "the means of the tokens are compared; late interaction keeps every token": {
        RETURN: "return F.normalize((queries * query_mask[..., None]).sum(1), dim=-1) @ "
        "F.normalize((documents * document_mask[..., None]).sum(1), dim=-1).T"
    },
    "as many tokens as are real are taken from the left end; the masks say where they stand": {
        KEPT: "    left = torch.arange(document_mask.shape[1]) < document_mask.sum(1, keepdim=True)\n"
        + KEPT.replace("~document_mask", "~left"),
    },
    "distances are used; cosines are asked": {
        f"    cosines = torch.einsum({SCORES})": "    cosines = -torch.cdist(queries[:, None], documents[None])"
    },
}
SPLIT, SUM = "borders.diff().tolist()", "part.topk(min(count, part.shape[1]), dim=1).values.mean(dim=1).sum()"
TOP_OF_PART = "part.topk(min(count, part.shape[1]), dim=1).values"
PACKED = {
    "neither is normalised: these are dot products, cosines are asked": {
        "F.normalize(query, dim=-1) @ F.normalize(tokens, dim=-1).T": "query @ tokens.T"
    },
    "the document's tokens are not normalised": {"F.normalize(tokens, dim=-1)": "tokens"},
    "the query's tokens are not normalised": {"F.normalize(query, dim=-1)": "query"},
    "the maximum is taken over the query's tokens, and the sum over the document's; it is the other way round": {
        SUM: "part.topk(min(count, part.shape[0]), dim=0).values.mean(dim=0).sum()"
    },
    "the mean over the query's tokens is taken; the sum is asked": {SUM: f"{TOP_OF_PART}.mean()"},
    "the best token of the query alone counts; each one adds its own": {SUM: f"{TOP_OF_PART}.mean(dim=1).amax()"},
    ONLY: {SUM: "part.amax(dim=1).sum()"},
    SUMMED: {SUM: f"{TOP_OF_PART}.sum()"},
    PARTLY: {SUM: f"({TOP_OF_PART}.sum() / count)"},
    ALL: {SUM: "part.mean(dim=1).sum()"},
    LOWEST: {SUM: f"{TOP_OF_PART}[:, -1].sum()"},
    "negative cosines count as 0; they lower the score": {SUM: f"{TOP_OF_PART}.clamp(min=0).mean(dim=1).sum()"},
    "the vectors are normalised along the tokens; each token gets a norm of 1": {
        "F.normalize(query, dim=-1) @ F.normalize(tokens, dim=-1).T": "F.normalize(query, dim=0) "
        "@ F.normalize(tokens, dim=0).T"
    },
    "the first `count` tokens of a document are taken; the highest cosines are asked": {
        SUM: "part[:, :count].mean(dim=1).sum()"
    },
    "the `count` highest of all of a document's cosines are taken; each token of the query has its own": {
        SUM: "part.flatten().topk(min(count, part.numel())).values.mean() * len(part)"
    },
    "a document begins after its border: its first token is missing": {
        "for part in parts": "for part in [part[:, min(1, part.shape[1] - 1) :] for part in parts]"
    },
    "the last document is missing: its border is the last one": {"for part in parts": "for part in parts[:-1]"},
    "the first document is missing": {"for part in parts": "for part in parts[1:]"},
    "the tokens are split evenly; the borders say where a document ends": {
        "cosines.split(borders.diff().tolist(), dim=1)": "cosines.tensor_split(len(borders) - 1, dim=1)"
    },
    "a document ends in front of its border: its last token is missing": {
        "for part in parts": "for part in [part[:, : max(part.shape[1] - 1, 1)] for part in parts]"
    },
    "every document reaches to the end of all tokens": {
        "for part in parts": "for part in [cosines[:, start:] for start in borders[:-1].tolist()]"
    },
    "every document begins with the first token of all": {
        "for part in parts": "for part in [cosines[:, :stop] for stop in borders[1:].tolist()]"
    },
    "the means of the tokens are compared; late interaction keeps every token": {
        f"cosines.split({SPLIT}, dim=1)": f"tokens.split({SPLIT})",
        SUM: "F.cosine_similarity(query.mean(0), part.mean(0), dim=0)",
    },
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="(max_sim, max_sim_packed): max_sim(queries (A, Q, D), query_mask (A, Q), documents (B, T, D), "
    "document_mask (B, T), count) -> (A, B); max_sim_packed(query (Q, D), tokens (N, D), borders (B + 1,), count) "
    "-> (B,)",
    hints=(
        "Padding must lose wherever the highest are looked for, and must add nothing where a sum is taken. Which of\n"
        "the two happens to tokens of a document, and which to tokens of a query?",
        "cosines of every token with every token: (A, B, Q, T); the mean of the highest takes away T, the sum Q.\n"
        "document_mask meets them as (1, B, 1, T), query_mask meets (A, B, Q) as (A, 1, Q). Packed: (Q, N), cut at\n"
        "the borders into pieces (Q, length). There may be fewer real tokens than `count`.",
        "bring all tokens to a norm of 1\n"
        "every token of a query times every token of a document\n"
        "where the document is padding: lower than any cosine; then the `count` highest for each token of the query,\n"
        "    without what is padding still, and their mean\n"
        "where the query is padding: nothing to add; then the sum\n"
        "packed: the same for each piece between two borders, without masks",
    ),
    parts=(Lab(max_sim, padded, PADDED), Lab(max_sim_packed, packed, PACKED)),
)
