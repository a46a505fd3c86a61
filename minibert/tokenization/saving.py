"""Writing a tokenizer's files; reading them is `load_tokenizer` and the classes' own `from_file`."""

from abc import ABC, abstractmethod
from pathlib import Path

from minibert.tokenization import json_format


class Savable(ABC):
    """A tokenizer that knows its tokenizer.json (`to_json`) and its roles, and so can be saved.

    >>> from minibert.tokenization import WordPieceTokenizer
    >>> issubclass(WordPieceTokenizer, Savable)
    True
    """

    roles: dict[str, str]

    @abstractmethod
    def to_json(self) -> dict:
        """The tokenizer as a Hugging Face tokenizer.json object."""

    def save(self, path: str | Path) -> None:
        """Write a tokenizer.json that this class, `tokenizers` and `transformers` open.

        Raises:
            ValueError: the path is a folder, or there is no folder to write it to.

        >>> import tempfile
        >>> from minibert.tokenization import WordPieceTokenizer
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     WordPieceTokenizer({"[UNK]": 0}).save(Path(folder) / "tokenizer.json")
        ...     (Path(folder) / "tokenizer.json").is_file()
        True
        """
        json_format.write_json(Path(path), self.to_json())

    def save_pretrained(self, folder: str | Path) -> None:
        """Write tokenizer.json, and tokenizer_config.json with the roles, into a folder, made if needed.

        Raises:
            ValueError: the path is a file.

        >>> import tempfile
        >>> from minibert.tokenization import WordPieceTokenizer
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     WordPieceTokenizer({"[UNK]": 0}).save_pretrained(folder)
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['tokenizer.json', 'tokenizer_config.json']
        """
        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is a file; give a folder to write tokenizer.json into")
        folder.mkdir(parents=True, exist_ok=True)
        self.save(folder / "tokenizer.json")
        json_format.write_json(folder / "tokenizer_config.json", json_format.roles_to_config(self.roles))
