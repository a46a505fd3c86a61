"""Checkpoints of a run: what is kept, how it is written whole or not at all, and how it is put back."""

import dataclasses
import hashlib
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from minibert.checkpoints import load_tensors, save_tensors
from minibert.files import sha256, write_text
from minibert.training.data import PretrainingData
from minibert.training.distributed import check_same, from_every_process, rank, sliced_like, whole_tensors, world_size
from minibert.training.recipe import Recipe, check_whole

FREE = {"recipe.log_every", "recipe.validate_every", "recipe.checkpoint_every"}  # may change: they touch no weight
FINGERPRINT = "data.tokens_sha256"
_FORMAT = 1
_NAME = re.compile(r"step-(\d{8,})\.json")


class TrainingDiverged(RuntimeError):
    """The loss or the gradient became NaN or infinite; the checkpoints on disk are from before.

    >>> issubclass(TrainingDiverged, RuntimeError)
    True
    """


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
    JSON file does, so a kill at any moment leaves either the whole checkpoint or none of it. Where several processes
    train one model, process 0 writes and the others do nothing.

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
    state = _canonical(checkpoint.state)  # before anything is written: it may be refused
    folder, name = Path(folder), f"step-{checkpoint.step:08d}"
    tensor_path, json_path = folder / f"{name}.safetensors", folder / f"{name}.json"
    if rank() > 0:
        return json_path
    folder.mkdir(parents=True, exist_ok=True)
    json_path.unlink(missing_ok=True)  # an older, perhaps damaged one of the same step stops counting first
    save_tensors(checkpoint.tensors, tensor_path)
    seal = {
        "format": _FORMAT,
        "step": checkpoint.step,
        "tensors_bytes": tensor_path.stat().st_size,
        "tensors_sha256": sha256(tensor_path),
        "state_sha256": hashlib.sha256(state.encode("utf-8")).hexdigest(),
        "state": checkpoint.state,
    }
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
    damage = []
    for _, path in sorted(checkpoint_files(folder).items(), reverse=True):
        try:
            return read_checkpoint(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            damage.append(f"{path.name}: {error}")
            warnings.warn(f"checkpoint {path.name} is damaged ({error}); trying the one before", stacklevel=2)
    if damage:
        raise ValueError(
            f"none of the {len(damage)} checkpoints in {folder} is whole ({'; '.join(damage)}); put back copies, or "
            "delete them to start anew, or use another folder"
        )
    return None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint from its JSON file and the tensors beside it.

    Raises:
        OSError, ValueError, KeyError, TypeError: it is damaged, or not there.

    >>> read_checkpoint(Path("no such folder/step-00000005.json"))
    Traceback (most recent call last):
    ...
    FileNotFoundError: ...
    """
    step = int(_NAME.fullmatch(path.name)[1])
    seal = json.loads(path.read_text(encoding="utf-8"))
    if seal["format"] != _FORMAT or seal["step"] != step:
        raise ValueError(f"format {seal['format']} and step {seal['step']}, expected {_FORMAT} and {step}")
    if hashlib.sha256(_canonical(seal["state"]).encode("utf-8")).hexdigest() != seal["state_sha256"]:
        raise ValueError("its state does not have the checksum it was saved with")
    tensor_path = path.with_suffix(".safetensors")
    if tensor_path.stat().st_size != seal["tensors_bytes"]:
        raise ValueError(f"{tensor_path.stat().st_size} bytes of tensors, expected {seal['tensors_bytes']}")
    if sha256(tensor_path) != seal["tensors_sha256"]:
        raise ValueError("its tensors do not have the checksum they were saved with")
    return Checkpoint(step, load_tensors(tensor_path), seal["state"])


def _prune(folder: Path, step: int, keep: int) -> None:
    """Delete all but the `keep` newest up to `step`, those beyond it, and what interrupted saves left behind.

    A checkpoint beyond the one just written is a damaged one that was passed over, so it is not worth keeping.
    """
    paths = checkpoint_files(folder)
    kept = sorted(s for s in paths if s <= step)[-keep:]
    for other in set(paths) - set(kept):
        paths[other].unlink()  # the JSON first: without it the rest is no checkpoint
    for path in folder.glob("step-*"):
        if path.suffix == ".tmp" or (path.suffix == ".safetensors" and not path.with_suffix(".json").exists()):
            path.unlink()


def checkpoint_files(folder: Path) -> dict[int, Path]:
    """The JSON files of the checkpoints in a folder, by step; whether they are whole is not looked at.

    >>> checkpoint_files(Path("no such folder"))
    {}
    """
    if not folder.is_dir():
        return {}
    matches = [(_NAME.fullmatch(path.name), path) for path in folder.iterdir()]
    return {int(match[1]): path for match, path in matches if match}


def _canonical(state: dict) -> str:
    return json.dumps(state, sort_keys=True, allow_nan=False)


def capture(model, optimizer, data: PretrainingData, settings: dict, counters: dict) -> Checkpoint:
    """Return the whole state after `counters["step"]` updates: what decides every later bit of the run.

    That is the weights, the optimiser's averages, where the data stands, and torch's global generators, which dropout
    draws from. `settings` and `counters` are kept as they are. If several processes train together, all must call this,
    and process 0 gets the tensors.

    Raises:
        TrainingDiverged: if a weight or an average is NaN or infinite; such a state is not worth keeping.

    >>> from minibert.training.data import _tiny
    >>> model = torch.nn.Linear(2, 2)
    >>> checkpoint = capture(model, torch.optim.SGD(model.parameters()), _tiny(), {}, {"step": 7})
    >>> checkpoint.step, sorted(checkpoint.tensors)
    (7, ['generator.torch', 'model.bias', 'model.weight'])
    """
    tensors = {f"model.{name}": tensor for name, tensor in _own_tensors(model).items()}
    numbers: dict[str, dict] = {}
    for index, entries in optimizer.state_dict()["state"].items():
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
            else:
                numbers.setdefault(str(index), {})[key] = value
    device = _device(model)
    for kind, generator_state in _generators(device).items():
        for number, of_process in enumerate(from_every_process(generator_state)):
            tensors[_generator_name(kind, number)] = of_process
    copies, broken = {}, []
    for name, tensor in whole_tensors(tensors):
        if tensor.is_floating_point() and not tensor.isfinite().all():
            broken.append(name)
        if rank() == 0:
            copies[name] = tensor.cpu().contiguous().clone()
    if broken:
        raise TrainingDiverged(
            f"{len(broken)} tensors hold NaN or infinity, the first is {broken[0]}; nothing was saved"
        )
    state = {
        "settings": _as_json(settings),
        "counters": counters,
        "data": data.state_dict(),
        "optimizer": numbers,
        "computer": _computer(device),
    }
    return Checkpoint(counters["step"], copies, state)


def resume(
    folder: str | Path, model, optimizer, data: PretrainingData, settings: dict, start: Checkpoint | None = None
) -> dict:
    """Go on from the newest whole checkpoint in `folder`, or begin the data anew; return the run's counters.

    A run that begins with `start`, the end of another one, has its weights and the optimiser's averages.

    Raises:
        ValueError: as `load_newest_checkpoint` and `restore`, or if the processes do not find the same checkpoint.

    >>> from minibert.training.data import _tiny
    >>> model = torch.nn.Linear(2, 2)
    >>> resume("no such folder", model, torch.optim.SGD(model.parameters()), _tiny(), {})["step"]
    0
    """
    checkpoint = load_newest_checkpoint(folder)
    check_same("the newest checkpoint", checkpoint and checkpoint.step)
    if checkpoint is not None:
        return restore(checkpoint, model, optimizer, data, settings)
    if start is not None:
        put_weights(model, weights_of(start))
        put_averages(optimizer, start)
    data.restart()
    return {"step": 0, "tokens": 0, "sums": {}, "since": 0}  # sums: of the losses since the last log line


def restore(checkpoint: Checkpoint, model, optimizer, data: PretrainingData, settings: dict) -> dict:
    """Put a state back into the model, the optimiser, the data and the generators, and return its counters.

    Raises:
        ValueError: if the run was saved with other settings, documents or tokenizer (the message names them), or the
            model has other tensors.

    >>> from minibert.training.data import _tiny
    >>> model = torch.nn.Linear(2, 2)
    >>> optimizer = torch.optim.SGD(model.parameters())
    >>> checkpoint = capture(model, optimizer, _tiny(), {"recipe.steps": 9}, {"step": 7})
    >>> restore(checkpoint, model, optimizer, _tiny(), {"recipe.steps": 9})
    {'step': 7}
    >>> restore(checkpoint, model, optimizer, _tiny(), {"recipe.steps": 8})
    Traceback (most recent call last):
    ...
    ValueError: this run was saved with other settings: recipe.steps was 9 and is now 8; ...
    """
    _compare(checkpoint.state["settings"], _as_json(settings))
    put_weights(model, weights_of(checkpoint))
    put_averages(optimizer, checkpoint)
    data.load_state_dict(checkpoint.state["data"])
    device = _device(model)
    generators = {kind: checkpoint.tensors.get(_generator_name(kind, rank())) for kind in ("torch", "cuda")}
    if generators["torch"] is not None:  # else this is one process more than before, with draws of its own
        torch.set_rng_state(generators["torch"])
    if device.type == "cuda" and generators["cuda"] is not None:
        torch.cuda.set_rng_state(generators["cuda"], device)
    if checkpoint.state["computer"] != _computer(device):
        warnings.warn(
            f"resuming on {_computer(device)} what began on {checkpoint.state['computer']}: the run continues, but its "
            "last digits may differ from an uninterrupted one (and its dropout, if the number of processes does)",
            stacklevel=4,
        )
    return checkpoint.state["counters"]


def put_averages(optimizer, checkpoint: Checkpoint) -> None:
    """Put the optimiser's averages of a checkpoint into `optimizer`, which must be for the same parameters.

    >>> model = torch.nn.Linear(2, 2)
    >>> put_averages(torch.optim.SGD(model.parameters()), Checkpoint(3, {}, {"optimizer": {}}))
    """
    entries: dict[int, dict] = {int(i): dict(numbers) for i, numbers in checkpoint.state["optimizer"].items()}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for name, tensor in checkpoint.tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            entries.setdefault(int(index), {})[key] = sliced_like(tensor, parameters[int(index)])
    optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})


def weights_of(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The model's tensors in a checkpoint, under their own names, a tied matrix once.

    >>> weights_of(Checkpoint(1, {"model.w": torch.ones(1), "generator.torch": torch.ones(1)}, {}))
    {'w': tensor([1.])}
    """
    return {n.removeprefix("model."): t for n, t in checkpoint.tensors.items() if n.startswith("model.")}


def put_weights(model, saved: dict[str, Tensor]) -> None:
    """Copy the tensors of a checkpoint into `model`.

    Raises:
        ValueError: if the model has other tensors.

    >>> put_weights(torch.nn.Linear(1, 1, bias=False), {"bias": torch.ones(1)})
    Traceback (most recent call last):
    ...
    ValueError: bias is absent in the model and (1,) in the checkpoint; use the same model
    """
    own = _own_tensors(model)
    for name in sorted(own.keys() | saved.keys()):
        mine, theirs = (tuple(t[name].shape) if name in t else "absent" for t in (own, saved))
        if mine != theirs:
            raise ValueError(f"{name} is {mine} in the model and {theirs} in the checkpoint; use the same model")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(sliced_like(saved[name], tensor))


def settings_of(model, data: PretrainingData, recipe: Recipe) -> dict:
    """Return what a run was made with, as one flat dict; to resume it, all but the three `*_every` must be equal.

    >>> from minibert.training.data import _tiny
    >>> settings = settings_of(torch.nn.Linear(2, 2), _tiny(), Recipe(steps=9))
    >>> settings["recipe.steps"], settings["data.max_len"], settings["model.class"]
    (9, 5, 'Linear')
    """
    parts = {"recipe": dataclasses.asdict(recipe), "data": data.describe(), "model": {"class": type(model).__name__}}
    if hasattr(model, "config"):
        parts["model"] |= dataclasses.asdict(model.config)
    return {f"{part}.{name}": value for part, fields in parts.items() for name, value in fields.items()}


def _compare(saved: dict, now: dict) -> None:
    names = sorted((saved.keys() | now.keys()) - FREE)
    changed = {name for name in names if saved.get(name, "absent") != now.get(name, "absent")}
    differences = [
        f"{name} was {saved.get(name, 'absent')!r} and is now {now.get(name, 'absent')!r}"
        for name in names
        if name in changed and name != FINGERPRINT
    ]
    if FINGERPRINT in changed and not changed & {"data.seed", "data.pairs"}:  # these two change it by themselves
        differences.append("the documents (the corpus) or the tokenizer have changed: the token ids are different")
    if differences:
        raise ValueError(
            f"this run was saved with other settings: {'; '.join(differences)}; resume with what it began with, or "
            "give the new run a folder of its own"
        )


def _own_tensors(model) -> dict[str, Tensor]:
    """Return parameters and buffers by name, a tied matrix once, under its first name."""
    own: dict[str, Tensor] = {}
    seen = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            own[name] = tensor
    return own


def _device(model) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def _generators(device: torch.device) -> dict[str, Tensor]:
    """Return the states of torch's global generators, which dropout draws from."""
    states = {"torch": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def _generator_name(kind: str, process: int) -> str:
    return f"generator.{kind}" + (f".{process}" if process else "")


def _computer(device: torch.device) -> str:
    """Return what else decides the last digits: torch's version, the device and the number of threads."""
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    processes = f", {world_size()} processes" if world_size() > 1 else ""
    return f"torch {torch.__version__}, {device.type}, {where}{processes}"


def _as_json(settings: dict) -> dict:
    """Return the settings as JSON gives them back: tuples become lists."""
    return json.loads(json.dumps(settings))
