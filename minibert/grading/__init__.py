"""Many submissions, graded safely: `grade(Path("homework"))`, or `python -m minibert grade homework`."""

from minibert.grading.grader import SOLUTIONS, grade

__all__ = ["SOLUTIONS", "grade"]
