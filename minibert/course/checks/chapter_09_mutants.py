"""Chapter 9, next sentence: the solutions of its exercises, and mistakes that their checks must recognise."""

from minibert.course.checks import (
    chapter_09_wrong_chance,
    chapter_09_wrong_losses,
    chapter_09_wrong_pairs,
    chapter_09_wrong_properties,
)

SOLUTIONS = {
    "9.1": chapter_09_wrong_pairs._make_pairs,
    "9.2": (
        chapter_09_wrong_losses._reported_loss,
        chapter_09_wrong_losses._nsp_loss,
        chapter_09_wrong_losses._constant_guess,
    ),
    "9.3": chapter_09_wrong_properties._RIGHT,
}
MUTANTS = {
    "9.1": chapter_09_wrong_pairs.PAIRS + chapter_09_wrong_chance.CHANCE,
    "9.2": chapter_09_wrong_losses.LOSSES,
    "9.3": chapter_09_wrong_properties.PROPERTIES,
}
