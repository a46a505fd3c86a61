"""Folders: others' are read in full, with the ids that `transformers` gives; ours carry all that it needs."""

import copy
import json
import random
import warnings

import pytest
import torch
import transformers
from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

from minibert import Encoder, EncoderConfig
from minibert.checkpoints import save_model
from minibert.tokenization import ByteLevelBPETokenizer, WordPieceTokenizer, load_tokenizer

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "cafe",
    "café",
    "fox",
    "漢",
    "字",
    "漢字",
    "Hello",
    "hello",
]
RENAMED = {"[PAD]": "<pad>", "[UNK]": "<unk>", "[CLS]": "<s>", "[SEP]": "</s>", "[MASK]": "<mask>"}
ROLES = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
PLAIN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
TEXT = "the Café fox 漢字 Hello foxfox <ent> [MASK]"
GENERIC = {"tokenizer_class": "PreTrainedTokenizerFast"}


def tokenizer_json(words=WORDS, **options) -> dict:
    return WordPieceTokenizer({word: index for index, word in enumerate(words)}, **options).to_json()


@pytest.fixture
def folder(tmp_path):
    """Writes a BERT folder: vocab.txt, config.json, and the named JSON files."""

    def write(words=WORDS, model_type="bert", **files):
        files = {"config": {"model_type": model_type}, **files}
        for name, content in files.items():
            if content is not None:
                (tmp_path / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        if words is not None:
            content = words if isinstance(words, bytes) else ("\n".join(words) + "\n").encode()
            (tmp_path / "vocab.txt").write_bytes(content)
        return tmp_path

    return write


def same_as_transformers(folder, *texts) -> list[str]:
    """Tokens of the texts, after a check that ours, the library's and those of AutoTokenizer are one."""
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    for text in texts:
        for arguments in ((text,), (text, texts[0])):
            expected = theirs(*arguments)["input_ids"]
            for rust in (False, True):
                found = load_tokenizer(folder, rust=rust).encode(*arguments).ids
                assert theirs.convert_ids_to_tokens(found) == theirs.convert_ids_to_tokens(expected), (rust, arguments)
                assert found == expected
    return load_tokenizer(folder).encode(texts[0], add_special_tokens=False).tokens


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({}, ["the", "cafe", "fox"]),
        ({"do_lower_case": False}, ["the", "[UNK]", "fox"]),
        ({"strip_accents": False}, ["the", "café", "fox"]),
        ({"do_lower_case": False, "strip_accents": True}, ["the", "[UNK]", "fox"]),
        ({"strip_accents": None}, ["the", "cafe", "fox"]),
        ({"tokenizer_class": "DistilBertTokenizer", "strip_accents": False}, ["the", "café", "fox"]),
    ],
)
def test_case_and_accents_beside_vocab_txt_are_those_of_the_config(folder, config, tokens):
    assert same_as_transformers(folder(tokenizer_config=config), "the Café fox") == tokens


def test_chinese_words_stay_whole_beside_vocab_txt_if_the_config_says_so(folder):
    assert same_as_transformers(folder(tokenizer_config={"tokenize_chinese_chars": False}), "漢字 fox") == [
        "漢字",
        "fox",
    ]


