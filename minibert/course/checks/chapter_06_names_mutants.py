"""Exercise 6.3: the weight table, and mistakes that its check must recognise."""

import torch

from minibert.course.exercise import Mutant


def _to_ours(stored, L):
    ours = {
        "embeddings.token.weight": stored["embeddings.word_embeddings.weight"],
        "embeddings.position.weight": stored["embeddings.position_embeddings.weight"],
        "embeddings.segment.weight": stored["embeddings.token_type_embeddings.weight"],
        "embeddings.norm.weight": stored["embeddings.LayerNorm.gamma"],
        "embeddings.norm.bias": stored["embeddings.LayerNorm.beta"],
    }
    for i in range(L):
        here, there = f"blocks.{i}.", f"encoder.layer.{i}."
        for kind in ("weight", "bias"):
            parts = [stored[f"{there}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            ours[f"{here}attention.query_key_value.{kind}"] = torch.cat(parts)
            ours[f"{here}attention.output.{kind}"] = stored[f"{there}attention.output.dense.{kind}"]
            ours[f"{here}feed_forward.input.{kind}"] = stored[f"{there}intermediate.dense.{kind}"]
            ours[f"{here}feed_forward.output.{kind}"] = stored[f"{there}output.dense.{kind}"]
            ours[f"pooler.dense.{kind}"] = stored[f"pooler.dense.{kind}"]
        for kind, old in (("weight", "gamma"), ("bias", "beta")):
            ours[f"{here}attention_norm.{kind}"] = stored[f"{there}attention.output.LayerNorm.{old}"]
            ours[f"{here}feed_forward_norm.{kind}"] = stored[f"{there}output.LayerNorm.{old}"]
    return ours


def _changed(stored, L, ending, change):
    ours = _to_ours(stored, L)
    return {name: change(name, tensor) if name.endswith(ending) else tensor for name, tensor in ours.items()}


def _transposes(stored, L):
    return _changed(stored, L, ".weight", lambda name, tensor: tensor.mT if tensor.dim() == 2 else tensor)


def _transposes_square_ones(stored, L):
    return _changed(stored, L, "attention.output.weight", lambda name, tensor: tensor.mT)


def _transposes_query_key_value(stored, L):
    def turn(name, tensor):
        return torch.cat([part.mT for part in tensor.chunk(3)])

    return _changed(stored, L, "query_key_value.weight", turn)


def _swaps_query_and_key(stored, L):
    def swap(name, tensor):
        query, key, value = tensor.chunk(3)
        return torch.cat([key, query, value])

    return _changed(stored, L, ("query_key_value.weight", "query_key_value.bias"), swap)


def _side_by_side(stored, L):
    return _changed(stored, L, "query_key_value.weight", lambda name, tensor: torch.cat(tensor.chunk(3), dim=1))


def _takes_turns(stored, L):
    def turns(name, tensor):
        return torch.stack(tensor.chunk(3), dim=1).flatten(0, 1)

    return _changed(stored, L, ("query_key_value.weight", "query_key_value.bias"), turns)


def _swaps_gamma_and_beta(stored, L):
    ours = _to_ours(stored, L)
    swapped = {}
    for name in ours:
        module, _, kind = name.rpartition(".")
        other = f"{module}.{'bias' if kind == 'weight' else 'weight'}"
        swapped[name] = ours[other] if module.endswith("norm") else ours[name]
    return swapped


def _swaps_the_norms(stored, L):
    def other(name):
        left, right = "attention_norm", "feed_forward_norm"
        return name.replace(left, right) if left in name else name.replace(right, left)

    ours = _to_ours(stored, L)
    return {name: ours[other(name)] for name in ours}


def _same_block_again(stored, L):
    ours = _to_ours(stored, L)
    return {
        name: ours["blocks.0." + name.split(".", 2)[2]] if name.startswith("blocks.") else ours[name] for name in ours
    }


def _keeps_position_ids(stored, L):
    return _to_ours(stored, L) | {"embeddings.position_ids": stored["embeddings.position_ids"]}


def _one_block_short(stored, L):
    return {name: tensor for name, tensor in _to_ours(stored, L).items() if not name.startswith(f"blocks.{L - 1}.")}


def _keeps_three_names(stored, L):
    ours = {name: tensor for name, tensor in _to_ours(stored, L).items() if "query_key_value" not in name}
    for name, tensor in stored.items():
        if ".self." in name:
            ours[name.replace("encoder.layer", "blocks")] = tensor
    return ours


def _replaces_layer_one(stored, L):
    """Text replacement goes wrong from block 10 on: encoder.layer.10 begins with encoder.layer.1."""
    ours = _to_ours(stored, L)
    for i in range(L):
        for name in [name for name in ours if name.startswith(f"blocks.{i}")]:
            rest = name.split(".", 2)[2]
            ours[name] = ours[f"blocks.{i}.{rest}"]
    return ours


def _empties_the_file(stored, L):
    ours = _to_ours(stored, L)
    stored.clear()
    return ours


def _doubles(stored, L):
    return {name: tensor.double() for name, tensor in _to_ours(stored, L).items()}


MUTANTS = [
    Mutant("transposes everything", _transposes, "transposed|same sizes in another order"),
    Mutant("transposes a square matrix", _transposes_square_ones, "the matrix is transposed"),
    Mutant("transposes query, key, value", _transposes_query_key_value, "the matrix is transposed"),
    Mutant("query and key swapped", _swaps_query_and_key, "query and key are swapped"),
    Mutant("side by side", _side_by_side, "side by side"),
    Mutant("rows take turns", _takes_turns, "take turns"),
    Mutant("gamma and beta swapped", _swaps_gamma_and_beta, "gamma and beta are swapped"),
    Mutant("norms swapped", _swaps_the_norms, "two norms of a block are swapped"),
    Mutant("one block for all", _same_block_again, "comes from block 0"),
    Mutant("keeps position_ids", _keeps_position_ids, "no weight"),
    Mutant("one block short", _one_block_short, "are left out"),
    Mutant("query, key, value apart", _keeps_three_names, "no names of their own"),
    Mutant("block 1 for block 10", _replaces_layer_one, "comes from block 1"),
    Mutant("changes the file", _empties_the_file, "your code changes"),
    Mutant("another dtype", _doubles, "dtype float64"),
]
