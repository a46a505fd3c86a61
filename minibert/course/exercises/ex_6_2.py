"""6.2 How many parameters?"""

import torch

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.tools import call


def count_parameters(V, D, L, F, E=None, shared=False, positions=512, segments=2, pooler=True, mlm=False):
    """The number of parameters of a BERT, or of an ALBERT with tables of width E and one block for all, as an int."""
    wide = D if E is None else E
    norm, square = 2 * D, D * D + D
    embeddings = (V + positions + segments) * wide + 2 * wide
    between = 0 if E is None else E * D + D  # from the tables' width to the blocks'
    block = 4 * square + (D * F + F) + (F * D + D) + 2 * norm
    head = (D * wide + wide) + 2 * wide + V  # a dense layer, a norm, a bias; the matrix is the token table
    return embeddings + between + (1 if shared else L) * block + (square if pooler else 0) + (head if mlm else 0)


def run(answer, sizes):
    """The answer to sizes that are given by position as far as they have no default, and by name beyond."""
    named = dict(sizes)
    return call(answer, *(named.pop(name) for name in ("V", "D", "L", "F")), **named)


def cases(rng):
    def case(**sizes):
        shown = ", ".join(f"{name}={value}" for name, value in sizes.items())
        cause = f"list every tensor on paper for {shown}: which part differs?"
        return Case((sizes,), cause, f"the count for {shown}")

    # Sizes without common factors: no two mistakes may give the same number.
    small = dict(V=13, D=5, L=3, F=17, positions=7, segments=4)
    yield case(**small)
    yield case(**small, pooler=False)
    yield case(**small, mlm=True)
    yield case(**small, E=2)
    yield case(**small, shared=True)
    yield case(**small, E=2, shared=True, mlm=True)
    yield case(V=30522, D=768, L=12, F=3072)  # BERT-base, then BERT-large
    yield case(V=30522, D=1024, L=24, F=4096)
    yield case(V=30522, D=768, L=12, F=3072, pooler=False, mlm=True)
    yield case(V=30000, D=768, L=12, F=3072, E=128, shared=True)  # ALBERT-base: 11,683,584
    names = ("V", "D", "L", "F", "positions", "segments", "E")
    for switches in ({}, dict(pooler=False), dict(mlm=True), dict(pooler=False, mlm=True)):
        draw = (torch.randperm(60, generator=rng)[:7] + 2).tolist()  # all different
        sizes = dict(zip(names, draw, strict=True))
        yield case(**sizes, **switches, shared=True)
        yield case(**{name: size for name, size in sizes.items() if name != "E"}, **switches)


