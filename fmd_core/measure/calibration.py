"""Temperature scaling, so that two networks' probabilities can be compared: a network that is sure of nothing
has little bias between probabilities and answers people no more alike.

Guo et al., *On Calibration of Modern Neural Networks* (ICML 2017, arXiv 1706.04599).
"""

from __future__ import annotations

import numpy as np

from fmd_core.data import Array, FeatureSet
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head

COLDEST, HOTTEST = 0.05, 20.0


def fitted_temperature(logits: Array, labels: Array) -> float:
    """The one number that logits (n, C) are divided by so that the labels (n,) are the most likely, from 0.05 to 20.

    Logits may be off by a number for each person, as logarithms of probabilities are.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    picked = np.arange(len(labels)), labels

    def surprise(log_temperature: float) -> float:
        return -float(log_softmax(logits / np.exp(log_temperature), axis=1)[picked].mean())

    bounds = np.log(COLDEST), np.log(HOTTEST)
    return float(np.exp(minimize_scalar(surprise, bounds=bounds, method="bounded").x))


def head_temperature(head: Head, people: FeatureSet) -> float:
    """The temperature that suits a head's answers to `people`, who had no part in fitting it."""
    return fitted_temperature(head.logits(people.features), people.labels)


def tempered(head: Head, temperature: float) -> Head:
    """The same head with its logits divided by `temperature`: every answer stays, only how sure it is changes."""
    last = head.last
    return head.with_last(LinearHead(last.weight / temperature, last.bias / temperature))
