"""The same classifier with more of it in the head, so that unlearning reaches one layer deeper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fmd_core.data import frozen_array
from fmd_core.errors import ModelError
from fmd_core.heads import LinearHead
from fmd_core.mlp_head import MLPHead
from fmd_core.models import Classifier
from fmd_core.networks.architectures import Depth, find_hidden_layer


def deepened(classifier: Classifier, depth: Depth, *, scale: float = 1.0) -> Classifier:
    """The same answers, to rounding, from an encoder that ends at `depth`.

    'two layers': the encoder stops before its last linear layer, which moves into an `MLPHead`.
    'concatenated': it gives out that layer's input beside its output, and the linear head reads only the
    output so far. Features are other ones and are kept apart in the feature store.

    `scale` is the factor on what the hidden layer reads. The damping suits features with a mean square
    of 1: `training.feature_scale` of the deepened classifier finds it. Raises ModelError, in a sentence,
    for architectures without a hidden layer below the last one, and for a classifier deepened already.
    """
    if depth == classifier.depth:
        return classifier
    if classifier.depth != "last layer" or not isinstance(classifier.head, LinearHead):
        raise ModelError(
            f"This classifier is open at '{classifier.depth}'; change the depth of the original instead."
        )
    name = find_hidden_layer(classifier.architecture)
    state = dict(classifier.encoder_state)
    try:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    except KeyError as error:
        raise ModelError(f"Layer '{name}' is missing in the weights; open the whole network.") from error
    if depth == "two layers":
        del state[f"{name}.weight"], state[f"{name}.bias"]
        factor = classifier.feature_scale  # relu(a x) = a relu(x) for a > 0: the scale moves into the layer
        head = MLPHead(
            weight.astype("float64") * (factor / scale), bias.astype("float64") * factor, classifier.head
        )
        return replace(classifier, encoder_state=state, head=head, feature_scale=scale, depth=depth)
    # one scale serves both halves: the hidden layer makes up for the difference
    factor = classifier.feature_scale / scale
    state |= {f"{name}.weight": frozen_array(weight * np.float32(factor))}
    state |= {f"{name}.bias": frozen_array(bias * np.float32(factor))}
    unread = np.zeros((classifier.head.n_classes, weight.shape[1]))
    head_of_both = LinearHead(np.column_stack([unread, classifier.head.weight]), classifier.head.bias)
    return replace(classifier, encoder_state=state, head=head_of_both, feature_scale=scale, depth=depth)
