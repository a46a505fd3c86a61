"""Exercise 6.2: the number of parameters, and which part is forgotten or counted twice."""

import itertools

import torch

from minibert.course.expect import expect_equal
from minibert.course.tools import call

RIGHT = dict(tables=1, positions=1, segments=1, embed_norm=1, matrices=4, biases=1, inner_biases=1, norms=2, decoder=0)
OTHERWISE = {
    "the position table is forgotten": dict(positions=0),
    "the segment table is forgotten": dict(segments=0),
    "the token table is forgotten": dict(tables=0),
    "the norm behind the embeddings is forgotten": dict(embed_norm=0),
    "the biases of the dense layers are forgotten": dict(biases=0, inner_biases=0),
    "the biases of the feed-forward layer are forgotten": dict(inner_biases=0),
    "the biases of attention are forgotten": dict(biases=0),
    "attention has a fourth matrix: the output projection behind the heads": dict(matrices=3),
    "a block has two norms, one behind each sub-layer": dict(norms=1),
    "the norms are forgotten": dict(norms=0, embed_norm=0),
    "the norms of the blocks are forgotten": dict(norms=0),
    "a norm has a gain and an offset, 2 D numbers": dict(half_norms=True),
    "the tables and the pooler stand outside the blocks: they are not there L times": dict(all_times=True),
    "only one of the L blocks is counted": dict(one_block=True),
}


def _count(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False, change=None) -> int:
    how = RIGHT | (change or {})
    norm = D if how.get("half_norms") else 2 * D
    bias, inner = how["biases"], how["inner_biases"]
    rows = how["tables"] * V + how["positions"] * positions + how["segments"] * segments
    embeddings = rows * D + how["embed_norm"] * norm
    dense = D * D + bias * D
    block = how["matrices"] * dense + 2 * D * F + inner * (F + D) + how["norms"] * norm
    head = dense + norm + V + how["decoder"] * V * D
    if how.get("all_times"):
        return L * (embeddings + block + pooler * dense) + mlm * head
    return embeddings + (1 if how.get("one_block") else L) * block + pooler * dense + mlm * head


def _suspects(sizes: dict) -> dict[str, int]:
    found = {cause: _count(**sizes, change=change) for cause, change in OTHERWISE.items()}
    pooler, mlm = sizes.get("pooler", True), sizes.get("mlm", False)
    flipped = "the pooler is forgotten" if pooler else "there is no pooler here (pooler=False), but it is counted"
    found[flipped] = _count(**sizes | {"pooler": not pooler})
    flipped = "the prediction head is not counted (mlm=True)"
    if mlm:
        D, V = sizes["D"], sizes["V"]
        right = _count(**sizes)
        found["the decoder's matrix is counted; it is the token table, used a second time"] = right + V * D
        found["the decoder's bias, V numbers, is forgotten"] = right - V
        found["the prediction head has a norm"] = right - 2 * D
        found["the prediction head has a dense layer (D, D) with a bias"] = right - D * D - D
        found["of the prediction head only the decoder's matrix is counted"] = right - D * D - 3 * D - V + V * D
    else:
        flipped = "the prediction head is counted, but mlm is False: this is the bare encoder"
    found[flipped] = _count(**sizes | {"mlm": not mlm})
    found["the inner width is F, whatever it is: this takes 4 D"] = _count(**sizes | {"F": 4 * sizes["D"]})
    found["512 positions, whatever `positions` says"] = _count(**sizes | {"positions": 512})
    right = _count(**sizes)
    combined = {}
    for (one, first), (other, second) in itertools.combinations(
        [pair for pair in found.items() if pair[0] != flipped], 2
    ):
        combined.setdefault(first + second - right, f"two things: {one}; and: {other}")
    return found | {cause: number for number, cause in combined.items() if number not in found.values()}


def _check_count(answer, rng: torch.Generator) -> None:
    """A model small enough to count on paper, the published ones, random sizes, and each switch."""
    cases = [
        ("V=4, D=4, L=3, F=9, positions=9, segments=3", dict(V=4, D=4, L=3, F=9, positions=9, segments=3)),
        ("BERT-base", dict(V=30522, D=768, L=12, F=3072)),
        ("BERT-large", dict(V=30522, D=1024, L=24, F=4096)),
        ("BERT-base without pooler", dict(V=30522, D=768, L=12, F=3072, pooler=False)),
        ("BERT-base with prediction head", dict(V=30522, D=768, L=12, F=3072, pooler=False, mlm=True)),
    ]
    for switches in ({}, dict(pooler=False), dict(mlm=True)):
        draw = torch.randint(2, 60, (6,), generator=rng).tolist()
        sizes = dict(zip(("V", "D", "L", "F", "positions", "segments"), draw, strict=True)) | switches
        cases.append((", ".join(f"{name}={value}" for name, value in sizes.items()), sizes))
    for name, sizes in cases:
        positional = [sizes[key] for key in ("V", "D", "L", "F")]
        named = {key: value for key, value in sizes.items() if key not in ("V", "D", "L", "F")}
        got = call(answer, *positional, **named)
        cause = "list every tensor on paper, for V=4, D=4, L=3, F=9: which part differs?"
        expect_equal(f"the count for {name}", got, _count(**sizes), cause, _suspects(sizes))
