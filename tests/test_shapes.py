"""What docstrings claim is true: shapes are run and compared, examples exist, sources are named."""

import dataclasses
import importlib
import inspect
import pkgutil
import re

import pytest
import torch
from oracles import small_config

import minibert
import minibert.model
from minibert import corpora, experiments, one_page, speedrun
from minibert.model import (
    Encoder,
    MaskedLanguageModel,
    Output,
    PretrainingModel,
    SequenceClassifier,
    SpanReader,
    TokenClassifier,
)
from minibert.model.attention import Attention, PackedContext
from minibert.model.base import EncoderWithHead, PackedModel
from minibert.model.block import Block
from minibert.model.embeddings import Embeddings
from minibert.model.encoder import Pooler
from minibert.model.feed_forward import FeedForward, GatedFeedForward
from minibert.model.heads import DenseGelu, PredictionHead, SequenceHead, TokenHead, TwoLayerHead
from minibert.model.linear import Linear
from minibert.model.norms import LayerNorm, RMSNorm
from minibert.site.build import build as build_site

CONFIG = small_config("eurobert")  # H = 4 query heads share G = 2 key heads
BERT = small_config("bert")
SIZES = dict(B=2, N=5, D=24, H=4, F=40, V=31, L=2, labels=3, T=3)
BORDERS = torch.tensor([0, 3, 5], dtype=torch.int32)  # two texts of three and two tokens
POSITIONS = torch.tensor([0, 1, 2, 0, 1])
CONTEXT = PackedContext(BORDERS, 3, POSITIONS)
IDS = torch.tensor([4, 5, 6, 7, 8])
X = torch.ones(5, 24)

MODULES = [
    # class, what its docstring claims, the module, the arguments of its forward
    (LayerNorm, "(N, D) -> (N, D)", lambda: LayerNorm(24, 1e-5, True), (X,)),
    (RMSNorm, "(N, D) -> (N, D)", lambda: RMSNorm(24, 1e-5), (X,)),
    (
        Embeddings,
        "ids, positions, segment_ids (N,) int64 -> (N, D)",
        lambda: Embeddings(BERT),
        (IDS, POSITIONS, IDS % 2),
    ),
    (Attention, "x (N, D) -> output (N, D)", lambda: Attention(CONFIG, 0), (X, CONTEXT)),
    (FeedForward, "(N, D) -> (N, D)", lambda: FeedForward(BERT), (X,)),
    (GatedFeedForward, "(N, D) -> (N, D)", lambda: GatedFeedForward(CONFIG), (X,)),
    (Block, "x (N, D) -> x (N, D)", lambda: Block(CONFIG, 0), (X, CONTEXT)),
    (Pooler, "hidden (N, D), cu_seqlens (B + 1,) -> (B, D)", lambda: Pooler(BERT), (X, BORDERS)),
    (PredictionHead, "(N, D) -> (N, D)", lambda: PredictionHead(BERT), (X,)),
    (
        TwoLayerHead,
        "(N, D) -> (N, D)",
        lambda: TwoLayerHead(CONFIG.replace(mlm_head="two_layer", mlm_head_size=7)),
        (X,),
    ),
    (Linear, "(N, D) -> (N, F)", lambda: Linear(SIZES["D"], SIZES["F"]), (X,)),
    (DenseGelu, "(N, D) -> (N, D)", lambda: DenseGelu(CONFIG), (X,)),
    (
        SequenceHead,
        "hidden (N, D), pooled (B, D) or None, cu_seqlens (B + 1,) -> logits (B, labels)",
        lambda: SequenceHead(CONFIG, 3),
        (X, None, BORDERS),
    ),
    (TokenHead, "(N, D) -> (N, labels)", lambda: TokenHead(CONFIG, 3, 0.0), (X,)),
]
MODELS = [
    # class, its docstring's claims of the padded and the packed call, options
    (MaskedLanguageModel, {"logits": ("(B, T, V)", "(N, V)")}, {}),
    (PretrainingModel, {"logits": ("(B, T, V)", None), "nsp_logits": ("(B, 2)", "(B, 2)")}, {}),
    (SequenceClassifier, {"logits": ("(B, labels)", "(B, labels)")}, {"labels": 3}),
    (TokenClassifier, {"logits": ("(B, T, labels)", "(N, labels)")}, {"labels": 3}),
    (SpanReader, {"logits": ("(B, T, 2)", "(N, 2)")}, {}),
    (Encoder, {}, {}),
]


