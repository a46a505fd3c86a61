"""The log of a run: one line of JSON for each record, cut back to where a resumed run begins."""

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

        Raises:
            ValueError: a line before it is damaged; the message names the file, the line and what to do.

        >>> TrainingLog(Path("nowhere")).read()
        []
        """
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().split(b"\n")
        return [self._record(number, line) for number, line in enumerate(lines[:-1], 1)]  # the last one is not whole

    def _record(self, number: int, line: bytes) -> dict:
        try:
            record = json.loads(line)
            if not isinstance(record, dict) or not isinstance(record.get("step"), int):
                raise ValueError("no object with a step")
        except ValueError as error:
            raise ValueError(
                f"{self.path}, line {number}, is damaged ({error}): delete this line, or the file (the weights do not "
                "depend on it)"
            ) from None
        return record

    def cut(self, step: int) -> None:
        """Drop every record after `step`: the resumed run will write them again.

        >>> TrainingLog(Path("nowhere")).cut(0)  # nothing to drop
        """
        if self.silent or not self.path.exists():
            return
        kept = [json.dumps(record) + "\n" for record in self.read() if record["step"] <= step]
        write_text(self.path, "".join(kept))
