"""How a folder makes one vector of a text: the files that sentence-transformers keeps beside a model.

`modules.json` lists the steps: the model itself, `1_Pooling`, then any of `2_Normalize` and `2_Dense`.
`sentence_bert_config.json` says where long texts are cut, `config_sentence_transformers.json` which prompt stands
before each text and how vectors are compared. `tasks.sentence_embeddings` computes what is read here.
Source: sentence-transformers 6.2, whose saved files of all versions since 0.2 are understood.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from minibert.files import write_text

MODULES = "modules.json"
LENGTHS = tuple(f"sentence_{kind}_config.json" for kind in ("bert", "roberta", "distilbert", "camembert", "albert"))
PROMPTS = "config_sentence_transformers.json"
POOLING = {  # our word, which is their newer one <- their older key; vectors are joined in this order
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")
ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "SiLU", "Sigmoid")
# Options of the text model that change neither its numbers nor its tokens
HARMLESS = ("torch_dtype", "dtype", "attn_implementation", "trust_remote_code", "device_map", "low_cpu_mem_usage")
HARMLESS += ("cache_dir", "token", "revision", "local_files_only", "use_safetensors", "add_pooling_layer")


@dataclass(frozen=True)
class Dense:
    """A linear layer over the pooled vector, with an activation behind it.

    >>> import torch
    >>> Dense(torch.eye(2), None, "Tanh").residual is None
    True
    """

    weight: Tensor  # (out, in)
    bias: Tensor | None  # (out,)
    activation: str  # one of ACTIVATIONS
    residual: Tensor | str | None = None  # added: "input", or the input through a matrix (out, in)


@dataclass(frozen=True)
class Recipe:
    """From a text to its vector. The defaults are what is done where no file says anything: the mean, at length 1.

    `stated` tells whether a folder's files said so. `problem` says what in them is beyond us: such a folder still opens
    as a model, but makes no vectors.

    >>> Recipe().pooling, Recipe().steps
    (('mean',), ('normalize',))
    """

    pooling: tuple[str, ...] = ("mean",)
    include_prompt: bool = True  # whether the prompt's tokens are pooled, too
    steps: tuple[Dense | str, ...] = ("normalize",)  # after pooling, in order
    max_length: int | None = None  # in tokens, special ones counted
    lowercase: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    similarity: str = "cosine"
    dimensions: int | None = None  # only the first so many numbers are kept
    stated: bool = False
    problem: str = ""


def model_folder(folder: str | Path) -> Path:
    """Where the model of a folder lies: in it, or in the subfolder that `modules.json` names (0_Transformer).

    >>> model_folder("somewhere").name
    'somewhere'
    """
    folder = Path(folder)
    if (folder / "config.json").is_file() or not (folder / MODULES).is_file():
        return folder
    for module in _modules(folder):
        if module["kind"] == "Transformer":
            return folder / module["path"]
    return folder


def read_recipe(folder: str | Path, max_len: int, hidden: int, open_weights: Callable) -> Recipe:
    """The recipe of a folder whose model reads `max_len` tokens at `hidden` numbers each.

    The folder may also be the subfolder that holds the model. What the files ask for and we do not do is named in
    `problem`. `open_weights` (folder -> names and tensors) reads the weights of a dense layer.

    >>> read_recipe("nowhere", 512, 768, dict).max_length
    512
    """
    inner = model_folder(folder)
    outer = next((place for place in (Path(folder), inner.parent) if _is_for(place, inner)), None)
    stated = _object(inner / "tokenizer_config.json").get("model_max_length")
    limit = min(stated, max_len) if isinstance(stated, int | float) and stated >= 1 else max_len
    plain = Recipe(max_length=int(limit))
    if outer is None:
        return plain
    try:
        return _from_modules(outer, inner, plain, hidden, open_weights)
    except ValueError as error:
        return dataclasses.replace(plain, problem=str(error))


def write_recipe(recipe: Recipe, folder: Path, hidden: int, save_tensors: Callable) -> None:
    """Write the files from which `read_recipe`, and sentence-transformers, read this recipe.

    `save_tensors` (tensors, file) writes the weights of a dense layer.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_recipe(Recipe(pooling=("cls",), max_length=128), Path(folder), 384, None)
    ...     again = read_recipe(folder, 512, 384, dict)
    >>> again.pooling, again.max_length
    (('cls',), 128)
    """

    def write(name: str, content) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        write_text(folder / name, json.dumps(content, indent=2) + "\n")

    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    keys = {theirs: ours in recipe.pooling for ours, theirs in POOLING.items()}
    if [mode for mode in POOLING if mode in recipe.pooling] != list(recipe.pooling):
        keys = {"pooling_mode": list(recipe.pooling)}  # an order that the older keys cannot say
    pooling = {"word_embedding_dimension": hidden, **keys, "include_prompt": recipe.include_prompt}
    write("1_Pooling/config.json", pooling)
    for number, step in enumerate(recipe.steps, start=2):
        modules.append((f"{number}_{'Dense' if isinstance(step, Dense) else 'Normalize'}", ""))
        (folder / modules[-1][0]).mkdir(exist_ok=True)
        if isinstance(step, Dense):
            names = {"linear.weight": step.weight, "linear.bias": step.bias, "residual.weight": step.residual}
            tensors = {name: tensor for name, tensor in names.items() if isinstance(tensor, Tensor)}
            save_tensors(tensors, folder / modules[-1][0] / "model.safetensors", metadata={"format": "pt"})
            place = "linear" if step.activation == "Identity" else "activation"
            settings = dict(
                in_features=step.weight.shape[1],
                out_features=step.weight.shape[0],
                bias=step.bias is not None,
                activation_function=f"torch.nn.modules.{place}.{step.activation}",
                **({} if step.residual is None else {"use_residual": True}),
            )
            write(f"{modules[-1][0]}/config.json", settings)
    types = [kind or path.partition("_")[2] for path, kind in modules]
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, ((path, _), kind) in enumerate(zip(modules, types, strict=True))
    ]
    write(MODULES, listed)
    write(LENGTHS[0], {"max_seq_length": recipe.max_length, "do_lower_case": recipe.lowercase})
    further = {} if recipe.dimensions is None else {"truncate_dim": recipe.dimensions}
    prompts = {"prompts": dict(recipe.prompts), "default_prompt_name": recipe.default_prompt}
    write(PROMPTS, {"__version__": {}, **prompts, "similarity_fn_name": recipe.similarity, **further})


# ---- reading


def _is_for(place: Path, inner: Path) -> bool:
    """Whether `place` has a modules.json whose model is the one in `inner`."""
    if not (place / MODULES).is_file():
        return False
    try:
        paths = [place / module["path"] for module in _modules(place) if module["kind"] == "Transformer"]
    except ValueError:
        return place == inner  # damaged: said when the rest is read
    return not paths or inner in paths


def _from_modules(outer: Path, inner: Path, plain: Recipe, hidden: int, open_weights: Callable) -> Recipe:
    modules = _modules(outer)
    if [module["kind"] for module in modules[:2]] != ["Transformer", "Pooling"]:
        raise ValueError(f"{outer / MODULES}: expected Transformer and Pooling first, got {_kinds(modules)}")
    settings = next((found for name in LENGTHS if (found := _object(inner / name))), {})
    _refuse_settings(inner / LENGTHS[0], settings)
    length = settings.get("max_seq_length")
    if length is not None and (type(length) is not int or length < 1):
        raise ValueError(f"{inner / LENGTHS[0]}: max_seq_length={length!r}, expected a whole number of at least 1")
    pooling, include_prompt = _pooling(outer / modules[1]["path"] / "config.json", hidden)
    width, steps = hidden * len(pooling), []
    for module in modules[2:]:
        if module["kind"] == "Normalize":
            steps.append("normalize")
        elif module["kind"] == "Dense":
            steps.append(_dense(outer / module["path"], width, open_weights))
            width = len(steps[-1].weight)
        elif module["kind"] != "Dropout":  # which does nothing outside training
            raise ValueError(f"{outer / MODULES}: a module {module['kind']}; known: Pooling, Dense, Normalize, Dropout")
    return Recipe(
        pooling=pooling,
        include_prompt=include_prompt,
        steps=tuple(steps),
        max_length=length or plain.max_length,
        lowercase=bool(settings.get("do_lower_case", False)),
        stated=True,
        **_prompts(outer / PROMPTS),
    )


def _modules(folder: Path) -> list[dict[str, str]]:
    """The steps of modules.json: kind and path."""
    file = folder / MODULES
    modules = _parsed(file)
    if not isinstance(modules, list) or not modules or not all(isinstance(module, dict) for module in modules):
        raise ValueError(f"{file}: expected a list of modules")
    found = []
    for module in modules:
        full, path = module.get("type"), module.get("path")
        if not isinstance(full, str) or not isinstance(path, str):
            raise ValueError(f"{file}: a module without type or path: {module!r}")
        if not full.startswith("sentence_transformers."):
            raise ValueError(f"{file}: {full} is code of the folder's own, which is never run here")
        if Path(path).is_absolute() or ".." in Path(path).parts:
            raise ValueError(f"{file}: path {path!r} leads out of the folder")
        found.append({"kind": full.rpartition(".")[2], "path": path})
    return found


def _kinds(modules: list[dict[str, str]]) -> str:
    return ", ".join(module["kind"] for module in modules) or "nothing"


def _refuse_settings(file: Path, settings: dict) -> None:
    for key in ("model_args", "tokenizer_args", "config_args", "model_kwargs", "processor_kwargs", "config_kwargs"):
        odd = sorted(set(settings.get(key) or {}) - set(HARMLESS))
        if odd:
            raise ValueError(f"{file}: {key} sets {odd[0]}, which is not supported")
    if settings.get("transformer_task", "feature-extraction") != "feature-extraction":
        raise ValueError(f"{file}: transformer_task={settings['transformer_task']!r}, expected 'feature-extraction'")
    for key in ("query_length", "document_length", "query_expansion", "processing_kwargs"):
        if settings.get(key):
            raise ValueError(f"{file}: {key} is not supported")
    outputs = {part.get("method_output_name") for part in (settings.get("modality_config") or {}).values()}
    if outputs - {"last_hidden_state"} or settings.get("module_output_name", "token_embeddings") != "token_embeddings":
        raise ValueError(f"{file}: expected the last hidden states as token embeddings")


def _pooling(file: Path, hidden: int) -> tuple[tuple[str, ...], bool]:
    if not file.is_file():
        raise ValueError(f"{file}: not found, so nothing says how tokens are pooled")
    settings = _object(file)
    width = settings.get("embedding_dimension", settings.get("word_embedding_dimension"))
    if width != hidden:
        raise ValueError(f"{file}: vectors of {width!r} numbers, but the model has {hidden}")
    modes = settings.get("pooling_mode", [ours for ours, theirs in POOLING.items() if settings.get(theirs)] or "mean")
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    unknown = [mode for mode in modes if mode not in POOLING]
    known = POOLING.values()
    unknown += [key for key in settings if key.startswith("pooling_mode_") and settings[key] and key not in known]
    if unknown:
        raise ValueError(f"{file}: pooling {unknown[0]!r} is not supported; known: {', '.join(POOLING)}")
    return modes, bool(settings.get("include_prompt", True))


def _dense(folder: Path, width: int, open_weights: Callable) -> Dense:
    file, settings = folder / "config.json", _object(folder / "config.json")
    name = settings.get("activation_function", "torch.nn.modules.activation.Tanh")
    activation = name.rpartition(".")[2] if isinstance(name, str) and name.startswith("torch.") else name
    if activation not in ACTIVATIONS:
        raise ValueError(f"{file}: activation_function={name!r} is not supported; known: {', '.join(ACTIVATIONS)}")
    for key in ("module_input_name", "module_output_name"):
        if settings.get(key) not in (None, "sentence_embedding"):
            raise ValueError(f"{file}: {key}={settings[key]!r} is not supported; expected 'sentence_embedding'")
    with open_weights(folder) as stored:
        tensors = {name: stored[name].clone() for name in stored}
    expected = {"linear.weight"} | ({"linear.bias"} if settings.get("bias", True) else set())
    residual = None
    if settings.get("use_residual", False):
        residual = tensors.get("residual.weight", "input")
        expected |= {"residual.weight"} if isinstance(residual, Tensor) else set()
    if set(tensors) != expected:
        raise ValueError(f"{folder}: weights {sorted(tensors)}, expected {sorted(expected)}")
    if tensors["linear.weight"].dim() != 2 or tensors["linear.weight"].shape[1] != width:
        shape = tuple(tensors["linear.weight"].shape)
        raise ValueError(f"{folder}: a matrix of {shape} for vectors of {width} numbers")
    return Dense(tensors["linear.weight"], tensors.get("linear.bias"), activation, residual)


def _prompts(file: Path) -> dict:
    """What config_sentence_transformers.json says, as fields of a Recipe."""
    settings = _object(file)
    prompts = {name: text or "" for name, text in (settings.get("prompts") or {}).items()}
    default, similarity = settings.get("default_prompt_name"), settings.get("similarity_fn_name") or "cosine"
    if default is not None and default not in {"query", "document", *prompts}:
        raise ValueError(f"{file}: default_prompt_name={default!r} is none of the prompts {', '.join(prompts)}")
    if similarity not in SIMILARITIES:
        raise ValueError(f"{file}: similarity_fn_name={similarity!r}, expected one of {', '.join(SIMILARITIES)}")
    kept = settings.get("truncate_dim")
    return dict(prompts=prompts, default_prompt=default, similarity=similarity, dimensions=kept)


def _parsed(file: Path):
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{file}: damaged, not JSON ({error})") from error


def _object(file: Path) -> dict:
    """The object in a JSON file; empty where there is no file."""
    content = _parsed(file) if file.is_file() else {}
    if not isinstance(content, dict):
        raise ValueError(f"{file}: holds {type(content).__name__}, expected a JSON object")
    return content
