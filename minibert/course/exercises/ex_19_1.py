"""19.1 A table that the code fills. Where an encoder's parameters are, and when attention costs more than matrices."""

import warnings

import torch

from minibert.config import EncoderConfig
from minibert.course.lab import Case, Exercise, Lab


def table_row(config):
    """The parameters of a masked language model by kind, as a dictionary of five ints."""
    V, D, L, F = config.vocab_size, config.hidden, config.layers, config.intermediate
    kept = config.groups * config.head_size  # rows of the keys, and of the values
    inner = 2 * F if config.mlp == "glu" else F  # rows of the first matrix of a feed-forward layer
    norm = 2 * D if config.norm_bias else D
    tables = V * D + config.segments * D
    if config.position == "learned":
        tables += config.max_len * D
    norms = 2 * L + config.embed_norm + config.final_norm - config.skip_first_attn_norm
    vectors = norms * norm
    if config.attention_bias:
        vectors += L * (D + 2 * kept + D)  # query, key and value; output
    if config.mlp_bias:
        vectors += L * (inner + D)
    head = 0
    if config.mlm_head == "transform":
        head += D * D + (D if config.head_bias else 0) + norm
    if not config.tie:
        head += V * D
    if config.decoder_bias:
        head += V
    return {
        "tables": tables,
        "attention": L * (2 * D * D + 2 * D * kept),
        "feed-forward": L * (D * inner + F * D),
        "vectors": vectors,
        "head": head,
    }


def break_even(config):
    """From how many tokens on attention takes at least as many operations as the matrices of the blocks, as an int."""
    D, F, W = config.hidden, config.intermediate, config.half_window
    kept = config.groups * config.head_size
    layer = 2 * D * D + 2 * D * kept + (3 if config.mlp == "glu" else 2) * D * F  # weights
    wide = sum(config.is_global(number) for number in range(config.layers))

    def reached(T):
        near = T * T
        if W is not None and T > W:
            near = T * (2 * W + 1) - W * (W + 1)  # the first and the last W tokens see fewer
        pairs = wide * T * T + (config.layers - wide) * near
        return 4 * D * pairs >= 2 * T * config.layers * layer

    low, high = 0, 1  # below the answer; not below it
    while not reached(high):
        low, high = high, 2 * high
        if high > 10**9:
            raise ValueError("attention never takes as much: no layer sees all tokens")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


SMALL = dict(vocab_size=97, hidden=12, layers=5, heads=6, intermediate=20, max_len=33, nsp=False)
SMALL |= dict(pad_id=0, mask_id=1, cls_id=2, sep_id=3)
PRE = dict(norm_placement="pre", final_norm=True)
ROPE = dict(position="rope", rope_theta=10_000.0, segments=0)
WINDOWS = dict(layer_types=("global", "local", "local", "local"), local_window=10, rope_theta_local=10_000.0)
MODELS = {  # what each is called in a message: its fields
    "BERT, small": {},
    "BERT, small, with segments left out": dict(segments=0),
    "RoPE in place of the table of positions": ROPE,
    "no biases, but for the decoder's": dict(attention_bias=False, mlp_bias=False, norm_bias=False, head_bias=False),
    "biases in attention, none in the feed-forward layers": dict(mlp_bias=False),
    "biases in the feed-forward layers, none in attention": dict(attention_bias=False),
    "biases in the matrices, none in the norms": dict(norm_bias=False),
    "biases in the norms, none in the matrices": dict(attention_bias=False, mlp_bias=False, decoder_bias=False),
    "no bias in the dense layer of the head": dict(head_bias=False),
    "pre-norm with biases": PRE,
    "pre-norm, the first attention norm left out": PRE | dict(skip_first_attn_norm=True),
    "pre-norm without an embedding norm": PRE | dict(embed_norm=False),
    "pre-norm without a final norm": dict(norm_placement="pre"),
    "a gate and biases": dict(mlp="glu"),
    "two key heads for six query heads, with biases": dict(kv_heads=2),
    "an untied head": dict(tie=False, act="silu"),
    "a linear head without a bias": dict(mlm_head="linear", decoder_bias=False, pool="mean"),
    "a linear head with a bias": dict(mlm_head="linear", pool="mean"),
    "windows": ROPE | WINDOWS,
    "EuroBERT, small": ROPE
    | PRE
    | dict(kv_heads=3, embed_norm=False, norm="rmsnorm", norm_bias=False, mlp="glu", act="silu")
    | dict(attention_bias=False, mlp_bias=False)
    | dict(mlm_head="linear", head_bias=False, decoder_bias=False, tie=False, pool="mean"),
}
PRESETS = ("bert-base", "modernbert-large", "eurobert-610m")


