"""What notebooks and their exercises use: `check`, `hint`, `plan`; for graders `examine`, `passed` and `require`."""

from minibert.course.check import Outcome, check, examine, hint, passed, plan, require

__all__ = ["Outcome", "check", "examine", "hint", "passed", "plan", "require"]
