"""Chapter 3, tokenizers: the solutions of its exercises, and mistakes that their checks must recognise."""

from minibert.course.checks import chapter_03_fertility_mutants, chapter_03_merges_mutants, chapter_03_pieces_mutants

SOLUTIONS = {
    "3.1": chapter_03_pieces_mutants._wordpiece,
    "3.2": chapter_03_merges_mutants._bpe_encode,
    "3.3": chapter_03_fertility_mutants._fertility_table,
}
MUTANTS = {
    "3.1": chapter_03_pieces_mutants.MUTANTS,
    "3.2": chapter_03_merges_mutants.MUTANTS,
    "3.3": chapter_03_fertility_mutants.MUTANTS,
}
