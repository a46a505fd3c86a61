"""6.3 The weight table: from their names to ours."""

import torch

from minibert.course.lab import Case, Exercise, Lab, exchanged


def to_ours(stored, L):
    """The tensors of an old BERT file under the names of minibert.Encoder."""
    ours = {
        "embeddings.token.weight": stored["embeddings.word_embeddings.weight"],
        "embeddings.position.weight": stored["embeddings.position_embeddings.weight"],
        "embeddings.segment.weight": stored["embeddings.token_type_embeddings.weight"],
        "embeddings.norm.weight": stored["embeddings.LayerNorm.gamma"],
        "embeddings.norm.bias": stored["embeddings.LayerNorm.beta"],
        "pooler.dense.weight": stored["pooler.dense.weight"],
        "pooler.dense.bias": stored["pooler.dense.bias"],
    }
    for i in range(L):
        here, there = f"blocks.{i}.", f"encoder.layer.{i}."
        for kind in ("weight", "bias"):
            parts = [stored[f"{there}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            ours[f"{here}attention.query_key_value.{kind}"] = torch.cat(parts)
            ours[f"{here}attention.output.{kind}"] = stored[f"{there}attention.output.dense.{kind}"]
            ours[f"{here}feed_forward.input.{kind}"] = stored[f"{there}intermediate.dense.{kind}"]
            ours[f"{here}feed_forward.output.{kind}"] = stored[f"{there}output.dense.{kind}"]
        for kind, old in (("weight", "gamma"), ("bias", "beta")):
            ours[f"{here}attention_norm.{kind}"] = stored[f"{there}attention.output.LayerNorm.{old}"]
            ours[f"{here}feed_forward_norm.{kind}"] = stored[f"{there}output.LayerNorm.{old}"]
    return ours


def file_of(layers, rng):
    """A file in the old style: gamma and beta, and position_ids, which is no weight. All sizes differ."""
    D, F, V, P = 10, 14, 11, 6
    tables = {"word": V, "position": P, "token_type": 2}
    shapes = {f"embeddings.{name}_embeddings.weight": (rows, D) for name, rows in tables.items()}
    shapes |= {"pooler.dense.weight": (D, D), "pooler.dense.bias": (D,)}
    dense = {f"attention.self.{p}": (D, D) for p in ("query", "key", "value")} | {"attention.output.dense": (D, D)}
    dense |= {"intermediate.dense": (F, D), "output.dense": (D, F)}
    norms = ["embeddings.LayerNorm"]
    for i in range(layers):
        shapes |= {f"encoder.layer.{i}.{name}.weight": shape for name, shape in dense.items()}
        shapes |= {f"encoder.layer.{i}.{name}.bias": shape[:1] for name, shape in dense.items()}
        norms += [f"encoder.layer.{i}.{name}.LayerNorm" for name in ("attention.output", "output")]
    shapes |= {f"{name}.{part}": (D,) for name in norms for part in ("gamma", "beta")}
    stored = {name: torch.randn(shape, generator=rng).round(decimals=2) for name, shape in sorted(shapes.items())}
    return {"embeddings.position_ids": torch.arange(P)[None]} | stored


def cases(rng):
    names = "print(minibert.Encoder(config).state_dict().keys()) shows our names; where does each tensor come from?"
    for layers in (12, 1, 3):  # with twelve blocks layer.1 is also the beginning of layer.10
        shown = f"{layers} blocks" if layers > 1 else "one block"
        yield Case((file_of(layers, rng), layers), names, f"the result for {shown}")


PARTS, JOINED = '("query", "key", "value")', "= torch.cat(parts)"
TABLES, BLOCKS = exchanged("LayerNorm.gamma", "LayerNorm.beta"), exchanged('"gamma"', '"beta"')
NORMS = exchanged("{there}attention.output.LayerNorm", "{there}output.LayerNorm")
OUTPUTS = exchanged("{there}attention.output.dense", "{there}output.dense")
RETURN, THERE = "    return ours", 'f"encoder.layer.{i}."'
OURS = 'ours[f"{here}attention.query_key_value.{kind}"] = torch.cat(parts)'
APART = 'ours |= {f"{here}attention.%s{p}.{kind}": x for p, x in zip(("query", "key", "value"), parts)}'
TURNED = "the matrix {} is transposed; files of PyTorch store (out, in), as nn.Linear does, so nothing is turned"


def given(pair, condition="True"):
    """A patch: these pairs of name and tensor are returned."""
    return {RETURN: f"    return {{{pair} for k, v in ours.items() if {condition}}}"}


def turn(name):
    return given(f"k: v.mT if k.endswith('{name}') and v.dim() == 2 else v")


MISTAKES = {
    "query and key are swapped: ours begins with the query": {PARTS: '("key", "query", "value")'},
    "key and value are swapped: the order is query, key, value": {PARTS: '("query", "value", "key")'},
    "query and value are swapped: the order is query, key, value": {PARTS: '("value", "key", "query")'},
    "the order is key, value, query here; ours is query, key, value": {PARTS: '("key", "value", "query")'},
    "the order is value, query, key here; ours is query, key, value": {PARTS: '("value", "query", "key")'},
    "the query is scaled; weights are copied": {JOINED: "= torch.cat([parts[0] / len(parts[0]) ** 0.5, *parts[1:]])"},
    "query, key and value are stacked; ours is (3 D, D): torch.cat": {JOINED: "= torch.stack(parts)"},
    "the biases of query, key and value are left out": given("k: v", "'query_key_value.bias' not in k"),
    "the norm of the embeddings is left out": given("k: v", "'embeddings.norm' not in k"),
    "the pooler's dense layer is called pooler.dense in ours, too": given("k.replace('pooler.dense', 'pooler'): v"),
    "the blocks keep the name encoder.layer; ours are called blocks": {'f"blocks.{i}."': THERE},
    "only block 0 is there; there are L blocks": {"range(L)": "range(1)"},
    "the two feed-forward layers are swapped": exchanged("{there}intermediate.dense", "{there}output.dense"),
    "positions and segments are swapped": exchanged("position_embeddings", "token_type_embeddings"),
    "tokens and positions are swapped": exchanged("word_embeddings", "position_embeddings"),
    "layers are sorted as texts: 0, 1, 10, 11, 2": {THERE: 'f"encoder.layer.{sorted(map(str, range(L)))[i]}."'},
    "gamma and beta of the embeddings are swapped: gamma is the weight, beta the bias": TABLES,
    "the query stands there three times": {PARTS: '("query", "query", "query")'},
    "query, key and value stand side by side; ours is (3 D, D)": {JOINED: "= torch.cat(parts, dim=-1)"},
    "the rows of query, key and value take turns": {JOINED: "= torch.stack(parts, dim=1).flatten(0, 1)"},
    "the joined matrix is transposed; ours is (3 D, D), their rows below each other": turn("query_key_value.weight"),
    "query, key and value are added; they are joined, one below the other": {JOINED: "= sum(parts)"},
    "query, key, value are transposed; files have (out, in)": {JOINED: "= torch.cat([part.t() for part in parts])"},
    "query, key and value have no names of their own in ours: they are rows of query_key_value": {OURS: APART % ""},
    "query, key and value keep the file's names; in ours they are rows of query_key_value": {OURS: APART % "self."},
    "all matrices are transposed; files store (out, in), as nn.Linear does, so nothing is turned": turn("weight"),
    "all matrices but the tables are transposed": given("k: v.mT if v.dim() == 2 and 'embed' not in k else v"),
    TURNED.format("attention.output.weight"): turn("attention.output.weight"),
    TURNED.format("feed_forward.input.weight"): turn("feed_forward.input.weight"),
    TURNED.format("feed_forward.output.weight"): turn("feed_forward.output.weight"),
    TURNED.format("pooler.dense.weight"): turn("pooler.dense.weight"),
    "gamma and beta are swapped: gamma is the gain (weight), beta the offset (bias)": TABLES | BLOCKS,
    "gamma and beta of the blocks are swapped: gamma is the weight, beta the bias": BLOCKS,
    "the two norms of a block are swapped: theirs are named after the sub-layer before": NORMS,
    "the output matrix of attention and that of the feed-forward layer are swapped": OUTPUTS,
    "every block comes from block 0: the number i belongs into both names": {THERE: '"encoder.layer.0."'},
    "every block comes from the last one: the number i belongs into both names": {THERE: 'f"encoder.layer.{L - 1}."'},
    "blocks 10 and 11 come from block 1: layer.1 also begins layer.10": {THERE: 'f"encoder.layer.{str(i)[0]}."'},
    "the blocks are in reverse order: block i comes from layer i": {THERE: 'f"encoder.layer.{L - 1 - i}."'},
    "the last block is left out: there are L blocks, 0 to L - 1": {"range(L)": "range(L - 1)"},
    "blocks count from 1 here; the first is block 0 on both sides": {'f"blocks.{i}."': 'f"blocks.{i + 1}."'},
    "there are twelve blocks here, whatever L says": {"range(L)": "range(12)"},
    "position_ids is no weight; leave it out": {RETURN: f"{RETURN} | {{k: stored[k] for k in stored if 'ids' in k}}"},
    "the pooler is left out; minibert.Encoder of a BERT has one": given("k: v", "'pooler' not in k"),
    "names begin with `encoder.`; minibert.Encoder's own names do not": given("f'encoder.{k}': v"),
    "names begin with `bert.`; minibert.Encoder's own names do not": given("f'bert.{k}': v"),
    "the norms keep the names gamma and beta; ours are weight and bias": given(
        "k.replace('norm.weight', 'norm.gamma').replace('norm.bias', 'norm.beta'): v"
    ),
    "the tensors come under their own names; ours are those of minibert.Encoder": {RETURN: "    return dict(stored)"},
}

EXERCISE = Exercise(
    minutes=30,
    difficulty=3,
    signature="to_ours(stored: dict of name -> tensor, L) -> dict of name -> tensor, for minibert.Encoder",
    hints=(
        "Do not translate what you find; ask for what you need. For each of our names, say which of theirs\nfill it.",
        "query, key and value are (D, D) each and stand below each other in ours: (3 D, D); their biases (3 D,).\n"
        "Everything else keeps its shape: both sides store a Linear as (out, in). gamma is a norm's gain\n"
        "(weight), beta its offset (bias). Theirs name a norm after the sub-layer in front of it.",
        "ours = the eight tensors outside the blocks less one, which is no weight; the norm's from gamma and beta\n"
        "for every block i, from 0 to L - 1:\n"
        "    for weight and for bias: join query, key, value along the rows, in this order\n"
        "    copy the output matrix, widen (intermediate) and narrow (output), weight and bias\n"
        "    copy both norms: gamma to weight, beta to bias\n"
        "return ours",
    ),
    parts=(Lab(to_ours, cases, MISTAKES, in_pairs=False),),
)
