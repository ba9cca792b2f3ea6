"""Classifiers: a frozen encoder below, the head above.

torch is imported when a network is first needed, not when this module is: it takes seconds,
and a page should be painted before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, InputKind, content_fingerprint, frozen_array
from fmd_core.errors import ModelError
from fmd_core.heads.protocol import Head
from fmd_core.kinds import find_kind, recognised
from fmd_core.models.class_order import Outputs
from fmd_core.models.depth import LAST_LAYER, find_depth
from fmd_core.models.encoder import Encoder, network_of, trainable
from fmd_core.models.network_encoder import NetworkEncoder, content_of
from fmd_core.models.preprocess import Preprocess
from fmd_core.models.taught import TaughtBy
from fmd_core.showing import one_line

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class TrainingRecipe:
    """How a network was trained here, beside what the classifier says itself: enough to train another like it."""

    epochs: int
    seed: int
    pretrained: bool = False


@dataclass(frozen=True, eq=False)
class Classifier:
    """A classifier opened for review: a network of our list by `architecture` and weights, or any `own_encoder`."""

    architecture: str
    """Name of the network in our list; of an encoder of one's own, what it is, in words."""
    encoder_state: dict[str, Array]
    head: Head
    damping: float
    """Weight decay that the head was fitted with: the damping at which influence is an exact slope."""
    preprocess: Preprocess = field(default_factory=Preprocess)
    feature_scale: float = 1.0
    """Factor on the encoder's output. Damping is relative to the size of the features: with a mean
    square of 1 one value suits every model."""
    name: str = ""
    depth: str = LAST_LAYER
    """Name of the depth where encoder and head meet; see `fmd_core.models.depth`."""
    trained_on: str = ""
    """Fingerprint of the data set that it was trained on here, '' where that is not known."""
    own_encoder: Encoder | None = field(default=None, kw_only=True)
    """What makes the features where that is no network of our list; see `fmd_core.wrap`."""
    recipe: TrainingRecipe | None = field(default=None, kw_only=True)
    """How encoder and head came to be what they are; None where that is not known, or one of them was changed."""
    outputs: Outputs | None = field(default=None, kw_only=True)
    """What the outputs mean that it had where it came from; None where it was trained for the classes at hand."""
    taught_by: TaughtBy = field(default_factory=dict, kw_only=True)
    """Who taught it on since; see `fmd_core.models.taught`."""

    @cached_property
    def encoder(self) -> Encoder:
        """What makes the features, before `feature_scale`."""
        if self.own_encoder is not None:
            return self.own_encoder
        cut = find_depth(self.depth).cut
        return NetworkEncoder(self.architecture, self.encoder_state, self.preprocess, cut)

    @property
    def kind(self) -> InputKind:
        """What the classifier reads."""
        return self.encoder.kind

    @property
    def title(self) -> str:
        """What kind of model it is, for people."""
        return self.encoder.title

    @cached_property
    def encoder_fingerprint(self) -> str:
        """Content digest of all that makes the features: the head may change and they stay. '' where the encoder
        has none; nothing is stored then."""
        scale, depth = repr(self.feature_scale), [] if self.depth == LAST_LAYER else [self.depth]
        if self.own_encoder is None:
            settings = [self.architecture, self.preprocess.content, scale, *depth]
            return content_fingerprint(*settings, *content_of(self.encoder_state))
        own = self.own_encoder.fingerprint
        return own and content_fingerprint("own encoder", own, scale, *depth)

    @cached_property
    def fingerprint(self) -> str:
        """Content digest of encoder and head; of the head alone where the encoder has none."""
        return content_fingerprint(self.encoder_fingerprint, self.head.fingerprint)

    def with_head(self, head: Head) -> Classifier:
        """The same encoder under another head."""
        return replace(self, head=head, recipe=None)

    def with_encoder(self, encoder: Encoder) -> Classifier:
        """The same head on another encoder."""
        if isinstance(encoder, NetworkEncoder) and self.own_encoder is None:
            return replace(self, encoder_state=dict(encoder.state), recipe=None)
        return replace(self, own_encoder=encoder, recipe=None)

    def with_weights(self, learned: Mapping[str, Array]) -> Classifier:
        """The same network with some weights replaced. Raises ModelError where it cannot be trained."""
        return self.with_encoder(trainable(self.encoder).with_weights(learned))

    @property
    def n_parameters(self) -> int:
        return self.encoder.n_parameters + sum(a.size for a in self.head.arrays.values())

    def as_module(self) -> nn.Module:
        """A fresh copy of the encoder as a torch module, from what `preprocess.apply` gives to features (m, d) before
        `feature_scale`: it may be trained, and listened to. Raises ModelError where the encoder is no network."""
        return network_of(self.encoder).as_module()

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Features (m, d) float32 of each batch: uint8 images (m, height, width, 3) or rows (m, columns)."""
        for features in self.encoder.encode_batches(self._readable(batches)):
            if features.shape[1] != self.head.n_features:
                raise ModelError(
                    f"The encoder gives {features.shape[1]} features, but the head expects "
                    f"{self.head.n_features}; open weights that belong together."
                )
            yield features * np.float32(self.feature_scale)

    def encode(self, batches: Iterable[Array]) -> Array:
        """Features (n, d) float32 of all batches together."""
        return frozen_array(np.concatenate(list(self.encode_batches(batches))))

    def _readable(self, batches: Iterable[Array]) -> Iterator[Array]:
        kind = find_kind(self.kind)
        for batch in batches:
            if not kind.reads(batch):
                raise ModelError(
                    f"The model reads {kind.plural}, but the data are {recognised(batch).samples}; "
                    "open a model that was trained for this data set."
                )
            yield batch

    def __repr__(self) -> str:
        return one_line(
            self,
            self.name,
            self.architecture,
            f"{self.head.n_classes} classes",
            f"{self.head.n_features} features",
        )
