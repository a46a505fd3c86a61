"""Reading single values of a tokenizer.json; what is missing or of a wrong type is refused by name."""

from dataclasses import dataclass

_REQUIRED = object()
_NAMES = {dict: "an object", list: "a list", str: "a string", int: "a whole number", bool: "true or false"}


@dataclass(frozen=True)
class Entry:
    """A JSON object and its place in the file, for messages such as "model.vocab is missing".

    >>> Entry({"type": "NFC"}, "normalizer").get("type", str)
    'NFC'
    """

    values: dict
    place: str = ""

    def get(self, key: str, kind: type, default=_REQUIRED):
        """The value of a key, of the type `kind`; `default`, if there is one, where the key is absent or null.

        Raises:
            ValueError: a value of another type, or none where there is no default; the message names the key.

        >>> Entry({"cleanup": "yes"}, "decoder").get("cleanup", bool, True)
        Traceback (most recent call last):
        ...
        ValueError: decoder.cleanup must be true or false, got 'yes'
        """
        value = self.values.get(key)
        if value is None and default is not _REQUIRED:
            return default
        if value is None:
            raise ValueError(f"{self.name(key)} is missing; expected {_NAMES[kind]}")
        return require(value, kind, self.name(key))

    def entry(self, key: str) -> "Entry | None":
        """The object under a key, None where the key is absent or null.

        Raises:
            ValueError: something else than an object.

        >>> Entry({"model": {"type": "BPE"}}).entry("model").place
        'model'
        """
        value = self.get(key, dict, None)
        return None if value is None else Entry(value, self.name(key))

    def entries(self, key: str, default=_REQUIRED) -> "list[Entry]":
        """The objects of the list under a key.

        Raises:
            ValueError: something else than a list of objects.

        >>> [part.place for part in Entry({"processors": [{}, {}]}, "post_processor").entries("processors")]
        ['post_processor.processors[0]', 'post_processor.processors[1]']
        """
        places = [(f"{self.name(key)}[{at}]", value) for at, value in enumerate(self.get(key, list, default))]
        return [Entry(require(value, dict, place), place) for place, value in places]

    def all_of(self, key: str, kind: type, default=_REQUIRED) -> list:
        """The list under a key, all its items of the type `kind`.

        Raises:
            ValueError: something else than such a list.

        >>> Entry({"tokens": ["a", 3]}).all_of("tokens", str)
        Traceback (most recent call last):
        ...
        ValueError: tokens[1] must be a string, got 3
        """
        items = self.get(key, list, default)
        return [require(value, kind, f"{self.name(key)}[{at}]") for at, value in enumerate(items)]

    def components(self, key: str, inside: str) -> "list[Entry]":
        """The component under a key, or those of a (possibly nested) Sequence; `inside` is where it lists them.

        Raises:
            ValueError: something else than objects with a "type", or a Sequence without its list.

        >>> parts = {"type": "Sequence", "normalizers": [{"type": "NFC"}]}
        >>> Entry({"normalizer": parts}).components("normalizer", "normalizers")[0].place
        'normalizer.normalizers[0]'
        """
        component = self.entry(key)
        return [] if component is None else component._flat(inside)

    def _flat(self, inside: str) -> "list[Entry]":
        if self.get("type", str) != "Sequence":
            return [self]
        return [part for entry in self.entries(inside) for part in entry._flat(inside)]

    def name(self, key: str) -> str:
        """The full name of a key.

        >>> Entry({}, "model").name("vocab")
        'model.vocab'
        """
        return f"{self.place}.{key}" if self.place else key


def require(value, kind: type, name: str):
    """The value, if it is of the type `kind`; true and false are no numbers.

    Raises:
        ValueError: it is not.

    >>> require(3, int, "model.max_input_chars_per_word")
    3
    """
    if type(value) is not kind:
        raise ValueError(f"{name} must be {_NAMES[kind]}, got {value!r:.80}")
    return value