def test_roles_under_other_names_are_used_beside_vocab_txt(folder):
    roles = {key: RENAMED[token] for key, token in ROLES.items()}
    path = folder([RENAMED.get(word, word) for word in WORDS], tokenizer_config=roles)
    assert same_as_transformers(path, "the fox zzz <mask>") == ["the", "fox", "<unk>", "<mask>"]
    tok = load_tokenizer(path)
    assert (tok.pad_id, tok.unk_id, tok.cls_id, tok.sep_id, tok.mask_id) == (0, 1, 2, 3, 4)
    assert tok.encode("fox").tokens == ["<s>", "fox", "</s>"] and tok.decode(tok.encode("fox").ids) == "fox"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_vocabulary_of_another_editor_is_read(folder, newline):
    text = newline.join(WORDS) + newline * 3
    assert same_as_transformers(folder(text.encode()), TEXT)
    assert load_tokenizer(folder(b"\xef\xbb\xbf" + text.encode())).vocab == {w: i for i, w in enumerate(WORDS)}
    assert same_as_transformers(folder([f"{word} " for word in WORDS]), TEXT)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("\n".join([*WORDS, "fox"]), "line 15: the token 'fox' was there before, in line 9"),
        ("\n".join([*WORDS[:8], "", *WORDS[8:]]), "line 9: the token '' is empty"),
        ("\n".join(WORDS).encode("gb18030"), "UTF-8"),
        ("", "unk_token is '\\[UNK\\]', which the vocabulary does not have"),
    ],
)
def test_a_damaged_vocab_txt_is_refused(folder, content, message):
    path = folder(content if isinstance(content, bytes) else content.encode())
    for rust in (False, True):
        with pytest.raises(ValueError, match=message):
            load_tokenizer(path, rust=rust)


@pytest.mark.parametrize(
    ("with_json", "stated"), [(True, {}), (True, GENERIC), (True, {"tokenizer_class": "BertTokenizer"}), (False, {})]
)
def test_tokens_that_transformers_adds_on_loading_are_single_ids(folder, with_json, stated):
    files = {"tokenizer": tokenizer_json() if with_json else None}
    for config in [
        {"added_tokens_decoder": {"14": {"content": "<ent>"} | PLAIN}},
        {
            "added_tokens_decoder": {
                "8": {"content": "fox"} | PLAIN,
                "4": {"content": "[MASK]"} | PLAIN | {"lstrip": True},
            }
        },
        {"extra_special_tokens": ["fox", "<ent>"]},
        {"additional_special_tokens": ["<ent>"]},
        {"extra_special_tokens": {"entity_token": "<ent>"}},
        {"entity_token": "<ent>"},
        {"mask_token": "fox"},
        {"bos_token": "fox", "eos_token": "hello"},
    ]:
        path = folder(tokenizer_config=config | stated, **files)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            same_as_transformers(path, TEXT, "[MASK] fox <ent>", "a<ent>a")


def test_added_tokens_json_and_special_tokens_map_of_older_folders_are_read(folder):
    path = folder(added_tokens={"<ent>": 14}, special_tokens_map={"mask_token": "fox"}, tokenizer_config={})
    assert same_as_transformers(path, "a <ent> foxfox [MASK]")[1:4] == ["<ent>", "fox", "fox"]
    assert load_tokenizer(path).mask_id == 8


def test_stated_ids_that_cannot_be_are_refused(folder):
    for stated in ("20", "8"):
        path = folder(tokenizer_config={"added_tokens_decoder": {stated: {"content": "<ent>"} | PLAIN}})
        with pytest.raises(
            ValueError, match=f"tokenizer_config.json: added_tokens_decoder: '<ent>' .* id {stated}, but"
        ):
            load_tokenizer(path)


@pytest.mark.parametrize("named", ["BertTokenizer", "BertTokenizerFast", None])
@pytest.mark.parametrize(
    ("options", "config", "message"),
    [
        ({"lowercase": False}, {"do_lower_case": True}, "lowercase is false there, do_lower_case is true here"),
        ({"lowercase": True}, {"do_lower_case": False}, "lowercase is true there, do_lower_case is false here"),
        ({}, {"strip_accents": False}, "strip_accents is true there, strip_accents is false here"),
        ({}, {"tokenize_chinese_chars": False}, "handle_chinese_chars is true there, tokenize_chinese_chars is false"),
        ({"max_chars": 3}, {}, "max_input_chars_per_word is 3 there, 100 here"),
        ({}, {"cls_token": "fox"}, "the template is another one there, fox"),
    ],
)
def test_where_two_files_disagree_bert_follows_the_config_and_the_reader_is_told(
    folder, named, options, config, message
):
    path = folder(
        tokenizer=tokenizer_json(**options), tokenizer_config=config | ({"tokenizer_class": named} if named else {})
    )
    with pytest.warns(UserWarning, match=message) as told:
        tok = load_tokenizer(path)
    assert all("tokenizer.json and tokenizer_config.json disagree" in str(one.message) for one in told)
    assert "tokenizer_config.json wins" in str(told[0].message)
    assert tok.encode(TEXT).ids == transformers.AutoTokenizer.from_pretrained(path)(TEXT)["input_ids"]