ROWS, BLOCK, HEAD = (
    "(V + positions + segments) * wide + 2 * wide",
    "4 * square +",
    "(D * wide + wide) + 2 * wide + V  #",
)
FIRST, LAST, DECODER = "(D * F + F)", "(F * D + D)", "the matrix of the prediction head"
POOLER, MLM, RETURN = (
    "(square if pooler else 0)",
    "(head if mlm else 0)",
    "embeddings + between + (1 if shared else L) * block",
)
WIDE, BETWEEN = "wide = D if E is None else E", "0 if E is None else E * D + D"
MISTAKES = {
    "this is BERT, whatever E and shared say": {WIDE: "E, shared, wide = None, False, D"},
    "E is not used: the tables are E wide, not D": {WIDE: "E, wide = None, D"},
    "`shared` is not used: with it there are L blocks to run and one to store": {"(1 if shared else L)": "L"},
    "the dense layer from E to D, between the tables and the blocks, is forgotten": {BETWEEN: "0"},
    "the dense layer from E to D has a bias of D numbers": {BETWEEN: "0 if E is None else E * D"},
    "the dense layer from E to D has a bias of D numbers, not of E": {BETWEEN: "0 if E is None else E * D + E"},
    "a layer from E to D is counted where there is no E: BERT's tables are D wide": {BETWEEN: "wide * D + D"},
    "only the token table is E wide here; the position and segment tables are, too": {
        ROWS: "V * wide + (positions + segments) * D + 2 * wide"
    },
    "the norm after the embeddings stands before the layer from E to D: it is E wide": {
        ROWS: "(V + positions + segments) * wide + norm"
    },
    "with E the head's dense layer goes from D to E, where the token table is": {HEAD: "square + 2 * wide + V  #"},
    "with E the head's norm is E wide, as its dense layer's output": {HEAD: "(D * wide + wide) + norm + V  #"},
    "with E the head's dense layer goes from D to E, and its norm is E wide": {HEAD: "square + norm + V  #"},
    "there are 12 blocks here, whatever L says": {RETURN: "embeddings + between + (1 if shared else 12) * block"},
    "D is 768 here, whatever the caller says": {"    wide = D": "    D = 768\n    wide = D"},
    "L and F are exchanged: the order is V, D, L, F": {"    norm, square": "    L, F = F, L\n    norm, square"},
    "a norm behind the last block is counted; BERT's blocks end with a norm of their own": {RETURN: f"{RETURN} + norm"},
    "each of the three tables gets a norm; there is one, behind their sum": {ROWS: ROWS.replace("2 *", "6 *")},
    "the second feed-forward matrix, F to D, is forgotten": {LAST: "D"},
    "the second feed-forward layer is counted as F to F; it goes from F to D": {LAST: "(F * F + D)"},
    "the pooler is a dense layer D to D with a bias, D * D + D numbers; these are D": {POOLER: "(D if pooler else 0)"},
    "the head for next sentences, D to 2, is not asked for": {POOLER: "(square + 2 * D + 2 if pooler else 0)"},
    "the bias of the scores has V numbers, one for each word, not D": {HEAD: HEAD.replace("+ V", "+ D")},
    "the prediction head is more than one layer D to V: a dense layer, a norm, V biases": {HEAD: "wide * V + V  #"},
    "mlm=True leaves the pooler out; the switches are apart": {POOLER: "(square if pooler and not mlm else 0)"},
    "segments is 1 where it is left out; its default is 2": {"segments=2": "segments=1"},
    "positions is 1024 where it is left out; its default is 512": {"positions=512": "positions=1024"},
    "the sum goes through float32, with 24 bits": {"return emb": "return int(torch.tensor(float(emb", MLM: f"{MLM})))"},
    "the token table is forgotten": {"(V + pos": "(pos"},
    "the position table is forgotten": {"positions + segments)": "segments)"},
    "the segment table is forgotten": {" + segments)": ")"},
    "there are 512 positions here, whatever `positions` says": {"(V + positions": "(V + 512"},
    "there are 2 segments here, whatever `segments` says": {"positions + segments)": "positions + 2)"},
    "the norm after the embeddings is forgotten": {ROWS: "(V + positions + segments) * wide"},
    "the biases of all dense layers are forgotten": {
        "D * D + D": "D * D",
        FIRST: "D * F",
        LAST: "F * D",
        "E * D + D": "E * D",
        "(D * wide + wide)": "D * wide",
    },
    "the biases of the feed-forward layers are forgotten": {FIRST: "D * F", LAST: "F * D"},
    "the first feed-forward layer, D to F, has a bias of F numbers": {FIRST: "(D * F + D)"},
    "the second feed-forward layer, F to D, has a bias of D numbers": {LAST: "(F * D + F)"},
    "the bias of the first feed-forward layer, F numbers, is forgotten": {FIRST: "D * F"},
    "D numbers are forgotten in each block: a bias of the output matrix, or of the last layer": {LAST: "F * D"},
    "the second matrix of the feed-forward layer is forgotten": {f" + {LAST}": ""},
    "4 D numbers are forgotten in each block: the four biases of attention, or the two norms": {BLOCK: "4 * D * D +"},
    "attention has four matrices: query, key, value and the output matrix": {BLOCK: "3 * square +"},
    "query, key and value have biases, too": {BLOCK: "4 * square - 3 * D +"},
    "attention is counted H times; all heads together are one matrix (D, D) each": {BLOCK: "8 * square +"},
    "a block has two norms, one after each sub-layer": {"2 * norm": "norm"},
    "all norms are forgotten": {"norm, square = 2 * D": "norm, square = 0", ROWS: ROWS[:-11], "+ 2 * wide + V": "+ V"},
    "a norm has a gain and an offset, 2 D numbers": {
        "norm, square = 2 * D": "norm, square = D",
        ROWS: ROWS.replace("+ 2 *", "+"),
        "+ 2 * wide + V": "+ wide + V",
    },
    "the inner width is F, whatever it is: this takes 4 D": {"    norm, square": "    F = 4 * D\n    norm, square"},
    "only one of the L blocks is counted, though they share nothing": {"(1 if shared else L) * block": "block"},
    "the tables stand outside the blocks: they are not there L times": {
        RETURN: "between + (1 if shared else L) * (embeddings + block)"
    },
    "the pooler stands outside the blocks: it is not there L times": {POOLER: "(L * square if pooler else 0)"},
    "the pooler is forgotten": {POOLER: "0"},
    "there is no pooler with pooler=False, but it is counted": {POOLER: "square"},
    "the pooler has a bias of D numbers": {POOLER: "(D * D if pooler else 0)"},
    "the prediction head is not counted with mlm=True": {MLM: "0"},
    "the prediction head is counted, but mlm is False: this is the bare encoder": {MLM: "head"},
    f"{DECODER} is counted; it is the token table, used a second time": {HEAD: HEAD.replace("+ V", "+ V + V * wide")},
    f"the prediction head is one matrix here, the token table: {DECODER} is there already": {HEAD: "V * wide  #"},
    "the bias of the scores, V numbers, is forgotten in the prediction head": {HEAD: "(D * wide + wide) + 2 * wide  #"},
    "the norm of the prediction head is forgotten": {HEAD: "(D * wide + wide) + V  #"},
    "the dense layer of the prediction head, D to D with a bias, is forgotten": {HEAD: "2 * wide + V  #"},
    "the bias of the dense layer in the prediction head is forgotten": {HEAD: "D * wide + 2 * wide + V  #"},
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="count_parameters(V, D, L, F, E=None, shared=False, positions=512, segments=2, pooler=True, "
    "mlm=False) -> int",
    hints=(
        "Walk through the model from the tables to the pooler and write down each matrix, each bias and each\n"
        "norm. What is used twice is counted once. Begin with BERT, then ask what E and `shared` change.",
        "tables of V, positions and segments, each E wide, a norm after them; (E, D) and a bias, if there is an E;\n"
        "a block has 4 matrices (D, D), one (F, D), one (D, F), a bias for each of the six, and 2 norms;\n"
        "the pooler is (D, D) and a bias;\n"
        "the prediction head: a dense layer (D, E) with bias, a norm, and one bias of V numbers.",
        "dense(a, b) = a times b, plus b;  norm(a) = twice a;  e = E, or D where there is none\n"
        "total = rows of all three tables times e, plus norm of e, plus dense of E and D if there is an E\n"
        "total += (four dense of D and D, dense of D and F, dense of F and D, two norms of D), L times or once\n"
        "with a pooler: another dense of D and D\n"
        "with mlm: a dense of D and e, a norm of e, and V numbers; the scores use the token table itself",
    ),
    parts=(Lab(count_parameters, cases, MISTAKES, run),),
)
