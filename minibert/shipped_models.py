"""The small models that come with the project, so that a learner has an answer in the first minute."""

from pathlib import Path

from minibert.places import PROJECT

DATA = PROJECT / "data"
SHIPPED = ("bert-nano", "modernbert-nano", "eurobert-nano")


def shipped(name: str) -> Path:
    """The folder of a model that this project trained and ships in `data/`; its training.json says how it was made.

    Raises:
        ValueError: no such model, or a package without the project's `data/` folder.

    >>> shipped("bert-huge")
    Traceback (most recent call last):
    ...
    ValueError: no model 'bert-huge' comes with the project; there are: bert-nano, modernbert-nano, eurobert-nano
    """
    if name not in SHIPPED:
        raise ValueError(f"no model {name!r} comes with the project; there are: {', '.join(SHIPPED)}")
    if not (DATA / name / "model.safetensors").is_file():
        raise ValueError(
            f"{name} is not in {DATA}: install minibert from its wheel or a clone of the project (pip install -e .), "
            f"or train your own: python -m minibert pretrain --preset {name}"
        )
    return DATA / name
