"""Checkpoints that survive a kill at any moment: written whole or not at all, and checked when they are read."""

import hashlib
import json
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from minibert.checkpoints.io import load_tensors, stage_tensors
from minibert.files import write_text
from minibert.training.recipe import check_whole

_FORMAT = 1
_NAME = re.compile(r"step-(\d{8,})\.json")


@dataclass(frozen=True)
class Checkpoint:
    """A training state: `tensors` by name, `state` as JSON values, and the `step` it was taken after.

    Raises:
        ValueError: for a step that is not a whole number of at least 0.

    >>> Checkpoint(3, {}, {"loss": 0.5}).step
    3
    """

    step: int
    tensors: dict[str, Tensor]
    state: dict

    def __post_init__(self):
        check_whole("step", self.step, 0)


def save_checkpoint(folder: str | Path, checkpoint: Checkpoint, keep: int = 2) -> Path:
    """Write a checkpoint into `folder` and delete all but the `keep` newest; return the path of its JSON file.

    Two files make a checkpoint: `step-N.safetensors` and then `step-N.json`, which holds the state and the size and
    SHA-256 of both. Each is written under another name, flushed to the disk and renamed. A checkpoint exists when its
    JSON file does, so a kill at any moment leaves either the whole checkpoint or none of it.

    The folder is made if it does not exist. The tensors must be contiguous and share no memory. With a `keep` of 2 or
    more, a damaged newest checkpoint still leaves one to go back to.

    Raises:
        ValueError: if `keep` is under 1 or the state holds something that JSON cannot (NaN included).

    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(folder, Checkpoint(5, {"w": torch.ones(2)}, {"epoch": 1})).name
    'step-00000005.json'
    """
    check_whole("keep", keep, 1)
    folder = Path(folder)
    state = _canonical(checkpoint.state)  # before anything is written: it may be refused
    folder.mkdir(parents=True, exist_ok=True)
    name = f"step-{checkpoint.step:08d}"
    tensor_path, json_path = folder / f"{name}.safetensors", folder / f"{name}.json"
    json_path.unlink(missing_ok=True)  # an older, perhaps damaged one of the same step stops counting first
    temporary = stage_tensors(checkpoint.tensors, tensor_path)
    seal = {
        "format": _FORMAT,
        "step": checkpoint.step,
        "tensors_bytes": temporary.stat().st_size,
        "tensors_sha256": _sha256(temporary),
        "state_sha256": hashlib.sha256(state.encode("utf-8")).hexdigest(),
        "state": checkpoint.state,
    }
    os.replace(temporary, tensor_path)
    write_text(json_path, json.dumps(seal, indent=1, allow_nan=False) + "\n")
    _prune(folder, checkpoint.step, keep)
    return json_path


def load_newest_checkpoint(folder: str | Path) -> Checkpoint | None:
    """Return the newest checkpoint in `folder` that is whole, or None if there never was one.

    A damaged one (truncated, altered, its tensors missing) is passed over with a warning that names it.

    Raises:
        ValueError: if there are checkpoints but none is whole. Starting anew in silence would lose the run.

    >>> load_newest_checkpoint("no such folder") is None
    True
    """
    folder = Path(folder)
    found = sorted(_steps(folder).items(), reverse=True)
    for step, path in found:
        try:
            return _read(path, step)
        except (OSError, ValueError, KeyError, TypeError) as error:
            warnings.warn(f"checkpoint {path.name} is damaged ({error}); trying the one before", stacklevel=2)
    if found:
        raise ValueError(
            f"none of the {len(found)} checkpoints in {folder} is whole; delete them to start anew, or use another "
            "folder"
        )
    return None


def _read(path: Path, step: int) -> Checkpoint:
    seal = json.loads(path.read_text(encoding="utf-8"))
    if seal["format"] != _FORMAT or seal["step"] != step:
        raise ValueError(f"format {seal['format']} and step {seal['step']}, expected {_FORMAT} and {step}")
    if hashlib.sha256(_canonical(seal["state"]).encode("utf-8")).hexdigest() != seal["state_sha256"]:
        raise ValueError("its state does not have the checksum it was saved with")
    tensor_path = path.with_suffix(".safetensors")
    if tensor_path.stat().st_size != seal["tensors_bytes"]:
        raise ValueError(f"{tensor_path.stat().st_size} bytes of tensors, expected {seal['tensors_bytes']}")
    if _sha256(tensor_path) != seal["tensors_sha256"]:
        raise ValueError("its tensors do not have the checksum they were saved with")
    return Checkpoint(step, load_tensors(tensor_path), seal["state"])


def _prune(folder: Path, step: int, keep: int) -> None:
    """Delete all but the `keep` newest up to `step`, those beyond it, and what interrupted saves left behind.

    A checkpoint beyond the one just written is a damaged one that was passed over, so it is not worth keeping.
    """
    paths = _steps(folder)
    kept = sorted(s for s in paths if s <= step)[-keep:]
    for other in set(paths) - set(kept):
        paths[other].unlink()  # the JSON first: without it the rest is no checkpoint
    for path in folder.glob("step-*"):
        if path.suffix == ".tmp" or (path.suffix == ".safetensors" and not path.with_suffix(".json").exists()):
            path.unlink()


def _steps(folder: Path) -> dict[int, Path]:
    if not folder.is_dir():
        return {}
    matches = [(_NAME.fullmatch(path.name), path) for path in folder.iterdir()]
    return {int(match[1]): path for match, path in matches if match}


def _canonical(state: dict) -> str:
    return json.dumps(state, sort_keys=True, allow_nan=False)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