def sizes(claim: str) -> tuple[int, ...]:
    """The numbers behind "(B, T, V)"."""
    letters = claim.strip("()").replace(" ", "").split(",")
    return tuple(int(letter) if letter.isdigit() else SIZES[letter] for letter in letters if letter)


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("module_class", "claim", "make", "arguments"), MODULES, ids=lambda x: getattr(x, "__name__", "")
)
def test_a_module_returns_the_shape_it_claims(module_class, claim, make, arguments):
    docstring = one_line(inspect.getdoc(module_class))
    assert f"Shape: {claim}" in docstring, f"{module_class.__name__}: the docstring does not say 'Shape: {claim}'"
    given, _, returned = claim.partition("->")
    tensors = [x for x in arguments if isinstance(x, torch.Tensor)]
    if tensors[0].dim() == 2:
        assert tensors[0].shape == sizes(re.search(r"\(.*?\)", given)[0])
    output = make()(*arguments)
    output = output[0] if isinstance(output, tuple) else output
    assert output.shape == sizes(re.search(r"\(.*?\)", returned)[0])


@pytest.mark.parametrize(("model_class", "claims", "options"), MODELS, ids=lambda x: getattr(x, "__name__", ""))
def test_a_model_returns_the_shapes_it_claims(model_class, claims, options):
    docstring = one_line(inspect.getdoc(model_class))
    config = BERT
    model = model_class(config, **options).eval()
    ids, mask = torch.tensor([[4, 5, 6], [7, 8, 0]]), torch.tensor([[1, 1, 1], [1, 1, 0]])
    padded = model(ids, mask, output_attentions=True, output_hidden_states=True)
    packed = model.packed(IDS, BORDERS, output_attentions=True, output_hidden_states=True)
    for name, (padded_claim, packed_claim) in claims.items():
        assert padded_claim in docstring
        assert getattr(padded, name).shape == sizes(padded_claim)
        if packed_claim:
            assert packed_claim in docstring or packed_claim in one_line(inspect.getdoc(Output))
            assert getattr(packed, name).shape == sizes(packed_claim)
    # what Output says of all models
    output_docstring = one_line(inspect.getdoc(Output))
    for text in ("hidden: (B, T, D)", "pooled: (B, D)", "L + 1 tensors", "L tensors (B, H, T, T)"):
        assert text in output_docstring
    assert (padded.hidden.shape, packed.hidden.shape) == (sizes("(B, T, D)"), sizes("(N, D)"))
    assert len(padded.hidden_states) == len(packed.hidden_states) == SIZES["L"] + 1
    assert {state.shape for state in padded.hidden_states} == {torch.Size(sizes("(B, T, D)"))}
    assert {state.shape for state in packed.hidden_states} == {torch.Size(sizes("(N, D)"))}
    assert len(padded.attentions) == len(packed.attentions) == SIZES["L"]
    assert {maps.shape for maps in padded.attentions} == {torch.Size(sizes("(B, H, T, T)"))}
    assert [[tuple(m.shape) for m in maps] for maps in packed.attentions] == [[(4, 3, 3), (4, 2, 2)]] * SIZES["L"]
    if padded.pooled is not None:
        assert padded.pooled.shape == packed.pooled.shape == sizes("(B, D)")
    everything = {field.name for field in dataclasses.fields(Output)}
    assert everything == {"hidden", "logits", "pooled", "nsp_logits", "hidden_states", "attentions"}


def modules_of(package) -> list[str]:
    return [info.name for info in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]


