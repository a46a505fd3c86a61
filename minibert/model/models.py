"""The models of pre-training: an encoder that names hidden tokens, and BERT's that also judges the next sentence."""

import torch
from torch import Tensor, nn

from minibert.config import EncoderConfig
from minibert.model.base import EncoderWithHead, PackedModel
from minibert.model.check_input import pick
from minibert.model.encoder import Encoder
from minibert.model.heads import make_prediction_head
from minibert.model.outputs import Output


class MaskedLanguageModel(EncoderWithHead):
    """Predict the token behind each position: encoder, prediction head, vocabulary.

    BERT and ModernBERT score the vocabulary with the token table itself (`tie`) plus a bias; EuroBERT has a matrix of
    its own and nothing else.

    Shape: logits (B, T, V) padded, (N, V) packed. See `PackedModel.forward`.

    Raises:
        ValueError: see `PackedModel.forward`.

    Source: Devlin et al. 2019, section 3.1, task 1.

    >>> model = MaskedLanguageModel(EncoderConfig.preset("bert-nano"))
    >>> model(torch.tensor([[2, 4, 3]])).logits.shape
    torch.Size([1, 3, 8000])
    """

    def __init__(self, config: EncoderConfig, generator: torch.Generator | None = None):
        super().__init__(config)
        self.encoder = Encoder(config, pooler=False, draw=False)
        self.add_vocabulary(config)
        self._finish(generator)

    def add_vocabulary(self, config: EncoderConfig) -> None:
        """Give a new model what scores the vocabulary: the head, if the family has one, and the decoder."""
        self.head = make_prediction_head(config)
        self.decoder = nn.Linear(config.hidden, config.vocab_size, bias=config.decoder_bias)
        self.tie_weights()

    def tie_weights(self) -> None:
        """Make the decoder's matrix the token table itself, where the config says so (never for EuroBERT)."""
        if self.config.tie:
            self.decoder.weight = self.encoder.embeddings.token.weight

    def predict(self, hidden: Tensor) -> Tensor:
        """Hidden states (N, D) -> scores for every vocabulary entry (N, V)."""
        return self.decoder(self.head(hidden))

    def answer(self, output: Output, cu_seqlens: Tensor, predict_at: Tensor | None) -> None:
        output.logits = self.predict(pick(output.hidden, predict_at))


class PretrainingModel(MaskedLanguageModel):
    """BERT as it was pre-trained: masked tokens and, from [CLS], whether sentence B follows sentence A.

    Shape: logits (B, T, V), nsp_logits (B, 2), where index 0 means "B follows A".

    Raises:
        ValueError: the config has no next-sentence prediction (`nsp=False`).

    Source: Devlin et al. 2019, section 3.1.

    >>> model = PretrainingModel(EncoderConfig.preset("bert-nano"))
    >>> model(torch.tensor([[2, 4, 3, 7, 3]]), segment_ids=torch.tensor([[0, 0, 0, 1, 1]])).nsp_logits.shape
    torch.Size([1, 2])
    """

    def __init__(self, config: EncoderConfig, generator: torch.Generator | None = None):
        if not config.nsp:
            raise ValueError("this config has nsp=False: use MaskedLanguageModel, or a BERT config")
        PackedModel.__init__(self, config)
        self.encoder = Encoder(config, pooler=True, draw=False)
        self.add_vocabulary(config)
        self.nsp = nn.Linear(config.hidden, 2)
        self._finish(generator)

    def answer(self, output: Output, cu_seqlens: Tensor, predict_at: Tensor | None) -> None:
        super().answer(output, cu_seqlens, predict_at)
        output.nsp_logits = self.nsp(output.pooled)
