"""13.3 What a pruned student costs, as a formula, and what a step of its distillation does."""

import torch

from minibert.course.lab import Case, Exercise, Lab


def forward_flops(model, lengths, padded):
    """Operations of a classifier (D, K, [(heads, F) of each layer], classes) on texts of these lengths, as an int."""
    D, K, layers, classes = model
    tokens, pairs = sum(lengths), sum(length * length for length in lengths)
    if padded:
        tokens, pairs = len(lengths) * max(lengths), len(lengths) * max(lengths) ** 2
    head = 2 * len(lengths) * (D * D + D * classes)  # of each text one vector goes there
    matrices = sum(4 * D * heads * K + 2 * D * F for heads, F in layers)
    attention = 4 * pairs * sum(heads * K for heads, _ in layers)  # scores and weighted sums
    return 2 * tokens * matrices + attention + head


def step_flops(student, teacher, lengths, padded):
    """Operations of a training step of the student, taught by a teacher, or by labels alone where that is None."""
    own = 3 * forward_flops(student, lengths, padded)  # the backward pass costs two forward passes
    if teacher is None:
        return own
    tokens = len(lengths) * max(lengths) if padded else sum(lengths)
    narrow, wide = student[0], teacher[0]
    bridge = 0 if narrow == wide else 3 * 2 * tokens * narrow * wide  # learns: forward and backward
    return own + forward_flops(teacher, lengths, padded) + bridge


def drawn(rng, layers):
    """A model whose sizes have little in common, so that two mistakes give two numbers."""

    def pick(low, high):
        return int(torch.randint(low, high, (), generator=rng))

    K = pick(4, 8)
    kept = [(2 + place + pick(0, 2), pick(20, 40) * 2 + 1) for place in range(layers)]
    return K * pick(8, 12) + 1, K, kept, pick(2, 6)


def forward(rng):
    hand = "3 tokens: matrices 2 · 3 · (4 · 4 · 2 + 2 · 4 · 5) = 432, attention 4 · 9 · 2 = 72, head 2 · (16 + 12) = 56"
    yield Case(((4, 2, [(1, 5)], 3), [3], False), hand, "the count by hand, one text of 3 tokens,")
    for count in (1, 3):
        model = drawn(rng, count)
        yield Case((model, [11], False), "one text", f"the count for one text, {count} layers,")
        yield Case((model, [7, 13, 2], False), "each text sees itself alone", "the count for texts of 7, 13, 2 tokens")
        padded = "padding is computed like tokens: 3 rows of 13"
        yield Case((model, [7, 13, 2], True), padded, "the count for texts of 7, 13, 2 tokens, padded,")
        yield Case((model, [6, 6], True), "no padding here", "the count for texts of 6, 6 tokens, padded,")
    base = 768, 64, [(12, 3072)] * 12, 2
    yield Case((base, [512] * 8, True), "", "the count for BERT-base on 8 texts of 512 tokens")


def steps(rng):
    for lengths in ([5, 12, 3], [9, 4]):
        student, teacher = drawn(rng, 2), drawn(rng, 4)
        teacher = (student[0] + 6, *teacher[1:])
        alike = (student[0], *teacher[1:])
        for padded in (False, True):
            how = "padded" if padded else "packed"
            labels, wide = (
                "one forward pass, and backward at twice its price",
                "a teacher of another width needs the bridge",
            )
            yield Case((student, None, lengths, padded), labels, f"the count without a teacher, {how},")
            asks = "the teacher answers and does not learn"
            yield Case((student, alike, lengths, padded), asks, f"the count with a teacher of the same width, {how},")
            yield Case((student, teacher, lengths, padded), wide, f"the count with a wider teacher, {how},")
            yield Case((teacher, student, lengths, padded), wide, f"the count with a narrower teacher, {how},")


