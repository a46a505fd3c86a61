"""A folder with the files of sentence-transformers embeds as its own files say, in Python and on the command line.

The numbers expected here are computed with plain loops over the hidden states. (They were once compared with
sentence-transformers 6.2 itself, which is no dependency of ours: equal to 1e-6.)
"""

import json
import math

import pytest
import torch
from click.testing import CliRunner

from minibert import Encoder, EncoderConfig, WordPieceTokenizer, checkpoints, load_tokenizer
from minibert.__main__ import main
from minibert.tasks import compare, embed_texts

TEXTS = ["the cat", "The dog ran and the cat sat on the mat", "a"]
WORDS = ["the cat sat on the mat and the dog ran The Mat query : passage :"]
D = 32


def tokenizer(lowercase=True) -> WordPieceTokenizer:
    return WordPieceTokenizer.train(WORDS * 3, vocab_size=90, min_count=1, lowercase=lowercase)


@pytest.fixture
def folder(tmp_path):
    tok = tokenizer()
    config = EncoderConfig.preset("bert-nano").replace(
        vocab_size=tok.vocab_size, hidden=D, heads=4, layers=2, intermediate=48, max_len=24, init_std=0.3
    )
    checkpoints.save_model(Encoder(config, generator=torch.Generator().manual_seed(0)), tmp_path, tok)
    write(tmp_path, "modules.json", modules("Transformer", "Pooling"))
    write(tmp_path, "1_Pooling/config.json", {"word_embedding_dimension": D, "pooling_mode_mean_tokens": True})
    return tmp_path


def modules(*kinds):
    paths = ["", *(f"{i}_{kind}" for i, kind in enumerate(kinds) if i)]
    return [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(zip(paths, kinds, strict=True))
    ]


def write(folder, name, content):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


def pooling(folder, *modes, **further):
    keys = {f"pooling_mode_{mode}": True for mode in modes}
    write(folder, "1_Pooling/config.json", {"word_embedding_dimension": D} | keys | further)


def vectors(folder, **options):
    return embed_texts(TEXTS, Encoder.from_pretrained(folder), load_tokenizer(folder), **options)


@torch.no_grad()
def hidden(folder, text, limit=24):
    ids = load_tokenizer(folder).encode(text, max_length=limit).ids
    return Encoder.from_pretrained(folder)(torch.tensor([ids])).hidden[0]


def mean(folder, text, limit=24):
    return hidden(folder, text, limit).mean(0)


BY_HAND = {
    "cls_token": lambda states: states[0],
    "max_tokens": lambda states: torch.stack([max(column) for column in states.T]),
    "mean_tokens": lambda states: sum(states) / len(states),
    "mean_sqrt_len_tokens": lambda states: sum(states) / math.sqrt(len(states)),
    "weightedmean_tokens": lambda states: sum(i * s for i, s in enumerate(states, 1)) / sum(range(len(states) + 1)),
    "lasttoken": lambda states: states[-1],
}


@pytest.mark.parametrize("mode", BY_HAND)
def test_every_pooling_is_the_one_of_the_file(folder, mode):
    pooling(folder, mode)
    expected = torch.stack([BY_HAND[mode](hidden(folder, text)) for text in TEXTS])
    torch.testing.assert_close(vectors(folder), expected, atol=1e-5, rtol=1e-5)
    # the same, as newer versions write it
    word = mode.removesuffix("_tokens").removesuffix("_token") if mode != "mean_sqrt_len_tokens" else mode
    write(folder, "1_Pooling/config.json", {"embedding_dimension": D, "pooling_mode": word})
    torch.testing.assert_close(vectors(folder), expected, atol=1e-5, rtol=1e-5)


def test_several_poolings_stand_beside_each_other(folder):
    pooling(folder, "mean_tokens", "cls_token")  # cls first, in whatever order the file has them
    expected = torch.cat([hidden(folder, TEXTS[0])[0], mean(folder, TEXTS[0])])
    torch.testing.assert_close(vectors(folder)[0], expected, atol=1e-5, rtol=0)


def test_vectors_have_length_1_exactly_where_the_folder_normalises(folder):
    assert not torch.allclose(vectors(folder).norm(dim=-1), torch.ones(3), atol=0.1)
    write(folder, "modules.json", modules("Transformer", "Pooling", "Normalize"))
    torch.testing.assert_close(vectors(folder).norm(dim=-1), torch.ones(3))
    (folder / "modules.json").unlink()  # no word about it: length 1
    torch.testing.assert_close(vectors(folder).norm(dim=-1), torch.ones(3))


