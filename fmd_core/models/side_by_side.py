"""A changed network beside the original, so that what compares two heads compares two networks.

Every judge here (`compare`, `audit_bias`, twins, reports) takes two heads on one set of features. A
network whose encoder changed has features of its own; with both side by side each answer is a head.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, InputKind, content_fingerprint
from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.heads.two_layer import MLPHead
from fmd_core.kinds import find_kind
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoder import Encoder
from fmd_core.models.preprocess import Preprocess

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class SideBySide(Classifier):
    """A classifier whose features are [those of `original` | those of `changed`], each at its own scale.

    It is made again from the two whenever it is needed, and is not a weights file: keep `changed` on the
    shelf (`model_shelf.keep_model`), open it and call `beside` again.
    """

    original: Classifier = field(kw_only=True)
    changed: Classifier = field(kw_only=True)

    @property
    def changed_layers(self) -> tuple[str, ...]:
        """Names of the encoder's layers whose weights differ, in the order of the network."""
        before, after = self.original.encoder_state, self.changed.encoder_state
        differ = [name for name in after if not np.array_equal(after[name], before.get(name, ()))]
        return tuple(dict.fromkeys(name.rpartition(".")[0] or name for name in differ))

    @cached_property
    def encoder_fingerprint(self) -> str:
        return self.encoder.fingerprint

    @cached_property
    def encoder(self) -> Encoder:
        return _Both(self.original, self.changed)

    @property
    def n_parameters(self) -> int:
        return sum(array.size for array in [*self.encoder_state.values(), *self.head.arrays.values()])


@dataclass(frozen=True, eq=False)
class _Both:
    """The encoders of two classifiers that read the same inputs."""

    original: Classifier
    changed: Classifier

    @property
    def kind(self) -> InputKind:
        return self.original.kind

    @property
    def title(self) -> str:
        return self.original.title

    @property
    def preprocess(self) -> Preprocess:
        return self.original.preprocess

    @property
    def n_features(self) -> int:
        return self.original.head.n_features + self.changed.head.n_features

    @property
    def n_parameters(self) -> int:
        return self.original.encoder.n_parameters + self.changed.encoder.n_parameters

    @property
    def fingerprint(self) -> str:
        first, second = self.original.encoder_fingerprint, self.changed.encoder_fingerprint
        return content_fingerprint(first, second) if first and second else ""

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Both networks' features of each batch, side by side."""
        for batch in batches:
            yield np.concatenate([part.encode([batch]) for part in (self.original, self.changed)], axis=1)

    def as_module(self) -> torch.nn.Module:
        """Copies of both networks in one."""
        import torch

        class Both(torch.nn.Module):
            def __init__(self, parts: list[Classifier]) -> None:
                super().__init__()
                self.scales = [part.feature_scale for part in parts]
                self.parts = torch.nn.ModuleList([part.as_module() for part in parts])

            def forward(self, inputs: torch.Tensor) -> torch.Tensor:
                scaled = zip(self.parts, self.scales, strict=True)
                return torch.cat([part(inputs) * scale for part, scale in scaled], dim=1)

        return Both([self.original, self.changed]).eval()


def beside(original: Classifier, changed: Classifier) -> tuple[SideBySide, Head]:
    """Both networks as one: a classifier that answers as `original`, and the head of `changed`'s answers.

    Both answers are what each network gives alone, to rounding. Raises ModelError for networks that read
    other data, make them ready in another way, or tell other classes apart.
    """
    for what, first, second in (
        ("read", find_kind(original.kind).plural, find_kind(changed.kind).plural),
        ("prepare their inputs as", _in_words(original.preprocess), _in_words(changed.preprocess)),
        ("tell apart", f"{original.head.n_classes} classes", f"{changed.head.n_classes} classes"),
    ):
        if first != second:
            raise ModelError(
                f"The two networks {what} different things ({first}; {second}); compare a network with one "
                "that was made from it."
            )
    here, there = original.head.n_features, changed.head.n_features
    parts = {"original": original, "changed": changed}
    state = {
        f"{side}.{name}": array for side, part in parts.items() for name, array in part.encoder_state.items()
    }
    both = SideBySide(
        original.architecture, state, _padded(original.head, 0, there), original.damping,
        original.preprocess, 1.0, original.name, original.depth, original=original, changed=changed,
        taught_by=original.taught_by,
    )  # fmt: skip
    return both, _padded(changed.head, here, 0)


def _in_words(preprocess: Preprocess) -> str:
    return (
        f"{preprocess.normalisation}, {preprocess.size} pixels"
        if preprocess.size
        else preprocess.normalisation
    )


def _padded(head: Head, before: int, after: int) -> Head:
    """The head reading the same numbers among others that it ignores."""
    if isinstance(head, LinearHead):
        return LinearHead(np.pad(head.weight, ((0, 0), (before, after))), head.bias)
    if isinstance(head, MLPHead):
        weight = np.pad(head.hidden_weight, ((0, 0), (before, after)))
        return MLPHead(weight, head.hidden_bias, head.last)
    raise ModelError(f"A head of the kind {type(head).__name__} cannot be put beside another.")