def public_of(name: str):
    """The public functions and classes that a module defines itself."""
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if error.name and not error.name.startswith("minibert"):
            pytest.skip(f"{error.name} is not installed")
        raise
    for attribute, value in vars(module).items():
        is_ours = (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == name
        if is_ours and not attribute.startswith("_"):
            yield attribute, value


def test_the_tables_above_leave_no_module_out():
    listed = {row[0] for row in (*MODULES, *MODELS)} | {PackedModel, EncoderWithHead}
    for name in modules_of(minibert.model):
        for attribute, value in public_of(name):
            if inspect.isclass(value) and issubclass(value, torch.nn.Module):
                assert value in listed, f"{attribute}: add it to the table of shapes"


# Rooms with a door: what their __init__ offers is public, the files behind it serve each other. The one page has two.
DOORS = {
    "minibert.one_page": [one_page.encode, one_page.masked_token_loss],
    "minibert.corpora": [getattr(room, name) for room in (corpora, corpora.synthetic) for name in room.__all__],
    "minibert.experiments": [getattr(experiments, name) for name in experiments.__all__],
    "minibert.speedrun": [getattr(speedrun, name) for name in speedrun.__all__],
    "minibert.site": [build_site],
}


def needs_an_example(name: str, value) -> bool:
    """Not so: exceptions, rows of data (what makes them shows them), and what stands behind a room's door."""
    if inspect.isclass(value) and issubclass(value, BaseException | tuple):
        return False
    return all(
        any(value is offered for offered in door) for room, door in DOORS.items() if f"{name}.".startswith(room + ".")
    )


EXERCISE = re.compile(r"\.exercises\.ex_\d+_\d+$")  # its solution is the notebook's, and nobody imports the rest


@pytest.mark.parametrize(
    "name", [name for name in modules_of(minibert) if not (name.endswith("__main__") or EXERCISE.search(name))]
)
def test_every_public_name_is_explained_with_an_example(name):
    lacking = []
    for attribute, value in public_of(name):
        docstring = (vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__) or ""
        if not docstring or docstring.startswith(f"{attribute}("):  # the second is what dataclass writes by itself
            lacking.append(f"{attribute}: no docstring")
        elif ">>>" not in docstring and needs_an_example(name, value):
            lacking.append(f"{attribute}: no example (>>>)")
        if not inspect.isclass(value) or not needs_an_example(name, value):
            continue
        for method, function in vars(value).items():
            plain = function.fget if isinstance(function, property) else getattr(function, "__func__", function)
            overrides = any(method in vars(base) for base in value.__mro__[1:])
            if inspect.isfunction(plain) and not method.startswith("_") and not overrides and method != "forward":
                if plain.__module__ == name and not inspect.getdoc(plain):
                    lacking.append(f"{attribute}.{method}: no docstring")
    assert not lacking, "\n".join(lacking)


@pytest.mark.parametrize("name", [*modules_of(minibert.model), *modules_of(minibert.varlen)])
def test_what_computes_names_its_source(name):
    """Modules of the network, and functions that speak of shapes, say which paper they follow."""
    plumbing = {  # no paper: bookkeeping of the packed form, or assembled from what has its source
        *("PackedModel", "Output", "PackedContext", "Packing", "unpad", "pad", "packed_positions", "choose_backend"),
        *(
            "check_packed",
            "check_attention",
            "check_padded",
            "pick",
            "tiles",
            "seen_by",
            "score",
            "kept",
            "cut",
            "window_mask",
            "window_ends",
            "shares_heads",
            "dense_rows",
            "refuse_wide",
            "refuse_dropout",
            "check_labels",
            "EncoderWithHead",
            "require_tensors",
            "make_norm",
            "make_classification_head",
            "make_prediction_head",
            "first_token",
            "mean_token",
            "Machine",
            "find_machine",
            "find_obstacles",
            "read_request",
            "describe_choice",
            "announce",
            "find_installed",
        ),
    }
    lacking = [attribute for attribute, value in public_of(name) if "Source:" not in (inspect.getdoc(value) or "")]
    assert not set(lacking) - plumbing