@pytest.mark.parametrize(
    ("config", "model_type"), [(GENERIC, "bert"), ({"tokenizer_class": "BertTokenizer"}, "modernbert")]
)
def test_where_two_files_disagree_other_classes_follow_tokenizer_json_and_the_reader_is_told(
    folder, config, model_type
):
    stated = config | {"do_lower_case": True, "cls_token": "fox", "unk_token": "the"}
    path = folder(None, model_type, tokenizer=tokenizer_json(lowercase=False), tokenizer_config=stated)
    with pytest.warns(
        UserWarning, match="do_lower_case is true here.*unk_token is 'the'.*cls_token is 'fox'.*json wins"
    ):
        tok = load_tokenizer(path)
    assert tok.encode(TEXT).ids == transformers.AutoTokenizer.from_pretrained(path)(TEXT)["input_ids"]


def test_a_reader_is_told_of_every_two_files_that_disagree(folder):
    data = tokenizer_json()
    for files, message in [
        (
            {"words": [*WORDS[:-2], "hello", "Hello"]},
            "vocab.txt and tokenizer.json disagree: 'hello' has the id 12 there",
        ),
        (
            {"special_tokens_map": {"mask_token": "fox"}, "tokenizer_config": ROLES},
            "special_tokens_map.json and tokenizer_c",
        ),
        (
            {
                "tokenizer_config": GENERIC
                | {"added_tokens_decoder": {"4": {"content": "[MASK]"} | PLAIN | {"lstrip": True}}}
            },
            r"the added tokens of tokenizer.json and tokenizer_config.json disagree: '\[MASK\]' has other options",
        ),
        ({"tokenizer_config": GENERIC | {"mask_token": "<m>"}}, "'<m>' has a role, .* new token with id 14"),
        ({"tokenizer_config": GENERIC | {"truncation_side": "left"}}, "truncation_side is 'left', but minibert always"),
    ]:
        path = folder(**{"tokenizer": data, "tokenizer_config": {}, "words": WORDS} | files)
        with pytest.warns(UserWarning, match=message):
            tok = load_tokenizer(path)
        assert tok.encode(TEXT).ids == transformers.AutoTokenizer.from_pretrained(path)(TEXT)["input_ids"]
        (path / "special_tokens_map.json").unlink(missing_ok=True)


def test_a_cased_bert_without_a_config_stays_cased_and_the_reader_is_told(folder):
    path = folder(None, tokenizer=tokenizer_json(lowercase=False))
    with pytest.warns(UserWarning, match="no tokenizer_config.json, so transformers would take BERT's defaults"):
        assert load_tokenizer(path).encode("Hello").tokens[1] == "Hello"


def test_a_cased_vocabulary_that_is_lower_cased_unasked_is_reported(folder):
    words = [*WORDS, "Paris", "Anna", "Fox"]
    with pytest.warns(UserWarning, match='capital letters .4 tokens.*write "do_lower_case": false'):
        assert load_tokenizer(folder(words)).encode("Hello").tokens[1] == "hello"
    assert same_as_transformers(folder(words, tokenizer_config={"do_lower_case": False}), "Hello Paris") == [
        "Hello",
        "Paris",
    ]
    assert same_as_transformers(folder(words, tokenizer_config={"do_lower_case": True}), "Hello fox") == [
        "hello",
        "fox",
    ]


