"""14.3 A budget, spent on depth or on width. As many parameters make few wide layers or many narrow ones."""

import torch

from minibert.course.lab import Case, Exercise, Lab


def count_parameters(V, D, L, F):
    """The number of parameters of a ModernBERT with its prediction head, as an int."""
    layer = 4 * D * D + 3 * D * F + 2 * D  # attention, GeGLU, two norms; no biases
    head = D * D + D + V  # a dense layer and a norm without biases, then the one bias: V numbers
    return V * D + D + L * layer - D + D + head  # table, its norm, layers, no attention norm in layer 0, final norm


def spend(N, V, L):
    """The widest ModernBERT with L layers and at most N parameters, as a tuple (D, F)."""
    widths = []
    for D in range(64, N, 64):
        F = 8 * D // 3 // 64 * 64
        if count_parameters(V, D, L, F) > N:
            break
        widths.append((D, F))
    if not widths:
        raise ValueError(f"{N} parameters are too few for so many layers and words")
    return widths[-1]


def sizes(rng):
    def case(V, D, L, F):
        shown = f"V={V}, D={D}, L={L}, F={F}"
        return Case((V, D, L, F), f"list every tensor for {shown}: which part differs?", f"the count for {shown}")

    yield case(13, 6, 5, 17)  # no common factors: no two mistakes may give the same number
    yield case(50368, 768, 22, 1152)  # ModernBERT-base, then large
    yield case(50368, 1024, 28, 2624)
    yield case(11, 4, 1, 7)
    for _ in range(3):
        yield case(*(torch.randperm(60, generator=rng)[:4] + 2).tolist())


LAYER, HEAD, ALL = "4 * D * D + 3 * D * F + 2 * D", "D * D + D + V  #", "V * D + D + L * layer - D + D + head"
COUNT = {
    "D numbers too many: layer 0 has no attention norm, and the dense layer of the head has no bias": {
        ALL: ALL.replace(" - D + D", " + D")
    },
    "D numbers too few: besides the layers' norms there are three, behind the embeddings, behind the last layer and in "
    "the head": {ALL: ALL.replace(" - D + D", " - D")},
    "the norms have a gain only, D numbers each; no bias": {
        LAYER: "4 * D * D + 3 * D * F + 4 * D",
        ALL: "V * D + 2 * D + L * layer - 2 * D + 2 * D + head",
        HEAD: "D * D + 2 * D + V  #",
    },
    "the norms of the layers have a gain only, D numbers each; no bias": {LAYER: "4 * D * D + 3 * D * F + 4 * D"},
    "the matrices of attention have no biases": {LAYER: "4 * D * D + 4 * D + 3 * D * F + 2 * D"},
    "the feed-forward layers have no biases": {LAYER: "4 * D * D + 3 * D * F + 2 * F + D + 2 * D"},
    "a layer has no biases, neither in attention nor in GeGLU": {
        LAYER: "4 * (D * D + D) + 3 * D * F + 2 * F + D + 2 * D"
    },
    "GeGLU has three matrices of D F numbers: gate, up and output": {LAYER: "4 * D * D + 2 * D * F + 2 * D"},
    "attention has four matrices: query, key, value and output": {LAYER: "3 * D * D + 3 * D * F + 2 * D"},
    "a layer has two norms": {LAYER: "4 * D * D + 3 * D * F + D"},
    "the norms in the layers are forgotten": {LAYER: "4 * D * D + 3 * D * F"},
    "the prediction head is forgotten": {" + head  #": "  #"},
    "the dense layer of the prediction head is forgotten": {HEAD: "D + V  #"},
    "the prediction head keeps one bias: V numbers, one for each word": {HEAD: "D * D + D  #"},
    "the matrix of the prediction head is the token table; it is not there twice": {HEAD: "D * D + D + V + V * D  #"},
    "the token table is forgotten": {"return V * D + D": "return D"},
    "there is no table of positions: RoPE has no parameters": {"return V * D": "return (V + 512) * D"},
    "there is no table of segments": {"return V * D": "return (V + 2) * D"},
    "only one of the L layers is counted": {"L * layer": "layer"},
}


