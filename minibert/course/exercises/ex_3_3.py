"""3.3 What a language pays. Tokens against English's for the same messages, and the share of them that is unknown."""

from functools import cache

import numpy as np
import torch

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.tools import as_float, call
from minibert.tokenization import ByteLevelBPETokenizer, WordPieceTokenizer


def price_table(tokenizers, texts):
    """{tokenizer: {language: (price, unknown)}}: tokens divided by English's, and the share of them that is unknown."""
    table = {}
    for name, tokenizer in tokenizers.items():
        english = sum(len(tokenizer.ids(text)) for text in texts["en"])
        table[name] = {}
        for language, own in texts.items():
            ids = [i for text in own for i in tokenizer.ids(text)]
            table[name][language] = (len(ids) / english, ids.count(tokenizer.unk_id) / len(ids))
    return table


@cache
def tokenizers():
    """One with [CLS] and [SEP] and unknown words, one of bytes without a template."""
    pieces = "[PAD] [CLS] [SEP] [UNK] the cat ##s s a ##a ##t die katze ##n .".split()
    wordpiece = WordPieceTokenizer({piece: place for place, piece in enumerate(pieces)})
    pairs = ByteLevelBPETokenizer.train(["the cats sat", "the cat"], 262, min_count=1, special=())
    return {"wordpiece": wordpiece, "bytes": pairs}


def ask(answer, texts):
    """The learner's table; numbers of any kind count as floats, and two of them in any row as a pair."""
    table = call(lambda own: answer(dict(tokenizers()), own), texts)  # to copy the tokenizers takes its time

    def cell(found):
        found = list(found) if isinstance(found, torch.Tensor | np.ndarray) and found.shape else found
        return tuple(map(as_float, found)) if isinstance(found, tuple | list) else as_float(found)

    as_row = lambda row: {str(k): cell(x) for k, x in row.items()} if isinstance(row, dict) else row  # noqa: E731
    return {str(name): as_row(row) for name, row in table.items()} if isinstance(table, dict) else table


PAPER = {"en": ["the cats", "a  mat"], "de": ["die katzen", "katze"]}
PARTS = ["the", "cats", "cat", "sat,", "Katzen", "die", "mat.", "né", "猫", "a-cat", "satsat"]
GAPS = [" ", "  ", "\n", "\t", "\u3000"]


def cases(rng):
    def pick(things):
        return things[int(torch.randint(len(things), (), generator=rng))]

    def text():
        return "".join(pick(PARTS) + pick(GAPS) for _ in range(int(torch.randint(2, 9, (), generator=rng))))

    hand = (
        "wordpiece, de: die katze ##n | katze against the cat ##s | a [UNK], so the price is 4/5, and 0/4 are unknown"
    )
    yield Case((PAPER,), hand, f"the table of {PAPER}, in it")
    drawn = {language: [text() for _ in range(5)] for language in ("fr", "en", "tr")}
    drawn = {language: [f"{own[0]} 猫\nKatzen", *own[1:]] for language, own in drawn.items()}
    pooled = "all tokens of a language, divided by all of English; all unknown ones, divided by all of the language"
    yield Case((drawn,), pooled, "the table of drawn texts, in it")
    empty = {"de": ["", "katze die", "né"], "en": ["the cats", "", "a cat sat on the mat"]}
    yield Case((empty,), "an empty text adds nothing", f"the table of {empty}, in it")
    one = {"en": ["The cat sat on the mat.\tthe Cat\u3000sat."], "pl": ["a cat 猫  die\n\nKatzen."]}
    yield Case((one,), "[UNK] counts as a token, too", f"the table of {one}, in it")


def average(count, shares=True):
    """The mean of the texts' own prices, and of their shares; what would be divided by nothing is left out."""

    def mean(pairs):
        found = [above / below for above, below in pairs if below]
        return sum(found) / len(found)

    def cell(t, own, english):
        own, english = [count(t)(text) for text in own], [count(t)(text) for text in english]
        own, english = [getattr(x, "ids", x) for x in own], [len(getattr(x, "ids", x)) for x in english]
        lost = [(x.count(t.unk_id), len(x)) for x in own]
        share = mean(lost) if shares else sum(n for n, _ in lost) / sum(map(len, own))
        return mean(zip(map(len, own), english, strict=True)), share

    return lambda tokenizers, texts: {
        name: {language: cell(tokenizer, own, texts["en"]) for language, own in texts.items()}
        for name, tokenizer in tokenizers.items()
    }


