"""Which words of a text speak for a class: Integrated Gradients on the word vectors, by captum.

The baseline is the same text with every token masked. Tokens of one word are summed, so that words are what a person
can read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, frozen_array
from fmd_core.heads.protocol import Head
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoder import ReadsTokens

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import nn

STEPS, AT_ONCE = 48, 16


def word_spans(text: str) -> list[tuple[int, int]]:
    """Begin and end of each word of a text: of what stands between spaces."""
    return [found.span() for found in re.finditer(r"\S+", text)]


def explain_words(
    classifier: Classifier,
    encoder: ReadsTokens,
    text: str,
    target: int,
    module_of: Callable[[Head], nn.Module],
) -> tuple[Array, tuple[str, ...], float, float]:
    """What each word adds to the log-odds of class `target`, (n_words,) in nats, the words, the log-odds of the text
    and those of the masked one; `module_of` makes a torch module of a head. ModelError where tokens cannot be had."""
    import torch
    from captum.attr import LayerIntegratedGradients

    ids, places = encoder.tokens(text)
    network, head = encoder.as_module(), module_of(classifier.head)

    def log_odds(tokens: torch.Tensor) -> torch.Tensor:
        logits = head(network(tokens) * classifier.feature_scale)
        others = [k for k in range(logits.shape[1]) if k != target]
        return logits[:, target] - logits[:, others].logsumexp(dim=1)

    sample = torch.tensor([ids])
    masked = torch.tensor(
        [
            [
                token if begin == end else encoder.mask_token()
                for token, (begin, end) in zip(ids, places, strict=True)
            ]
        ]
    )
    with torch.no_grad():
        scores = [float(log_odds(tokens)[0]) for tokens in (sample, masked)]
    given = LayerIntegratedGradients(log_odds, network.get_submodule("words")).attribute(
        sample, masked, n_steps=STEPS, internal_batch_size=AT_ONCE
    )
    added = given[0].sum(dim=1).detach().double().numpy()
    spans = word_spans(text)
    of_word = [
        sum(a for a, (b, e) in zip(added, places, strict=True) if b < e and b < end and e > begin)
        for begin, end in spans
    ]
    return frozen_array(np.array(of_word)), tuple(text[b:e] for b, e in spans), scores[0], scores[1]
