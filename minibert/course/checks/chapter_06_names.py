"""Exercise 6.3: does every tensor land in its place, the right way round?"""

import torch
from torch import Tensor

from minibert.course.exercise import Wrong
from minibert.course.expect import expect_close
from minibert.course.tools import call, kind_of

D, F, V, P, L = 10, 14, 11, 6, 12  # twelve blocks: layer.1 is the beginning of layer.10
OUTSIDE = {
    "embeddings.token.weight": "embeddings.word_embeddings.weight",
    "embeddings.position.weight": "embeddings.position_embeddings.weight",
    "embeddings.segment.weight": "embeddings.token_type_embeddings.weight",
    "embeddings.norm.weight": "embeddings.LayerNorm.gamma",
    "embeddings.norm.bias": "embeddings.LayerNorm.beta",
    "pooler.dense.weight": "pooler.dense.weight",
    "pooler.dense.bias": "pooler.dense.bias",
}
INSIDE = {
    "attention.output.weight": "attention.output.dense.weight",
    "attention.output.bias": "attention.output.dense.bias",
    "attention_norm.weight": "attention.output.LayerNorm.gamma",
    "attention_norm.bias": "attention.output.LayerNorm.beta",
    "feed_forward.input.weight": "intermediate.dense.weight",
    "feed_forward.input.bias": "intermediate.dense.bias",
    "feed_forward.output.weight": "output.dense.weight",
    "feed_forward.output.bias": "output.dense.bias",
    "feed_forward_norm.weight": "output.LayerNorm.gamma",
    "feed_forward_norm.bias": "output.LayerNorm.beta",
}
FUSED = "attention.query_key_value"
PARTS = ("query", "key", "value")
ORDERS = {
    ("key", "query", "value"): "query and key are swapped",
    ("query", "value", "key"): "key and value are swapped",
    ("value", "key", "query"): "query and value are swapped",
    ("query", "query", "query"): "the query stands there three times",
}


def _stored(rng: torch.Generator, layers: int) -> dict[str, Tensor]:
    """A file in the old style: gamma and beta, and position_ids, which is no weight."""
    tables = {"word": V, "position": P, "token_type": 2}
    shapes = {f"embeddings.{name}_embeddings.weight": (rows, D) for name, rows in tables.items()}
    shapes |= {"pooler.dense.weight": (D, D), "pooler.dense.bias": (D,)}
    dense = {f"attention.self.{part}": (D, D) for part in PARTS} | {"attention.output.dense": (D, D)}
    dense |= {"intermediate.dense": (F, D), "output.dense": (D, F)}
    norms = ["embeddings.LayerNorm"]
    for i in range(layers):
        shapes |= {f"encoder.layer.{i}.{name}.weight": shape for name, shape in dense.items()}
        shapes |= {f"encoder.layer.{i}.{name}.bias": shape[:1] for name, shape in dense.items()}
        norms += [f"encoder.layer.{i}.{name}.LayerNorm" for name in ("attention.output", "output")]
    shapes |= {f"{name}.{part}": (D,) for name in norms for part in ("gamma", "beta")}
    stored = {name: torch.randn(shape, generator=rng).round(decimals=2) for name, shape in sorted(shapes.items())}
    return {"embeddings.position_ids": torch.arange(P)[None]} | stored


def _theirs(name: str) -> tuple[str, ...]:
    """Their names for one of ours."""
    if not name.startswith("blocks."):
        return (OUTSIDE[name],)
    _, layer, rest = name.split(".", 2)
    prefix = f"encoder.layer.{layer}."
    if rest.startswith(FUSED):
        return tuple(f"{prefix}attention.self.{part}.{rest.rpartition('.')[2]}" for part in PARTS)
    return (prefix + INSIDE[rest],)


def _names(layers: int) -> list[str]:
    inside = [f"{FUSED}.weight", f"{FUSED}.bias", *INSIDE]
    return [*OUTSIDE, *(f"blocks.{i}.{rest}" for i in range(layers) for rest in inside)]