def one_row(which):
    """The row of one tokenizer in all rows."""
    return lambda tokenizers, texts: price_table(dict.fromkeys(tokenizers, [*tokenizers.values()][which]), texts)


IDS, ENGLISH, PRICE = (
    "[i for text in own for i in tokenizer.ids(text)]",
    "len(tokenizer.ids(text))",
    "len(ids) / english",
)
SHARE, BELOW = "ids.count(tokenizer.unk_id) / len(ids)", " / len(ids))"
ALL_ENGLISH = f'sum({ENGLISH} for text in texts["en"])'
WORDS = "sum(len(text.split()) for text in own)"
ENGLISH_WORDS = 'sum(len(text.split()) for text in texts["en"])'


def both(ids, length):
    """A patch: the tokens of a text, in the language and in English."""
    return {"i in tokenizer.ids(text)": f"i in {ids}", ENGLISH: length}


def compared(count):
    """A patch: `count` of a text is compared with English, instead of its tokens."""
    return {PRICE: f'sum({count} for text in own) / sum({count} for text in texts["en"])'}


def some(which):
    """A patch: some of the texts only."""
    return {'in texts["en"]': f'in texts["en"]{which}', "text in own": f"text in own{which}"}


MISTAKES = {
    "tokens for each word and nothing else, as the chapter's per_word: asked are tokens divided by English's, and the "
    "share of unknown ones": {f"({PRICE}, {SHARE})": f"len(ids) / {WORDS}"},
    "tokens for each word are compared: the messages are the same, their words are not, so compare tokens": {
        PRICE: f"len(ids) / {WORDS} / english * {ENGLISH_WORDS}"
    },
    "the first number is tokens for each word; the price is tokens divided by English's": {
        PRICE: f"len(ids) / {WORDS}"
    },
    "the share of unknown tokens is missing: each language has a pair": {f", {SHARE})": ")"},
    "the pair is the other way round: first the price, then the share": {f"({PRICE}, {SHARE})": f"({SHARE}, {PRICE})"},
    "the texts are lower-cased first; a tokenizer may keep capitals": both(
        "tokenizer.ids(text.lower())", "len(tokenizer.ids(text.lower()))"
    ),
    "the special tokens are counted: add_special_tokens=False, or ids(text)": both(
        "tokenizer.encode(text).ids", "len(tokenizer.encode(text))"
    ),
    "the special tokens are counted in English only": {ENGLISH: "len(tokenizer.encode(text))"},
    "these are averages of the texts' own numbers, not pooled: add up first, divide once": average(lambda t: t.ids),
    "the price is the average of the texts' own, not pooled: add up first, divide once": average(
        lambda t: t.ids, False
    ),
    "two things: averages of the texts' numbers, not pooled; and: special tokens": average(lambda t: t.encode),
    "the price is upside down: divide by English": {PRICE: "english / len(ids)"},
    "the first number is all tokens, not divided by anything": {PRICE: "len(ids)"},
    "the price is a difference of tokens; divide by those of English": {PRICE: "len(ids) - english"},
    "1 is taken from the price; English has 1, and not 0": {PRICE: f"{PRICE} - 1"},
    "words are compared instead of tokens": compared("len(text.split())"),
    "characters are compared instead of tokens": compared("len(text)"),
    "bytes are compared instead of tokens": compared("len(text.encode())"),
    "the price is divided by the number of texts; divide by English's tokens": {PRICE: "len(ids) / len(own)"},
    "the first language is taken for English; it may stand anywhere": {'texts["en"]': "next(iter(texts.values()))"},
    "English is counted by the first tokenizer; each is compared with itself": {
        ENGLISH: "len([*tokenizers.values()][0].ids(text))"
    },
    "unknown tokens are left out of the price; they count, too": {
        PRICE: "sum(i != tokenizer.unk_id for i in ids) / english",
        ENGLISH: "sum(i != tokenizer.unk_id for i in tokenizer.ids(text))",
    },
    "unknown tokens are left out of the price, but not of English": {
        PRICE: "sum(i != tokenizer.unk_id for i in ids) / english"
    },
    "the second number is the share of known tokens": {SHARE: "sum(i != tokenizer.unk_id for i in ids) / len(ids)"},
    "the second number is a count; divide it by the language's tokens": {SHARE: "ids.count(tokenizer.unk_id)"},
    "the unknown tokens are divided by English's; divide by the language's own": {BELOW: " / english)"},
    "the unknown tokens are divided by words; divide by tokens": {BELOW: f" / {WORDS})"},
    "the unknown tokens are divided by texts; divide by tokens": {BELOW: " / len(own))"},
    "texts with an unknown token are counted, not the tokens": {
        SHARE: "sum(tokenizer.unk_id in tokenizer.ids(text) for text in own) / len(own)"
    },
    "the second number is 0 everywhere: count the tokenizer's own unk_id (100 is that of BERT)": {SHARE: "0.0"},
    "only the last text of each language is counted: add them up": some("[-1:]"),
    "only the first text of each language is counted: add them up": some("[:1]"),
    "different tokens are counted, each once; every occurrence counts": {
        IDS: f"list(dict.fromkeys({IDS}))",
        ALL_ENGLISH: 'len({i for text in texts["en"] for i in tokenizer.ids(text)})',
    },
    "the texts are joined, which changes the pieces at the seams": {
        IDS: 'tokenizer.ids(" ".join(own))',
        ALL_ENGLISH: 'len(tokenizer.ids(" ".join(texts["en"])))',
    },
    "each word is cut on its own, and what stands between is lost": both(
        "[i for word in text.split() for i in tokenizer.ids(word)]",
        "sum(len(tokenizer.ids(word)) for word in text.split())",
    ),
    "whole numbers: // throws the fraction away, / keeps it": {
        PRICE: "len(ids) // english",
        SHARE: "ids.count(tokenizer.unk_id) // len(ids)",
    },
    **{
        f"the numbers are rounded to {digits}; leave that to whoever prints them": {
            PRICE: f"round({PRICE}, {n})",
            SHARE: f"round({SHARE}, {n})",
        }
        for n, digits in ((2, "two digits"), (1, "one digit"), (3, "three digits"))
    },
    "the price is percent; English has 1": {PRICE: f"100 * {PRICE}"},
    "the share is percent; all tokens would be 1": {SHARE: f"100 * {SHARE}"},
    "tokens are not set back to none for the next language": {
        "name] = {}": "name], ids = {}, []",
        "ids = [": "ids += [",
    },
    "tokens are not set back to none for the next tokenizer": {
        "table = {}": "table, ids = {}, []",
        "ids = [": "ids += [",
    },
    "English is not set back to zero for the next tokenizer": {
        "table = {}": "table, english = {}, 0",
        "english = sum": "english += sum",
    },
    "all languages are counted together; each has its own numbers": {"in own": "in sum(texts.values(), [])"},
    "all rows are that of the last tokenizer: each row needs a dictionary of its own": one_row(-1),
    "all rows are that of the first tokenizer: the loop's own tokenizer must be asked": one_row(0),
    "the table is the other way round: the tokenizers are the outer keys": {
        "    return table": "    return {key: {name: row[key] for name, row in table.items()} for key in texts}"
    },
    "English is missing in the table; it has a price of 1 and a share": {
        "    return table": "    return {n: {k: x for k, x in row.items() if k != 'en'} for n, row in table.items()}"
    },
    "there is one row only, the last tokenizer's: outer keys are tokenizers": {
        "    return table": "    return table[name]"
    },
    "only the last tokenizer is there: is `table = {}` inside the loop?": {"table[name] = {}": "table = {name: {}}"},
    "each row has the last language only: add to it": {
        "table[name][language] = (": "table[name] = {language: (",
        "len(ids))": "len(ids))}",
    },
    "`return` stands inside the loop: the first tokenizer alone is in the table": {"    return": "        return"},
}

EXERCISE = Exercise(
    minutes=15,
    difficulty=2,
    signature="price_table(tokenizers: dict name -> tokenizer, texts: dict language -> list of texts) "
    "-> dict name -> dict language -> (price, unknown)",
    hints=(
        "Count over all texts of a language, then divide once: tokens by English's tokens, unknown tokens by tokens.\n"
        "Words play no part: the messages say the same in all languages.",
        "outer dictionary: one row for each tokenizer; a row: one pair for each language, English too.\n"
        "tokens of a text: what the tokenizer gives without its template;\n"
        "unknown: those whose id is the tokenizer's unk_id, which is None where every text can be written.",
        "for each tokenizer:\n"
        "    english = number of tokens of all English texts\n"
        "    for each language:\n"
        "        ids = the ids of all its texts in one list, without special tokens\n"
        "        price = length of ids over english; unknown = how often unk_id is in ids, over length of ids\n"
        "        the table at [tokenizer][language] is (price, unknown)",
    ),
    parts=(Lab(price_table, cases, MISTAKES, ask),),
)
