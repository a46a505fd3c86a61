"""4.1 BERT's embeddings."""

import torch
from torch import Tensor, nn

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.modules import expect_parameters, module_gradients, run_module
from minibert.course.tools import make_module


class BertEmbeddings(nn.Module):
    """Token, position and segment rows, summed, normalised, dropped out."""

    def __init__(self, V, D, P, dropout):
        super().__init__()
        self.token = nn.Embedding(V, D)
        self.position = nn.Embedding(P, D)
        self.segment = nn.Embedding(2, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)  # PyTorch's default would be 1e-5
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids, segment_ids=None):
        tokens, limit = ids.shape[1], self.position.num_embeddings
        if tokens > limit:
            raise ValueError(f"the text has {tokens} tokens, but there are {limit} positions: truncate it")
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)  # sentence A is row 0, which is not a row of zeros
        places = torch.arange(tokens, device=ids.device)  # (T,), the same for every text
        x = self.token(ids) + self.segment(segment_ids) + self.position(places)  # (B, T, D)
        return self.dropout(self.norm(x))


V, D, P = 11, 6, 7  # all sizes differ, so that an exchange cannot hide
HAND = {  # rows 1 of token, 0 of position, 1 of segment sum to (1, 2, 3)
    "token.weight": [[9.0, 9, 1], [1, 0, 0]],
    "position.weight": [[0.0, 2, 0], [4, 4, 0], [5, 1, 5], [7, 1, 1]],
    "segment.weight": [[1.0, 1, 5], [0, 0, 3]],
    "norm.weight": [1.0, 1, 1],
    "norm.bias": [0.0, 0, 0],
}
LONG = "compare T with P first, and raise a ValueError that names both numbers"


