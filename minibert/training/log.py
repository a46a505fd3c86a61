"""The training log: one JSON object a line, appended, and cut back to the checkpoint when a run is resumed."""

import json
from pathlib import Path

from minibert.files import write_text


class TrainingLog:
    """A JSONL file whose records have a `step`, in ascending order; its folder must exist.

    No times are written, so that two equal runs leave equal files. A `silent` log writes nothing: where several
    processes train one model, one of them writes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = TrainingLog(Path(folder) / "log.jsonl")
    ...     log.append({"step": 10, "loss": 2.5})
    ...     log.append({"step": 20, "loss": 2.0})
    ...     log.cut(10)
    ...     log.read()
    [{'step': 10, 'loss': 2.5}]
    """

    def __init__(self, path: str | Path, silent: bool = False):
        self.path, self.silent = Path(path), silent

    def append(self, record: dict) -> None:
        """Add one line.

        Raises:
            ValueError: if the record holds NaN or infinity, which are not JSON.

        >>> TrainingLog(Path("nowhere")).append({"loss": float("nan")})
        Traceback (most recent call last):
        ...
        ValueError: Out of range float values are not JSON compliant...
        """
        line = json.dumps(record, allow_nan=False)
        if self.silent:
            return
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(line + "\n")

    def read(self) -> list[dict]:
        """Return all whole records; a last line that a kill cut short is left out.

        >>> TrainingLog(Path("nowhere")).read()
        []
        """
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines[:-1]]  # what follows the last newline is not whole

    def cut(self, step: int) -> None:
        """Drop every record after `step`: the resumed run will write them again.

        >>> TrainingLog(Path("nowhere")).cut(0)  # nothing to drop
        """
        if self.silent or not self.path.exists():
            return
        kept = [json.dumps(record) + "\n" for record in self.read() if record["step"] <= step]
        write_text(self.path, "".join(kept))
