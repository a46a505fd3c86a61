"""Answers to 7.2, the previous-token and the [SEP] heads."""

import torch

SPECIAL = ("[CLS]", "[SEP]", "[PAD]")


def by_loops(maps, tokens, word=lambda token: token not in SPECIAL):
    words = [i for i, token in enumerate(tokens) if word(token)]
    previous = torch.stack([maps[:, :, i, i - 1] for i in words if i - 1 in words]).mean(0)
    separators = [j for j, token in enumerate(tokens) if token == "[SEP]"]
    return previous, torch.stack([maps[:, :, i, separators].sum(-1) for i in words]).mean(0)


def stacked(maps, tokens):
    return torch.stack(by_loops(maps, tokens))


def by_masks(maps, tokens):
    step = torch.arange(len(tokens))
    word, sep = (torch.tensor([test(t) for t in tokens]) for test in (lambda t: t not in SPECIAL, "[SEP]".__eq__))
    pairs = (step[:, None] == step + 1) & word[:, None] & word
    previous = torch.where(pairs, maps, 0).sum((2, 3)) / pairs.sum()
    return torch.stack((previous, torch.einsum("lhij,i,j->lh", maps, word.to(maps), sep.to(maps)) / word.sum()))


def not_words(*left_out):
    return lambda maps, tokens: by_loops(maps, tokens, lambda t: t not in SPECIAL and not any(f(t) for f in left_out))


def names_instead_of_places(maps, tokens):
    word = [token not in SPECIAL for token in tokens]
    places = [i for i, token in enumerate(tokens) if word[i] and word[tokens.index(token) - 1]]
    previous = torch.stack([maps[..., tokens.index(tokens[i]), i - 1] for i in places]).mean(0)
    return torch.stack([previous, stacked(maps, tokens)[1]])


def words_are(test):
    return lambda maps, tokens: by_loops(maps, tokens, test)


def up_to_the_first_separator(maps, tokens):
    size = tokens.index("[SEP]") + 1
    return by_loops(maps[..., :size, :size], tokens[:size])


RIGHT = {"loops": by_loops, "stacked": stacked, "masks": by_masks}
WRONG = {
    "[UNK]": (not_words("[UNK]".__eq__), r"\[UNK\] is left out"),
    "padding": (words_are(lambda t: t not in ("[CLS]", "[SEP]")), r"\[PAD\] counts as a word"),
    "[CLS]": (words_are(lambda t: t not in ("[SEP]", "[PAD]")), r"\[CLS\] counts as a word"),
    "first text": (up_to_the_first_separator, "behind the first"),
    "layers and heads": (lambda maps, tokens: stacked(maps, tokens).mT, "layers and heads are exchanged"),
    "pieces": (not_words(lambda t: t.startswith("##")), "pieces with ##"),
    "punctuation": (not_words(".,;:!?".__contains__), "punctuation"),
    "[MASK]": (not_words("[MASK]".__eq__), r"\[UNK\] and \[MASK\] too"),
    "lower case": (not_words(lambda t: t.upper() in SPECIAL), "(?s)a word here: `sep`"),
    "digits": (not_words(str.isdigit), "punctuation and digits"),
    "places by name": (names_instead_of_places, r"scores, previous token"),
    "over the heads": (lambda maps, tokens: stacked(maps, tokens).mean(-1), "not over layers or heads"),
    "the average map": (lambda maps, tokens: stacked(maps.mean(0, keepdim=True), tokens)[:, 0], "layers or heads"),
    "one score": (lambda maps, tokens: by_loops(maps, tokens)[0], r"torch\.stack"),
    "scores last": (lambda maps, tokens: torch.stack(by_loops(maps, tokens), -1), "axis of the two scores"),
    "changes maps": (lambda maps, tokens: stacked(maps.mul_(2), tokens), "your code changes an input"),
    "softmax again": (lambda maps, tokens: stacked(maps.softmax(-1), tokens), "softmax is taken once more"),
    "float32": (lambda maps, tokens: stacked(maps.float(), tokens), "dtype"),
    "brackets stripped": (lambda maps, tokens: stacked(maps, [t.strip("[]") for t in tokens]), "line|0.6"),
    "winners": (lambda maps, tokens: stacked(maps, tokens).argmax(-1), "layers or heads"),
    "two numbers": (lambda maps, tokens: (0, 2), "tensor"),
}
