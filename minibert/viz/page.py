"""One self-contained piece of HTML: style, data and script together, a still picture for where scripts do not run."""

import base64
import hashlib
import html
import io
import json
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from minibert.files import write_text

HERE = Path(__file__).parent
_INCLUDE = re.compile(r"^ *// include (\w+\.js)\n", re.MULTILINE)
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#7F7F7F")  # after Okabe and Ito, told apart by all


def text_of(data: bytes) -> str:
    """Bytes as base64 text.

    >>> text_of(b"abc")
    'YWJj'
    """
    return base64.b64encode(data).decode("ascii")


def fragment(kind: str, data: dict, still: str, alt: str) -> str:
    """The HTML of a view of `kind`, such as "scatter": `data` for its script, the SVG `still` for the others.

    Script and style are `scatter.js` (see `script_of`), `view.css` and, where there is one, `scatter.css`.

    Nothing is loaded from anywhere, and nothing is drawn by chance: the view is told apart from others on the page by a
    hash of what it shows. A page that removes scripts and styles keeps the picture and its description.

    >>> page = fragment("scatter", {"texts": ["</script>"]}, "<svg/>", "two dots")
    >>> page.count("</script>"), "http" in page
    (2, False)
    """
    styles = [file for file in (HERE / "view.css", HERE / f"{kind}.css") if file.is_file()]
    style = "".join(file.read_text(encoding="utf-8") for file in styles)
    script = script_of(kind)
    payload = json.dumps(data, separators=(",", ":"), sort_keys=True)
    payload = payload.replace("<", "\\u003c")  # a token may be "</script>"
    name = hashlib.sha256((kind + payload).encode("ascii")).hexdigest()[:12]
    picture = text_of(still.encode("utf-8"))
    described = html.escape(alt)
    return "\n".join(
        (
            f'<div class="mb-view mb-{kind}" data-view="{name}" data-lm-suppress-shortcuts="true" role="group" '
            f'aria-label="{described}">',
            f"<style>\n{style}</style>",
            f'<div class="mb-static"><img alt="{described}" src="data:image/svg+xml;base64,{picture}"></div>',
            f'<script type="application/json">{payload}</script>',
            f"<script>\n{script}</script>",
            "</div>",
        )
    )


def script_of(kind: str) -> str:
    """The script of a view, `scatter.js`; a line `// include make.js` in it stands for that file's lines.

    >>> "const make =" in script_of("scatter"), "// include" in script_of("scatter")
    (True, False)
    """
    script = (HERE / f"{kind}.js").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda line: (HERE / line[1]).read_text(encoding="utf-8"), script)


def write_page(path: str | Path, title: str, body: str) -> Path:
    """Write a whole page around a fragment, in one step: the old file or the whole new one.

    Raises:
        ValueError: the path is a folder, lies in none, or does not end in .html.

    >>> write_page("picture.png", "a", "b")
    Traceback (most recent call last):
    ...
    ValueError: picture.png: expected a file name that ends in .html
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{path}: expected a file name that ends in .html")
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"{path}: " + ("is a folder" if path.is_dir() else f"there is no folder {path.parent}"))
    head = '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    head += f'<meta name="color-scheme" content="light dark">\n<title>{html.escape(title)}</title>'
    write_text(path, f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n')
    return path


class View:
    """What all live pictures share; each has its `title`, `describe`, `_repr_html_`, and `figure` or `_repr_png_`.

    >>> class Dot(View):
    ...     title = "A dot"
    ...     def describe(self):
    ...         return "a dot"
    ...     def _repr_html_(self):
    ...         return "<p>.</p>"
    ...     def _repr_png_(self):
    ...         return b"."
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Dot().to_html(Path(folder) / "a.html").name
    'a.html'
    >>> sorted(Dot()._repr_mimebundle_()[0])
    ['image/png', 'text/html', 'text/plain']
    """

    title: str

    def to_html(self, path: str | Path) -> Path:
        """Write a page of its own that works without a network; the file is replaced in one step.

        Raises:
            ValueError: the path is a folder, lies in none, or does not end in .html.
        """
        return write_page(path, self.title, self._repr_html_())

    def _repr_png_(self) -> bytes:
        import matplotlib.pyplot as plt  # here: views without figures do not wait for it

        figure = self.figure()
        plt.close(figure)  # or the notebook would draw it once more
        return png_of(figure)

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"text/plain": repr(self), "text/html": self._repr_html_(), "image/png": text_of(self._repr_png_())}
        return data, {"image/png": {"alt": self.describe()}}


def png_of(figure, dpi: int = 144) -> bytes:
    """A matplotlib figure as PNG: the same bytes for the same figure.

    >>> from matplotlib.figure import Figure
    >>> png_of(Figure())[1:4]
    b'PNG'
    """
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi, metadata={"Software": None})
    return file.getvalue()


def palette_png(rows: Sequence[bytes], palette: Sequence[tuple[int, int, int]]) -> bytes:
    """A PNG of palette indices, written by hand and uncompressed: the same bytes with every library and version.

    >>> palette_png([bytes([0, 1])], [(255, 255, 255), (0, 0, 0)])[:4]
    b'\\x89PNG'
    """
    raw = b"".join(b"\0" + row for row in rows)
    blocks = [raw[i : i + 65535] for i in range(0, len(raw), 65535)]
    stored = b"".join(
        struct.pack("<BHH", number == len(blocks) - 1, len(block), 65535 - len(block)) + block
        for number, block in enumerate(blocks)
    )
    body = b"\x78\x01" + stored + struct.pack(">I", zlib.adler32(raw))
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", bytes(sum(palette, ()))), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def html_table(rows: Sequence[Mapping[str, str]]) -> str:
    """An HTML table: a row for each mapping, a column for each key of the first.

    >>> html_table([{"bug": "a < b", "found by": "parity"}]).count("<td")
    2
    """
    head = "".join(f'<th style="text-align:left">{html.escape(name)}</th>' for name in rows[0])
    cells = ("".join(f'<td style="text-align:left">{html.escape(one)}</td>' for one in row.values()) for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(f'<tr>{row}</tr>' for row in cells)}</tbody></table>"


def printable(text: str) -> str:
    """A text without the characters that XML, or a font, cannot show.

    >>> printable("a\\x00b")
    'a\ufffdb'
    """
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def for_matplotlib(text: str) -> str:
    """A text as matplotlib draws it: a dollar sign starts no formula, letters that its font lacks are boxes.

    >>> for_matplotlib("5 $ 日")
    '5 \\\\$ □'
    """
    known = (c if ord(c) < 0x0590 or c in "…▁–—‘’“”€" else "□" for c in printable(text))
    return "".join(known).replace("$", "\\$")
