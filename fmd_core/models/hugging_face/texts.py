"""Features of texts: a text classifier of the library without its last layer, and its own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fmd_core.data import Array, content_fingerprint
from fmd_core.errors import ModelError
from fmd_core.models.hugging_face import tokenizer
from fmd_core.models.hugging_face.config import TEXT
from fmd_core.models.hugging_face.encoder import DAMAGED, WithoutLastLayer, described_by
from fmd_core.models.network_encoder import content_of

if TYPE_CHECKING:
    from torch import nn

    from fmd_core.models.preprocess import Preprocess

STORED_AS = "hugging_face_text"
LONGEST = 512  # tokens of a text; what comes after is not read
BATCH = 32


@dataclass(frozen=True, eq=False)
class HuggingFaceTextEncoder(WithoutLastLayer):
    """A text classifier of the library without its last layer: an array of str (m,) to features (m, d)."""

    words: str
    """Its tokenizer.json."""

    stored_as = STORED_AS
    kind = TEXT

    @cached_property
    def fingerprint(self) -> str:
        return content_fingerprint(STORED_AS, *self.settings().values(), self.words, *content_of(self.state))

    @cached_property
    def module(self) -> nn.Module:
        """The network from token numbers (m, length) and which of them count to features; shared, not to be changed."""
        return self.built("input_ids", "attention_mask")

    @cached_property
    def tokenizer(self) -> Any:  # noqa: ANN401  the library has no types
        """What makes tokens of texts, cut at the longest that the network reads."""
        found = tokenizer.open_tokenizer(self.words)
        places = int(self.described.settings.get("max_position_embeddings", LONGEST))
        padding = self.described.settings.get("pad_token_id")
        shifted = (padding or 0) + 1 if self.described.model_type == "roberta" else 0
        found.enable_truncation(min(LONGEST, places - shifted))
        found.enable_padding(pad_id=padding or 0)
        return found

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Features (m, d) float32 of each batch of texts."""
        import torch

        for batch in batches:
            found = []
            for start in range(0, len(batch), BATCH):
                tokens = self.tokenizer.encode_batch([str(text) for text in batch[start : start + BATCH]])
                ids = torch.tensor([one.ids for one in tokens])
                counts = torch.tensor([one.attention_mask for one in tokens])
                with torch.inference_mode():
                    found.append(self.module(ids, counts).numpy())
            yield np.concatenate(found)

    def stored(self) -> tuple[dict[str, str], dict[str, Array]]:
        """What the network is, as text; its weights and its words."""
        words = np.frombuffer(self.words.encode(), "uint8")
        return self.settings(), {**self.state, tokenizer.FILE: words}


def restore(
    settings: Mapping[str, str],
    arrays: Mapping[str, Array],
    preprocess: Preprocess,  # noqa: ARG001  nothing is done to texts
) -> HuggingFaceTextEncoder:
    """The encoder that `HuggingFaceTextEncoder.stored` described. ModelError for another description."""
    described, width = described_by(settings, TEXT, "texts")
    if tokenizer.FILE not in arrays:
        raise ModelError(DAMAGED)
    words = arrays[tokenizer.FILE].astype("uint8").tobytes()
    state = {name: array for name, array in arrays.items() if name != tokenizer.FILE}
    return HuggingFaceTextEncoder(described, state, width, tokenizer.check_words(words))