def test_ids_of_added_tokens_with_a_gap_follow_the_file_and_the_reader_is_told(folder):
    data = tokenizer_json()
    data["added_tokens"].append({"id": 20, "content": "<ent>"} | PLAIN)
    with pytest.warns(UserWarning, match="gives '<ent>' the id 20, transformers 14"):
        assert load_tokenizer(folder(None, tokenizer=data, tokenizer_config=GENERIC)).ids("<ent>") == [20]


def test_of_two_roles_with_one_token_the_last_ones_options_count(folder):
    mask = {"content": "fox", "__type": "AddedToken", "single_word": True}
    path = folder(None, tokenizer=tokenizer_json(), tokenizer_config=GENERIC | {"bos_token": "fox", "mask_token": mask})
    assert same_as_transformers(path, "foxfox fox") == ["[UNK]", "fox"]


def test_what_is_not_bert_is_refused_for_what_it_is(folder):
    path = folder(tokenizer_config={"tokenizer_class": "BertJapaneseTokenizer"})
    with pytest.raises(
        ValueError, match="tokenizer_class is 'BertJapaneseTokenizer', whose rules minibert does not have"
    ):
        load_tokenizer(path)
    bpe = ByteLevelBPETokenizer.train(["a"], 261).to_json()
    with pytest.raises(ValueError, match=r"BertTokenizer, which is WordPiece, but tokenizer.json holds a BPE"):
        load_tokenizer(folder(tokenizer=bpe, tokenizer_config={"tokenizer_class": "BertTokenizer"}))
    with pytest.raises(ValueError, match="cls_token is null"):
        load_tokenizer(folder(tokenizer=tokenizer_json(), tokenizer_config={"cls_token": None}))
    with pytest.raises(ValueError, match="from_vocab_txt"):
        load_tokenizer(path / "vocab.txt")


