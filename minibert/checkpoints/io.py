"""Files, written in one step and checked when read: safetensors, one file or several with an index, JSON and text.

Nothing here runs code from a file, unlike pickle.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import safetensors
from safetensors.torch import save_file
from torch import Tensor

from minibert.files import replacing

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"


def save_tensors(tensors: Mapping[str, Tensor], file: str | Path, metadata: dict[str, str] | None = None) -> None:
    """Write tensors to `file` in one step: it is either the old file or the complete new one.

    Tensors must not share memory. They are written under the name with `.tmp` behind it, which then replaces `file`.

    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_tensors({"a": torch.ones(2)}, Path(folder) / "x.safetensors")
    ...     load_tensors(Path(folder) / "x.safetensors")
    {'a': tensor([1., 1.])}
    """
    with replacing(file) as staged:
        save_file(dict(tensors), staged, metadata=metadata)


def stage_tensors(tensors: Mapping[str, Tensor], file: Path, metadata: dict[str, str] | None = None) -> Path:
    """Write tensors beside `file`, down to the disk, and return the path that is to replace it.

    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     stage_tensors({"a": torch.ones(2)}, Path(folder) / "x.safetensors").name
    'x.safetensors.tmp'
    """
    staged = file.with_name(file.name + ".tmp")
    try:
        staged.write_bytes(b"")
        mode = staged.stat().st_mode  # what the umask gives to any new file; safetensors would leave it to its owner
        save_file(dict(tensors), staged, metadata=metadata)
        staged.chmod(mode)
        with open(staged, "rb+") as handle:
            os.fsync(handle.fileno())
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    return staged


def load_tensors(file: str | Path) -> dict[str, Tensor]:
    """All tensors of one safetensors file, in memory of their own.

    Raises:
        ValueError: the file is missing, truncated or something else.

    >>> load_tensors("nowhere.safetensors")
    Traceback (most recent call last):
    ...
    ValueError: nowhere.safetensors: not found
    """
    with TensorFiles({None: Path(file)}) as stored:
        return {name: stored[name].clone() for name in stored}


class TensorFiles(Mapping):
    """The tensors of one or several safetensors files, read when asked for; a context manager that closes them.

    `where` maps each name to its file, or None to a file all of whose tensors count.

    Raises:
        ValueError: a file is truncated or no safetensors file, or names and files do not match.

    >>> TensorFiles({None: Path("nowhere.safetensors")})
    Traceback (most recent call last):
    ...
    ValueError: nowhere.safetensors: not found
    """

    def __init__(self, where: Mapping[str | None, Path]):
        self._handles = {}
        for file in dict.fromkeys(where.values()):
            if not file.is_file():
                raise ValueError(f"{file}: not found")
            try:
                self._handles[file] = safetensors.safe_open(file, framework="pt")
            except (safetensors.SafetensorError, OSError) as error:
                raise ValueError(f"{file}: truncated, or no safetensors file ({error}); fetch it again") from error
        inside = {name: file for file, handle in self._handles.items() for name in handle.keys()}
        self._where = inside if None in where else dict(where)
        if self._where != inside:
            odd = sorted(set(self._where.items()) ^ set(inside.items()))
            raise ValueError(f"the index and its files disagree about {odd[0][0]} ({odd[0][1].name}); fetch them again")

    def __getitem__(self, name: str) -> Tensor:
        try:
            return self._handles[self._where[name]].get_tensor(name)
        except safetensors.SafetensorError as error:
            raise ValueError(f"{self._where[name]}: cannot read {name} ({error})") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._where)

    def __len__(self) -> int:
        return len(self._where)

    def __enter__(self) -> "TensorFiles":
        return self

    def __exit__(self, *exception) -> None:
        self._handles.clear()  # lets go of the files, so that they can be replaced (also on Windows)


def open_weights(folder: Path) -> TensorFiles:
    """The weights of a model folder, whole or in shards.

    Raises:
        ValueError: no weights, only pickled ones, a damaged file, or an index that points outside the folder.

    >>> open_weights(Path("nowhere"))
    Traceback (most recent call last):
    ...
    ValueError: nowhere: no model.safetensors in it (and no model.safetensors.index.json)
    """
    if (folder / WEIGHTS).is_file():
        return TensorFiles({None: folder / WEIGHTS})
    if (folder / INDEX).is_file():
        return TensorFiles(_read_index(folder))
    pickles = sorted(file.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for file in folder.glob(pattern))
    if pickles:
        raise ValueError(
            f"{folder}: holds only {pickles[0]}. That is a pickle, which can run any code when it is opened, so it is "
            "never read here. If you trust it, convert it where it came from: "
            "torch.load(file, weights_only=True), then safetensors.torch.save_file(tensors, 'model.safetensors')"
        )
    raise ValueError(f"{folder}: no {WEIGHTS} in it (and no {INDEX})")


def read_json(file: Path) -> dict:
    """A JSON object from a file.

    Raises:
        ValueError: the file is missing, not UTF-8, or holds something else.

    >>> read_json(Path("nowhere.json"))
    Traceback (most recent call last):
    ...
    ValueError: nowhere.json: not found
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{file}: not found") from None
    except ValueError as error:
        raise ValueError(f"{file}: damaged, not JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file}: holds {type(content).__name__}, expected a JSON object")
    return content


def _read_index(folder: Path) -> dict[str, Path]:
    where = read_json(folder / INDEX).get("weight_map")
    if not isinstance(where, dict) or not where or not all(isinstance(file, str) for file in where.values()):
        raise ValueError(f"{folder / INDEX}: no weight_map of names to files")
    for name, file in where.items():
        if "/" in file or "\\" in file or ":" in file or not file.endswith(".safetensors"):
            raise ValueError(f"{folder / INDEX}: {name} lies in {file!r}; expected a .safetensors file of this folder")
    return {name: folder / file for name, file in where.items()}
