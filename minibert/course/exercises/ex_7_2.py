"""7.2 Find the previous-token and the [SEP] heads."""

import torch
from torch import Tensor

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.tools import call, expect_tensor


def head_scores(maps, tokens):
    """Scores of all heads: (2, L, H), first for looking at the previous token, then for looking at [SEP]."""
    word = torch.tensor([token not in ("[CLS]", "[SEP]", "[PAD]") for token in tokens])  # (T,)
    separator = torch.tensor([token == "[SEP]" for token in tokens])
    beside = maps.diagonal(offset=-1, dim1=-2, dim2=-1)  # (L, H, T - 1): entry i - 1 is maps[..., i, i - 1]
    previous = beside[..., word[1:] & word[:-1]].mean(-1)
    to_separator = maps[..., word, :][..., separator].sum(-1).mean(-1)
    return torch.stack([previous, to_separator])


def ask(answer, maps, tokens):
    """The two scores (L, H) by their names, once the answer is known to be (2, L, H)."""
    got = call(answer, maps, tokens)
    if type(got) in (tuple, list) and len(got) == 2 and all(isinstance(part, Tensor) for part in got):
        got = torch.stack(tuple(got)) if got[0].shape == got[1].shape else got[0]
    layers, heads = maps.shape[:2]
    if isinstance(got, Tensor) and got.shape != (2, layers, heads):
        own = "layers and heads keep their own entries: average over rows, not over layers or heads"
        causes = {(2, heads): own, (2, layers): own, (2,): own, (2, heads, layers): "layers and heads are exchanged"}
        causes[layers, heads] = "both scores are asked for, previous token first: torch.stack"
        causes[layers, heads, 2] = "the axis of the two scores comes first: torch.stack without dim=-1"
        cause = causes.get(got.shape, "for each head one number for each of the two scores: no axis of tokens is left")
        raise Wrong(f"the scores have shape {tuple(got.shape)}", f"(2, L, H), here {(2, layers, heads)}", cause)
    if not isinstance(got, Tensor):
        expect_tensor("the answer", got, (2, layers, heads))
    return {"previous token": got[0], "[SEP]": got[1]}


def cases(rng):
    def drawn(layers, heads, tokens):
        """Attention over what is no padding; the rows of padding are spread, as some libraries leave them."""
        size, real = len(tokens), torch.tensor([token != "[PAD]" for token in tokens])
        maps = torch.softmax(2 * torch.randn(layers, heads, size, size, generator=rng), dim=-1)
        maps = maps * (real | ~real[:, None])
        return maps / maps.sum(-1, keepdim=True), tokens

    rows = [[60, 10, 5, 10, 15], [35, 10, 20, 5, 30], [7, 60, 15, 8, 10], [21, 3, 40, 16, 20], [30, 5, 15, 20, 30]]
    hand = torch.tensor([[rows]]) / 100, ["[CLS]", "a", "cat", "sat", "[SEP]"]
    yield Case(hand, "`cat` gives 0.6 to `a`, `sat` 0.4 to `cat`; to [SEP] the words give 0.3, 0.1 and 0.2", "scores")
    pair = "[CLS] the cat sat down [SEP] it slept [SEP] [PAD] [PAD] [PAD]".split()
    yield Case(drawn(3, 4, pair), "a pair of texts with padding: two [SEP], four words and two words", "scores")
    one = "[CLS] stop [SEP] the cat sat [SEP] [PAD]".split()
    yield Case(drawn(3, 5, one), "a pair whose first text is one word", "scores")
    some = ["[CLS]", *(f"w{int(n)}" for n in torch.randint(0, 5, (7,), generator=rng)), "[SEP]"]  # some twice
    yield Case(drawn(3, 2, some), "one text, some of its words equal: places count, not names", "scores", double=True)
    every = "every token but [CLS], [SEP] and [PAD] is a word here: {} too"
    for kind, text in (
        ("[UNK] and [MASK]", "[CLS] a [UNK] cat [MASK] by far [SEP]"),
        ("pieces with ##", "[CLS] un ##able to em ##bed ##ding [SEP]"),
        ("punctuation and digits", "[CLS] no , 2 cats ! , ok . [SEP]"),
        ("`sep`, `CLS`, `pad` and brackets without each other", "[CLS] sep [ CLS ] pad SEP [sep] pads [SEP] [PAD]"),
        ("words of other scripts", "[CLS] кот и chat é 猫 ₂ [SEP]"),
    ):
        yield Case(drawn(2, 4, text.split()), every.format(kind), "scores")
    perfect = torch.stack([torch.eye(5).roll(1, dims=0), torch.eye(5)[-1:].expand(5, 5)])[None]
    yield Case((perfect, hand[1]), "heads that only look at the previous token, or at [SEP], score 1", "scores")


