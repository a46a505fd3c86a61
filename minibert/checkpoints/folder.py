"""A model folder, opened and saved: config.json says what the model is, model.safetensors holds its weights.

Opening goes from top to bottom: config.json -> `hf_config` -> an empty model -> `translate`, which fills it from the
tensors. Nothing here runs code from a file, unlike pickle.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor

from minibert.checkpoints import hf_config
from minibert.checkpoints.hf_config import config_from_hf, config_to_hf, labels_from_hf
from minibert.checkpoints.sentence_folder import model_folder, read_recipe, write_recipe
from minibert.checkpoints.translate import (
    FAMILIES,
    NameTable,
    kind_of,
    load_state_dict_from,
    plain_name,
    to_theirs,
)
from minibert.config import EncoderConfig
from minibert.files import read_text, replacing, write_text
from minibert.model.base import PackedModel
from minibert.tokenization.json_write import input_names

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
LABELLED = ("SequenceClassifier", "TokenClassifier")
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
STATES = ("optimizer", "scheduler", "scaler", "rng_state", "training_args")  # files of a trainer, no weights
DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


# ---- opening


def load_model(
    cls: type[PackedModel],
    folder: str | Path,
    *,
    labels: int | None = None,
    new_head: bool = False,
    dtype: torch.dtype = torch.float32,
    generator: torch.Generator | None = None,
) -> PackedModel:
    """Open a folder as a model of class `cls`, in eval mode, on the CPU. No network, no pickle.

    Weights stored in half precision become `dtype`. Heads that `cls` does not have are left out and named in
    `model.unused_weights`; the labels' names, if the folder has some, are in `model.label_names`; how the folder makes
    one vector of a text is in `model.recipe`. An `Encoder` has a pooler if the folder does. For fine-tuning,
    `new_head=True` draws (with `generator`) what the folder lacks of the head and of BERT's pooler, and a classifier
    that was trained for another number of `labels` or another task.

    Raises:
        ValueError: no such folder, a missing, truncated or pickled file, a config our encoder cannot express, a
            missing, unknown, misshapen, integer or non-finite weight, a `dtype` to which weights are not converted.
            The message names it and says what to do.

    >>> import tempfile
    >>> from minibert import EncoderConfig, MaskedLanguageModel, SequenceClassifier
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     MaskedLanguageModel(EncoderConfig.preset("bert-nano")).save_pretrained(folder)
    ...     classifier = load_model(SequenceClassifier, folder, labels=3, new_head=True)
    >>> classifier.labels, classifier.unused_weights[0]
    (3, 'cls.predictions.bias')
    """
    folder, kind = model_folder(folder), kind_of(cls)
    if dtype not in DTYPES:
        names = ", ".join(map(str, DTYPES))
        raise ValueError(f"dtype={dtype!r}: expected {names}; weights are floating-point numbers")
    raw = _read_config(folder)
    config = config_from_hf(raw, _read_tokenizer(folder))
    table = FAMILIES[raw["model_type"]]
    foreign = _is_foreign(raw, table, kind)
    stated, names = labels_from_hf(raw)
    if labels is not None and kind not in LABELLED:
        raise ValueError(f"labels={labels}: {kind} has no labels; {' and '.join(LABELLED)} do")
    labels = (stated or 2) if labels is None else labels
    with open_weights(folder) as stored:
        options = {"labels": labels} if kind in LABELLED else {}
        if kind == "Encoder":
            has_pooler = any(plain_name(name, table) == "pooler.dense.weight" for name in stored)
            options = {"pooler": has_pooler or (new_head and config.pool == "bert")}
        with torch.device("meta"):
            model = cls(config, **options)
        load_state_dict_from(
            model,
            stored,
            table=table,
            new_head=new_head,
            foreign_head=foreign,
            dtype=dtype,
            generator=generator,
        )
    model.model_type = raw["model_type"]
    model.recipe = read_recipe(folder, config.max_len, config.hidden, open_weights)
    model.label_names = names if names is not None and len(names) == labels and not foreign else None
    return model.eval()


def load_config(folder: str | Path) -> EncoderConfig:
    """The config of a saved model, without its weights.

    Raises:
        ValueError: no such folder, or a config our encoder cannot express; the message names it.

    >>> import tempfile
    >>> from minibert import Encoder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Encoder(EncoderConfig.preset("bert-nano")).save_pretrained(folder)
    ...     load_config(folder).layers
    4
    """
    folder = model_folder(folder)
    return config_from_hf(_read_config(folder), _read_tokenizer(folder))


def _read_config(folder: Path) -> dict:
    if not folder.exists():
        raise ValueError(
            f"{folder}: no such folder. minibert does not use the network: download the model, then pass the folder "
            f"that holds its {CONFIG} and {WEIGHTS}"
        )
    if not folder.is_dir():
        raise ValueError(f"{folder}: is a file; pass the folder that holds {CONFIG} and {WEIGHTS}")
    if not (folder / CONFIG).is_file():
        inside = [file.parent for pattern in ("*/", "snapshots/*/") for file in folder.glob(pattern + CONFIG)]
        advice = f"; {inside[0]} has one: pass that folder" if inside else ""
        raise ValueError(f"{folder}: no {CONFIG} in it, so nothing says what the weights mean{advice}")
    return read_json(folder / CONFIG)


def _read_tokenizer(folder: Path) -> dict | None:
    file = folder / "tokenizer.json"
    return read_json(file) if file.is_file() else None


def _is_foreign(raw: dict, table: NameTable, kind: str) -> bool:
    """Whether the folder's classifier was trained for another task than this class does."""
    stated = raw.get("architectures")
    stated = {name for name in stated if isinstance(name, str)} if isinstance(stated, list) else set()
    return bool(stated & set(table.architectures.values())) and table.architectures.get(kind) not in stated


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
        content = json.loads(read_text(file))
    except FileNotFoundError:
        raise ValueError(f"{file}: not found") from None
    except ValueError as error:
        raise ValueError(f"{file}: damaged, not JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file}: holds {type(content).__name__}, expected a JSON object")
    return content


