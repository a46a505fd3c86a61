"""Settings that cannot work are refused when they are given, not after an hour of training."""

import math

SEED_LIMIT = 2**63  # what torch's generators take


def check_whole(name: str, value: int, least: int) -> None:
    """Refuse what is not a whole number of at least `least`.

    >>> check_whole("steps", 3.5, 1)
    Traceback (most recent call last):
    ...
    ValueError: steps must be a whole number of at least 1, got 3.5
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def check_seed(seed: int) -> None:
    """Refuse what no generator can be seeded with.

    >>> check_seed(2**63)
    Traceback (most recent call last):
    ...
    ValueError: seed must be a whole number from -2**63 to 2**63 - 1, got 9223372036854775808
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not -SEED_LIMIT <= seed < SEED_LIMIT:
        raise ValueError(f"seed must be a whole number from -2**63 to 2**63 - 1, got {seed!r}")


def check_share(name: str, value: float, may_be_all: bool = True) -> None:
    """Refuse what is not a number from 0 to 1, or, unless it `may_be_all`, to less than 1.

    >>> check_share("validation_share", 1.0, may_be_all=False)
    Traceback (most recent call last):
    ...
    ValueError: validation_share must be at least 0 and under 1, got 1.0
    """
    if not _is_number(value) or not 0 <= value <= 1 or (value == 1 and not may_be_all):
        raise ValueError(f"{name} must be at least 0 and {'at most' if may_be_all else 'under'} 1, got {value!r}")


def check_not_negative(name: str, value: float) -> None:
    """Refuse what is not a finite number of at least 0.

    >>> check_not_negative("weight_decay", -1)
    Traceback (most recent call last):
    ...
    ValueError: weight_decay must be a finite number of at least 0, got -1
    """
    if not _is_number(value) or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")


def check_positive(name: str, value: float, hint: str = "") -> None:
    """Refuse what is not a finite number above 0.

    >>> check_positive("learning_rate", float("inf"))
    Traceback (most recent call last):
    ...
    ValueError: learning_rate must be a finite number above 0, got inf
    """
    if not _is_number(value) or not 0 < value < math.inf:
        raise ValueError(f"{name} must be a finite number above 0, got {value!r}{hint}")


def check_switch(name: str, value: bool) -> None:
    """Refuse what is neither True nor False.

    >>> check_switch("bf16", "no")
    Traceback (most recent call last):
    ...
    ValueError: bf16 must be True or False, got 'no'
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}")


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
