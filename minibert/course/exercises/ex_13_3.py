"""13.3 What a forward pass costs, as a formula, and what a step of distillation does."""

import torch

from minibert.config import EncoderConfig
from minibert.course.lab import Case, Exercise, Lab


def forward_flops(config, lengths, predicted, padded):
    """Operations of a BERT on texts of these lengths, of which `predicted` tokens go through the head, as an int."""
    D, F, L = config.hidden, config.intermediate, config.layers
    tokens, pairs = sum(lengths), sum(length * length for length in lengths)
    if padded:
        tokens, pairs = len(lengths) * max(lengths), len(lengths) * max(lengths) ** 2
    blocks = 2 * tokens * L * (4 * D * D + 2 * D * F)
    attention = 4 * pairs * L * D  # scores and mixtures; the heads share D among them
    head = 2 * predicted * (D * D + D * config.vocab_size)
    return blocks + attention + head


def step_flops(student, teacher, lengths, predicted, padded):
    """Operations of a training step of the student, taught by a teacher, or by labels alone where that is None."""
    own = 3 * forward_flops(student, lengths, predicted, padded)  # the way back costs two ways forth
    return own if teacher is None else own + forward_flops(teacher, lengths, predicted, padded)


def drawn(rng):
    """A BERT whose sizes have little in common, so that two mistakes give two numbers."""

    def pick(low, high):
        return int(torch.randint(low, high, (), generator=rng))

    heads = pick(3, 6)
    return EncoderConfig.preset("bert-nano").replace(
        vocab_size=pick(90, 150),
        hidden=heads * pick(2, 5) * 2,
        heads=heads,
        layers=pick(2, 5),
        intermediate=pick(30, 60) * 2 + 1,
    )


def forward(rng):
    nano = EncoderConfig.preset("bert-nano").replace(vocab_size=10, hidden=2, heads=2, layers=1, intermediate=3)
    hand = "3 tokens: matrices 2 · 3 · (4 · 2 · 2 + 2 · 2 · 3) = 168, attention 4 · 9 · 2 = 72"
    yield Case((nano, [3], 0, False), hand, "the count by hand, one text of 3 tokens,")
    head = "each predicted token adds 2 · (2 · 2 + 2 · 10) = 48"
    yield Case((nano, [3], 1, False), head, "the count by hand, one token predicted,")
    one, other = drawn(rng), drawn(rng)
    for config in (one, other):
        yield Case((config, [11], 0, False), "one text: nothing but blocks", "the count for one text")
        yield Case((config, [11], 3, False), "now with a head", "the count for one text, 3 tokens predicted,")
        yield Case(
            (config, [7, 13, 2], 0, False), "each text sees itself alone", "the count for texts of 7, 13, 2 tokens"
        )
        padded = "padding is computed like tokens: 3 rows of 13"
        yield Case((config, [7, 13, 2], 5, True), padded, "the count for texts of 7, 13, 2 tokens, padded,")
        yield Case(
            (config, [6, 6], 4, True),
            padded.replace("3 rows of 13", "none here"),
            "the count for texts of 6, 6 tokens, padded,",
        )
    base = EncoderConfig.preset("bert-base")
    yield Case((base, [512] * 8, 8 * 77, True), "", "the count for BERT-base on 8 texts of 512 tokens")


def steps(rng):
    for number in range(2):
        student, teacher = drawn(rng), drawn(rng)
        student, teacher = student.replace(vocab_size=100), teacher.replace(vocab_size=100, layers=student.layers * 2)
        lengths, predicted = ([9, 4], 3) if number else ([5, 12, 3], 4)
        for padded in (False, True):
            how = "padded" if padded else "packed"
            yield Case(
                (student, None, lengths, predicted, padded),
                "forth, and back at twice the price",
                f"the count without a teacher, {how},",
            )
            yield Case(
                (student, teacher, lengths, predicted, padded),
                "the teacher answers and does not learn",
                f"the count with a teacher, {how},",
            )