def test_a_dense_layer_is_applied(folder):
    weight, bias = torch.randn(5, D), torch.randn(5)
    write(folder, "modules.json", modules("Transformer", "Pooling", "Dense", "Normalize"))
    settings = {"in_features": D, "out_features": 5, "bias": True}
    write(folder, "2_Dense/config.json", settings | {"activation_function": "torch.nn.modules.activation.Tanh"})
    checkpoints.save_tensors({"linear.weight": weight, "linear.bias": bias}, folder / "2_Dense" / "model.safetensors")
    expected = torch.tanh(weight @ mean(folder, TEXTS[1]) + bias)
    torch.testing.assert_close(vectors(folder)[1], expected / expected.norm(), atol=1e-5, rtol=0)
    (folder / "2_Dense" / "model.safetensors").rename(folder / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"2_Dense.*pickle.*run this in that folder"):
        vectors(folder)
    Encoder.from_pretrained(folder)  # which needs no dense layer


@pytest.mark.parametrize("file", ["sentence_bert_config.json", "tokenizer_config.json"])
def test_a_long_text_is_cut_where_the_folder_says(folder, file):
    key = "max_seq_length" if file.startswith("sentence") else "model_max_length"
    before = json.loads((folder / file).read_text(encoding="utf-8")) if (folder / file).exists() else {}
    write(folder, file, before | {key: 6})
    torch.testing.assert_close(vectors(folder)[1], mean(folder, TEXTS[1], limit=6), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="text 1 has 12 tokens, the model was made for 6"):
        vectors(folder, truncate=False)


def test_no_text_is_longer_than_the_learned_positions(folder):
    write(folder, "sentence_bert_config.json", {"max_seq_length": 512})
    long = "the cat " * 40
    got = embed_texts([long], Encoder.from_pretrained(folder), load_tokenizer(folder))[0]
    torch.testing.assert_close(got, mean(folder, long, limit=24), atol=1e-5, rtol=0)


def test_text_is_lower_cased_where_the_folder_says(folder):
    tok = tokenizer(lowercase=False)
    tok.save_pretrained(folder)
    model = Encoder.from_pretrained(folder)
    assert tok.encode("The").ids != tok.encode("the").ids
    assert not torch.equal(*embed_texts(["The", "the"], model, tok))
    write(folder, "sentence_bert_config.json", {"max_seq_length": 24, "do_lower_case": True})
    model = Encoder.from_pretrained(folder)
    assert torch.equal(*embed_texts(["The", "the"], model, tok))


@pytest.mark.parametrize("include", [True, False])
def test_a_prompt_stands_before_the_text_and_is_pooled_unless_the_file_excludes_it(folder, include):
    pooling(folder, "mean_tokens", include_prompt=include)
    prompts = {"query": "query : ", "passage": "passage : "}
    write(folder, "config_sentence_transformers.json", {"prompts": prompts, "default_prompt_name": "passage"})
    skip = 0 if include else len(load_tokenizer(folder).encode("query : ").ids) - 1  # [CLS] query :
    for name in prompts:
        states = hidden(folder, prompts[name] + TEXTS[0])[skip:]
        torch.testing.assert_close(vectors(folder, prompt_name=name)[0], states.mean(0), atol=1e-5, rtol=0)
    assert torch.equal(vectors(folder), vectors(folder, prompt_name="passage"))
    with pytest.raises(ValueError, match="no such prompt; there are: query, passage"):
        vectors(folder, prompt_name="document")


@pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean", "manhattan", None])
def test_vectors_are_compared_as_the_folder_says(folder, similarity):
    write(folder, "config_sentence_transformers.json", {"similarity_fn_name": similarity})
    a, b, _ = vectors(folder)
    expected = {
        "cosine": a @ b / a.norm() / b.norm(),
        "dot": a @ b,
        "euclidean": -(a - b).square().sum().sqrt(),
        "manhattan": -(a - b).abs().sum(),
    }[similarity or "cosine"]
    recipe = Encoder.from_pretrained(folder).recipe
    assert compare(a[None], b[None], recipe.similarity).item() == pytest.approx(expected.item(), abs=1e-4)
    result = CliRunner().invoke(main, ["embed", "-m", str(folder), "--similarity", *TEXTS[:2]])
    assert float(result.output.split()[1]) == pytest.approx(expected.item(), abs=2e-3)


