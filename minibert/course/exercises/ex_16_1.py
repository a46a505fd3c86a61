"""16.1 What a token sees in a packed row. Texts, windows and layers decide."""

import torch

from minibert.course.lab import Case, Exercise, Lab


def visible_keys(cu_seqlens, layer, local_window, global_every):
    """The mask (N, N) of one layer for a packed row of N tokens: True at [i, j] where token i sees token j."""
    text = torch.repeat_interleave(cu_seqlens.diff())  # (N,): 0 0 0 1 1 ...
    visible = text[:, None] == text  # (N, N): of one text
    if layer % global_every:
        place = torch.arange(len(text))  # (N,); within one text, differences are what they are in the whole row
        visible = visible & ((place[:, None] - place).abs() <= local_window // 2)
    return visible


def cases(rng):
    def case(borders, layer, window, every, cause, dtype=torch.int32):
        cu_seqlens = torch.tensor(borders, dtype=dtype)
        name = f"the mask of layer {layer} (cu_seqlens {borders}, local_window {window}, global_every {every})"
        return Case((cu_seqlens, layer, window, every), cause, name)

    far = "a local layer: the same text, and at most half of the window away, on either side"
    whole = "a global layer: the whole text, and nothing of the others"
    yield case([0, 9], 1, 4, 3, far)
    yield case([0, 9], 0, 4, 3, whole)
    yield case([0, 9], 2, 4, 3, "of every three layers, 0, 3, 6, ... are global, and the other two are local")
    yield case([0, 9], 3, 4, 3, "of every three layers, 0, 3, 6, ... are global, and the other two are local")
    yield case([0, 3, 10, 11], 4, 6, 3, far)
    yield case([0, 3, 10, 11], 3, 6, 3, whole)
    yield case([0, 7, 14, 21], 1, 2, 2, far, torch.int64)
    yield case([0, 7, 14, 21], 2, 2, 2, whole, torch.int64)
    yield case([0, 5, 8], 5, 2, 1, "with global_every 1 all layers are global")
    for borders in ([0, 4, 4, 6], [0, 0, 3, 5], [0, 4, 6, 6]):
        yield case(borders, 1, 2, 3, "a text without tokens is two equal borders, and takes no row of the mask")
    yield case([0, 90, 160], 1, 12, 3, far)
    yield case([0, 150], 4, 128, 3, "ModernBERT's own numbers: local_window 128, so 64 to each side")
    yield case([0, 1], 1, 128, 3, "one token sees itself")
    for layer in torch.randperm(9, generator=rng)[:5].tolist():
        lengths = torch.randint(1, 9, (5,), generator=rng)
        window, every = 2 * int(torch.randint(1, 5, (), generator=rng)), int(torch.randint(2, 5, (), generator=rng))
        yield case([0, *lengths.cumsum(0).tolist()], layer, window, every, far if layer % every else whole)


SAME, NEAR, LOCAL = (
    "text[:, None] == text",
    "(place[:, None] - place).abs() <= local_window // 2",
    "layer % global_every",
)
TEXT, RETURN = "torch.repeat_interleave(cu_seqlens.diff())", "return visible"
MISTAKES = {
    "the window reaches local_window to each side; local_window counts both sides, so half of it on each": {
        NEAR: "(place[:, None] - place).abs() <= local_window"
    },
    "the window leaves out its own ends: a token half of the window away is still seen (<=)": {
        NEAR: "(place[:, None] - place).abs() < local_window // 2"
    },
    "the window has local_window keys in all; half on each side and the token itself make local_window + 1": {
        NEAR: "(place[:, None] - place).abs().where(place <= place[:, None], 1 + (place[:, None] - place).abs()) "
        "<= local_window // 2"
    },
    "the window is a quarter to each side; it is half of local_window": {"local_window // 2": "local_window // 4"},
    "later tokens are hidden (a causal mask); an encoder sees both sides": {
        NEAR: f"({NEAR}) & (place <= place[:, None])"
    },
    "later tokens are hidden in global layers, too (a causal mask); an encoder sees both sides": {
        RETURN: f"{RETURN}.tril()"
    },
    "earlier tokens are hidden; an encoder sees both sides": {NEAR: f"({NEAR}) & (place >= place[:, None])"},
    "the window is cut into blocks, and a token sees its own block only; the window goes with the token": {
        NEAR: "place[:, None] // (local_window // 2) == place // (local_window // 2)"
    },
    "a token sees only what is just so far away; everything up to there is seen (<=)": {
        NEAR: "(place[:, None] - place).abs() == local_window // 2"
    },
    "a token does not see itself; it does": {RETURN: f"{RETURN} & ~torch.eye(len(text)).bool()"},
    "the first token of a text sees the whole text in local layers; it has a window like all others": {
        NEAR: f"(({NEAR}) | torch.isin(place, cu_seqlens)[:, None])"
    },
    "the first token of a text is seen by the whole text in local layers; it is seen within the window only": {
        NEAR: f"(({NEAR}) | torch.isin(place, cu_seqlens))"
    },
    "the first token of a text sees, and is seen by, the whole text in local layers; ModernBERT has no such token": {
        NEAR: f"(({NEAR}) | torch.isin(place, cu_seqlens) | torch.isin(place, cu_seqlens)[:, None])"
    },
    "texts see each other: cu_seqlens says where each begins and ends": {
        SAME: "torch.ones(len(text), len(text)).bool()"
    },
    "texts see each other in local layers: near is not enough, it must be the same text": {"visible & (": "("},
    "texts see each other in global layers; global means the whole text, not the whole row": {
        RETURN: f"{RETURN} if {LOCAL} else torch.ones(len(text), len(text)).bool()"
    },
    "a token sees its own text and all earlier ones; only its own": {SAME: "text[:, None] >= text"},
    "cu_seqlens is read as lengths; it holds borders, and their differences are lengths": {
        "cu_seqlens.diff()": "cu_seqlens[1:]"
    },
    "all layers are local; with global_every 3, layers 0, 3, 6, ... are global": {f"if {LOCAL}": "if True"},
    "all layers are global; with global_every 3, only layers 0, 3, 6, ... are": {f"if {LOCAL}": "if False"},
    "local and global layers are exchanged: layer % global_every is 0 in global ones": {
        f"if {LOCAL}": f"if not {LOCAL}"
    },
    "the last of every global_every layers is global; it is the first: 0, 3, 6, ...": {
        LOCAL: "(layer + 1) % global_every"
    },
    "global layers are counted from 1; layer 0 is the first and global": {LOCAL: "(layer - 1) % global_every"},
    "only layer 0 is global; every global_every-th one is": {f"if {LOCAL}": "if layer and global_every > 1"},
    "every third layer is global here, whatever global_every says": {LOCAL: "layer % 3"},
    "the window is 64 to each side here, whatever local_window says": {"local_window // 2": "64"},
    "the mask is turned round: True marks what is seen": {RETURN: "return ~visible"},
    "the mask holds numbers to be added to scores; it is boolean": {
        RETURN: "return torch.zeros(visible.shape).masked_fill(~visible, -torch.inf)"
    },
    "the mask holds 1 and 0; it is boolean: a comparison, or .bool()": {RETURN: "return visible.long()"},
    "one row for each text is missing or too many: the mask has N rows, N the last border": {
        RETURN: "return torch.nn.functional.pad(visible, (0, 1, 0, 1))"
    },
}

EXERCISE = Exercise(
    minutes=15,
    difficulty=2,
    signature="visible_keys(cu_seqlens (B + 1,), layer, local_window, global_every) -> (N, N) bool",
    hints=(
        "Two questions decide each pair: is it the same text, and is it near enough? The second is asked in local\n"
        "layers only. local_window is what the config says, the whole width: 128 for ModernBERT, which is 64 a side.",
        "lengths (B,) from the borders (B + 1,); the number of its text for each token (N,), such as 0 0 0 1 1;\n"
        "two columns against rows, (N, 1) and (N,), give (N, N). Places in the row (N,) do for distances.",
        "text of each token = 0 as often as the first text is long, then 1, ...\n"
        "seen = the texts of i and j are equal\n"
        "unless the layer's number is a multiple of global_every:\n"
        "    seen = seen, and i and j are at most half the window apart\n"
        "return seen",
    ),
    parts=(Lab(visible_keys, cases, MISTAKES),),
)
