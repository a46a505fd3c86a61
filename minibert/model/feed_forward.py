"""The feed-forward half of a block: two linear layers with an activation between them, for each token alone."""

import functools

from torch import Tensor, nn

from minibert.config import EncoderConfig
from minibert.model.linear import Linear


def activation(name: str):
    """The non-linearity by its config name: "gelu" is the exact erf form, "gelu_tanh" Google's later approximation.

    Source: Hendrycks and Gimpel 2016; Ramachandran et al. 2017 (silu).

    >>> import torch
    >>> round(activation("gelu")(torch.tensor(1.0)).item(), 4)
    0.8413
    """
    return {
        "gelu": nn.functional.gelu,
        "gelu_tanh": functools.partial(nn.functional.gelu, approximate="tanh"),
        "silu": nn.functional.silu,
        "relu": nn.functional.relu,
    }[name]


class FeedForward(nn.Module):
    """BERT's feed-forward layer: output(act(input(x))).

    Shape: (N, D) -> (N, D), F wide in between.

    Source: Vaswani et al. 2017, section 3.3, with GELU as in Devlin et al. 2019.

    >>> import torch
    >>> FeedForward(EncoderConfig.preset("bert-nano"))(torch.zeros(3, 128)).shape
    torch.Size([3, 128])
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.input = Linear(config.hidden, config.intermediate, bias=config.mlp_bias)
        self.activation = activation(config.act)
        self.dropout = nn.Dropout(config.dropout_mlp_inner)
        self.output = Linear(config.intermediate, config.hidden, bias=config.mlp_bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.dropout(self.activation(self.input(x))))  # (N, F) inside


class GatedFeedForward(nn.Module):
    """GeGLU (ModernBERT) and SwiGLU (EuroBERT): output(act(gate) · up), where gate and up are two projections of x.

    Shape: (N, D) -> (N, D), 2F wide in between. One matrix makes both halves; the first half is the activated one.

    Source: Shazeer 2020, equation 6.

    >>> import torch
    >>> GatedFeedForward(EncoderConfig.preset("modernbert-nano"))(torch.zeros(3, 128)).shape
    torch.Size([3, 128])
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.gate_up = Linear(config.hidden, 2 * config.intermediate, bias=config.mlp_bias)
        self.activation = activation(config.act)
        self.dropout = nn.Dropout(config.dropout_mlp_inner)
        self.output = Linear(config.intermediate, config.hidden, bias=config.mlp_bias)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)  # (N, F) each
        gate = self.activation(gate)
        gated = gate * up if gate.requires_grad else gate.mul_(up)  # in place when no gradient will ask for the factors
        return self.output(self.dropout(gated))
