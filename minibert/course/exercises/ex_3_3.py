"""3.3 A table of fertility. Tokens for each word, by tokenizer and language, pooled over the texts."""

from functools import cache

import torch

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.tools import as_float, call
from minibert.tokenization import ByteLevelBPETokenizer, WordPieceTokenizer


def fertility_table(tokenizers, texts):
    """{tokenizer: {language: tokens for each word}}, pooled over the texts of a language."""
    table = {}
    for name, tokenizer in tokenizers.items():
        table[name] = {}
        for language, own in texts.items():
            tokens = sum(len(tokenizer.ids(text)) for text in own)
            words = sum(len(text.split()) for text in own)
            table[name][language] = tokens / words
    return table


@cache
def tokenizers():
    """One with [CLS] and [SEP] and unknown words, one of bytes without a template."""
    pieces = "[PAD] [UNK] [CLS] [SEP] the cat ##s s a ##a ##t die katze ##n .".split()
    wordpiece = WordPieceTokenizer({piece: place for place, piece in enumerate(pieces)})
    pairs = ByteLevelBPETokenizer.train(["the cats sat", "the cat"], 262, min_count=1, special=())
    return {"wordpiece": wordpiece, "bytes": pairs}


def ask(answer, texts):
    """The learner's table; numbers of any kind count as floats."""
    table = call(lambda own: answer(dict(tokenizers()), own), texts)  # to copy the tokenizers takes its time
    as_row = lambda row: {str(k): as_float(x) for k, x in row.items()} if isinstance(row, dict) else row  # noqa: E731
    return {str(name): as_row(row) for name, row in table.items()} if isinstance(table, dict) else table


PAPER = {"en": ["the cats", "a  cat  sat on the\nmat."], "de": ["die katzen", "katze"]}
PARTS = ["the", "cats", "cat", "sat,", "Katzen", "die", "mat.", "né", "猫", "a-cat", "satsat"]
GAPS = [" ", "  ", "\n", "\t", "\u3000"]


def cases(rng):
    def pick(things):
        return things[int(torch.randint(len(things), (), generator=rng))]

    def text():
        return "".join(pick(PARTS) + pick(GAPS) for _ in range(int(torch.randint(1, 9, (), generator=rng))))

    hand = "wordpiece, de: die | katze ##n | katze are 4 tokens of 3 words"
    yield Case((PAPER,), hand, f"the table of {PAPER}, in it")
    drawn = {language: [text() for _ in range(count)] for language, count in (("fr", 4), ("pl", 5), ("tr", 6))}
    yield Case((drawn,), "all tokens of a language, divided by all its words", "the table of drawn texts, in it")
    empty = {"en": ["the cats", ""], "de": ["", "katze die"]}
    yield Case((empty,), "an empty text adds nothing", f"the table of {empty}, in it")
    one = {"en": ["The cat sat on the mat.\tthe Cat\u3000sat."]}
    yield Case((one,), "white space of any kind ends a word", f"the table of {one}, in it")


def table_of(cell):
    """A table whose numbers are `cell(tokenizer, texts of one language)`."""
    return lambda tokenizers, texts: {
        name: {language: cell(tokenizer, own) for language, own in texts.items()}
        for name, tokenizer in tokenizers.items()
    }


def average(count):
    """The mean of the texts' own ratios; a text without words counts nothing."""
    return table_of(lambda t, own: sum(all := [len(count(t)(x)) / len(x.split()) for x in own if x.split()]) / len(all))


def one_row(which):
    """The row of one tokenizer in all rows."""
    return lambda tokenizers, texts: fertility_table(dict.fromkeys(tokenizers, [*tokenizers.values()][which]), texts)


def running(start, *counts):
    """A patch: these counts are set to zero at `start` only."""
    zeros = {f"{start} = {{}}": f"{start}, tokens, words = {{}}, 0, 0"}
    return zeros | {f"    {count} = sum": f"    {count} += sum" for count in counts}


