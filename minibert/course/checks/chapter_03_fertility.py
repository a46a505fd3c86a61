"""Exercise 3.3: tokens for each word, by tokenizer and language, pooled over the texts."""

import functools
import numbers
from collections.abc import Callable

import torch

from minibert.course.checks.chapter_03_ratios import SUSPECTS, Texts
from minibert.course.checks.chapter_03_tables import TABLES, table
from minibert.course.exercise import Wrong
from minibert.course.tools import call, kind_of, show
from minibert.tokenization import ByteLevelBPETokenizer, WordPieceTokenizer


@functools.cache
def _tokenizers() -> dict:
    """One with [CLS] and [SEP] and unknown words, one of bytes without a template."""
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "the",
        "cat",
        "##s",
        "s",
        "a",
        "##a",
        "##t",
        "die",
        "katze",
        "##n",
        ".",
    ]
    wordpiece = WordPieceTokenizer({piece: place for place, piece in enumerate(pieces)})
    pairs = ByteLevelBPETokenizer.train(["the cats sat", "the cat"], 262, min_count=1, special=())
    return {"wordpiece": wordpiece, "bytes": pairs}


def _expect_table(got, want: dict, where: str) -> None:
    """The shape of the answer: {tokenizer: {language: number}}."""
    outer, inner = list(want), list(next(iter(want.values())))
    shape = "a dictionary {tokenizer: {language: number}}"
    if not isinstance(got, dict):
        raise Wrong(f"{where} gives {kind_of(got)}", shape, "is the `return` missing?" if got is None else "")
    if set(got) != set(outer):
        turned = "the other way round: the tokenizers are the outer keys" if set(got) == set(inner) else ""
        raise Wrong(f"{where} has the keys {sorted(map(str, got))}", f"the tokenizers: {sorted(outer)}", turned)
    for name, row in got.items():
        if not isinstance(row, dict) or set(row) != set(inner):
            seen = f"the keys {sorted(map(str, row))}" if isinstance(row, dict) else kind_of(row)
            raise Wrong(f"the row of {name!r} is or has {seen}", f"a dictionary with the languages {sorted(inner)}", "")
        for language, number in row.items():
            if hasattr(number, "item") and getattr(number, "shape", None) == ():
                row[language] = number = number.item()
            if isinstance(number, bool) or not isinstance(number, numbers.Real):
                raise Wrong(f"{name!r}, {language!r} is {kind_of(number)}", "one number: tokens for each word", "")


def _same(got: dict, want: dict) -> bool:
    return all(
        abs(got[name][key] - number) <= 1e-6 * abs(number) for name, row in want.items() for key, number in row.items()
    )


def _fits(got: dict, wrong: Callable, texts: Texts) -> bool:
    try:
        return _same(got, wrong(_tokenizers(), texts))
    except ZeroDivisionError:  # this mistake does not get through these texts
        return False


def check_fertility(answer, rng: torch.Generator) -> None:
    """The check of exercise 3.3: two languages on paper, then drawn ones, then one with an empty text.

    Raises:
        Wrong: what was seen, what was expected, the likely cause.
        NotAttempted: the answer is still the stub.

    >>> check_fertility(table, torch.Generator().manual_seed(0))
    """
    paper = {"en": ["the cats", "a  cat  sat on the\nmat."], "de": ["die katzen", "katze"]}
    parts = ["the", "cats", "cat", "sat,", "Katzen", "die", "mat.", "né", "猫", "a-cat", "satsat"]

    def draw_text() -> str:
        length = int(torch.randint(1, 9, (1,), generator=rng))
        gaps = [" ", "  ", "\n"]
        out = ""
        for place in torch.randint(len(parts), (length,), generator=rng).tolist():
            out += parts[place] + gaps[int(torch.randint(3, (1,), generator=rng))]
        return out.strip()

    drawn = {language: [draw_text() for _ in range(4 + place)] for place, language in enumerate(("fr", "pl", "tr"))}
    cases = [
        ("two languages on paper", paper, "wordpiece, de: die | katze ##n | katze are 4 tokens of 3 words"),
        ("three languages of drawn texts", drawn, "all tokens of a language, divided by all its words"),
        (
            "a language with an empty text",
            {"en": ["the cats", ""], "de": ["", "katze die"]},
            "an empty text adds nothing",
        ),
    ]
    suspects = {text: functools.partial(table, cell=cell) for text, cell in SUSPECTS.items()}
    suspects |= TABLES
    for where, texts, cause in cases:
        got, want = call(answer, _tokenizers(), texts), table(_tokenizers(), texts)
        _expect_table(got, want, where)
        if _same(got, want):
            continue
        mistake = next((m for m, wrong in suspects.items() if _fits(got, wrong, texts)), cause)
        name, language = next(
            (n, key)
            for n, row in want.items()
            for key in row
            if not _same({n: {key: got[n][key]}}, {n: {key: row[key]}})
        )
        shown = f"{where}: {name!r}, {language!r}" + (f", texts {texts[language]}" if texts is paper else "")
        raise Wrong(f"{shown} is {show(float(got[name][language]))}", show(want[name][language]), mistake)
