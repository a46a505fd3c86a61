"""Answers to 15.3, weights from neighbours to halves."""

import collections

import torch


def loops(weights, H, G):
    new = collections.OrderedDict(weights)
    K = weights["query.weight"].shape[0] // H
    for name, heads in {"query": H, "key": G}.items():
        for key in [key for key in weights if key.startswith(name + ".")]:
            index = [h * K + k for h in range(heads) for k in [*range(0, K, 2), *range(1, K, 2)]]
            new[key] = weights[key][index]
    return new


def as_llama_does(weights, H, G):
    def permute(w, heads):
        return w.reshape(heads, w.shape[0] // heads // 2, 2, *w.shape[1:]).transpose(1, 2).reshape(w.shape)

    heads = {"query": H, "key": G}
    return {name: permute(w, heads[name[:-7]]) if name[:-7] in heads else w for name, w in weights.items()} | {
        f"{name}.bias": permute(weights[f"{name}.bias"], n) for name, n in heads.items() if f"{name}.bias" in weights
    }


def back(weights, H, G):
    def permute(w, heads):
        return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).transpose(1, 2).reshape(w.shape)

    return {name: permute(w, H if "query" in name else G) if name[0] in "qk" else w for name, w in weights.items()}


def all_at_once(weights, H, G):
    return weights | {name: torch.cat([w[::2], w[1::2]]) for name, w in weights.items() if name[0] in "qk"}


def h_for_both(weights, H, G):
    return loops(weights, H, H)


def without_biases(weights, H, G):
    return loops({name: w for name, w in weights.items() if "bias" not in name}, H, G)


def value_too(weights, H, G):
    new = loops(weights, H, G)
    swapped = {name.replace("value", "key"): w for name, w in weights.items() if "value" in name}
    turned = loops(weights | swapped, H, G)
    return new | {name.replace("key", "value"): turned[name] for name in swapped}


def in_place(weights, H, G):
    weights.update(loops(weights, H, G))
    return weights


def halves_of_sixty_four(weights, H, G):
    return loops(weights, len(weights["query.weight"]) // 64 or 1, len(weights["key.weight"]) // 64 or 1)


def also_output(weights, H, G):
    new = loops(weights, H, G)
    K = len(weights["query.weight"]) // H
    index = [h * K + k for h in range(H) for k in [*range(0, K, 2), *range(1, K, 2)]]
    return new | {"output.weight": weights["output.weight"][:, index]}


def rounded(weights, H, G):
    return {name: w.half().to(w) for name, w in loops(weights, H, G).items()}


def all_four(weights, H, G):
    new = loops(weights, H, G)
    moved = {"query.weight": weights["output.weight"].T, "key.weight": weights["value.weight"]}
    moved |= {"key.bias": weights["value.bias"]} if "value.bias" in weights else {}
    moved = loops(moved, H, G)
    new |= {"output.weight": moved["query.weight"].T, "value.weight": moved["key.weight"]}
    return new | ({"value.bias": moved["key.bias"]} if "value.bias" in weights else {})


def expects_biases(weights, H, G):
    return loops(weights, H, G) | {"query.bias": loops(weights, H, G)["query.bias"]}


RIGHT = {"loops": loops, "as Llama does": as_llama_does}
WRONG = {
    "back": (back, "goes the other way"),
    "all at once": (all_at_once, "rows of all heads are permuted together"),
    "H for both": (h_for_both, "15.3 not yet"),
    "without biases": (without_biases, "keys are missing"),
    "value too": (value_too, "the value is permuted too"),
    "in place": (in_place, "changes"),
    "other heads": (halves_of_sixty_four, "15.3 not yet"),
    "output too": (also_output, "15.3 not yet"),
    "rounded": (rounded, "15.3 not yet"),
    "nothing": (lambda weights, H, G: weights, "nothing is permuted"),
    "a list": (lambda weights, H, G: list(weights), "a list"),
    "all four": (all_four, "nothing asks for it"),
    "expects biases": (expects_biases, "no such key"),
}
