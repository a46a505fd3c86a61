"""The nano speedrun: least CPU time from fixed speeches to a fixed bar. `data/speedrun/README.md` has the rules."""

from minibert.speedrun.rules import RULES, Rules, judge, read_text
from minibert.speedrun.table import find_entry, stored

__all__ = ["RULES", "Rules", "find_entry", "judge", "read_text", "stored"]
