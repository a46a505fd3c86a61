"""Many submissions, graded safely: `grade(Path("homework"))`, or `python -m minibert grade homework`."""

__all__ = ["SOLUTIONS", "grade"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; public names: {', '.join(__all__)}")
    from minibert.grading import grader  # on first use: a submission's process needs nothing of it

    return getattr(grader, name)