def small(rng, **fields):
    """A config whose sizes have no factor in common by chance, so that two mistakes give two numbers."""
    heads = int(torch.randint(1, 4, (), generator=rng)) * 6
    K, F, L = (int(torch.randint(*ends, (), generator=rng)) for ends in ((2, 5), (15, 60), (2, 4)))
    sizes = dict(heads=heads, hidden=2 * K * heads, intermediate=2 * F + 1, layers=4 * L - 3)
    return EncoderConfig(**SMALL | sizes | fields)


def rows(rng):
    for name, fields in MODELS.items():
        cause = f"build this one and list its tensors: MaskedLanguageModel(config), {name}"
        yield Case((EncoderConfig(**SMALL | fields),), cause, f"the row of {name}")
    for name in PRESETS:
        yield Case((EncoderConfig.preset(name),), "", f"the row of {name}")
    for name, fields in MODELS.items():
        yield Case((small(rng, **fields),), f"count once more for {name}", f"the row of {name}, other sizes")


TABLES = "V * D + config.segments * D"
NORMS = "2 * L + config.embed_norm + config.final_norm - config.skip_first_attn_norm"
BIASES, MLP_BIASES = "L * (D + 2 * kept + D)", "L * (inner + D)"
GROUPED = "kept = config.groups * config.head_size"
ROW = {
    "there are `config.groups` key heads and value heads, not `config.heads`": {GROUPED: "kept = D"},
    "kv_heads may be None, which means as many as there are query heads; config.groups knows": {
        GROUPED: "kept = (config.kv_heads or 1) * config.head_size"
    },
    "the keys alone are shared by groups here; so are the values": {
        "2 * D * D + 2 * D * kept": "3 * D * D + D * kept",
        BIASES: "L * (2 * D + kept + D)",
    },
    "attention has four matrices: Wo is missing": {"2 * D * D + 2 * D * kept": "D * D + 2 * D * kept"},
    "a gated feed-forward layer has three matrices: gate, up and output": {
        'inner = 2 * F if config.mlp == "glu" else F': "inner = F"
    },
    "only a gated layer has a second matrix at its entrance": {
        'inner = 2 * F if config.mlp == "glu" else F': "inner = 2 * F"
    },
    "RoPE has no table of positions": {'if config.position == "learned":': "if True:"},
    "the table of positions is missing": {'if config.position == "learned":': "if False:"},
    "the table of segments has `config.segments` rows": {TABLES: "V * D + 2 * D"},
    "the table of segments is missing": {TABLES: "V * D"},
    "the token table is missing": {TABLES: "config.segments * D"},
    "a norm has a bias only where norm_bias says so": {"norm = 2 * D if config.norm_bias else D": "norm = 2 * D"},
    "a LayerNorm with a bias has two vectors": {"norm = 2 * D if config.norm_bias else D": "norm = D"},
    "attention_bias is about the matrices of attention; the norms have norm_bias": {
        "norm = 2 * D if config.norm_bias else D": "norm = 2 * D if config.attention_bias else D"
    },
    "not every model has a norm after the embeddings": {NORMS: NORMS.replace("config.embed_norm", "1")},
    "the norm after the embeddings is missing": {NORMS: NORMS.replace(" + config.embed_norm", "")},
    "the final norm is missing": {NORMS: NORMS.replace(" + config.final_norm", "")},
    "the first layer goes without its attention norm where skip_first_attn_norm says so": {
        NORMS: NORMS.replace(" - config.skip_first_attn_norm", "")
    },
    "a block has two norms": {NORMS: NORMS.replace("2 * L", "L")},
    "the biases of the blocks are missing": {
        "if config.attention_bias:": "if False:",
        "if config.mlp_bias:": "if False:",
    },
    "biases stand in the blocks only where attention_bias and mlp_bias say so": {
        "if config.attention_bias:": "if True:",
        "if config.mlp_bias:": "if True:",
    },
    "attention_bias is about attention, mlp_bias about the feed-forward layers": {
        "if config.mlp_bias:": "if config.attention_bias:"
    },
    "mlp_bias is about the feed-forward layers, attention_bias about attention": {
        "if config.attention_bias:": "if config.mlp_bias:"
    },
    "a bias has as many numbers as its matrix has rows: `inner` in the first of a feed-forward layer": {
        MLP_BIASES: "L * (F + D)"
    },
    "the biases of keys and values have as many numbers as these have rows": {
        BIASES: BIASES.replace("2 * kept", "2 * D")
    },
    "the bias of Wo is missing": {BIASES: BIASES.replace("kept + D", "kept")},
    "a linear head has no dense layer and no norm": {'if config.mlm_head == "transform":': "if True:"},
    "the dense layer and the norm of the head are missing": {'if config.mlm_head == "transform":': "if False:"},
    "the dense layer of the head has a bias only where head_bias says so": {"(D if config.head_bias else 0)": "D"},
    "the bias of the head's dense layer is missing": {"(D if config.head_bias else 0)": "0"},
    "the norm of the head is missing": {"(D if config.head_bias else 0) + norm": "(D if config.head_bias else 0)"},
    "a tied head shares the token table, which counts once": {"if not config.tie:": "if True:"},
    "an untied head has a matrix of its own": {"if not config.tie:": "if False:"},
    "the decoder's bias is missing": {"if config.decoder_bias:": "if False:"},
    "the decoder has a bias only where decoder_bias says so": {"if config.decoder_bias:": "if True:"},
    "whether there is a final norm stands in final_norm; not every pre-norm model has one": {
        NORMS: NORMS.replace("config.final_norm", '(config.norm_placement == "pre")')
    },
    "RMSNorm has a gain": {"else D\n    tables": 'else D * (config.norm != "rmsnorm")\n    tables'},
    "norm_bias says whether a norm has a bias; a LayerNorm may have none": {
        "norm = 2 * D if config.norm_bias": 'norm = 2 * D if config.norm == "layernorm"'
    },
    "`norm_bias` is about the norms; the matrices of the blocks have attention_bias and mlp_bias": {
        "if config.attention_bias:": "if config.norm_bias:",
        "if config.mlp_bias:": "if config.norm_bias:",
    },
    "the biases of attention are missing": {BIASES: "0"},
    "the biases of the feed-forward layers are missing": {MLP_BIASES: "0"},
    "mlp_bias is about the blocks; the dense layer of the head has head_bias": {
        "D if config.head_bias": "D if config.mlp_bias"
    },
    "`mlp` says whether a feed-forward layer is gated, not `act`": {'config.mlp == "glu"': 'config.act == "silu"'},
    "`mlp` says whether a feed-forward layer is gated, not `norm`": {'config.mlp == "glu"': 'config.norm == "rmsnorm"'},
    "`mlp` says whether a feed-forward layer is gated, not `norm_placement`": {
        'config.mlp == "glu"': 'config.norm_placement == "pre"'
    },
    "`mlp` says whether a feed-forward layer is gated, not the family": {
        'config.mlp == "glu"': 'config.family != "bert"'
    },
    "the last matrix of a gated layer has F columns: gate and up are multiplied first": {"F * D": "inner * D"},
    "the norm of the head is one of the norms: norm_bias says whether it has a bias": {
        "else 0) + norm": "else 0) + 2 * D"
    },
    "the norm of the head counts with the head": {
        "else 0) + norm": "else 0)",
        NORMS: f'{NORMS} + (config.mlm_head == "transform")',
    },
    "the matrix of an untied head counts with the head, not with the tables": {
        "        head += V * D": "        tables += V * D"
    },
    "a linear head has a bias where decoder_bias says so": {
        "if config.decoder_bias:": 'if config.decoder_bias and config.mlm_head == "transform":'
    },
    "the decoder's bias has a number for each entry of the vocabulary": {"        head += V\n": "        head += D\n"},
    "the first attention norm alone is left out, not one in each layer": {
        NORMS: NORMS.replace("- config", "- L * config")
    },
    "query and output are D x D; only keys and values have fewer rows": {"2 * D * D + 2 * D * kept": "4 * D * kept"},
    "the biases of the matrices count with the vectors": {
        "L * (D * inner + F * D)": "L * (D * inner + F * D + config.mlp_bias * (inner + D))",
        "L * (2 * D * D + 2 * D * kept)": "L * (2 * D * D + 2 * D * kept + config.attention_bias * (2 * D + 2 * kept))",
        BIASES: "0",
        MLP_BIASES: "0",
    },
    "the dense layer of a head has a matrix, too": {"head += D * D + (D": "head += (D"},
    "there is no pooler here": {"head = 0": "head = D * D + D if config.pool == 'bert' else 0"},
    "only one of the L layers is counted": {"L * (2 * D * D + 2 * D * kept)": "2 * D * D + 2 * D * kept"},
}