def budgets(rng):
    def case(N, V, L):
        cause = "D is a multiple of 64, F the largest multiple of 64 up to 8 D / 3, and D the largest that N allows"
        return Case((N, V, L), cause, f"spend({N}, {V}, {L})")

    yield case(149_000_000, 50368, 12)
    for L in (4, 28):
        yield case(149_000_000, 50368, L)
    exact = count_parameters(1000, 256, 7, 640)
    for N in (exact, exact - 1):  # N itself may be spent
        yield case(N, 1000, 7)
    yield case(3_000_000, 40_000, 2)
    wide = "no width is the last one: go on until N no longer pays"
    yield Case((10**9, 1000, 1), wide, "spend(1000000000, 1000, 1)")
    for _ in range(4):
        N, V, L = (int(torch.randint(*ends, (), generator=rng)) for ends in ((10**7, 10**8), (300, 30_000), (2, 40)))
        yield case(N, V, L)
    few = "where not even D = 64 fits, raise a ValueError that says how much N was"
    for N, V, L in ((100_000, 5000, 3), (7000, 90, 8)):
        yield Case((N, V, L), few, f"spend({N}, {V}, {L})")


WIDTH, STOP = "8 * D // 3 // 64 * 64", "if count_parameters(V, D, L, F) > N:"
SPEND = {
    "N itself may be spent: at most N, not below N, and counted exactly": {STOP: STOP.replace(">", ">=")},
    "this spends more than N": {STOP: "if widths and count_parameters(V, widths[-1][0], L, widths[-1][1]) > N:"},
    "a wider one fits: this is one step too narrow": {"return widths[-1]": "return widths[max(len(widths) - 2, 0)]"},
    "the narrowest one is returned": {"return widths[-1]": "return widths[0]"},
    "F and D are exchanged: the answer is (D, F)": {"widths.append((D, F))": "widths.append((F, D))"},
    "F is 4 D, BERT's; GeGLU has a third matrix: 8 D / 3": {WIDTH: "4 * D"},
    "F is not rounded down to a multiple of 64": {WIDTH: "8 * D // 3"},
    "F is rounded to the nearest multiple of 64, not down": {WIDTH: "round(8 * D / 3 / 64) * 64"},
    "F is rounded up to a multiple of 64, not down": {WIDTH: "-(-8 * D // 3 // 64) * 64"},
    "F is 3 D / 2, as in ModernBERT-base; 8 D / 3 is asked for": {WIDTH: "3 * D // 2 // 64 * 64"},
    "F is 2 D; 8 D / 3 is asked for": {WIDTH: "2 * D"},
    "D is a multiple of 64, so that heads of 64 fit": {"range(64, N, 64)": "range(64, N, 32)"},
    "D goes in steps of 128; multiples of 64 are asked for": {"range(64, N, 64)": "range(64, N, 128)"},
    "the table of the tokens is not counted": {STOP: "if count_parameters(V, D, L, F) - V * D > N:"},
    "there are 12 layers here, whatever L says": {STOP: "if count_parameters(V, D, 12, F) > N:"},
    "V is 50368 here, whatever the caller says": {STOP: "if count_parameters(50368, D, L, F) > N:"},
    "where not even D = 64 fits, raise a ValueError; this returns something": {
        '        raise ValueError(f"{N} parameters are too few for so many layers and words")': (
            "        return (64, 128)"
        )
    },
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="(count_parameters, spend): count_parameters(V, D, L, F) -> int; spend(N, V, L) -> (D, F)",
    hints=(
        "Walk through the model from the ids to the scores and write down each tensor. Then try one width after the\n"
        "other, and keep the last one that the budget pays for.",
        "token table (V, D); a norm is D numbers; a layer: four matrices (D, D), gate_up (2 F, D), output (D, F), two\n"
        "norms; layer 0 goes without its attention norm; head: dense (D, D), a norm, V biases; no other biases.\n"
        "spend: D = 64, 128, 192, ...; F belongs to D.",
        "count: table, embedding norm, L times a layer, minus one norm, plus the final norm, plus the head\n"
        "spend: for D in steps of 64, F = the largest multiple of 64 that is at most 8 D / 3\n"
        "       stop at the first D whose count is above N; the answer is the pair before it\n"
        "       if there is none before it, raise a ValueError that names N",
    ),
    parts=(Lab(count_parameters, sizes, COUNT), Lab(spend, budgets, SPEND)),
)