COUNT, WORDS, CELL = "len(tokenizer.ids(text))", "len(text.split())", "tokens / words"
ALL_TOKENS, ALL_WORDS = f"sum({COUNT} for text in own)", f"sum({WORDS} for text in own)"
TYPES = "len({i for text in own for i in tokenizer.ids(text)})"
OTHER_WORDS, LOOP = "len({word for text in own for word in text.split()})", "tokens = sum("
EACH = "len(tokenizer.ids(word)) for text in own for word in text.split()"
MISTAKES = {
    "the texts are lower-cased first; a tokenizer may keep capitals": {"ids(text)": "ids(text.lower())"},
    "the special tokens are counted: add_special_tokens=False, or ids(text)": {COUNT: "len(tokenizer.encode(text))"},
    "it is the average of the texts' ratios, not pooled: all tokens divided by all words": average(lambda t: t.ids),
    "two things: it is the average of the texts' ratios; and: special tokens are counted": average(lambda t: t.encode),
    "characters are counted instead of words: len(text.split()) counts words": {WORDS: "len(text)"},
    "bytes are counted instead of words": {WORDS: "len(text.encode())"},
    "the ratio is upside down: tokens for each word is tokens divided by words": {CELL: "words / tokens"},
    "split(' ') finds empty words between two spaces; split() cuts at any white space": {WORDS: 'len(text.split(" "))'},
    "spaces are counted instead of words: a text of three words has two": {WORDS: 'text.count(" ")'},
    "lines are counted instead of words": {WORDS: "len(text.splitlines())"},
    "these are all tokens, not divided by anything": {CELL: "tokens"},
    "it is divided by the number of texts; divide by the number of words": {ALL_WORDS: "len(own)"},
    "two tokens a text are taken away, and not every tokenizer adds two": {COUNT: "len(tokenizer.encode(text)) - 2"},
    "two tokens a text are taken away as special tokens, but none were there": {COUNT: f"{COUNT} - 2"},
    "only the last text of each language is counted: add them up": {LOOP: f"own = own[-1:]\n            {LOOP}"},
    "only the first text of each language is counted: add them up": {LOOP: f"own = own[:1]\n            {LOOP}"},
    "different words are counted, each once; every occurrence counts": {ALL_WORDS: OTHER_WORDS},
    "different tokens are counted, each once; every occurrence counts": {ALL_TOKENS: TYPES},
    "words are counted as the tokenizer cuts them, punctuation apart; here white space alone ends a word": {
        WORDS: "len({*tokenizer.encode(text, add_special_tokens=False).word_ids})"
    },
    "words are cut at punctuation; only white space ends one": {WORDS: r'len(__import__("re").findall(r"\w+", text))'},
    "the texts are joined, which changes the pieces at the seams": {ALL_TOKENS: 'len(tokenizer.ids(" ".join(own)))'},
    "unknown tokens are left out; they count, too": {COUNT: "sum(i != tokenizer.unk_id for i in tokenizer.ids(text))"},
    "each word is cut on its own, and what stands between is lost": {f"{COUNT} for text in own": EACH},
    "two things: each word is cut on its own; give the tokenizer whole texts; and: the special tokens are counted": {
        f"{COUNT} for text in own": EACH.replace("ids(word)", "encode(word)")
    },
    "whole numbers: // throws the fraction away, / keeps it": {CELL: "tokens // words"},
    **{
        f"the numbers are rounded to {digits}; leave that to whoever prints them": {CELL: f"round(tokens / words, {n})"}
        for n, digits in ((2, "two digits"), (1, "one digit"), (3, "three digits"))
    },
    "these are percent; the table holds tokens divided by words": {CELL: "100 * tokens / words"},
    "counts are not set back to zero for the next language": running("table[name]", "tokens", "words"),
    "the tokens are not set back to zero for the next language": running("table[name]", "tokens"),
    "the words are not set back to zero for the next language": running("table[name]", "words"),
    "counts are not set back to zero for the next tokenizer": running("table", "tokens", "words"),
    "the words are not set back to zero for the next tokenizer": running("table", "words"),
    "all languages are counted together; each has its own number": {
        "table[name][language] = ": "own = sum(texts.values(), [])\n            table[name][language] = ",
        CELL: f"{ALL_TOKENS} / {ALL_WORDS}",
    },
    "tokens of all languages, and words of one": {ALL_TOKENS: f"sum({COUNT} for text in sum(texts.values(), []))"},
    "all rows are that of the last tokenizer: each row needs a dictionary of its own": one_row(-1),
    "all rows are that of the first tokenizer: the loop's own tokenizer must be asked": one_row(0),
    "the table is the other way round: the tokenizers are the outer keys": {
        "    return table": "    return {key: {name: row[key] for name, row in table.items()} for key in texts}"
    },
    "there is one row only, the last tokenizer's: outer keys are tokenizers": {"return table": "return table[name]"},
    "only the last tokenizer is there: is `table = {}` inside the loop?": {"table[name] = {}": "table = {name: {}}"},
    "each row has the last language only: add to it": {"[language] = tokens / words": " = {language: tokens / words}"},
    "`return` stands inside the loop: the first tokenizer alone is in the table": {"    return": "        return"},
}

EXERCISE = Exercise(
    minutes=15,
    difficulty=2,
    signature="fertility_table(tokenizers: dict name -> tokenizer, texts: dict language -> list of texts) "
    "-> dict name -> dict language -> float",
    hints=(
        "Count twice over all texts of a language, tokens and words, and divide once, at the end.\n"
        "[CLS] and [SEP] are the template's and not the text's.",
        "outer dictionary: one row for each tokenizer; a row: one number for each language.\n"
        "tokens of a text: what the tokenizer gives without its template;\n"
        "words of a text: what stands between white space of any kind and length.",
        "for each tokenizer, for each language:\n"
        "    tokens = 0, words = 0\n"
        "    for each text of the language:\n"
        "        tokens += number of its ids, without special tokens\n"
        "        words += number of parts between white space\n"
        "    the table at [tokenizer][language] is tokens over words",
    ),
    parts=(Lab(fertility_table, cases, MISTAKES, ask),),
)
