"""The exercises, one file each: `ex_5_1.py` holds the solution of 5.1, its cases, its mistakes and its hints."""

import re
from importlib import import_module
from pathlib import Path

from minibert.course.exercise import Exercise

FILES = sorted(tuple(map(int, file.stem.split("_")[1:])) for file in Path(__file__).parent.glob("ex_*_*.py"))


def chapters() -> list[int]:
    """The chapters that have exercises, in order.

    >>> 5 in chapters()
    True
    """
    return sorted({chapter for chapter, _ in FILES})


def exercises(chapter: int) -> list[Exercise]:
    """The exercises of one chapter, imported when they are asked for; a ValueError where it has none.

    >>> exercises(5)[0].title
    'Scaled dot-product attention with a mask'
    """
    if type(chapter) is not int or chapter not in chapters():
        have = ", ".join(str(number) for number in chapters())
        raise ValueError(f"no exercises for chapter {chapter!r}; chapters with exercises: {have}")
    return [import_module(f"{__name__}.ex_{chapter}_{place}").EXERCISE for one, place in FILES if one == chapter]


def find(number: str) -> Exercise:
    """The exercise with this number.

    >>> find("5.99")
    Traceback (most recent call last):
    ...
    ValueError: no exercise '5.99'; chapter 5 has ...
    """
    if not isinstance(number, str) or not re.fullmatch("[0-9]+[.][0-9]+", number):
        raise ValueError(f"exercise {number!r}: expected chapter.place in quotes, such as '5.1'")
    chapter = int(number.partition(".")[0])
    there = {one.number: one for one in exercises(chapter)}
    if number not in there:
        raise ValueError(f"no exercise {number!r}; chapter {chapter} has {', '.join(there)}")
    return there[number]
