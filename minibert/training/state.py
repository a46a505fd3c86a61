"""All that a training run is made of, taken apart into tensors and JSON, and put back."""

import dataclasses
import json
import warnings

import torch
from torch import Tensor

from minibert.training.checkpoint import Checkpoint
from minibert.training.data import PretrainingData
from minibert.training.distributed import from_every_process, rank, sliced_like, whole, world_size
from minibert.training.recipe import Recipe
from minibert.training.update import TrainingDiverged

FREE = {"recipe.log_every", "recipe.validate_every", "recipe.checkpoint_every"}  # may change: they touch no weight
FINGERPRINT = "data.tokens_sha256"


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
    for name, tensor in tensors.items():
        tensor = whole(tensor.detach())  # one by one: a model that is sliced over several GPUs may not fit one
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
    own = _own_tensors(model)
    saved = {n.removeprefix("model."): t for n, t in checkpoint.tensors.items() if n.startswith("model.")}
    for name in sorted(own.keys() | saved.keys()):
        mine, theirs = (tuple(t[name].shape) if name in t else "absent" for t in (own, saved))
        if mine != theirs:
            raise ValueError(
                f"{name} is {mine} in the model and {theirs} in the checkpoint; resume with the same model"
            )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(sliced_like(saved[name], tensor))

    entries: dict[int, dict] = {int(i): dict(numbers) for i, numbers in checkpoint.state["optimizer"].items()}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for name, tensor in checkpoint.tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            entries.setdefault(int(index), {})[key] = sliced_like(tensor, parameters[int(index)])
    optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})

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
            stacklevel=3,
        )
    return checkpoint.state["counters"]


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
        differences.append("the documents (the corpus) or the tokenizer are others, they give other token ids")
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
