"""Text classifiers of Hugging Face's transformers: weights and words, both read by lists of what is known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fmd_core.data import Array, content_fingerprint
from fmd_core.errors import ModelError
from fmd_core.models.hugging_face import INNER, TEXT, WIDEST, Described, build, read_config
from fmd_core.models.network_encoder import content_of

if TYPE_CHECKING:
    from torch import nn

    from fmd_core.models.preprocess import Preprocess

STORED_AS = "hugging_face_text"
LONGEST = 512  # tokens of a text; what comes after is not read
BATCH = 32
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
    "decoder": None,  # not asked: nothing is written
}
"""Parts of a tokenizer.json and the types that they may have. Patterns of its owner's can take for ever, so none is."""
PARTS = ("normalizers", "pretokenizers", "processors")


def check_words(content: bytes) -> str:
    """A tokenizer.json as text, if it is one of a known make. ModelError for anything else."""
    if len(content) > MOST_BYTES:
        raise ModelError(f"tokenizer.json has more than the {MOST_BYTES >> 20} MiB that it may have.")
    try:
        text = content.decode("utf-8")
        told = json.loads(text)
        for part, known in KNOWN.items():
            if known is not None and told.get(part) is not None:
                _check_part(part, told[part], known, 0)
        if not isinstance(told.get("model"), dict):
            raise ValueError
    except (ValueError, AttributeError, RecursionError) as error:
        raise ModelError(
            "tokenizer.json cannot be read; save the tokenizer again with save_pretrained()."
        ) from error
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


@dataclass(frozen=True, eq=False)
class HuggingFaceTextEncoder:
    """A text classifier of the library without its last layer: an array of str (m,) to features (m, d)."""

    described: Described
    state: Mapping[str, Array]
    """Weights by their names in the file, without the last layer."""
    n_features: int
    words: str
    """Its tokenizer.json."""

    stored_as = STORED_AS
    kind = TEXT

    @property
    def title(self) -> str:
        return f"{self.described.family.title} (Hugging Face)"

    @property
    def n_parameters(self) -> int:
        return sum(array.size for array in self.state.values())

    @cached_property
    def fingerprint(self) -> str:
        return content_fingerprint(STORED_AS, *self.stored()[0].values(), self.words, *content_of(self.state))

    @cached_property
    def module(self) -> nn.Module:
        """The network from token numbers (m, length) and which of them count to features; shared, not to be changed."""
        name, width = self.described.family.head, self.n_features
        last = {f"{name}.weight": np.zeros((2, width), "float32"), f"{name}.bias": np.zeros(2, "float32")}
        return _features_of(build(self.described, {**self.state, **last}, 2), name)

    @cached_property
    def tokenizer(self) -> Any:  # noqa: ANN401  the library has no types
        """What makes tokens of texts, cut at the longest that the network reads."""
        from tokenizers import Tokenizer

        try:
            found = Tokenizer.from_str(self.words)
        except BaseException as error:  # the library's own panics are no Exception
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            raise ModelError(
                "tokenizer.json cannot be read; save the tokenizer again with save_pretrained()."
            ) from error
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
        told = {"model_type": self.described.model_type, **self.described.settings}
        words = np.frombuffer(self.words.encode(), "uint8")
        settings = {"config": json.dumps(told, sort_keys=True), "features": str(self.n_features)}
        return settings, {**self.state, WORDS: words}


WORDS = "tokenizer.json"


def _features_of(network: nn.Module, head: str) -> nn.Module:
    import torch

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            network.set_submodule(head, torch.nn.Identity())
            self.add_module(INNER, network)

        def forward(self, ids: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
            answers: torch.Tensor = self.get_submodule(INNER)(input_ids=ids, attention_mask=counts).logits
            return answers

    return Features().eval().requires_grad_(False)


def restore(
    settings: Mapping[str, str],
    arrays: Mapping[str, Array],
    preprocess: Preprocess,  # noqa: ARG001  nothing is done to texts
) -> HuggingFaceTextEncoder:
    """The encoder that `HuggingFaceTextEncoder.stored` described. ModelError for another description."""
    try:
        described, width = read_config(json.loads(settings["config"])), int(settings["features"])
        words = arrays[WORDS].astype("uint8").tobytes()
    except (KeyError, ValueError, RecursionError) as error:
        raise ModelError(
            "The description of the network in this file is damaged; restore the original."
        ) from error
    if described.family.kind != TEXT or not 0 < width <= WIDEST:
        raise ModelError("The file describes no network for texts; restore the original.")
    state = {name: array for name, array in arrays.items() if name != WORDS}
    return HuggingFaceTextEncoder(replace(described, left=()), state, width, check_words(words))
