"""The exercises of chapters 10 to 13; what is tested stands in course_exercises.py."""

from course_exercises import *  # noqa: F403

CHAPTERS = range(10, 14)