def dropped(answer, sizes, weights, *inputs):
    """What dropout does in train mode, seen in the output alone, so that it may also be written by hand."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        still, trained = (run_module(answer, sizes, weights, train, *inputs) for train in (False, True))
    if not isinstance(still, Tensor) or not isinstance(trained, Tensor) or still.shape != trained.shape:
        return trained
    kept, p = trained != 0, sizes[-1]
    whole = not kept.all() and torch.equal(kept.any(dim=-1), kept.all(dim=-1))
    return {
        "share of zeros": round(1 - kept.double().mean().item(), 1),  # of 6,300: chance moves it by 0.006
        "what becomes zero": "whole tokens" if whole else "single numbers",
        "where it is not zero, times (1 - dropout)": torch.where(kept, trained * (1 - p), still).detach(),
    }


def cases(rng):
    hand, one = {name: torch.tensor(rows) for name, rows in HAND.items()}, torch.tensor([[1], [1]])
    w = {name: torch.randn(p.shape, generator=rng) for name, p in BertEmbeddings(V, D, P, 0.0).state_dict().items()}
    ids, full, many = (torch.randint(0, V, shape, generator=rng) for shape in ((3, 5), (3, P), (150, P)))
    ids[0, :2], ids[1, 0] = torch.tensor([0, V - 1]), 0  # the ends of the table, and id 0 within another text
    sides = torch.tensor([[0, 0, 1, 1, 1], [0, 0, 0, 0, 0], [1, 0, 1, 0, 1]])
    sizes, small = (V, D, P, 0.3), (2, 3, 4, 0.3)
    rows = "for rows (1, 0, 0) + (0, 2, 0) + (0, 0, 3), twice, the output"
    variance = "the sum is (1, 2, 3), its mean 2, its variance (1 + 0 + 1) / 3"
    yield Case((small, hand, False, one, one), variance, rows, tolerance=1e-4)
    sums = "the rows at the ids, at the segments and at the places 0 ... T - 1 are summed, then normalised"
    yield Case((sizes, w, False, ids, sides), sums, "with random tables the output")
    first = "segment_ids None means sentence A everywhere: row 0 is added"
    yield Case((small, hand, False, one, None), first, "with segment_ids None, the output", tolerance=1e-4)
    left_out = "segment_ids may be left out: give the parameter the default None"
    yield Case((sizes, w, False, ids), left_out, "without segment_ids, the output", certain=True)
    for size in (1e-3, 1e-6, 0.0):  # at a variance of about 1e-12 eps decides half of the result
        tiny = {name: x if name.startswith("norm") else size * x for name, x in hand.items()}
        name = f"for rows {size:g} times as large, the output"
        zero = "a variance of 0 has no root to divide by: is there an eps, and is it 1e-12?"
        yield Case((small, tiny, False, one, one), "is its eps 1e-12?", name, zero, tolerance=1e-3)
    enough = f"T = P = {P} tokens are allowed: positions 0 ... {P - 1}"
    yield Case((sizes, w, False, full), enough, f"output for T = P = {P}")
    texts, few = torch.randint(0, V, (P + 2, 3), generator=rng), "only the length of a text is limited"
    yield Case((sizes, w, False, texts), f"{P + 2} texts are allowed: {few}", "output for many texts")
    for tokens in (P + 1, P + 5):
        name = f"the answer to {tokens} tokens with {P} positions"
        long = torch.randint(0, V, (1, tokens), generator=rng)
        yield Case((sizes, w, False, long), LONG, name, certain=True)
        yield Case((sizes, w, False, long, long % 2), LONG, f"{name} and segment_ids", certain=True)
    own = "nothing is dropped with dropout 0: use the probability that was passed in"
    yield Case(((V, D, P, 0.0), w, True, full), own, "in train mode with dropout 0 the output", own, certain=True)
    last = "dropout is the last step, after the norm, and only there, with the probability that was passed in"
    for share in (0.3, 0.6):
        name = f"in train mode with dropout {share}, the output"
        yield Case(((V, D, P, share), w, many), last, name, run=dropped, tolerance=1e-4)
    learn = "every row that was looked up must be able to learn, and nothing else moves"
    some = ids.clamp(min=1)  # id 0 may be kept from learning, as padding_idx=0 does
    yield Case((sizes, w, False, some, sides), learn, "gradient of the loss", run=module_gradients)


def before(answer, rng):
    for v, d, p in ((V, D, P), (5, 4, 9)):
        expect_parameters(make_module(answer, v, d, p, 0.0), BertEmbeddings(v, d, p, 0.0))


TOKEN, SEGMENT, POSITION = "self.token(ids)", "self.segment(segment_ids)", "self.position(places)"
NORM, PLACES, LAST = "self.norm(x)", "torch.arange(tokens, device=ids.device)", "self.dropout(self.norm(x))"
SUMMED, ROWS = f"{TOKEN} + {SEGMENT} + {POSITION}", f"({TOKEN}, {SEGMENT}, {POSITION})"
EPS = "the norm's eps is {}, BERT's is 1e-12; nn.LayerNorm has 1e-5 unless told otherwise"
IN_SILENCE = "a text that is too long is {}, in silence: compare T with P first, and raise a ValueError"
LIMIT, CLOSED, NONE, NOTED = "if tokens > limit:", "if False:", "if segment", "if none := segment"
MESSAGE = 'f"the text has {tokens} tokens, but there are {limit} positions: truncate it"'
RAISE, DROP = f"raise ValueError({MESSAGE})", "nn.functional.dropout(self.norm(x)"


def spread(divisor, centred="(x - x.mean(-1, True))"):
    """A patch that writes the norm by hand."""
    return {NORM: f"{centred} / {divisor} * self.norm.weight + self.norm.bias"}


MISTAKES = {
    "the sum is not normalised: a LayerNorm comes after it": {NORM: "x"},
    **{EPS.format(f"{eps:g}"): {"1e-12": f"{eps:g}"} for eps in (1e-5, 1e-6, 1e-7, 1e-8)},
    "there is no eps under the root; BERT's is 1e-12": {"1e-12": "0.0"},
    "the eps stands outside the root: (variance + eps) under one root": spread("(x.std(-1, False, True) + 1e-12)"),
    "the variance divides by D - 1 (Bessel's correction), not by D": spread("(x.var(-1, True, True) + 1e-12).sqrt()"),
    "the mean is not subtracted (RMSNorm); LayerNorm does": spread("(x.square().mean(-1, True) + 1e-12).sqrt()", "x"),
    "the norm runs over the whole text; LayerNorm normalises each token's D numbers for themselves": {
        NORM: "nn.functional.layer_norm(x, x.shape[-2:], eps=1e-12) * self.norm.weight + self.norm.bias"
    },
    "the norm does not subtract the mean": spread("(x.var(-1, False, True) + 1e-12).sqrt()", "x"),
    "the norm's gain and offset are not used": {NORM: "nn.functional.layer_norm(x, (x.shape[-1],), eps=1e-12)"},
    "the norm acts on the token's row alone; BERT normalises the sum": {TOKEN: f"self.norm({TOKEN})", NORM: "x"},
    "the norm acts before the segments are added": {SUMMED: f"self.norm({TOKEN} + {POSITION}) + {SEGMENT}", NORM: "x"},
    "the three rows are averaged; they are summed, which the norm hides until eps counts": {NORM: "self.norm(x / 3)"},
    "the last T positions are used; the first token is at position 0": {PLACES: "torch.arange(limit - tokens, limit)"},
    "positions count from 1; the first token of a text is at position 0": {PLACES: "torch.arange(1, tokens + 1)"},
    "positions count the texts of the batch, not the tokens of one text": {PLACES: "torch.arange(len(ids))[:, None]"},
    "all P rows of the position table are added; a text of T tokens takes the first T": {PLACES: "torch.arange(limit)"},
    "there are as many positions as texts; there are as many as tokens": {PLACES: "torch.arange(len(ids))"},
    "every token gets position 0; a token's position is its place in its text": {PLACES: "torch.zeros(tokens).long()"},
    "the position table is looked up with the ids, not with places 0 ... T - 1": {PLACES: "ids.clamp(max=limit - 1)"},
    "positions run backwards: the first token of a text is at position 0": {PLACES: "torch.arange(tokens).flip(0)"},
    "each of the three rows is normalised, not their sum": {SUMMED: f"sum(map(self.norm, {ROWS}))", NORM: "x"},
    "the norm is applied twice": {NORM: f"self.norm({NORM})"},
    "the position table is not used": {f" + {POSITION}": ""},
    "the token table is not used": {f"{TOKEN} + ": ""},
    IN_SILENCE.format("wrapped round"): {LIMIT: CLOSED, PLACES: f"{PLACES} % limit"},
    IN_SILENCE.format("read with clamped positions"): {LIMIT: CLOSED, PLACES: f"{PLACES}.clamp(max=limit - 1)"},
    IN_SILENCE.format("cut"): {RAISE: "return self(*(x if x is None else x[:, :limit] for x in (ids, segment_ids)))"},
    "the table has no such row, and its IndexError tells the reader little: compare T with P first": {LIMIT: CLOSED},
    "T is asserted; raise a ValueError, which nobody can switch off": {RAISE: f"assert False, {MESSAGE}"},
    "the message of the ValueError names how many tokens came, but not how many fit": {MESSAGE: 'f"{tokens} tokens"'},
    "the message of the ValueError names how many tokens fit, but not how many came": {MESSAGE: 'f"at most {limit}"'},
    "a RuntimeError is raised; a ValueError is asked for": {"raise ValueError": "raise RuntimeError"},
    "all ids of the batch are counted, not ids.shape[1]": {"if tokens": "if ids.numel()", "{tokens}": "{ids.numel()}"},
    "the number of texts is compared with P, not ids.shape[1]": {"if tokens": "if len(ids)", "{tokens}": "{len(ids)}"},
    "the message of the ValueError does not name both numbers": {MESSAGE: '"the text is too long"'},
    f"the limit is one too low: T = P = {P} tokens are allowed": {LIMIT: "if tokens >= limit:"},
    "the limit is one too high: P + 1 tokens have no row for the last one": {LIMIT: "if tokens > limit + 1:"},
    "segment_ids are not used": {f" + {SEGMENT}": ""},
    "sentence A gets no row: 0 means row 0, added too": {SEGMENT: "segment_ids[..., None] * self.segment.weight[1]"},
    "padding_idx keeps row 0 of the segment table from learning": {"(2, D)": "(2, D, padding_idx=0)"},
    "segment_ids are read as if none had come: row 0 is added everywhere": {SEGMENT: "self.segment(segment_ids * 0)"},
    "without segment_ids the segment row is left out; it is row 0": {NONE: NOTED, SEGMENT: f"(1 - none) * {SEGMENT}"},
    "without segment_ids row 1 is added; None means sentence A, which is row 0": {"zeros_like(ids)": "ones_like(ids)"},
    "the segments are exchanged: 0 means row 0": {NONE: NOTED, SEGMENT: "self.segment(abs(1 - none - segment_ids))"},
    "the segments are exchanged, also where none came: 0 means row 0": {SEGMENT: "self.segment(1 - segment_ids)"},
    "segment_ids may be left out: the parameter needs the default None": {"segment_ids=None": "segment_ids"},
    "the token's row is multiplied by sqrt(D); BERT's is not": {TOKEN: f"{TOKEN} * self.token.embedding_dim**0.5"},
    "no dropout runs in train mode": {LAST: NORM},
    "dropout runs outside training: use nn.Dropout, or training=self.training": {LAST: f"{DROP}, self.dropout.p)"},
    "dropout stands before the norm, which fills the holes again; it comes last": {LAST: "self.norm(self.dropout(x))"},
    "dropout falls on each table's rows, not behind the norm": {SUMMED: f"sum(map(self.dropout, {ROWS}))", LAST: NORM},
    "dropout runs with 1 - dropout: use the one that is passed in": {"nn.Dropout(dropout)": "nn.Dropout(1 - dropout)"},
    "dropout drops the token's rows; it comes last, after the norm": {TOKEN: f"self.dropout({TOKEN})", LAST: NORM},
    "dropout runs with 0.5, the default: nn.Dropout(dropout)": {"nn.Dropout(dropout)": "nn.Dropout()"},
    "dropout runs outside training, and with 0.1: nn.Dropout(dropout)": {LAST: f"{DROP}, 0.1)"},
    "dropout runs outside training, and with 0.5, the default: nn.Dropout(dropout)": {LAST: f"{DROP})"},
    "dropout drops whole tokens, not numbers": {LAST: "self.norm(x) * self.dropout(torch.ones_like(x[..., :1]))"},
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=2,
    signature="BertEmbeddings(V, D, P, dropout): forward(ids (B, T), segment_ids (B, T) or None) -> (B, T, D)",
    hints=(
        "Three look-ups, one sum, one norm, one dropout, in this order. The position of a token is its place in\n"
        "its own text, counted from 0; nobody passes it in, so the module counts for itself.",
        "token (V, D) looked up with ids (B, T) gives (B, T, D); segment (2, D) with segment_ids (B, T) likewise.\n"
        "position (P, D) looked up with 0 ... T - 1 gives (T, D), which broadcasts over the texts of the batch.\n"
        "The norm acts on the last axis, D. segment_ids None stands for zeros (B, T): sentence A is a row, too.",
        "if T is larger than P: raise a ValueError that names both numbers\n"
        "if no segment_ids came: take zeros shaped like ids\n"
        "x = rows of token at the ids\n"
        "x = x plus rows of segment at segment_ids, plus the first T rows of position\n"
        "return dropout of norm of x; the norm was made with an eps of 1e-12",
    ),
    parts=(Lab(BertEmbeddings, cases, MISTAKES, run_module, before),),
)
