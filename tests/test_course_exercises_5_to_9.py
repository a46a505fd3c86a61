"""The exercises of chapters 5 to 9; what is tested stands in course_exercises.py."""

from course_exercises import *  # noqa: F403

CHAPTERS = range(5, 10)