TOKENS = "sum(lengths), sum(length * length for length in lengths)"
PADDED = "len(lengths) * max(lengths), len(lengths) * max(lengths) ** 2"
BLOCKS, ATTENTION = "2 * tokens * L * (4 * D * D + 2 * D * F)", "4 * pairs * L * D"
HEAD, RETURN = "2 * predicted * (D * D + D * config.vocab_size)", "return blocks + attention + head"
FORWARD = {
    "the factor 2 is missing: a weight takes a multiplication and an addition": {
        RETURN: "return (blocks + attention + head) // 2"
    },
    "the factor 2 is missing in the matrices of the blocks: a multiplication and an addition": {
        BLOCKS: BLOCKS.removeprefix("2 * ")
    },
    "the factor 2 is missing in the head": {HEAD: HEAD.removeprefix("2 * ")},
    "the scores are forgotten, or the mixtures: attention computes both, 2 · 2 for each pair and channel": {
        ATTENTION: ATTENTION.replace("4", "2")
    },
    "attention counts multiplications only; the additions are forgotten, and scores or mixtures": {
        ATTENTION: ATTENTION.replace("4 * ", "")
    },
    "scores and mixtures are forgotten: attention is more than its matrices": {ATTENTION: "0"},
    "the heads are multiplied twice: D is all heads together": {ATTENTION: f"{ATTENTION} * config.heads"},
    "this is one head: a pair is scored in each of them, D channels in all": {
        ATTENTION: f"{ATTENTION} // config.heads"
    },
    "each head has a width of its own, D / H; its matrices are part of D · D": {
        BLOCKS: BLOCKS.replace("4 * D * D", "4 * D * D // config.heads")
    },
    "the matrices count for each head; all heads together are D wide": {
        BLOCKS: BLOCKS.replace("4 * D * D", "4 * D * D * config.heads")
    },
    "the head is forgotten": {HEAD: "0"},
    "the head's dense layer, D · D, is forgotten": {HEAD: HEAD.replace("D * D + ", "")},
    "the product with the vocabulary is forgotten": {HEAD: "2 * predicted * D * D"},
    "all tokens go through the head here; only the predicted ones do": {HEAD: HEAD.replace("predicted", "tokens")},
    "the head counts once for each text": {HEAD: HEAD.replace("predicted", "(len(lengths) * (predicted > 0))")},
    "attention has four matrices: Wo is missing": {BLOCKS: BLOCKS.replace("4 * D", "3 * D")},
    "the matrices of attention are missing": {BLOCKS: BLOCKS.replace("4 * D * D + ", "")},
    "the feed-forward layer is missing": {BLOCKS: BLOCKS.replace(" + 2 * D * F", "")},
    "the feed-forward layer has two matrices": {BLOCKS: BLOCKS.replace("2 * D * F", "D * F")},
    "the feed-forward layer counts as 4 D wide; its width is config.intermediate": {
        BLOCKS: BLOCKS.replace("* F", "* 4 * D")
    },
    "one layer is counted; there are L": {BLOCKS: BLOCKS.replace(" * L", ""), ATTENTION: ATTENTION.replace(" * L", "")},
    "attention is counted for one layer": {ATTENTION: ATTENTION.replace(" * L", "")},
    "the matrices are counted for one layer": {BLOCKS: BLOCKS.replace(" * L", "")},
    "padding is not counted where it is computed": {PADDED: "tokens, pairs"},
    "padding is counted in packed texts, which have none": {"if padded:": "if True:"},
    "the tokens of a padded batch are B times the longest; only the pairs are counted so": {
        PADDED: PADDED.replace("len(lengths) * max(lengths),", "tokens,")
    },
    "the pairs of a padded batch are B times the longest squared": {PADDED: "len(lengths) * max(lengths), pairs"},
    "in a padded batch each of the B texts has longest squared pairs; this squares the whole batch": {
        PADDED: PADDED.replace("len(lengths) * max(lengths) **", "(len(lengths) * max(lengths)) **")
    },
    "texts do not see each other: a sum of squares, not the square of the sum": {
        TOKENS: "sum(lengths), sum(lengths) ** 2"
    },
    "attention grows with the square of a length": {
        TOKENS: "sum(lengths), sum(lengths)",
        PADDED: "len(lengths) * max(lengths), len(lengths) * max(lengths)",
    },
    "the mean length is squared; the mean of the squares is larger": {
        TOKENS: "sum(lengths), sum(lengths) ** 2 // len(lengths)"
    },
    "an encoder is not causal: each token sees those behind it, too": {ATTENTION: "2 * (pairs + tokens) * L * D"},
    "the token table multiplies nothing: a look-up takes no operations": {
        BLOCKS: f"{BLOCKS} + 2 * tokens * D * config.vocab_size"
    },
    "biases are left out here": {BLOCKS: f"{BLOCKS} + tokens * L * (5 * D + F)"},
    "there is no gate: BERT's feed-forward layer has two matrices": {BLOCKS: BLOCKS.replace("2 * D * F", "3 * D * F")},
    "this is forth and back; a forward pass is asked": {RETURN: "return 3 * (blocks + attention + head)"},
    "the pooler is left out here": {BLOCKS: f"{BLOCKS} + 2 * len(lengths) * D * D"},
    "the result is a float; whole numbers are counted: use // where you divide": {
        RETURN: "return float(blocks + attention + head)"
    },
}
OWN = "3 * forward_flops(student, lengths, predicted, padded)"
WITH = "own + forward_flops(teacher, lengths, predicted, padded)"
STEP = {
    "the way back costs two ways forth: for each matrix, gradients at its inputs and at its weights": {
        OWN: OWN.replace("3", "2")
    },
    "the way back is forgotten": {OWN: OWN.replace("3", "1")},
    "the teacher learns here, too; it is only asked: one way forth": {WITH: WITH.replace("forward", "3 * forward")},
    "the teacher is forgotten": {WITH: "own"},
    "the teacher is counted with the student's sizes": {WITH: WITH.replace("teacher", "student")},
    "the student is counted with the teacher's sizes": {WITH: WITH.replace("own", OWN.replace("student", "teacher"))},
    "the teacher needs its head, too: its distribution is the target": {WITH: WITH.replace("predicted", "0")},
    "the teacher reads the same padded batch": {WITH: WITH.replace("padded", "False")},
    "the batch is counted as packed; padding is computed": {
        "predicted, padded)  #": "predicted, False)  #",
        WITH: WITH.replace("padded", "False"),
    },
    "the teacher alone is counted": {WITH: WITH.removeprefix("own + ")},
    "the way back runs through the teacher": {WITH: "own + 2 * forward_flops(teacher, lengths, predicted, padded)"},
    "the student's head is forgotten": {OWN: OWN.replace("predicted", "0")},
}

EXERCISE = Exercise(
    minutes=30,
    difficulty=3,
    signature="(forward_flops, step_flops): forward_flops(config, lengths: list of ints, predicted, padded) -> int; "
    "step_flops(student, teacher: config or None, lengths, predicted, padded) -> int",
    hints=(
        "Walk through one layer with a pencil and write down every matrix product: which of them has a weight in it,\n"
        "and which multiplies activations with activations? The cell with the counter helps: change one size\n"
        "and see what changes.",
        "(N, D) times (D, D), four times; (N, D) times (D, F) and back; for each head (T, K) times (K, T) and (T, T)\n"
        "times (T, K), where H K is D; the head has (M, D) times (D, D) and (D, V). A product (a, b) times (b, c)\n"
        "takes 2 a b c operations.",
        "number of tokens, number of pairs: of the texts as they are, or of rows as long as the longest\n"
        "matrices: two for every weight of a layer and token; attention: twice two for every pair and channel\n"
        "all that for each layer; the head: two for every weight of it and predicted token\n"
        "a step: the student thrice, the teacher, if there is one, once",
    ),
    parts=(Lab(forward_flops, forward, FORWARD), Lab(step_flops, steps, STEP)),
)
