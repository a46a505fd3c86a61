"""Exercise 7.2: the solution, and scores that count the wrong entries of a map."""

import torch

from minibert.course.exercise import Mutant


def _head_scores(maps, tokens):
    word = torch.tensor([token not in ("[CLS]", "[SEP]", "[PAD]") for token in tokens])  # (T,)
    separator = torch.tensor([token == "[SEP]" for token in tokens])
    beside = maps.diagonal(offset=-1, dim1=-2, dim2=-1)  # (L, H, T - 1): entry i - 1 is maps[..., i, i - 1]
    previous = beside[..., word[1:] & word[:-1]].mean(-1)
    to_separator = maps[..., word, :][..., separator].sum(-1).mean(-1)
    return torch.stack([previous, to_separator])


def _words(tokens):
    return torch.tensor([token not in ("[CLS]", "[SEP]", "[PAD]") for token in tokens])


def _with_previous(previous, maps, tokens):
    return torch.stack([previous, _head_scores(maps, tokens)[1]])


def _with_separator(separator, maps, tokens):
    return torch.stack([_head_scores(maps, tokens)[0], separator])


def _next_token(maps, tokens):
    return _with_previous(_head_scores(maps.mT, tokens)[0], maps, tokens)


def _diagonal(maps, tokens):
    return _with_previous(maps.diagonal(dim1=-2, dim2=-1)[..., _words(tokens)].mean(-1), maps, tokens)


def _two_before(maps, tokens):
    word = _words(tokens)
    both = word[2:] & word[:-2]
    beside = maps.diagonal(-2, -2, -1)
    return _with_previous(beside[..., both].mean(-1) if both.any() else 0 * beside.mean(-1), maps, tokens)


def _counts_cls(maps, tokens):
    beside = maps.diagonal(-1, -2, -1)
    return _with_previous(beside[..., _words(tokens)[1:]].mean(-1), maps, tokens)


def _counts_everything(maps, tokens):
    return _with_previous(maps.diagonal(-1, -2, -1).mean(-1), maps, tokens)


def _counts_special_but_no_padding(maps, tokens):
    size = sum(token != "[PAD]" for token in tokens)
    return _with_previous(maps[..., :size, :size].diagonal(-1, -2, -1).mean(-1), maps, tokens)


def _divides_by_words(maps, tokens):
    word = _words(tokens)
    pairs = (word[1:] & word[:-1]).sum()
    return _with_previous(_head_scores(maps, tokens)[0] * pairs / word.sum(), maps, tokens)


def _averages_over_heads(maps, tokens):
    return _head_scores(maps, tokens).mean(-1)


def _averages_over_layers(maps, tokens):
    return _head_scores(maps.mean(0, keepdim=True), tokens)[:, 0]


def _row_of_separator(maps, tokens):
    separator = torch.tensor([token == "[SEP]" for token in tokens])
    return _with_separator(maps[..., separator, :][..., _words(tokens)].sum(-2).mean(-1), maps, tokens)


def _mean_row_of_separator(maps, tokens):
    separator = torch.tensor([token == "[SEP]" for token in tokens])
    return _with_separator(maps[..., separator, :].mean((-2, -1)), maps, tokens)


def _column_of_cls(maps, tokens):
    return _with_separator(maps[..., _words(tokens), 0].mean(-1), maps, tokens)


def _last_column(maps, tokens):
    return _with_separator(maps[..., _words(tokens), -1].mean(-1), maps, tokens)


def _first_separator_only(maps, tokens):
    return _with_separator(maps[..., _words(tokens), tokens.index("[SEP]")].mean(-1), maps, tokens)


def _averages_separators(maps, tokens):
    return _with_separator(_head_scores(maps, tokens)[1] / tokens.count("[SEP]"), maps, tokens)


def _all_rows_look(maps, tokens):
    separator = torch.tensor([token == "[SEP]" for token in tokens])
    return _with_separator(maps[..., separator].sum(-1).mean(-1), maps, tokens)


def _special_rows_look(maps, tokens):
    real = torch.tensor([token != "[PAD]" for token in tokens])
    separator = torch.tensor([token == "[SEP]" for token in tokens])
    return _with_separator(maps[..., real, :][..., separator].sum(-1).mean(-1), maps, tokens)


def _transposed(maps, tokens):
    return _head_scores(maps.mT, tokens)


def _other_order(maps, tokens):
    return _head_scores(maps, tokens).flip(0)


def _changes_its_input(maps, tokens):
    maps *= _words(tokens)[:, None]
    return _head_scores(maps, tokens)


def _names_instead_of_places(maps, tokens):
    word = _words(tokens)
    places = [i for i, token in enumerate(tokens) if word[i] and word[tokens.index(token) - 1]]
    return _with_previous(
        torch.stack([maps[..., tokens.index(tokens[i]), i - 1] for i in places]).mean(0), maps, tokens
    )


def _cuts_special_out(maps, tokens):
    word = _words(tokens)
    return _with_previous(maps[..., word, :][..., word].diagonal(-1, -2, -1).mean(-1), maps, tokens)


def _counts_winners(maps, tokens):
    winners = torch.zeros_like(maps).scatter(-1, maps.argmax(-1, keepdim=True), 1.0)
    return _head_scores(winners, tokens)


def _only_one_score(maps, tokens):
    return _head_scores(maps, tokens)[0]


SCORES = [
    Mutant("next instead of previous", _next_token, "this is the next token"),
    Mutant("the diagonal itself", _diagonal, "how much a token looks at itself"),
    Mutant("off by one", _two_before, "token before the previous one"),
    Mutant("the first word looks at [CLS]", _counts_cls, r"\[CLS\] is looked at, too"),
    Mutant("all rows", _counts_everything, "only words do"),
    Mutant("special tokens are words", _counts_special_but_no_padding, "count as words|only words do"),
    Mutant("divides by the words", _divides_by_words, "divided by the number of words"),
    Mutant("averages over heads", _averages_over_heads, "not over layers or heads"),
    Mutant("averages over layers", _averages_over_layers, "not over layers or heads"),
    Mutant("row of [SEP]", _row_of_separator, r"row of \[SEP\] is read"),
    Mutant("mean of the row of [SEP]", _mean_row_of_separator, r"row of \[SEP\] is read"),
    Mutant("column of [CLS]", _column_of_cls, r"column of \[CLS\]"),
    Mutant("the last column", _last_column, "last column is read"),
    Mutant("the first [SEP] only", _first_separator_only, r"only the first \[SEP\]"),
    Mutant("an average over [SEP]s", _averages_separators, r"average over the columns of \[SEP\]"),
    Mutant("all rows look at [SEP]", _all_rows_look, "only words do"),
    Mutant("special rows look at [SEP]", _special_rows_look, "count as words|only words do"),
    Mutant("transposed", _transposed, "rows and columns are exchanged"),
    Mutant("the other order", _other_order, "other order"),
    Mutant("changes its input", _changes_its_input, "your code changes an input"),
    Mutant("places found by name", _names_instead_of_places, "previous-token score"),
    Mutant("cuts special tokens out", _cuts_special_out, "cut out first"),
    Mutant("counts who is looked at most", _counts_winners, "average the shares themselves"),
    Mutant("one score only", _only_one_score, "torch.stack"),
]