def _expect_names(got, layers: int) -> None:
    if not isinstance(got, dict):
        raise Wrong(f"the result is {kind_of(got)}", "a dict of name -> tensor", "return the dictionary")
    names = _names(layers)
    missing = [name for name in names if name not in got]
    strange = [str(name) for name in got if name not in set(names)]
    if "embeddings.position_ids" in strange or "embeddings.position.ids" in strange:
        cause = "position_ids is the list 0, 1, 2, ... and no weight; old files carry it along: leave it out"
        raise Wrong("the result holds position_ids", "weights only", cause)
    if not missing and not strange:
        return
    seen = f"{len(missing)} names are missing, such as {missing[0]}" if missing else ""
    seen += (" and " if missing and strange else "") + (f"{len(strange)} are unknown: {strange[0]}" if strange else "")
    blocks = sorted({int(name.split(".")[1]) for name in missing if name.startswith("blocks.")})
    if missing and blocks == list(range(blocks[0] if blocks else 0, layers)) and blocks[0] > 0 and not strange:
        cause = f"blocks {blocks[0]} to {layers - 1} are left out: there are L blocks, not {blocks[0]}"
    elif any("self" in name or ".query." in name for name in strange):
        cause = "query, key and value have no names of their own in ours: they are rows of one matrix, query_key_value"
    else:
        cause = "print(minibert.Encoder(config).state_dict().keys()) shows our names"
    raise Wrong(seen, f"{len(names)} names, those of minibert.Encoder with {layers} blocks", cause)


def _suspects(name: str, stored: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """What this tensor would be after each of the usual mistakes."""
    theirs = _theirs(name)
    parts = [stored[part] for part in theirs]
    found = {}
    if parts[0].dim() == 2:
        turned = "the matrix is transposed; files of PyTorch store (out, in), as nn.Linear does, so nothing is turned"
        found[turned] = torch.cat([part.mT for part in parts], 0) if len(parts) > 1 else parts[0].mT
        found["the joined matrix is transposed; ours is (3 D, D), their parts below each other"] = torch.cat(parts).mT
    if len(parts) > 1:
        by_part = dict(zip(PARTS, parts, strict=True))
        found |= {text: torch.cat([by_part[part] for part in order]) for order, text in ORDERS.items()}
        found["the rows of query, key and value take turns; all of query comes first"] = torch.stack(parts, 1).flatten(
            0, 1
        )
    for one, other in (("gamma", "beta"), ("beta", "gamma")):
        if theirs[0].endswith(one):
            found["gamma and beta are swapped: gamma is the gain (weight), beta the offset (bias)"] = stored[
                theirs[0].removesuffix(one) + other
            ]
            swapped = theirs[0].replace(".attention.output.LayerNorm", ".output.LayerNorm")
            if swapped == theirs[0]:
                swapped = theirs[0].replace(".output.LayerNorm", ".attention.output.LayerNorm")
            if swapped != theirs[0]:
                text = "the two norms of a block are swapped: theirs are named after the sub-layer in front of them"
                found[text] = stored[swapped]
    if name.startswith("blocks."):
        here = int(name.split(".")[1])
        for i in range(layers):
            if i != here:
                there = [part.replace(f"layer.{here}.", f"layer.{i}.", 1) for part in theirs]
                found[f"it comes from block {i}"] = torch.cat([stored[part] for part in there])
    if theirs[0].endswith("dense.bias") and theirs[0].startswith("encoder"):
        found["it is the bias of another layer"] = stored[_other_bias(theirs[0])]
    return found


def _other_bias(name: str) -> str:
    if "attention.output.dense" in name:
        return name.replace("attention.output.dense", "output.dense")
    return name.replace(".output.dense", ".attention.output.dense")


def _check_names(answer, rng: torch.Generator) -> None:
    """Names, shapes and numbers of each tensor, for twelve blocks and for two."""
    for layers in (2, L):
        stored = _stored(rng, layers)
        got = call(answer, stored, layers)
        _expect_names(got, layers)
        for name in _names(layers):
            want = torch.cat([stored[part] for part in _theirs(name)])
            suspects = _suspects(name, stored, layers)
            if isinstance(got[name], Tensor) and got[name].shape != want.shape:
                for cause, wrong in suspects.items():
                    if wrong.shape == got[name].shape and torch.equal(wrong, got[name]):
                        raise Wrong(f"{name} has shape {tuple(got[name].shape)}", f"{tuple(want.shape)}", cause)
                if tuple(got[name].shape) == (D, 3 * D):
                    cause = "query, key and value stand side by side; join them along dimension 0, below each other"
                    raise Wrong(f"{name} has shape {tuple(got[name].shape)}", f"{tuple(want.shape)}", cause)
            expect_close(name, got[name], want, f"it should come from {' + '.join(_theirs(name))}", suspects)