TOKENS = "sum(lengths), sum(length * length for length in lengths)"
PADDED = "len(lengths) * max(lengths), len(lengths) * max(lengths) ** 2"
MATRICES, ATTENTION = "4 * D * heads * K + 2 * D * F", "4 * pairs * sum(heads * K for heads, _ in layers)"
HEAD, RETURN = "2 * len(lengths) * (D * D + D * classes)", "return 2 * tokens * matrices + attention + head"
MODEL = "D, K, layers, classes = model"
FIRST = {"sum(4 * D": "len(layers) * sum(4 * D", "for heads, F in layers": "for heads, F in layers[:1]"}
FORWARD = {
    "the factor 2 is missing: a weight takes a multiplication and an addition": {
        RETURN: "return (2 * tokens * matrices + attention + head) // 2"
    },
    "the factor 2 is missing in the matrices: a multiplication and an addition": {
        RETURN: RETURN.replace("2 * tokens", "tokens")
    },
    "the factor 2 is missing in the head": {HEAD: HEAD.removeprefix("2 * ")},
    "the scores are forgotten, or the weighted sums: attention computes both, 2 · 2 for each pair and channel": {
        ATTENTION: ATTENTION.replace("4", "2")
    },
    "attention counts multiplications only; the additions are forgotten, and scores or weighted sums": {
        ATTENTION: ATTENTION.replace("4 * ", "")
    },
    "scores and weighted sums are forgotten: attention is more than its matrices": {ATTENTION: "0"},
    "attention works in heads · K channels; where heads were removed that is not D": {
        ATTENTION: "4 * pairs * D * len(layers)"
    },
    "the matrices of attention are D · (heads · K); where heads were removed that is not D · D": {
        MATRICES: MATRICES.replace("heads * K", "D")
    },
    "this is a model that was not pruned: D is not heads · K here": {
        ATTENTION: "4 * pairs * D * len(layers)",
        MATRICES: MATRICES.replace("heads * K", "D"),
    },
    "the output matrix is heads · K by D; only query, key and value were made smaller": {
        MATRICES: MATRICES.replace("4 * D * heads * K", "3 * D * heads * K + D * D")
    },
    "query, key and value are D by heads · K; only the output matrix was made smaller": {
        MATRICES: MATRICES.replace("4 * D * heads * K", "D * heads * K + 3 * D * D")
    },
    "of query, key and value one matrix is counted; they are three": {MATRICES: MATRICES.replace("4 * D", "2 * D")},
    "heads and F are exchanged: (heads, F)": {
        "4 * D * heads * K + 2 * D * F for heads, F": "4 * D * heads * K + 2 * D * F for F, heads",
        "for heads, _ in layers": "for _, heads in layers",
    },
    "this is one head: a pair is scored in each of them": {ATTENTION: ATTENTION.replace("heads * K", "K")},
    "these are the matrices of one head; each head has its own": {MATRICES: MATRICES.replace("heads * K", "K")},
    "attention has four matrices: Wo is missing": {MATRICES: MATRICES.replace("4 * D", "3 * D")},
    "the matrices of attention are missing": {MATRICES: "0 * heads + 2 * D * F"},
    "the feed-forward layer is missing": {MATRICES: "4 * D * heads * K"},
    "the feed-forward layer has two matrices": {MATRICES: MATRICES.replace("2 * D * F", "D * F")},
    "the feed-forward layer counts as 4 D wide; its width stands in the list": {
        MATRICES: MATRICES.replace("* F", "* 4 * D")
    },
    "there is no gate: BERT's feed-forward layer has two matrices": {MATRICES: MATRICES.replace("2 * D", "3 * D")},
    "all layers count like the first; each has its own sizes": FIRST
    | {ATTENTION: "4 * pairs * len(layers) * layers[0][0] * K"},
    "one layer is counted; all of them are asked": {
        "for heads, F in layers": "for heads, F in layers[:1]",
        "for heads, _ in layers": "for heads, _ in layers[:1]",
    },
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
    "an encoder is not causal: each token sees those after it, too": {
        ATTENTION: ATTENTION.replace("4 * pairs", "2 * (pairs + tokens)")
    },
    "the pooler and the classifier are forgotten": {HEAD: "0"},
    "the pooler, D · D, is forgotten": {HEAD: HEAD.replace("D * D + ", "")},
    "the classifier, D · classes, is forgotten": {HEAD: HEAD.replace(" + D * classes", "")},
    "all tokens go through pooler and classifier here; of each text only [CLS] does": {
        HEAD: HEAD.replace("len(lengths)", "tokens")
    },
    "all tokens go through the pooler here; of each text only [CLS] does": {
        HEAD: "2 * (tokens * D * D + len(lengths) * D * classes)"
    },
    "pooler and classifier count in every layer; they come once, after the last": {HEAD: f"len(layers) * {HEAD}"},
    "the first text is counted; all of them are asked": {MODEL: f"{MODEL}\n    lengths = lengths[:1]"},
    "all texts count as long as their mean; the squares of the lengths make the pairs": {
        MODEL: f"{MODEL}\n    lengths = [sum(lengths) // len(lengths)] * len(lengths)"
    },
    "pooler and classifier count once for the batch; each text goes through them": {
        HEAD: HEAD.replace("len(lengths) * ", "")
    },
    "biases are left out here, an addition for each token and channel": {
        RETURN: f"{RETURN} + tokens * sum(3 * heads * K + 2 * D + F for heads, F in layers)"
    },
    "biases are left out here": {MATRICES: f"{MATRICES} + 3 * heads * K + 2 * D + F"},
    "this is forward and backward; a forward pass is asked": {RETURN: f"{RETURN} + 2 * ({RETURN[7:]})"},
    "the result is a float; whole numbers are counted: use // where you divide": {
        RETURN: "return float(2 * tokens * matrices + attention + head)"
    },
}
OWN, ASKED = "3 * forward_flops(student, lengths, padded)", "own + forward_flops(teacher, lengths, padded) + bridge"
BRIDGE = "0 if narrow == wide else 3 * 2 * tokens * narrow * wide"
STEP = {
    "the backward pass costs two forward passes: for each matrix, gradients at its inputs and at its weights": {
        OWN: OWN.replace("3", "2"),
        BRIDGE: BRIDGE.replace("3 * 2", "2 * 2"),
    },
    "the backward pass of the student costs two forward passes": {OWN: OWN.replace("3", "2")},
    "the backward pass of the student is forgotten": {OWN: OWN.replace("3 * ", "")},
    "the teacher learns here, too; it is only asked: one forward pass": {
        ASKED: ASKED.replace("forward", "3 * forward")
    },
    "the teacher is forgotten": {ASKED: "own + bridge"},
    "the teacher and the bridge to it are forgotten": {ASKED: "own"},
    "the teacher is counted with the student's sizes": {ASKED: ASKED.replace("(teacher", "(student")},
    "the student is counted with the teacher's sizes": {ASKED: ASKED.replace("own", OWN.replace("student", "teacher"))},
    "the teacher reads the same padded batch": {ASKED: ASKED.replace("padded", "False")},
    "the teacher alone is counted": {ASKED: ASKED.removeprefix("own + ")},
    "the backward pass runs through the teacher": {ASKED: "own + 2 * forward_flops(teacher, lengths, padded) + bridge"},
    "the bridge from the student's width to the teacher's is forgotten": {BRIDGE: "0"},
    "models of the same width need no bridge": {BRIDGE: BRIDGE.removeprefix("0 if narrow == wide else ")},
    "the bridge learns, too: it runs forward and backward": {BRIDGE: BRIDGE.replace("3 * 2", "2")},
    "the backward pass of the bridge costs two forward passes": {BRIDGE: BRIDGE.replace("3 * 2", "2 * 2")},
    "there is one bridge, after the last layer; not one for each layer": {BRIDGE: f"{BRIDGE} * len(student[2])"},
    "no padding goes over the bridge where none is computed": {"if padded else": "if True else"},
    "a narrower teacher needs the bridge, too": {"narrow == wide": "narrow >= wide"},
    "a wider teacher needs the bridge, too": {"narrow == wide": "narrow <= wide"},
    "the teacher's pooler and classifier are asked, too": {
        ASKED: f"{ASKED} - 2 * len(lengths) * (wide * wide + wide * teacher[3])"
    },
    "teacher may be None: then there is nothing to add": {"    if teacher is None:\n        return own\n": ""},
    "the bridge is a matrix: a multiplication and an addition for each weight": {BRIDGE: BRIDGE.replace("3 * 2", "3")},
    "all tokens go over the bridge, not one of each text": {BRIDGE: BRIDGE.replace("tokens", "len(lengths)")},
    "padding goes over the bridge, too, where it is computed": {"len(lengths) * max(lengths) if padded else ": ""},
    "the bridge is counted with the teacher's width twice": {BRIDGE: BRIDGE.replace("narrow *", "wide *")},
    "the bridge is counted with the student's width twice": {BRIDGE: BRIDGE.replace("* wide", "* narrow")},
}

