"""An original and a repaired network mixed into one that is kept, opened and run like any other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.models.architectures import TWICE
from fmd_core.models.classifier import Classifier
from fmd_core.models.depth import LAST_LAYER
from fmd_core.models.taught import together


def why_not_mixed(original: Classifier) -> str:
    """Why nothing that learned on from a network could be mixed with it into one that a file can hold, in a sentence;
    '' where it could."""
    if original.own_encoder is not None or original.depth != LAST_LAYER:
        return (
            f"{original.title} is no network of our list, open at its last layer, so what learned on from it could not "
            "be mixed with it into one file. Change the threshold instead."
        )
    if original.architecture.endswith(TWICE):
        return (
            f"{original.title} is a mixture already and cannot be mixed again: begin from the original network, or "
            "change its last layer only."
        )
    return ""


def mixed_network(original: Classifier, repaired: Classifier, share: float) -> Classifier:
    """The network whose logits are `share` of the way from those of `original` to those of `repaired`.

    Its encoder is both encoders side by side, with weights `original.*` and `repaired.*`, and its last layer reads
    what both make: in plain PyTorch `head(torch.cat([original(x), repaired(x)], 1))`. At share 1, and where only the
    last layer differs, it is a network of the usual size. Raises ModelError for networks that are no variants of one
    network of our list, and for what is such a pair already: its file could not be opened.
    """
    if share == 1:
        return repaired
    of_one_kind = (
        original.architecture == repaired.architecture and original.preprocess == repaired.preprocess
    )
    ours = original.own_encoder is None and repaired.own_encoder is None
    shallow = original.depth == repaired.depth == LAST_LAYER
    one, two = original.head, repaired.head
    if not (of_one_kind and ours and shallow and isinstance(one, LinearHead) and isinstance(two, LinearHead)):
        raise ModelError("Only a network of our list and what was made from it can be mixed into one.")
    parts = [(original, one, 1 - share), (repaired, two, share)]
    heads = [head.rescaled(1 / part.feature_scale) for part, head, _ in parts]  # on what the encoders give
    bias = sum((weight * head.bias for head, (_, _, weight) in zip(heads, parts, strict=True)), np.zeros(1))
    name = f"{repaired.name}, {100 * share:g} % of the way"
    taught_by = together(original.taught_by, repaired.taught_by)
    if all(
        np.array_equal(original.encoder_state[key], repaired.encoder_state[key])
        for key in original.encoder_state
    ):
        weight = (1 - share) * heads[0].weight + share * heads[1].weight
        head = LinearHead(weight, bias).rescaled(original.feature_scale)
        return replace(original, head=head, name=name, recipe=None, taught_by=taught_by)
    if why := why_not_mixed(original):
        raise ModelError(why)
    weight = np.concatenate([(1 - share) * heads[0].weight, share * heads[1].weight], axis=1)
    state = {f"original.{key}": array for key, array in original.encoder_state.items()}
    state |= {f"repaired.{key}": array for key, array in repaired.encoder_state.items()}
    return replace(
        original, architecture=f"{original.architecture}{TWICE}", encoder_state=state,
        head=LinearHead(weight, bias), feature_scale=1.0, name=name, recipe=None, taught_by=taught_by,
    )  # fmt: skip
