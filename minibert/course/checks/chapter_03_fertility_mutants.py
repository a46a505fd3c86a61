"""Exercise 3.3: its solution, and tables that its check must recognise."""

from minibert.course.exercise import Mutant


def _fertility_table(tokenizers, texts):
    table = {}
    for name, tokenizer in tokenizers.items():
        table[name] = {}
        for language, own in texts.items():
            tokens = sum(len(tokenizer.encode(text, add_special_tokens=False)) for text in own)
            table[name][language] = tokens / sum(len(text.split()) for text in own)
    return table


def _table(cell):
    """A table whose numbers are `cell(tokenizer, texts of one language)`."""

    def fill(tokenizers, texts):
        return {name: {key: cell(tok, own) for key, own in texts.items()} for name, tok in tokenizers.items()}

    return fill


def _tokens(tokenizer, texts):
    return sum(len(tokenizer.ids(text)) for text in texts)


def _words(texts):
    return sum(len(text.split()) for text in texts)


def _average(tokenizer, texts):
    return sum(len(tokenizer.ids(text)) / len(text.split()) for text in texts) / len(texts)


def _average_with_special(tokenizer, texts):
    return sum(len(tokenizer.encode(text)) / len(text.split()) for text in texts) / len(texts)


def _keys_swapped(tokenizers, texts):
    table = _fertility_table(tokenizers, texts)
    return {language: {name: table[name][language] for name in tokenizers} for language in texts}


def _not_set_back(tokenizers, texts):
    table = {}
    for name, tokenizer in tokenizers.items():
        table[name], tokens, words = {}, 0, 0
        for language, own in texts.items():
            tokens, words = tokens + _tokens(tokenizer, own), words + _words(own)
            table[name][language] = tokens / words
    return table


def _all_languages(tokenizers, texts):
    own = [text for texts_of_one in texts.values() for text in texts_of_one]
    return {name: dict.fromkeys(texts, _tokens(tok, own) / _words(own)) for name, tok in tokenizers.items()}


def _one_row(tokenizers, texts):
    return {language: _tokens(tok, own) / _words(own) for tok in tokenizers.values() for language, own in texts.items()}


MUTANTS = [
    Mutant("average of texts", _table(_average), "average of the ratios"),
    Mutant("counts special tokens", _table(lambda t, own: sum(len(t.encode(x)) for x in own) / _words(own)), "special"),
    Mutant("average, special tokens", _table(_average_with_special), "two things: the average.*special tokens"),
    Mutant("characters", _table(lambda t, own: _tokens(t, own) / sum(map(len, own))), "characters are counted"),
    Mutant("upside down", _table(lambda t, own: _words(own) / _tokens(t, own)), "upside down"),
    Mutant("split(' ')", _table(lambda t, own: _tokens(t, own) / sum(len(x.split(" ")) for x in own)), "empty words"),
    Mutant(
        "counts spaces", _table(lambda t, own: _tokens(t, own) / sum(x.count(" ") for x in own)), "spaces are counted"
    ),
    Mutant("not divided", _table(_tokens), "return the number|not divided"),
    Mutant("per text", _table(lambda t, own: _tokens(t, own) / len(own)), "number of texts"),
    Mutant(
        "two less a text", _table(lambda t, own: sum(len(t.encode(x)) - 2 for x in own) / _words(own)), "two tokens"
    ),
    Mutant("last text only", _table(lambda t, own: _tokens(t, own[-1:]) / _words(own[-1:])), "only the last text"),
    Mutant(
        "types", _table(lambda t, own: len({i for x in own for i in t.ids(x)}) / len({*" ".join(own).split()})), "once"
    ),
    Mutant(
        "joined texts", _table(lambda t, own: len(t.ids(" ".join(own))) / _words(own)), "joined before they are cut"
    ),
    Mutant("whole numbers", _table(lambda t, own: _tokens(t, own) // _words(own)), "whole numbers"),
    Mutant("rounded", _table(lambda t, own: round(_tokens(t, own) / _words(own), 2)), "rounded"),
    Mutant("keys swapped", _keys_swapped, "the other way round"),
    Mutant("counts not set back", _not_set_back, "not set back to zero"),
    Mutant("all languages together", _all_languages, "all languages are counted together"),
    Mutant("one row", _one_row, "the tokenizers are the outer keys|tokenizers: "),
    Mutant("no return", lambda tokenizers, texts: None, "return"),
]