# ---- tensors


class TensorFiles(Mapping):
    """The tensors of one or several safetensors files, read when asked for; a context manager that closes them.

    `where` maps each name to its file, or None to a file all of whose tensors count. A tensor that two names share may
    be stored once; the file's metadata then says what stands for the other name.

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
                if file.read_bytes()[:20] == b"version https://git-":
                    raise ValueError(
                        f"{file}: a pointer of Git LFS, not the weights; `git lfs pull` in its folder fetches them"
                    ) from None
                raise ValueError(f"{file}: truncated, or no safetensors file ({error}); fetch it again") from error
        inside = {name: file for file, handle in self._handles.items() for name in handle.keys()}
        self._where = {name: (file, name) for name, file in inside.items()}
        for file, handle in self._handles.items():
            for name, kept in (handle.metadata() or {}).items():
                if inside.get(kept) == file:
                    self._where.setdefault(name, (file, kept))
        reachable = {name: file for name, (file, _) in self._where.items()}
        stated = inside if None in where else where
        odd = sorted((set(stated.items()) - set(reachable.items())) | (set(inside.items()) - set(stated.items())))
        if odd:
            raise ValueError(f"the index and its files disagree about {odd[0][0]} ({odd[0][1].name}); fetch them again")

    def __getitem__(self, name: str) -> Tensor:
        file, kept = self._where[name]
        try:
            return self._handles[file].get_tensor(kept)
        except safetensors.SafetensorError as error:
            raise ValueError(f"{file}: cannot read {kept} ({error})") from error

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
    raise ValueError(f"{folder}: no {WEIGHTS} in it (and no {INDEX}){_what_lies_there_instead(folder)}")


def _what_lies_there_instead(folder: Path) -> str:
    names = sorted(file.name for file in folder.glob("*") if file.is_file())
    pickles = [name for name in names if name.endswith(PICKLES) and not name.startswith(STATES)]
    if pickles:  # the command opens it safely, too: weights_only=True runs no code of the file
        first = pickles[0]
        files = f"sorted(glob.glob('{first[: first.index('-')]}-*'))" if "-of-" in first else repr([first])
        return (
            f", only {first}. That is a pickle, which can run any code when it is opened, so it is never read here. "
            f'To convert it, run this in that folder: python -c "import glob, torch, safetensors.torch; '
            f"tensors = {{name: tensor.clone() for file in {files} for name, tensor in torch.load(file, "
            "map_location='cpu', weights_only=True).items()}; "
            f"safetensors.torch.save_file(tensors, '{WEIGHTS}', {{'format': 'pt'}})\""
        )
    if "adapter_config.json" in names:
        return ": it is an adapter; merge it into its base model (peft's merge_and_unload) and save that model"
    other = [name for name in names if name.endswith((".safetensors", ".h5", ".msgpack", ".onnx", ".gguf"))]
    if not other:
        return ""
    if other[0].endswith(".safetensors"):
        return f", but {other[0]}; if that is the whole model, rename it to {WEIGHTS}"
    return f", only {other[0]}, which is of another framework; fetch the model's {WEIGHTS}"


def _read_index(folder: Path) -> dict[str, Path]:
    where = read_json(folder / INDEX).get("weight_map")
    if not isinstance(where, dict) or not where or not all(isinstance(file, str) for file in where.values()):
        raise ValueError(f"{folder / INDEX}: no weight_map of names to files")
    for name, file in where.items():
        if "/" in file or "\\" in file or ":" in file or not file.endswith(".safetensors"):
            raise ValueError(f"{folder / INDEX}: {name} lies in {file!r}; expected a .safetensors file of this folder")
    return {name: folder / file for name, file in where.items()}


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


# ---- saving


def save_model(model: PackedModel, folder: str | Path, tokenizer=None) -> None:
    """Write `model` (and `tokenizer`, if given) to a folder that `load_model` and `transformers` open.

    A tokenizer_config.json in the folder that does not say how long a text may be, and whether the model reads segment
    ids, is completed. A model that was opened from a folder with the files of sentence-transformers (`model.recipe`)
    writes them again.

    A config that no published family can express is saved in a form of our own, which only minibert opens. The new
    files are completed beside the old ones and then put in their place, so an interrupted save leaves the old model;
    only when the config changes too is there an instant between two renames.

    Raises:
        ValueError: `folder` is a file, the model is on the meta device, its weights hold NaN or infinity or are
            whole numbers (see `quantize`), or its `label_names` are not one different name for each label.

    >>> import tempfile
    >>> from minibert import Encoder, EncoderConfig
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(Encoder(EncoderConfig.preset("bert-nano")), folder)
    ...     load_model(Encoder, folder).config.hidden
    128
    """
    folder, model = Path(folder), getattr(model, "_orig_mod", model)  # what torch.compile wraps
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file; a model is saved to a folder")
    if tokenizer is not None and tokenizer.vocab_size > model.config.vocab_size:
        raise ValueError(
            f"the tokenizer has {tokenizer.vocab_size} tokens, the model only vocab_size={model.config.vocab_size}: "
            "save the tokenizer that the model was trained with"
        )
    for name, parameter in model.named_parameters():
        if parameter.is_meta or not torch.isfinite(parameter).all():
            state = "is on the meta device (no values)" if parameter.is_meta else "holds NaN or infinity"
            raise ValueError(f"{name} {state}: not saved, such a folder could not be opened again")
    if any(not tensor.is_floating_point() or tensor.is_mkldnn for tensor in model.state_dict().values()):
        raise ValueError(
            "this model holds integer or packed weights: save the float32 model it was converted from, and convert it "
            "again after opening (quantize, bf16_inside)"
        )
    raw = describe(model)
    tensors = to_theirs(model, FAMILIES[raw["model_type"]])
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(raw, indent=2, sort_keys=True) + "\n"
    with _as_before_on_error(folder / CONFIG) as old_text, replacing(folder / WEIGHTS) as staged:
        save_file(tensors, staged, metadata={"format": "pt"})
        if text.encode("utf-8") != old_text:  # rarely; else the weights' own replacement is all that happens
            write_text(folder / CONFIG, text)
    _remove_shards(folder)
    recipe = getattr(model, "recipe", None)
    if recipe is not None and recipe.stated:
        write_recipe(recipe, folder, model.config.hidden, save_tensors)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    _complete_tokenizer_config(folder, model.config)


def describe(model: PackedModel) -> dict:
    """What config.json says about `model`.

    Raises:
        ValueError: its `label_names` are not one different name for each label.

    >>> from minibert import EncoderConfig, TokenClassifier
    >>> describe(TokenClassifier(EncoderConfig.preset("bert-nano"), labels=3))["architectures"]
    ['BertForTokenClassification']
    """
    kind, dtype = kind_of(type(model)), str(next(model.parameters()).dtype).removeprefix("torch.")
    raw, opened_as = config_to_hf(model.config), getattr(model, "model_type", None)
    if opened_as in hf_config.FAMILIES and hf_config.FAMILIES[opened_as] is hf_config.FAMILIES.get(raw["model_type"]):
        raw["model_type"] = opened_as  # XLM-R and CamemBERT keep their names, though RoBERTa's says the same
    raw |= {"architectures": [FAMILIES[raw["model_type"]].architectures[kind]], "dtype": dtype, "torch_dtype": dtype}
    if kind in LABELLED:
        names = _label_names(model)
        raw["id2label"] = {str(i): name for i, name in enumerate(names)}
        raw["label2id"] = {name: i for i, name in enumerate(names)}
    return raw


def _label_names(model: PackedModel) -> tuple[str, ...]:
    names = getattr(model, "label_names", None)
    if names is None:
        return tuple(f"LABEL_{i}" for i in range(model.labels))
    fits = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    if not fits or len(names) != model.labels or len(set(names)) != len(names):
        raise ValueError(
            f"label_names is {names!r}, expected {model.labels} different names, one for each label; set it to None to "
            "number the labels"
        )
    return tuple(names)


@contextmanager
def _as_before_on_error(file: Path) -> Iterator[bytes | None]:
    """Give the file's old content (None without a file); when the block raises, put it back."""
    old = file.read_bytes() if file.is_file() else None
    try:
        yield old
    except BaseException:
        if old is None:
            file.unlink(missing_ok=True)
        elif file.read_bytes() != old:
            file.write_bytes(old)
        raise


def _complete_tokenizer_config(folder: Path, config: EncoderConfig) -> None:
    """Say what only the model knows, where the tokenizer's file does not: the longest text, and segment ids or none.

    Otherwise `transformers` never cuts a text, where learned positions end, and puts a pair into one segment.
    """
    file = folder / "tokenizer_config.json"
    if not file.is_file():
        return
    settings = read_json(file)
    known = {"model_max_length": config.max_len, "model_input_names": input_names(config.segments > 1)}
    if known.keys() - settings.keys():
        write_text(file, json.dumps(known | settings, indent=2, ensure_ascii=False) + "\n")


def _remove_shards(folder: Path) -> None:
    """Remove the shards of an older model that lay here: the whole file has taken their place."""
    index = folder / INDEX
    if index.is_file():
        index.unlink()
        for shard in folder.glob("model-*-of-*.safetensors"):
            shard.unlink()
