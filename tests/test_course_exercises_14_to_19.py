"""The exercises of chapters 14 to 19; what is tested stands in course_exercises.py."""

from course_exercises import *  # noqa: F403

CHAPTERS = range(14, 20)
