"""`pretrain --continue-from FOLDER`: other people's weights trained further, on one's own text."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from minibert.commands.run_folder import own_tokenizer
from minibert.config import EncoderConfig
from minibert.files import sha256

LEARNING_RATE = 1e-4  # the peak where none is given: what was learned should not be lost in the first steps


@dataclass(frozen=True)
class ForeignModel:
    """A folder of weights in a format that we read: its config, how many pieces its vocabulary gains, its checksum.

    `rust` says that only the `tokenizers` library runs its tokenizer.

    >>> from minibert.shipped_models import shipped
    >>> ForeignModel(shipped("bert-nano"), EncoderConfig.preset("bert-nano"), 0, "5ec8").facts()
    {'continue_from_sha256': '5ec8', 'extend_vocab': 0}
    """

    folder: Path
    config: EncoderConfig
    more: int
    sha256: str
    rust: bool = False

    def facts(self) -> dict:
        """What run.json remembers."""
        return {"continue_from_sha256": self.sha256, "extend_vocab": self.more}

    def tokenizer(self, out: Path, corpus, size: int | None):
        """The folder's tokenizer with `more` pieces that are learned from a sample of the corpus, kept in `out`.

        Raises:
            ValueError: no tokenizer in the folder, or one that cannot be extended.
        """
        from minibert import load_tokenizer
        from minibert.tokenization.extend import extend

        def make():
            tok = load_tokenizer(self.folder, rust=self.rust)
            if not self.more:
                return tok
            return extend(tok, (" ".join(document) for document in corpus.sample()), self.more)

        return own_tokenizer(out, make, self.rust)

    def model(self, config: EncoderConfig, tok, seed: int):
        """The weights in a model that masked tokens, and for BERT next sentences, can be learned with.

        A head that the folder lacks is drawn anew; a vocabulary that has grown gets rows for its new pieces.
        """
        import torch

        from minibert import MaskedLanguageModel, PretrainingModel, load_tokenizer
        from minibert.training.growth import grow_vocabulary

        kind = PretrainingModel if config.nsp else MaskedLanguageModel
        found = kind.from_pretrained(self.folder, new_head=True, generator=torch.Generator().manual_seed(seed))
        model = kind(config.replace(vocab_size=found.config.vocab_size))
        model.load_state_dict(found.state_dict())
        return grow_vocabulary(model, load_tokenizer(self.folder), tok) if self.more else model


def foreign_model(folder: Path, more: int, given: Collection[str] = ()) -> ForeignModel:
    """Read the folder's config; `given` are the options that the user wrote down.

    BERT is trained on sentence pairs, too, where its folder says that it was (BertForPreTraining).

    Raises:
        ValueError: no model folder, a config our encoder cannot express, or an option that the folder decides.

    >>> foreign_model(Path("nowhere"), 0)
    Traceback (most recent call last):
    ...
    ValueError: nowhere: no such folder. ...
    """
    from minibert import load_tokenizer
    from minibert.checkpoints import load_config, read_json, stated_kind

    for name in ("run", "preset", "vocab_size"):
        if name in given:
            option = "--from" if name == "run" else "--" + name.replace("_", "-")
            hint = "; --extend-vocab adds pieces" if name == "vocab_size" else ""
            raise ValueError(f"{option}: with --continue-from the folder decides this; leave it out{hint}")
    config = load_config(folder)
    rust = False
    try:
        load_tokenizer(folder)
    except ValueError:  # of a kind that is not ours: Unigram, for example
        if more:
            raise
        rust = True
        load_tokenizer(folder, rust=True)
    kind = stated_kind(read_json(folder / "config.json"))
    files = sorted(file for pattern in ("*.safetensors", "tokenizer*.json", "vocab*") for file in folder.glob(pattern))
    digest = hashlib.sha256("".join(map(sha256, files)).encode("utf-8")).hexdigest()
    return ForeignModel(folder, config.replace(nsp=kind == "PretrainingModel"), more, digest, rust)