def test_a_folder_without_a_vocabulary_says_which_files_hold_one(tmp_path):
    (tmp_path / "merges.txt").write_text("a b\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"no file .*tokenizer.json, no vocab.txt, and no vocab.json with merges.txt"):
        load_tokenizer(tmp_path)


def test_the_length_of_texts_is_read_and_cuts_nothing_unasked(folder):
    assert load_tokenizer(folder(tokenizer_config={"model_max_length": 3})).model_max_length == 3
    assert len(load_tokenizer(folder(tokenizer_config={"model_max_length": 3})).encode(TEXT)) > 3
    assert load_tokenizer(folder(tokenizer_config={"model_max_length": 1e30})).model_max_length is None


def drawn(rng: random.Random) -> tuple[list[str], dict, dict]:
    """Words, a tokenizer_config.json and the other files of a folder, drawn at random."""
    renamed = RENAMED if rng.random() < 0.4 else {}
    words = [renamed.get(word, word) for word in WORDS] + ["##ox", "f", "<", ">", "[", "]", "mask"]
    config = {}
    for key, token in ROLES.items():
        if renamed or rng.random() < 0.4:
            options = {name: rng.random() < 0.3 for name in PLAIN if name != "special"}
            token = renamed.get(token, token)
            config[key] = token if rng.random() < 0.7 else {"content": token, "__type": "AddedToken"} | options
    for key in ("do_lower_case", "strip_accents", "tokenize_chinese_chars"):
        config |= {key: rng.random() < 0.5} if rng.random() < 0.4 else {}
    for key, value in {
        "eos_token": "<eos>",
        "image_token": "<img>",
        "additional_special_tokens": ["<ent>", "the"],
    }.items():
        config |= {key: value} if rng.random() < 0.2 else {}
    if rng.random() < 0.3:
        table, free = {}, len(words)
        for content in rng.sample(["<n1>", "<n2>", "fox", words[2], words[4]], rng.randint(0, 4)):
            index = words.index(content) if content in words else free
            free += index == free
            table[str(index)] = {"content": content} | {name: rng.random() < 0.4 for name in PLAIN}
        config["added_tokens_decoder"] = table
    files = (
        {"special_tokens_map": {"mask_token": "fox", "extra_special_tokens": ["<ent>"]}} if rng.random() < 0.2 else {}
    )
    files |= {"added_tokens": {"<ent>": len(words), "the": 5}} if rng.random() < 0.2 else {}
    config["tokenizer_class"] = rng.choice(["BertTokenizer", "BertTokenizerFast", *GENERIC.values()])
    if rng.random() < 0.5 or config["tokenizer_class"] in GENERIC.values():
        special = [renamed.get(token, token) for token in ROLES.values()]
        unk = renamed.get("[UNK]", "[UNK]")
        files["tokenizer"] = tokenizer_json(words, lowercase=rng.random() < 0.5, unk_token=unk, special=special)
    return words, config, files


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("seed", range(60))
def test_drawn_folders_give_the_ids_of_transformers(folder, seed):
    rng = random.Random(seed)
    words, config, files = drawn(rng)
    parts = [
        " ",
        "the",
        "Café",
        "fox",
        "FOX",
        "漢字",
        "<ent>",
        "<n1>",
        "<img>",
        "<eos>",
        "Hello",
        *ROLES.values(),
        "<mask>",
    ]
    texts = ["".join(rng.choices(parts, k=10)) for _ in range(3)]
    same_as_transformers(folder(words, tokenizer_config=config, **files), *texts)


CORPUS = ["The Fox met Anna in Paris. Crème brûlée 漢字 don't 12345"] * 4
LLAMA = ["<|begin_of_text|>", "<|end_of_text|>", "<|pad|>", "<|mask|>"]
BYTE_LEVEL = [
    ByteLevelBPETokenizer.train(CORPUS, 400, nfc=True),
    ByteLevelBPETokenizer.train(CORPUS, 400, pattern="llama3", special=LLAMA),
    ByteLevelBPETokenizer.train(CORPUS, 400, special=["<s>", "<pad>", "</s>", "<unk>", "<mask>"]),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("seed", range(40))
def test_drawn_byte_level_folders_give_the_ids_of_transformers(folder, seed):
    rng = random.Random(seed)
    tok = rng.choice(BYTE_LEVEL)
    data, config, files = copy.deepcopy(tok.to_json()), {}, {}
    special = [token["content"] for token in data["added_tokens"]]
    for token in data["added_tokens"]:
        token |= {name: True for name in PLAIN if rng.random() < 0.1}
    for key in (*ROLES, "bos_token", "eos_token"):
        token, options = rng.choice([*special, "<new>", "Fox"]), {name: rng.random() < 0.3 for name in PLAIN}
        token = token if rng.random() < 0.7 else {"content": token, "__type": "AddedToken"} | options
        config |= {key: token} if rng.random() < 0.4 else {}
    config |= {"extra_special_tokens": ["<e1>", "Fox", "  "]} if rng.random() < 0.3 else {}
    if rng.random() < 0.4:
        table, free = {}, tok.vocab_size
        for content in rng.sample(["<n1>", "  ", "   ", "né", "Fox", special[0]], rng.randint(0, 5)):
            index = free if tok.token_to_id(content) is None else tok.token_to_id(content)
            free += index == free
            table[str(index)] = {"content": content} | {name: rng.random() < 0.4 for name in PLAIN}
        config["added_tokens_decoder"] = table
    files |= {"special_tokens_map": {"mask_token": special[0], "pad_token": "<p>"}} if rng.random() < 0.2 else {}
    config["tokenizer_class"] = rng.choice(["PreTrainedTokenizerFast", "TokenizersBackend", "PreTrainedTokenizer"])
    parts = [
        " ",
        "The",
        "Fox",
        " Fox",
        "<n1>",
        "  ",
        "   ",
        "né",
        "<e1>",
        "<new>",
        "<p>",
        *special,
        "漢字",
        "e\u0301",
        "\n",
    ]
    texts = ["".join(rng.choices(parts, k=10)) for _ in range(3)]
    model_type = rng.choice(["modernbert", "eurobert", "bert"])
    same_as_transformers(folder(None, model_type, tokenizer=data, tokenizer_config=config, **files), *texts)


OURS = {
    "uncased": lambda: WordPieceTokenizer.train(CORPUS, 150, min_count=1),
    "cased": lambda: WordPieceTokenizer.train(CORPUS, 150, min_count=1, lowercase=False),
    "long words": lambda: WordPieceTokenizer(WordPieceTokenizer.train(CORPUS, 150).vocab, max_chars=200),
    "no mask": lambda: WordPieceTokenizer.train(CORPUS, 150, special=["[UNK]", "[CLS]", "[SEP]"]),
    "other names": lambda: WordPieceTokenizer(
        {RENAMED.get(word, word): index for index, word in enumerate(WORDS)},
        unk_token="<unk>",
        special=tuple(RENAMED.values()),
    ),
    "modernbert": lambda: ByteLevelBPETokenizer.train(CORPUS, 400, nfc=True),
    "eurobert": lambda: ByteLevelBPETokenizer.train(CORPUS, 400, pattern="llama3", special=LLAMA),
}
TEXTS = ["The Fox met Anna", "Crème BRÛLÉE 漢字, don't", "the [MASK] fox<mask>[SEP]<|mask|> x", "", "  12345 "]


@pytest.mark.parametrize("model_type", ["bert", "modernbert", "eurobert", None])
@pytest.mark.parametrize("make", OURS.values(), ids=OURS)
def test_a_folder_saved_by_us_opens_in_transformers_and_here_with_equal_ids(tmp_path, make, model_type):
    tok = make()
    tok.model_max_length = 77
    if model_type:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}), encoding="utf-8")
    tok.save_pretrained(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        for arguments in ((text,), (text, TEXTS[0])):
            expected, found = theirs(*arguments), tok.encode(*arguments)
            assert found.ids == expected["input_ids"]
            assert found.segment_ids == expected.get("token_type_ids", found.segment_ids)
        assert theirs.decode(tok.encode(text).ids, skip_special_tokens=True) == tok.decode(tok.encode(text).ids)
    if model_type:
        assert ("token_type_ids" in theirs("a")) == (model_type == "bert")
    roles = {role: getattr(theirs, f"{role}_token") for role in ("pad", "unk", "cls", "sep", "mask")}
    assert {role: token for role, token in roles.items() if token} == tok.roles and theirs.model_max_length == 77
    for rust in (False, True):
        again = load_tokenizer(tmp_path, rust=rust)
        assert (again.roles, again.vocab, again.model_max_length) == (tok.roles, tok.vocab, 77)
    assert load_tokenizer(tmp_path).to_json() == tok.to_json()


@pytest.mark.parametrize("tokenizer_first", [True, False])
@pytest.mark.parametrize("name", ["uncased", "cased", "modernbert"])
@pytest.mark.parametrize("preset", ["bert-nano", "modernbert-nano", "eurobert-nano"])
def test_a_folder_saved_by_us_gives_the_same_hidden_states_in_transformers(tmp_path, preset, name, tokenizer_first):
    tok = OURS[name]()
    config = EncoderConfig.preset(preset).replace(vocab_size=tok.vocab_size, layers=1)
    if tokenizer_first:
        tok.save_pretrained(tmp_path)
        Encoder(config).save_pretrained(tmp_path)
    else:
        save_model(Encoder(config), tmp_path, tok)
    opened = transformers.AutoTokenizer.from_pretrained(tmp_path)
    inputs = opened(TEXTS[:2], TEXTS[2:4], padding=True, return_tensors="pt")
    batch = load_tokenizer(tmp_path).encode_batch(list(zip(TEXTS[:2], TEXTS[2:4], strict=True)))
    assert (inputs["input_ids"] == batch.input_ids).all() and opened.model_max_length == config.max_len
    segments = (batch.segment_ids,) if config.segments else ()
    with torch.no_grad():
        theirs = transformers.AutoModel.from_pretrained(tmp_path).eval()(**inputs).last_hidden_state
        ours = Encoder.from_pretrained(tmp_path)(batch.input_ids, batch.attention_mask, *segments).hidden
    keep = batch.attention_mask.bool()
    torch.testing.assert_close(ours[keep], theirs[keep], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("lowercase", [True, False])
def test_the_slow_tokenizer_opens_our_folder_too(tmp_path, lowercase):
    tok = WordPieceTokenizer.train(CORPUS, 150, min_count=1, lowercase=lowercase)
    tok.save_pretrained(tmp_path, segments=True)
    slow = BertTokenizerLegacy.from_pretrained(tmp_path)
    for text in TEXTS:
        assert slow(text, TEXTS[0])["input_ids"] == tok.encode(text, TEXTS[0]).ids
        assert slow(text, TEXTS[0])["token_type_ids"] == tok.encode(text, TEXTS[0]).segment_ids


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_we_opened_and_saved_again_gives_the_ids_it_gave(folder, tmp_path_factory):
    for seed in range(20):
        words, config, files = drawn(random.Random(seed))
        for stale in ("special_tokens_map", "added_tokens", "tokenizer"):
            (folder(words) / f"{stale}.json").unlink(missing_ok=True)
        tok = load_tokenizer(folder(words, tokenizer_config=config, **files))
        tok.save_pretrained(saved := tmp_path_factory.mktemp("saved"))
        assert same_as_transformers(saved, TEXT) == tok.encode(TEXT, add_special_tokens=False).tokens


def test_saving_leaves_no_file_of_an_older_tokenizer(folder):
    path = folder(tokenizer_config={}, added_tokens={"<ent>": 14}, special_tokens_map={"mask_token": "fox"})
    ByteLevelBPETokenizer.train(CORPUS, 300).save_pretrained(path)
    assert {file.name for file in path.iterdir()} == {"config.json", "tokenizer.json", "tokenizer_config.json"}
    assert same_as_transformers(path, TEXT)
    WordPieceTokenizer.train(CORPUS, 100).save_pretrained(path)
    assert {file.name for file in path.iterdir()} >= {"vocab.txt"} and same_as_transformers(path, TEXT)


def test_roles_given_to_a_tokenizer_are_special_and_make_its_template():
    words = {word: index for index, word in enumerate(["PAD", "[UNK]", "START", "END", "fox"])}
    tok = WordPieceTokenizer(words, roles={"pad": "PAD", "cls": "START", "sep": "END"})
    assert tok.encode("fox PAD").tokens == ["START", "fox", "PAD", "END"] and tok.special_ids == (0, 1, 2, 3)


# ---- RoBERTa: vocab.json and merges.txt, the prefix space, <s> A </s></s> B </s>

ROBERTA = ByteLevelBPETokenizer.train(CORPUS, 400, special=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])


def roberta_files(folder, with_json: bool, config: dict | None, **files):
    """A RoBERTa folder, with a tokenizer.json or with the two files that came before it."""
    path = folder(None, "roberta", tokenizer_config=config, **files)
    if with_json:
        (path / "tokenizer.json").write_text(json.dumps(ROBERTA.to_json()), encoding="utf-8")
    else:
        (path / "vocab.json").write_text(json.dumps(ROBERTA.vocab), encoding="utf-8")
        lines = ["#version: 0.2", *(" ".join(pair) for pair in ROBERTA.merges)]
        (path / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("with_json", [True, False])
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"add_prefix_space": True},
        {"tokenizer_class": "RobertaTokenizerFast", "add_prefix_space": True, "trim_offsets": False},
        {"mask_token": {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "normalized": True}},
        {"cls_token": "<b>", "sep_token": "<e>", "extra_special_tokens": ["Fox"]},
    ],
)
def test_a_roberta_folder_gives_the_ids_and_offsets_of_transformers(folder, with_json, config):
    path = roberta_files(folder, with_json, config)
    texts = ["The Fox met<mask> Anna", " <mask>The", "Crème 漢字 don't\n  x ", "", "<mask>", "FoxFox <mask>a Fox"]
    same_as_transformers(path, *texts)
    theirs, ours = transformers.AutoTokenizer.from_pretrained(path), load_tokenizer(path)
    for text in texts:
        expected, found = theirs(text, texts[0], return_offsets_mapping=True), ours.encode(text, texts[0])
        assert found.offsets == expected["offset_mapping"]
        assert theirs.decode(found.ids) == ours.decode(found.ids, skip_special_tokens=False)
        assert ours.ids(text) == ours.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("prefix", [True, False])
