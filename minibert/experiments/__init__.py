"""Learning experiments that take longer than a notebook may: each is run by one command, and its result is stored.

    python -m minibert experiment masking     # measure again, print it beside the stored result
    stored("masking").mean("accuracy")        # what the notebooks read: {arm: mean over the seeds}

`record.py` says what an experiment is; every other file here is one, or a part that two of them share. The stored
results lie in data/experiments/, each with its command, its settings and its hardware.
"""

from minibert.experiments.catalogue import NAMES, find
from minibert.experiments.record import Experiment, run
from minibert.experiments.result import Result, stored

__all__ = ["NAMES", "Experiment", "Result", "find", "run", "stored"]
