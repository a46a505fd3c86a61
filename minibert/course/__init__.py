"""What notebooks and their exercises use: check, hint, plan, status, reset; for graders examine, passed, require."""

from minibert.course.check import Outcome, check, examine, hint, passed, plan, require
from minibert.course.progress import reset, status

__all__ = ["Outcome", "check", "examine", "hint", "passed", "plan", "require", "reset", "status"]
