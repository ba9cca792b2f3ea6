"""Features of texts that were computed beforehand: a text demo needs no encoder and no network for its own texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, InputKind, content_fingerprint, frozen_array
from fmd_core.datasets.demos.bundled import UNREADABLE, read_verified
from fmd_core.errors import DataError, ModelError
from fmd_core.models.sentence_encoder import INSTALL, N_PARAMETERS, NAME, is_installed, sentence_encoder

if TYPE_CHECKING:
    from torch import nn


FEATURES = "features.npz"


def load_known_texts(folder: Path) -> KnownTexts:
    """The features that ship with a demo, checked against its manifest: arrays `keys` and `features`."""
    content = read_verified(folder, FEATURES)
    try:
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            return KnownTexts(
                frozen_array(arrays["keys"], "uint64"), frozen_array(arrays["features"], "float16")
            )
    except UNREADABLE as error:
        raise DataError(
            f"The demo file '{FEATURES}' cannot be read; restore the folder sample_data."
        ) from error


def text_key(text: str) -> int:
    """The first eight bytes of a text's sha256, as an unsigned number."""
    return int.from_bytes(sha256(text.encode()).digest()[:8])


@dataclass(frozen=True, eq=False)
class KnownTexts:
    """Features (n, d) float16 by `text_key`, ascending; any other text is read by the sentence encoder if it is
    installed, which made them."""

    keys: Array
    features: Array
    title: str = NAME
    n_parameters: int = N_PARAMETERS
    kind: InputKind = field(default="text", init=False)

    @property
    def n_features(self) -> int:
        return int(self.features.shape[1])

    @cached_property
    def fingerprint(self) -> str:
        return content_fingerprint("known texts 1", self.keys, self.features)

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Features (m, d) float32 of texts (m,). ModelError for an unknown text where no encoder is installed."""
        for batch in batches:
            asked = np.array([text_key(str(text)) for text in batch], "uint64")
            places = np.minimum(np.searchsorted(self.keys, asked), len(self.keys) - 1)
            unknown = np.flatnonzero(self.keys[places] != asked)
            found = self.features[places].astype("float32")
            if len(unknown):
                found[unknown] = self._read(batch[unknown])
            yield found

    def _read(self, texts: Array) -> Array:
        if not is_installed():
            raise ModelError(
                f"The demo knows the features of its own texts; for others, such as {str(texts[0])[:40]!r}, "
                f"install the sentence encoder: {INSTALL}"
            )
        return next(sentence_encoder().encode_batches([texts]))

    def token_features(self, text: str) -> tuple[Array, list[tuple[int, int]]]:
        """As the sentence encoder has it. ModelError where that is not installed."""
        return sentence_encoder().token_features(text)

    def mask_token(self) -> int:
        """As the sentence encoder has it. ModelError where that is not installed."""
        return sentence_encoder().mask_token()

    def tokens(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Tokens of a text, as the sentence encoder has them. ModelError where it is not installed."""
        return sentence_encoder().tokens(text)

    def as_module(self) -> nn.Module:
        """The sentence encoder itself, from tokens to features. ModelError where it is not installed."""
        return sentence_encoder().as_module()