WORDS, BOTH = 'token not in ("[CLS]", "[SEP]", "[PAD]")', "word[1:] & word[:-1]"
MOST = "torch.zeros_like(maps).scatter(-1, maps.argmax(-1, keepdim=True), 1.0)"
START = "    word = torch"
PREVIOUS, SEPARATOR = f"beside[..., {BOTH}]", "maps[..., word, :][..., separator].sum(-1).mean(-1)"
RETURN = "torch.stack([previous, to_separator])"
REAL = 'torch.tensor([token != "[PAD]" for token in tokens])'
MISTAKES = {
    "this is the next token: column i - 1 is the one in front of i (offset -1, not 1)": {"offset=-1": "offset=1"},
    "this is the diagonal; the previous token is one column left": {PREVIOUS: "maps.diagonal(0, -2, -1)[..., word]"},
    "off by one: this is the token before the previous one": {"offset=-1": "offset=-2", BOTH: "word[2:] & word[:-2]"},
    "[CLS] is looked at, too: the first word has no word in front of it, leave its row out": {BOTH: "word[1:]"},
    "the first word of a second text has no word in front of it, but [SEP]: leave its row out": {
        BOTH: 'word[1:] & torch.tensor([token != "[CLS]" for token in tokens[:-1]])'
    },
    "previous token: all rows count, those of [CLS], [SEP] and [PAD] too; only words do": {PREVIOUS: "beside"},
    "previous token: padding is left out, but [CLS] and [SEP] still count as words": {BOTH: f"{REAL}[1:]"},
    "previous token: the row of [SEP] counts as well; [SEP] is no word": {BOTH: "word[:-1]"},
    "[PAD] counts as a word; [CLS], [SEP] and [PAD] are none": {WORDS: 'token not in ("[CLS]", "[SEP]")'},
    "[CLS] counts as a word; [CLS], [SEP] and [PAD] are none": {WORDS: 'token not in ("[SEP]", "[PAD]")'},
    "[SEP] counts as a word; [CLS], [SEP] and [PAD] are none": {WORDS: 'token not in ("[CLS]", "[PAD]")'},
    "the first and the last token are left out, whatever they are; find [CLS], [SEP] and [PAD] by their names": {
        START: "    word = torch.arange(len(tokens)).remainder(len(tokens) - 1) > 0  # torch"
    },
    "everything behind the first [SEP] is left out; the second text has words, too": {
        START: '    size = tokens.index("[SEP]") + 1\n    maps, tokens = maps[..., :size, :size], tokens[:size]\n'
        + START
    },
    "softmax is taken once more; maps are attention weights already": {START: f"    maps = maps.softmax(-1)\n{START}"},
    "previous token: the weights are divided by what falls on words; average them as they are": {
        "beside = maps.": "beside = (maps * word / (maps * word).sum(-1, keepdim=True)).",
    },
    "previous token: this counts how often it is looked at most": {"beside = maps.": f"beside = {MOST}."},
    "off by one: this is column i - 2": {PREVIOUS: f"maps.diagonal(-2, -2, -1)[..., ({BOTH})[1:]]"},
    "the sum is divided by all words; a first word has no previous one": {"].mean(-1)": "].sum(-1) / word.sum()"},
    "previous token: the sum is divided by all tokens, not by its rows": {"].mean(-1)": "].sum(-1) / len(tokens)"},
    "previous token: the sum without an average; divide by the number of rows": {"].mean(-1)": "].sum(-1)"},
    "special tokens cut out make new neighbours": {PREVIOUS: "maps[..., word, :][..., word].diagonal(-1, -2, -1)"},
    "this counts how often it is looked at most": {"beside = maps": f"maps = {MOST}\n    beside = maps"},
    "rows and columns are exchanged: row i looks, column j is looked at": {START: f"    maps = maps.mT\n{START}"},
    "the two scores come in the other order: previous token first": {RETURN: "torch.stack([to_separator, previous])"},
    "[SEP]'s row is read, not its column": {SEPARATOR: "maps[..., separator, :][..., word].sum(-2).mean(-1)"},
    "[SEP]'s row is averaged over all columns; read its column": {SEPARATOR: "maps[..., separator, :].mean((-2, -1))"},
    "this is the column of [CLS]": {SEPARATOR: "maps[..., word, 0].mean(-1)"},
    "the last column is read, which may be padding: find [SEP]": {SEPARATOR: "maps[..., word, -1].mean(-1)"},
    "only the first [SEP] counts: a pair has two": {SEPARATOR: 'maps[..., word, tokens.index("[SEP]")].mean(-1)'},
    "only the last [SEP] counts: a pair has two, add their columns": {".sum(-1).mean(-1)": "[..., -1].mean(-1)"},
    "an average over the columns of [SEP]: add them up": {".sum(-1).mean(-1)": ".mean(-1).mean(-1)"},
    "the largest of the columns of [SEP]: add them up": {".sum(-1).mean(-1)": ".amax(-1).mean(-1)"},
    "[SEP]: all rows count, those of [CLS], [SEP] and [PAD] too": {"maps[..., word, :][..., sep": "maps[..., sep"},
    "[SEP]: padding is left out, but [CLS] and [SEP] still count as words": {"maps[..., word": f"maps[..., {REAL}"},
    "[SEP]: words without one in front count, too": {"maps[..., word, :]": f"maps[..., 1:, :][..., {BOTH} , :]"},
    "[SEP]: the sum is divided by all tokens; divide by the words": {"sum(-1).mean(-1)": "sum((-2, -1)) / len(tokens)"},
    "[SEP]: the sum without an average; divide by the number of words": {"sum(-1).mean(-1)": "sum((-2, -1))"},
    "[UNK] is left out: every token but [CLS], [SEP] and [PAD] is a word here": {'("[CLS]"': '("[UNK]", "[CLS]"'},
    "pieces with ## are left out; they are words here": {WORDS: f'{WORDS} and token[:2] != "##"'},
    "everything in brackets is left out, [UNK] and [MASK] too": {WORDS: 'not token.startswith("[")'},
    "tokens without letters, such as punctuation, are left out": {WORDS: "token.isalpha()"},
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="head_scores(maps (L, H, T, T), tokens: list of T texts) -> (2, L, H): previous token, [SEP]",
    hints=(
        "A score is an average over the words that look: how much of its attention does a word give to the token\n"
        "in front of it, and how much to the separators? Special tokens look, too, but they do not count.",
        "rows are the tokens that look, columns those that are looked at. A word is every token except [CLS],\n"
        "[SEP] and [PAD]. Previous: the entries (i, i - 1) where i and i - 1 are both words, averaged, (L, H).\n"
        "[SEP]: for each row of a word the sum over all columns of [SEP], averaged over words, (L, H).",
        "word = for each token: is it none of the three special ones?\n"
        "previous = mean of maps at (i, i - 1), over every i that is a word and follows a word\n"
        "separator = mean over words i of (sum over every j that is a [SEP] of maps at (i, j))\n"
        "return the two stacked, previous first",
    ),
    parts=(Lab(head_scores, cases, MISTAKES, run=ask),),
)