def test_the_command_embeds_as_the_folder_says(folder):
    pooling(folder, "cls_token")
    write(folder, "sentence_bert_config.json", {"max_seq_length": 6})
    write(folder, "config_sentence_transformers.json", {"prompts": {"query": "query : "}, "truncate_dim": 7})

    def embed(*options):
        result = CliRunner().invoke(main, ["embed", "-m", str(folder), *options, TEXTS[1]])
        assert result.exit_code == 0, result.output
        return torch.tensor(json.loads(result.output))

    torch.testing.assert_close(embed(), hidden(folder, TEXTS[1], 6)[0, :7], atol=1e-5, rtol=0)
    torch.testing.assert_close(embed("--pool", "mean"), mean(folder, TEXTS[1], 6)[:7], atol=1e-5, rtol=0)
    expected = hidden(folder, "query : " + TEXTS[1], 6)[0, :7]
    torch.testing.assert_close(embed("--prompt-name", "query"), expected, atol=1e-5, rtol=0)


def test_the_model_may_lie_in_a_subfolder_as_it_did_in_old_versions(folder):
    expected = vectors(folder)
    (folder / "0_Transformer").mkdir()
    for file in list(folder.iterdir()):
        if file.is_file() and file.name != "modules.json":
            file.rename(folder / "0_Transformer" / file.name)
    inner = {"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"}
    write(folder, "modules.json", [inner, *modules("Transformer", "Pooling")[1:]])
    tok = load_tokenizer(checkpoints.model_folder(folder))
    assert torch.equal(embed_texts(TEXTS, Encoder.from_pretrained(folder), tok), expected)
    assert torch.equal(embed_texts(TEXTS, Encoder.from_pretrained(folder / "0_Transformer"), tok), expected)
    result = CliRunner().invoke(main, ["embed", "-m", str(folder), TEXTS[0]])
    torch.testing.assert_close(torch.tensor(json.loads(result.output)), expected[0])


def test_a_model_takes_its_recipe_to_the_folder_it_is_saved_to(folder, tmp_path):
    pooling(folder, "cls_token", "mean_tokens", include_prompt=False)
    write(folder, "modules.json", modules("Transformer", "Pooling", "Dense", "Normalize"))
    write(folder, "2_Dense/config.json", {"bias": False, "activation_function": "torch.nn.modules.linear.Identity"})
    checkpoints.save_tensors({"linear.weight": torch.randn(5, 2 * D)}, folder / "2_Dense" / "model.safetensors")
    write(folder, "sentence_bert_config.json", {"max_seq_length": 6, "do_lower_case": True})
    settings = {
        "prompts": {"q": "query : "},
        "default_prompt_name": "q",
        "similarity_fn_name": "dot",
        "truncate_dim": 4,
    }
    write(folder, "config_sentence_transformers.json", settings)
    expected = vectors(folder)
    model = Encoder.from_pretrained(folder)
    checkpoints.save_model(model, tmp_path / "again", load_tokenizer(folder))
    assert torch.equal(vectors(tmp_path / "again"), expected)
    assert Encoder.from_pretrained(tmp_path / "again").recipe.similarity == "dot"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("modules.json", modules("Transformer", "Pooling", "LayerNorm"), "a module LayerNorm"),
        ("modules.json", modules("Transformer", "CNN", "Pooling"), "Transformer, CNN, Pooling"),
        ("modules.json", modules("Transformer"), "Transformer and Pooling first, got Transformer"),
        ("modules.json", [{"path": "", "type": "custom.Transformer"}], "code of the folder's own"),
        ("modules.json", [*modules("Transformer"), {"path": "../x", "type": "sentence_transformers.P"}],
         "leads out of the folder"),
        ("modules.json", {"0": "Transformer"}, "expected a list of modules"),
        ("1_Pooling/config.json", {"word_embedding_dimension": 33}, "vectors of 33 numbers, but the model has 32"),
        ("1_Pooling/config.json", {"embedding_dimension": D, "pooling_mode": "median"}, "pooling 'median'"),
        ("1_Pooling/config.json", {"word_embedding_dimension": D, "pooling_mode_new": True}, "'pooling_mode_new'"),
        ("sentence_bert_config.json", {"max_seq_length": "long"}, "max_seq_length='long'"),
        ("sentence_bert_config.json", {"model_args": {"num_hidden_layers": 1}}, "model_args sets num_hidden_layers"),
        ("sentence_bert_config.json", {"transformer_task": "fill-mask"}, "transformer_task='fill-mask'"),
        ("config_sentence_transformers.json", {"similarity_fn_name": "chebyshev"}, "similarity_fn_name='chebyshev'"),
        ("config_sentence_transformers.json", {"default_prompt_name": "q"}, "default_prompt_name='q'"),
    ],
)  # fmt: skip
def test_what_we_do_not_do_is_named_when_vectors_are_asked_for(folder, name, content, says):
    write(folder, name, content)
    model = Encoder.from_pretrained(folder)  # its hidden states are what they are
    with pytest.raises(ValueError) as caught:
        embed_texts(TEXTS, model, load_tokenizer(folder))
    assert says in str(caught.value) and name.rpartition("/")[2] in str(caught.value)
