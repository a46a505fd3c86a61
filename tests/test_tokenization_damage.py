"""Every single thing that can be missing from a tokenizer.json, or be of a wrong type: refused by name."""

import copy
import json

import pytest

from minibert.tokenization import ByteLevelBPETokenizer, WordPieceTokenizer, load_tokenizer

WORDPIECE = WordPieceTokenizer({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3}).to_json()
GPT2 = ByteLevelBPETokenizer.train(["aa ab"], 264, min_count=1).to_json()
LLAMA3 = ByteLevelBPETokenizer.train(["aa ab"], 264, min_count=1, pattern="llama3", nfc=True).to_json()


def as_bert_processing(data: dict) -> dict:
    """The same template in the other way to write it, and the normaliser inside a Sequence."""
    data = copy.deepcopy(data)
    data["post_processor"] = {"type": "BertProcessing", "cls": ["[CLS]", 1], "sep": ["[SEP]", 2]}
    data["normalizer"] = {"type": "Sequence", "normalizers": [data["normalizer"]]}
    return data


def as_roberta_processing(data: dict) -> dict:
    """RoBERTa's post-processor instead of a template."""
    data = copy.deepcopy(data)
    options = {"trim_offsets": True, "add_prefix_space": False}
    data["post_processor"] = {"type": "RobertaProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3], **options}
    return data


FILES = {  # the file, and the part of it to damage
    "wordpiece": (WORDPIECE, tuple(WORDPIECE)),
    "wordpiece, BertProcessing": (as_bert_processing(WORDPIECE), ("post_processor", "normalizer")),
    "gpt2": (GPT2, tuple(GPT2)),
    "gpt2, RobertaProcessing": (as_roberta_processing(GPT2), ("post_processor",)),
    "llama3": (LLAMA3, ("pre_tokenizer", "normalizer")),
}
OTHER_VALUES = [None, True, -1, 0.5, "x", [], ["x"], {}, {"x": 3}]
UNREAD = {"version", "truncation", "padding"}  # anything may stand here
UNREAD |= {"unk_token", "fuse_unk"}  # in byte-level BPE nothing is unknown
UNREAD |= {"add_prefix_space", "trim_offsets", "use_regex"}  # each means something in one ByteLevel and not in another
UNREAD |= {"id"}  # what a template's special token is called once more


def keys_of(data, path=()):
    """The path of every key and list item, but of long tables and lists only the first three."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    items = list(items)
    for key, value in items[:3] if len(items) > 30 else items:
        yield (*path, key)
        yield from keys_of(value, (*path, key))


@pytest.mark.parametrize("name", FILES)
def test_every_missing_or_wrong_value_is_refused_or_harmless(name, tmp_path):
    """Delete each key, and give each a value of every other type: a working tokenizer or a ValueError, no third."""
    file = tmp_path / "tokenizer.json"
    whole, parts = FILES[name]
    refused, worked = set(), set()
    for path in [path for path in keys_of(whole) if path[0] in parts]:
        for value in ["delete", *OTHER_VALUES]:
            data = json.loads(json.dumps(whole))
            inner = data
            for key in path[:-1]:
                inner = inner[key]
            if value == "delete":
                del inner[path[-1]]
            else:
                inner[path[-1]] = value
            file.write_text(json.dumps(data), encoding="utf-8")
            try:
                tok = load_tokenizer(file)
            except ValueError as error:
                assert str(error).startswith(str(file)), (path, value)
                refused.add(path)
                continue
            worked.add(path)
            found = tok.encode("ab [SEP] a", "a")
            assert tok.encode("ab [SEP] a", add_special_tokens=False).ids == tok.ids("ab [SEP] a"), (path, value)
            assert isinstance(tok.decode(found.ids), str) and tok.to_json(), (path, value)
    assert {path for path in worked - refused if path[-1] not in UNREAD} == set()
    assert len(refused) > len(parts)