def test_a_saved_roberta_tokenizer_keeps_the_prefix_space_and_the_template(folder, tmp_path_factory, prefix):
    tok = load_tokenizer(roberta_files(folder, False, {"add_prefix_space": prefix}))
    again = tmp_path_factory.mktemp("again")
    (again / "config.json").write_text('{"model_type": "roberta"}', encoding="utf-8")
    tok.save_pretrained(again)
    text = "The Fox<mask>met"
    assert same_as_transformers(again, text, "Anna") == tok.encode(text, add_special_tokens=False).tokens
    assert load_tokenizer(again).to_json() == tok.to_json()
    assert tok.encode("Fox").tokens[:2] == (["<s>", "ĠFox"] if prefix else ["<s>", "Fo"])
    assert "token_type_ids" not in transformers.AutoTokenizer.from_pretrained(again)("a")


def test_a_reader_is_told_where_robertas_files_disagree(folder):
    path = roberta_files(folder, True, {"add_prefix_space": True})
    with pytest.warns(UserWarning, match="add_prefix_space is false there, true here; the template is another one"):
        load_tokenizer(path)
    path = roberta_files(folder, False, {"add_prefix_space": "yes"})
    (path / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match="add_prefix_space must be true or false, got 'yes'"):
        load_tokenizer(path)
    (path / "merges.txt").write_text("#version: 0.2\na b c\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"merges.txt: model.merges\[0\] must be two tokens, got 'a b c'"):
        load_tokenizer(path)
    with pytest.raises(ValueError, match=r"RobertaTokenizer, which is byte-level BPE, but tokenizer.json holds a Word"):
        load_tokenizer(folder(None, "roberta", tokenizer=tokenizer_json(), tokenizer_config={}))


@pytest.mark.parametrize("name", ["XLMRobertaTokenizer", "CamembertTokenizer"])
def test_unigram_is_read_by_the_library_and_the_message_says_so(tmp_path, name):
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁the", -1.0), ("▁fox", -2.0), ("es", -3.0)]
    kind = getattr(transformers, name)
    kind(vocab=[*pieces, ("<mask>", 0.0)]).save_pretrained(tmp_path)
    model_type = "xlm-roberta" if name.startswith("XLM") else "camembert"
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"'Unigram' is not one that minibert spells out .* rust=True"):
        load_tokenizer(tmp_path)
    theirs, ours = transformers.AutoTokenizer.from_pretrained(tmp_path), load_tokenizer(tmp_path, rust=True)
    for text in ("the fox foxes", "a <mask> the", ""):
        assert ours.encode(text, "the").ids == theirs(text, "the")["input_ids"]
    assert (ours.pad_id, ours.cls_id, ours.sep_id, ours.mask_id) == (1, 0, 2, ours.token_to_id("<mask>"))
