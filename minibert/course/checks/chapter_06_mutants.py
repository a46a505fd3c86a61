"""Chapter 6, BERT: the solutions of its exercises, and mistakes that their checks must recognise."""

from minibert.course.checks import chapter_06_block_mutants, chapter_06_count_mutants, chapter_06_names_mutants

SOLUTIONS = {
    "6.1": chapter_06_block_mutants._BertBlock,
    "6.2": chapter_06_count_mutants._count_parameters,
    "6.3": chapter_06_names_mutants._to_ours,
}
MUTANTS = {
    "6.1": chapter_06_block_mutants.MUTANTS,
    "6.2": chapter_06_count_mutants.MUTANTS,
    "6.3": chapter_06_names_mutants.MUTANTS,
}
