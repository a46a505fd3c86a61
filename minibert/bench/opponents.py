"""The opponent, `transformers`, and our model with its weights; nothing is timed before their answers agree."""

import copy
import importlib.util

import torch
from torch import Tensor, nn

from minibert.checkpoints import config_to_hf, load_state_dict_from
from minibert.config import EncoderConfig
from minibert.model import Encoder, MaskedLanguageModel
from minibert.tasks.quantize import bf16_inside

TOLERANCE = 1e-4  # of float32 answers, relative to the largest one
ATTENTIONS = ("sdpa", "eager", "flash_attention_2")


def check_opponents(opponents, device: str, known=ATTENTIONS) -> None:
    """Refuse an opponent that is none of the `known` ones, such as attentions of `transformers`, or cannot run here.

    Raises:
        ValueError: naming it and the reason.

    >>> check_opponents(["sdpa"], "cpu")
    """
    for name in opponents:
        if name not in known:
            raise ValueError(f"opponent {name!r}: expected one of {', '.join(known)}")
        if name not in ATTENTIONS and torch.device(device).type != "cpu":
            raise ValueError(f"opponent {name}: runs on the CPU, not on {device}")
        if name == "flash_attention_2":
            if torch.device(device).type != "cuda":
                raise ValueError(f"opponent {name}: FlashAttention runs on a CUDA device, not on {device}")
            if importlib.util.find_spec("flash_attn") is None:
                raise ValueError(f"opponent {name}: needs the package flash-attn, which is not installed")


def their_encoder(config: EncoderConfig, seed: int = 0, device: str = "cpu") -> nn.Module:
    """`transformers`' encoder of this config with its own random weights, without a pooler, in eval mode.

    >>> type(their_encoder(EncoderConfig.preset("bert-nano"))).__name__
    'BertModel'
    """
    options = {"add_pooling_layer": False} if config.pool == "bert" else {}
    return _draw("AutoModel", config, seed, options, device)


def their_language_model(config: EncoderConfig, seed: int = 0, device: str = "cpu") -> nn.Module:
    """`transformers`' masked language model of this config with its own random weights, in eval mode.

    >>> type(their_language_model(EncoderConfig.preset("eurobert-nano"))).__name__
    'EuroBertForMaskedLM'
    """
    return _draw("AutoModelForMaskedLM", config, seed, {}, device)


def _draw(auto_class: str, config: EncoderConfig, seed: int, options: dict, device: str) -> nn.Module:
    import transformers  # here, so that the benches without an opponent work without it
    from transformers.initialization import no_init_weights

    raw = config_to_hf(config)
    raw.pop("minibert", None)
    family = raw.pop("model_type")
    if family == "minibert":
        raise ValueError("transformers has no model of this config: bench one of the published families")
    with no_init_weights():  # their way of drawing takes half a minute, and the weights need only be random
        model = getattr(transformers, auto_class).from_config(
            transformers.AutoConfig.for_model(family, **raw), attn_implementation="sdpa", **options
        )
    model.tie_weights()  # part of the drawing that was left out
    return draw_weights(model.float().to(device), seed).eval()


@torch.no_grad()
def draw_weights(model: nn.Module, seed: int = 0) -> nn.Module:
    """Fill a model with random weights in place, gains around 1, all else around 0, and return it.

    >>> norm = draw_weights(nn.LayerNorm(3))
    >>> 0.5 < norm.weight.mean() < 1.5, -0.5 < norm.bias.mean() < 0.5
    (tensor(True), tensor(True))
    """
    generator = torch.Generator(next(model.parameters()).device).manual_seed(seed)
    for name, parameter in model.named_parameters():
        is_gain = parameter.dim() == 1 and name.endswith("weight")
        parameter.normal_(float(is_gain), 0.02, generator=generator)
    return model


def with_attention(model: nn.Module, name: str) -> nn.Module:
    """A second model of `transformers` on the same weights, whose attention is "sdpa", "eager" or "flash_attention_2".

    To switch one model to and fro would cost time within the measurement.

    >>> model = their_encoder(EncoderConfig.preset("bert-nano"))
    >>> twin = with_attention(model, "eager")
    >>> twin.config._attn_implementation, model.config._attn_implementation
    ('eager', 'sdpa')
    >>> all(ours is theirs for ours, theirs in zip(twin.parameters(), model.parameters(), strict=True))
    True
    """
    twin = with_same_weights(model)
    twin.set_attn_implementation(name)
    return twin


