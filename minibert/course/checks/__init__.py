"""The exercises, one file a chapter: `chapter_05.py` has the checks, `chapter_05_mutants.py` solutions and mistakes."""

from importlib import import_module
from pathlib import Path

from minibert.course.exercise import Exercise


def chapters() -> list[int]:
    """The chapters that have exercises, in order.

    >>> chapters() == sorted(chapters())
    True
    """
    return sorted(int(file.stem[-2:]) for file in Path(__file__).parent.glob("chapter_[0-9][0-9].py"))


def exercises(chapter: int) -> list[Exercise]:
    """The exercises of one chapter, imported when they are asked for.

    Raises:
        ValueError: this chapter has none.

    >>> exercises(99)
    Traceback (most recent call last):
    ...
    ValueError: no exercises for chapter 99; ...
    """
    if type(chapter) is not int or chapter not in chapters():
        have = ", ".join(str(number) for number in chapters())
        raise ValueError(f"no exercises for chapter {chapter!r}; chapters with exercises: {have}")
    return import_module(f"minibert.course.checks.chapter_{chapter:02}").EXERCISES


def find(number: str) -> Exercise:
    """The exercise with this number.

    Raises:
        ValueError: there is none; the message lists what there is.

    >>> find("99.1")
    Traceback (most recent call last):
    ...
    ValueError: no exercises for chapter 99; ...
    """
    if not isinstance(number, str):
        raise ValueError(f"exercise {number!r}: expected the number in quotes, such as '5.1'")
    chapter, _, place = number.partition(".")
    if not (chapter.isdecimal() and place.isdecimal() and chapter.isascii()):
        raise ValueError(f"exercise {number!r}: expected chapter.place, such as '5.1'")
    there = exercises(int(chapter))
    for exercise in there:
        if exercise.number == number:
            return exercise
    raise ValueError(f"no exercise {number!r}; chapter {chapter} has {', '.join(one.number for one in there)}")