def lengths(rng):
    cause = (
        "a weight takes two operations for each token, a pair of a query and a key that it sees four for each channel"
    )
    windows = "count the keys that a query sees in a local layer: fewer at both ends of the text"
    for name in ("BERT, small", "a gate and biases", "two key heads for six query heads, with biases"):
        yield Case((EncoderConfig(**SMALL | MODELS[name]),), cause, f"the length for {name}")
    for every, window, layers in ((2, 10, 5), (4, 2, 5), (4, 52, 5), (2, 200, 5), (3, 8, 6)):
        fields = ROPE | dict(
            layer_types=("global", *["local"] * (every - 1)),
            local_window=window,
            rope_theta_local=10_000.0,
            layers=layers,
        )
        with warnings.catch_warnings(action="ignore"):  # the last layer may be local, though no published model's is
            config = EncoderConfig(**SMALL | fields)
        name = f"the length for windows of {window}, every {every}. of {layers} layers global"
        yield Case((config,), windows, name)
    for name in ("bert-base", "modernbert-base", "modernbert-large", "eurobert-610m"):
        yield Case((EncoderConfig.preset(name),), windows if "modern" in name else cause, f"the length for {name}")
    for name in ("BERT, small", "EuroBERT, small", "windows"):
        yield Case(
            (small(rng, **MODELS[name]),),
            windows if name == "windows" else cause,
            f"the length for {name}, other sizes",
        )