def with_same_weights(model: nn.Module) -> nn.Module:
    """A second model with settings of its own, whose weights are those of `model` and no copies.

    >>> model = nn.Linear(2, 2)
    >>> with_same_weights(model).weight is model.weight
    True
    """
    weights = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, weights)  # what is in this table counts as copied already


def with_their_weights(ours: nn.Module, theirs: nn.Module) -> nn.Module:
    """Fill our model with the weights of theirs, through the checkpoint tables, and return it in eval mode.

    >>> config = EncoderConfig.preset("bert-nano")
    >>> ours = with_their_weights(Encoder(config, pooler=False), their_encoder(config))
    >>> ours.training
    False
    """
    return load_state_dict_from(ours, theirs.state_dict()).eval()


def our_encoder(config: EncoderConfig, seed: int = 0, device: str = "cpu") -> Encoder:
    """Our encoder with random weights of its own, without a pooler, in eval mode.

    >>> our_encoder(EncoderConfig.preset("bert-nano")).pooler is None
    True
    """
    with torch.device("meta"):
        model = Encoder(config, pooler=False)
    return draw_weights(model.to_empty(device=device), seed).eval()


def our_language_model(config: EncoderConfig, seed: int = 0, device: str = "cpu") -> MaskedLanguageModel:
    """Our masked language model with random weights of its own.

    >>> our_language_model(EncoderConfig.preset("bert-nano")).config.layers
    4
    """
    with torch.device("meta"):
        model = MaskedLanguageModel(config)
    model = model.to_empty(device=device)
    model.tie_weights()  # to_empty gave the two names memory of their own
    return draw_weights(model, seed)


def our_forward(model: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
    """Last hidden states (B, T, D) of our encoder.

    >>> our_forward(our_encoder(EncoderConfig.preset("bert-nano")), *torch.ones(2, 1, 3, dtype=torch.long)).shape
    torch.Size([1, 3, 128])
    """
    return model(ids, mask).hidden


def their_forward(model: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
    """Last hidden states (B, T, D) of `transformers`' encoder.

    >>> their_forward(their_encoder(EncoderConfig.preset("bert-nano")), *torch.ones(2, 1, 3, dtype=torch.long)).shape
    torch.Size([1, 3, 128])
    """
    return model(input_ids=ids, attention_mask=mask).last_hidden_state


def in_bf16(ours: Encoder, device: str = "cpu") -> nn.Module:
    """Our encoder in bfloat16 as it is used: on a CPU inside the products, elsewhere everywhere.

    >>> in_bf16(our_encoder(EncoderConfig.preset("bert-nano"))).embeddings.token.weight.dtype
    torch.float32
    """
    return bf16_inside(ours) if torch.device(device).type == "cpu" else copy.deepcopy(ours).to(torch.bfloat16)


def error(found: Tensor, expected: Tensor) -> dict:
    """The largest and the root-mean-square difference of two answers, in units of the answers.

    >>> error(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 1.0]))["max"]
    1.0
    """
    difference = (found.double() - expected.double()).abs()
    return {"max": float(difference.max()), "rms": float(difference.square().mean().sqrt())}


def check_agreement(found: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> dict:
    """`error`, refused when the answers are not those of the same model; a fast wrong model would win every race.

    Raises:
        ValueError: a difference above `tolerance`, relative to the largest answer.

    >>> check_agreement(torch.ones(2), torch.ones(2))
    {'max': 0.0, 'rms': 0.0}
    """
    found_error = error(found, expected)
    limit = tolerance * max(1.0, float(expected.abs().max()))
    if not found_error["max"] <= limit:  # `not` also catches NaN
        raise ValueError(
            f"ours and transformers' answers differ by up to {found_error['max']:.1e} (allowed: {limit:.1e}): "
            "not the same model, so nothing was timed"
        )
    return found_error
