"""Where the project's other folders are: beside the package in a clone, inside it in an installed wheel.

A wheel holds data/, notebooks/, exercises/ and solutions/ as `minibert/project/...`, where pyproject.toml puts them; in
a clone that folder does not exist. Whoever needs a file of the project asks here.
"""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
IS_CLONE = not (PACKAGE / "project").is_dir()
PROJECT = PACKAGE.parent if IS_CLONE else PACKAGE / "project"
