"""The same classifier with more of it in the head, so that unlearning reaches one layer deeper."""

from __future__ import annotations

from dataclasses import replace

from fmd_core.data import AttributeDataset
from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.models.classifier import Classifier
from fmd_core.models.depth import DEPTHS, LAST_LAYER, Depth, find_depth
from fmd_core.models.network_encoder import NetworkEncoder
from fmd_core.models.training import feature_scale


def deepened(classifier: Classifier, depth: Depth | str, *, scale: float = 1.0) -> Classifier:
    """The same answers, to rounding, from an encoder that ends at `depth`, which is named or given as a value.

    'two layers': the encoder stops before its last linear layer, which moves into an `MLPHead`.
    'concatenated': it gives out that layer's input beside its output, and the linear head reads only the
    output so far. Features are other ones and are kept apart in the feature store.

    `scale` is the factor on what the head reads there. The damping suits features with a mean square
    of 1: `training.feature_scale` of the deepened classifier finds it. Raises ModelError, in a sentence,
    for an unknown depth, for models without a hidden layer below the last one, and for a classifier deepened
    already.
    """
    found = find_depth(depth.name if isinstance(depth, Depth) else depth)
    if found.name == classifier.depth:
        return classifier
    if classifier.depth != LAST_LAYER or not isinstance(classifier.head, LinearHead):
        raise ModelError(
            f"This classifier is open at '{classifier.depth}'; change the depth of the original instead."
        )
    encoder, head = found.move(classifier.encoder, classifier.head, classifier.feature_scale, scale)
    opened = replace(classifier, head=head, feature_scale=scale, depth=found.name, recipe=None)
    if isinstance(encoder, NetworkEncoder) and encoder.cut is found.cut and classifier.own_encoder is None:
        return replace(opened, encoder_state=dict(encoder.state))
    return replace(opened, own_encoder=encoder)


def deepened_to_scale(classifier: Classifier, dataset: AttributeDataset, depth: str) -> Classifier:
    """The same, with features of the size that the damping suits, as training samples say."""
    measured = deepened(classifier, find_depth(depth).measured_at or depth)
    return deepened(classifier, depth, scale=feature_scale(measured, dataset))


def depths_of(classifier: Classifier) -> tuple[Depth, ...]:
    """The depths that a classifier, open at its last layer, can be opened at."""
    return tuple(depth for depth in DEPTHS.values() if not depth.why_not(classifier.encoder, classifier.head))