EXERCISE = Exercise(
    minutes=30,
    difficulty=3,
    signature="(forward_flops, step_flops): forward_flops(model, lengths: list of ints, padded) -> int; "
    "step_flops(student, teacher: model or None, lengths, padded) -> int; model: (D, K, [(heads, F), ...], classes)",
    hints=(
        "Walk through one layer with a pencil and write down every matrix product: which of them has a weight in it,\n"
        "and which multiplies activations with activations? The cell with the counter helps: remove a head, and see\n"
        "what changes.",
        "(N, D) times (D, heads K), three times, and (N, heads K) times (heads K, D); (N, D) times (D, F) and\n"
        "back; for each head (T, K) times (K, T) and (T, T) times (T, K). Then (B, D) times (D, D) and (D, classes).\n"
        "A product (a, b) times (b, c) takes 2 a b c operations.",
        "number of tokens, number of pairs: of the texts as they are, or of rows as long as the longest\n"
        "for each layer: two for every weight and token; twice two for every pair and channel of a head that is left\n"
        "the head: two for every weight of it and text\n"
        "a step: three times the student; the teacher, if there is one, once; where the widths differ, three times a\n"
        "matrix between them",
    ),
    parts=(Lab(forward_flops, forward, FORWARD), Lab(step_flops, steps, STEP)),
)
