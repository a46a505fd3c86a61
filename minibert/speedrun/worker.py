"""The process on the clock: it runs one entry with one seed and saves its model. `race` starts it and times all of it.

An entry is code of somebody who wants to win, so this process holds no held-out text, and a hook of Python keeps the
entry from the data cache, from the project's data and from the network. That stops mistakes and easy tricks. It is no
sandbox: C code gets past it. What it cannot see, people who read the entry must.
"""

import contextlib
import json
import os
import sys
import time
import traceback
import types
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from minibert.checkpoints.folder import load_tensors, save_model, save_tensors
from minibert.corpora.download import cache_folder
from minibert.experiments.small_encoders import Text
from minibert.files import read_text, write_text
from minibert.model.encoder import Encoder
from minibert.model.models import MaskedLanguageModel
from minibert.places import PACKAGE, PROJECT
from minibert.shipped_models import DATA
from minibert.tokenization import load_tokenizer

TOKENS, JOB, OUTCOME, MODEL = "tokens.safetensors", "job.json", "outcome.json", "model"
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.sendto")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def hand_over(folder: Path, text: Text, entry: Path, seed: int) -> None:
    """Write what the worker needs to `folder`: the tokenizer, the training tokens and the job. No held-out text.

    >>> import tempfile
    >>> from minibert.speedrun.rules import Rules, read_text
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rules = Rules(text="stories", documents=20, vocab_size=160, text_sha256=None)
    ...     hand_over(Path(folder), read_text(rules), Path("entry.py"), 0)
    ...     given = receive(Path(folder))
    >>> len(given.train), given.held_out
    (18, ())
    """
    folder.mkdir(parents=True, exist_ok=True)
    text.tokenizer.save_pretrained(folder)
    lengths = torch.tensor([len(ids) for ids in text.train])
    save_tensors({"ids": torch.cat(text.train), "lengths": lengths}, folder / TOKENS)
    write_text(folder / JOB, json.dumps({"entry": str(entry.resolve()), "seed": seed}))


def receive(folder: Path) -> Text:
    """What `hand_over` wrote, as an entry gets it."""
    stored = load_tensors(folder / TOKENS)
    return Text(load_tokenizer(folder), tuple(stored["ids"].split(stored["lengths"].tolist())), ())


def fence(entry: Path) -> None:
    """From here on this process opens no file of the data cache and none in the project's `data/` but the entry, writes
    nothing inside the project, and does not use the network. A hook of Python cannot be taken off again.
    """
    project, closed = (PROJECT, PACKAGE), (DATA, cache_folder().resolve())

    def hook(event: str, arguments: Sequence) -> None:
        if event in NETWORK:
            raise PermissionError("an entry uses no network: all it may learn from is what `train` is given")
        if event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = Path(os.path.realpath(os.fsdecode(arguments[0])))
        if path != entry and any(path.is_relative_to(folder) for folder in closed):
            raise PermissionError(f"an entry does not open {path}: all it may learn from is what `train` is given")
        if any(path.is_relative_to(folder) for folder in project) and arguments[2] & WRITING:
            raise PermissionError(f"an entry does not write to {path}: the project stays as it is")

    sys.addaudithook(hook)


def count_tokens() -> list[int]:
    """A list of one number, which grows by the tokens of each forward pass that can be followed by a backward pass."""
    seen, original = [0], Encoder.packed

    def packed(self, ids: Tensor, *arguments, **named):
        if torch.is_grad_enabled():
            seen[0] += ids.numel()
        return original(self, ids, *arguments, **named)

    Encoder.packed = packed
    return seen


def run_entry(file: Path, text: Text, seed: int) -> MaskedLanguageModel:
    """Execute the file of an entry and call its `train(text, seed)`.

    Raises:
        ValueError: it gives back something else than a MaskedLanguageModel.
    """
    module = types.ModuleType("entry")
    module.__file__ = str(file)
    sys.modules["entry"] = module  # dataclasses look their module up
    exec(compile(file.read_bytes(), str(file), "exec"), vars(module))
    model = module.train(text, seed)
    if not isinstance(model, MaskedLanguageModel):
        raise ValueError(f"train(text, seed) gave back a {type(model).__name__}, expected a MaskedLanguageModel")
    return model


def work(folder: str) -> None:
    """What the process on the clock does: receive, close the fence, run the entry, save its model or its error."""
    folder = Path(folder)
    torch.set_num_threads(1)
    job = json.loads(read_text(folder / JOB))
    entry, text = Path(job["entry"]), receive(folder)
    seen = count_tokens()
    fence(entry)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # the command's standard output is for results
            model = run_entry(entry, text, job["seed"])
        save_model(model, folder / MODEL, text.tokenizer)
        outcome = {"tokens": seen[0]}
    except Exception as error:
        traceback.print_exc()
        outcome = {"error": f"{type(error).__name__}: {error}"}
    write_text(folder / OUTCOME, json.dumps(outcome | {"process_seconds": time.process_time()}))
