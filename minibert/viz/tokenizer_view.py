"""Type a text and see its tokens: ids, places in the text, and step by step how each word was cut."""

from collections.abc import Mapping
from html import escape

from matplotlib.figure import Figure

from minibert.tokenization.base import Tokenizer
from minibert.tokenization.pretokenization import PATTERNS
from minibert.viz.page import View, fragment, printable

TEXT = "Zoë's unaffable tokenizers cost $5.00 in 2024. 🎉"
MOST_TOKENS = 40_000  # of a vocabulary: a page stays below a megabyte
PER_ROW, WIDE, HIGH = 9, 100, 46  # of the still picture: boxes in a row, and their size
SHADES = ("#CDE5F5", "#FBE3B0", "#CFEBE0", "#F3DCE8")


class TokenizerView(View):
    """A text field and what tokenizers make of it: in a notebook as the last line of a cell, or as a page of its own.

    The page holds the vocabularies and cuts the text itself (tokenizer.js), as the package does. Every token shows its
    id; choose one to see its place in the text, and to step through the merges, or through the pieces that WordPiece
    tries, of its word. Needs no network; where scripts do not run there is a still picture for the first tokenizer.
    The same input gives the same bytes.

    tokenizers: name -> `WordPieceTokenizer` or `ByteLevelBPETokenizer`. word: which word is taken apart at first.

    Raises:
        ValueError: no tokenizer, one with more than 40,000 tokens, or one with a rule that the page does not have.

    >>> from minibert.tokenization import WordPieceTokenizer
    >>> tok = WordPieceTokenizer({"[UNK]": 0, "un": 1, "##able": 2})
    >>> TokenizerView({"BERT's rules": tok}, "Unable!")
    TokenizerView(BERT's rules: 3 tokens)
    """

    def __init__(
        self, tokenizers: Mapping[str, Tokenizer], text: str = TEXT, word: int = 0, title: str = "Type a text"
    ):
        if not isinstance(text, str) or not isinstance(title, str):
            raise ValueError("text and title: expected texts (str)")
        if not tokenizers:
            raise ValueError("0 tokenizers: give one or more, by their names")
        self.tokenizers, self.text, self.word, self.title = dict(tokenizers), text, word, title
        self.data = [dict(name=name, **tokenizer_data(tok)) for name, tok in self.tokenizers.items()]

    def __repr__(self) -> str:
        return f"TokenizerView({'; '.join(f'{name}: {len(tok):,} tokens' for name, tok in self.tokenizers.items())})"

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        name, tok = next(iter(self.tokenizers.items()))
        tokens = tok.encode(self.text).tokens
        return printable(f"{self.title}. {name} cuts “{self.text}” into {len(tokens)} tokens: {' '.join(tokens)}")

    def _repr_html_(self) -> str:
        data = dict(title=self.title, text=self.text, word=self.word, tokenizers=self.data)
        return fragment("tokenizer_view", data, self._svg(), self.describe())

    def _svg(self) -> str:
        encoded = next(iter(self.tokenizers.values())).encode(self.text)
        rows = -(-len(encoded) // PER_ROW)
        width, height = PER_ROW * WIDE + 10, rows * HIGH + 34
        parts = [f'<rect width="{width}" height="{height}" fill="#fff"/>']
        parts.append(f'<text x="10" y="20" font-size="14">{escape(printable(self.text))}</text>')
        for place, (token, number, word) in enumerate(zip(encoded.tokens, encoded.ids, encoded.word_ids, strict=True)):
            x, y = 6 + place % PER_ROW * WIDE, 30 + place // PER_ROW * HIGH
            fill = "#f3f6f9" if word is None else SHADES[word % len(SHADES)]
            parts.append(f'<rect x="{x}" y="{y}" width="{WIDE - 6}" height="{HIGH - 8}" rx="5" fill="{fill}"/>')
            for low, size, shown in ((17, 13, printable(token)[:12]), (32, 10, str(number))):
                parts.append(
                    f'<text x="{x + 47}" y="{y + low}" font-size="{size}" text-anchor="middle">{escape(shown)}</text>'
                )
        size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        style = 'font-family="system-ui, sans-serif" fill="#1c2530"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(parts)}</svg>'

    def figure(self) -> Figure:
        """The text with the tokens of every tokenizer under it, each as wide as the characters that it stands for."""
        from minibert.viz.tokenizer_pictures import plot_offsets

        encoded = {name: tok.encode(self.text, add_special_tokens=False) for name, tok in self.tokenizers.items()}
        return plot_offsets(self.text, encoded)


def tokenizer_data(tok: Tokenizer) -> dict:
    """A tokenizer as the data that `openTokenizer` of tokenizer.js reads.

    Raises:
        ValueError: more than 40,000 tokens, or a rule that the script does not have; the message names it.

    >>> from minibert.tokenization import ByteLevelBPETokenizer
    >>> data = tokenizer_data(ByteLevelBPETokenizer.train(["low lower"], vocab_size=263))
    >>> data["kind"], data["pattern"], [[data["tokens"][i] for i in pair] for pair in data["merges"]]
    ('BPE', 'gpt2', [['l', 'o'], ['lo', 'w']])
    """
    if not isinstance(tok, Tokenizer):
        raise ValueError(f"got {type(tok).__name__}, expected a tokenizer of this package, opened without rust=True")
    if tok.vocab_size > MOST_TOKENS:
        raise ValueError(f"{tok.vocab_size:,} tokens: a page holds at most {MOST_TOKENS:,}")
    written = tok.to_json()
    framed = tok.encode("a")
    inside = [place for place, special in enumerate(framed.special_mask) if not special]
    data = dict(
        tokens=[tok.id_to_token(number) for number in range(tok.vocab_size)],
        before=framed.ids[: inside[0]],
        after=framed.ids[inside[-1] + 1 :],
        unknown=tok.unk_id,
        added=[{key: token[key] for key in ("id", "content", "lstrip", "rstrip")} for token in written["added_tokens"]],
    )
    if any(token["single_word"] or token["normalized"] for token in written["added_tokens"]):
        raise ValueError("an added token is looked for in whole words or in the normalised text: the page cannot do so")
    model, normalizer = written["model"], written["normalizer"]
    if model["type"] == "WordPiece":
        if normalizer["type"] != "BertNormalizer":
            raise ValueError(f"normalizer {normalizer['type']}: the page has BERT's only")
        lower, strip = normalizer["lowercase"], normalizer["strip_accents"]
        rules = dict(clean=normalizer["clean_text"], chinese=normalizer["handle_chinese_chars"], lower=lower)
        rules["strip"] = lower if strip is None else strip
        own = dict(kind="WordPiece", normalizer=rules, trim=False, prefix=model["continuing_subword_prefix"])
        return (
            data | own | dict(unknown=tok.token_to_id(model["unk_token"]), maxChars=model["max_input_chars_per_word"])
        )
    if normalizer is not None:
        raise ValueError(f"normalizer {normalizer['type']}: the page reads byte-level text as it is")
    if tok._parts.prefix_space or tok._parts.keep_prefix_space or tok.pattern not in PATTERNS:
        raise ValueError("a space that is added in front, or kept in a place: the page has no such rule")
    merges = [[tok.token_to_id(left), tok.token_to_id(right)] for left, right in tok.merges]
    own = dict(kind="BPE", pattern=tok.pattern, trim=tok._parts.trim_offsets, merges=merges)
    return data | own | dict(wholeWords=tok.ignore_merges)