BRANCH, LAYER = "4 * D * pairs >= 2 * T * config.layers * layer", "2 * D * D + 2 * D * kept + (3 if"
WIDE = "sum(config.is_global(number) for number in range(config.layers))"
NEAR = "near = T * (2 * W + 1) - W * (W + 1)"
EVEN = {
    "local layers are counted as if they were global": {"if W is not None and T > W:": "if False:"},
    "all layers are counted as local ones": {"wide * T * T + (config.layers - wide) * near": "config.layers * near"},
    "local_window is the whole width: half of it lies on each side": {
        "config.half_window": "config.local_window",
    },
    "a token sees W to the left, W to the right and itself: 2 W + 1": {NEAR: "near = T * (2 * W) - W * (W + 1)"},
    "the first and the last W tokens of a text see fewer": {NEAR: "near = T * min(T, 2 * W + 1)"},
    "a window is counted to one side only": {NEAR: "near = T * (W + 1) - W * (W + 1) // 2"},
    "attention computes scores, and then mixed values: four operations for each channel, not two": {
        BRANCH: BRANCH.replace("4 * D", "2 * D")
    },
    "a weight takes two operations: a multiplication and an addition": {BRANCH: BRANCH.replace("2 * T *", "T *")},
    "both are counted for one layer here: sum over the layers": {
        BRANCH: BRANCH.replace("config.layers * layer", "layer")
    },
    "at least as many: equal counts": {BRANCH: BRANCH.replace(">=", ">")},
    "the answer is one token too long": {"return high": "return high + 1"},
    "the answer is one token too short": {"return high": "return high - 1"},
    "query heads share keys, but the scores are computed for every query head": {
        BRANCH: BRANCH.replace("4 * D", "4 * kept")
    },
    "groups have fewer key and value rows": {"kept = config.groups * config.head_size": "kept = D"},
    "attention has four matrices: Wo is missing": {LAYER: "D * D + 2 * D * kept + (3 if"},
    "a gated layer has three matrices, the plain one two": {"(3 if": "(2 if"},
    "the feed-forward layer is missing": {'(3 if config.mlp == "glu" else 2) * D * F': "0"},
    "the matrices of attention are missing": {LAYER: "(3 if"},
    "each end cuts off 1 + 2 + ... + W keys: W (W + 1) at both": {NEAR: NEAR.replace("W * (W + 1)", "W * W")},
    "a text of up to W tokens is seen whole in a local layer, too: T T pairs": {" and T > W": ""},
    "a pair takes four operations for each channel of each head, D in all; this is one head": {
        BRANCH: BRANCH.replace("4 * D", "4 * config.head_size")
    },
    "a pair takes four operations for each channel of each head; D counts the heads already": {
        BRANCH: BRANCH.replace("4 * D", "4 * config.heads * D")
    },
    "an encoder is not causal: each token sees those behind it, too": {"wide * T * T": "wide * T * (T + 1) // 2"},
    "the token table multiplies nothing: look-ups take no operations": {
        BRANCH: BRANCH.replace("config.layers * layer", "(config.layers * layer + config.vocab_size * D)")
    },
    "the head is left out": {BRANCH: BRANCH.replace("config.layers * layer", "(config.layers * layer + D * D)")},
    "layer 0 is global, so their number is rounded up": {WIDE: "config.layers // len(config.layer_types)"},
    "layers 0, n, 2 n, ... are global: a layer too many is counted as global": {
        WIDE: "config.layers // len(config.layer_types) + 1"
    },
    "the search ends at 10,000; answers go beyond": {"return high": "return min(high, 10_000)"},
    "the length is not bounded by max_len": {"return high": "return min(high, config.max_len)"},
    "`mlp` says whether a feed-forward layer is gated, not the family": {
        'config.mlp == "glu"': 'config.family != "bert"'
    },
}

EXERCISE = Exercise(
    minutes=45,
    difficulty=4,
    signature="(table_row, break_even): table_row(config) -> dict of five ints; break_even(config) -> int",
    hints=(
        "Walk from the ids to the scores and ask each field of the config what it adds. For the length, divide both\n"
        "counts by the number of tokens: one of them stays, the other grows.",
        "tables: V, positions, segments rows of D. A matrix (out, in) has out · in weights, its bias `out` numbers:\n"
        "query (H K, D), key and value (G K, D), Wo (D, H K), first (F or 2 F, D), second (D, F).\n"
        "norms: two a block, one after the embeddings, one at the end, minus the one that is skipped; gain, bias.",
        "row: for each of the five kinds, start at 0 and add a term where the field says so\n"
        "length: matrices = 2 · weights of all blocks; for T = 1, 2, 3, ...: pairs of a global layer T · T, of a\n"
        "        local one T (2 W + 1) minus what is cut off at both ends, W (W + 1); stop when 4 D · pairs reach\n"
        "        T · matrices",
    ),
    parts=(Lab(table_row, rows, ROW), Lab(break_even, lengths, EVEN)),
    seconds=30.0,
)
