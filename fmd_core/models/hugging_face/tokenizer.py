"""Words of texts as numbers: which makes of a tokenizer.json are followed, and how one is opened."""

from __future__ import annotations

import json
from typing import Any

from fmd_core.errors import ModelError

FILE = "tokenizer.json"
UNREADABLE = f"{FILE} cannot be read; save the tokenizer again with save_pretrained()."
MOST_BYTES = 40 << 20
KNOWN = {
    "model": ("WordPiece", "BPE", "WordLevel", "Unigram"),
    "normalizer": (
        "BertNormalizer",
        "Lowercase",
        "NFC",
        "NFD",
        "NFKC",
        "NFKD",
        "StripAccents",
        "Strip",
        "Sequence",
        "Nmt",
    ),
    "pre_tokenizer": (
        "BertPreTokenizer",
        "ByteLevel",
        "Whitespace",
        "WhitespaceSplit",
        "Metaspace",
        "Punctuation",
        "Digits",
        "Sequence",
    ),
    "post_processor": ("BertProcessing", "RobertaProcessing", "TemplateProcessing", "ByteLevel", "Sequence"),
}
"""Parts of a tokenizer.json and the types that they may have, but for its decoder: nothing is written. Patterns of its
owner's can take for ever, so none is."""
PARTS = ("normalizers", "pretokenizers", "processors")


def check_words(content: bytes) -> str:
    """A tokenizer.json as text, if it is one of a known make. ModelError for anything else."""
    if len(content) > MOST_BYTES:
        raise ModelError(f"tokenizer.json has more than the {MOST_BYTES >> 20} MiB that it may have.")
    try:
        text = content.decode("utf-8")
        told = json.loads(text)
        for part, known in KNOWN.items():
            if told.get(part) is not None:
                _check_part(part, told[part], known, 0)
        if not isinstance(told.get("model"), dict):
            raise ValueError
    except (ValueError, AttributeError, RecursionError) as error:
        raise ModelError(UNREADABLE) from error
    return text


def _check_part(part: str, told: Any, known: tuple[str, ...], deep: int) -> None:  # noqa: ANN401  JSON
    kind = told.get(
        "type", "BPE" if part == "model" and "merges" in told else "WordPiece" if part == "model" else None
    )
    if kind not in known or deep > 4:
        raise ModelError(
            f"tokenizer.json has the {part} {str(kind)[:40]!r}, which is not followed here; those that are: "
            f"{', '.join(known)}."
        )
    for name in PARTS:
        for inner in told.get(name) or ():
            _check_part(part, inner, known, deep + 1)


def open_tokenizer(words: str) -> Any:  # noqa: ANN401  the library has no types
    """What makes tokens of texts, of a tokenizer.json that `check_words` let through. ModelError where the library
    tokenizers does not read it."""
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_str(words)
    except BaseException as error:  # the library's own panics are no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise ModelError(UNREADABLE) from error
