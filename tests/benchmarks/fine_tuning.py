"""The whole network fitted to the same external pairs, until its time is up.

What unlearning in the head is measured against where images and a few seconds are at hand: encoder and
head together by Adam on both sides of the pairs, every group of class and attribute level counting equally,
as in the last-layer refit.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from fmd_core import CounterfactualPairs, LinearHead
from fmd_core.data import Array, AttributeDataset, frozen_array, group_codes
from fmd_core.models.architectures import build_encoder
from fmd_core.models.classifier import Classifier
from fmd_core.unlearn.objective import balanced_weights

BATCH = 256
LEARNING_RATE = 1e-3  # as in training


def fine_tuned(
    classifier: Classifier,
    dataset: AttributeDataset,
    pairs: CounterfactualPairs,
    *,
    seconds: float,
    seed: int = 0,
) -> tuple[Classifier, int]:
    """The network after `seconds` of training, reading and all, and how many samples it has learned from:
    at least one batch. What neighbours take of the CPUs does not count as time: it is CPU time by the number of
    threads. The first call of a process also loads the optimiser, which takes seconds.

    Statistics of normalisation layers stay as they are: pairs are not drawn like the data.
    """
    import torch

    torch.manual_seed(seed)
    ends = time.process_time() + seconds * torch.get_num_threads()
    encoder, top = _network(classifier)
    optimiser = torch.optim.Adam([*encoder.parameters(), *top.parameters()], lr=LEARNING_RATE)
    labels, levels = np.tile(pairs.labels, 2), np.concatenate([pairs.favoured_codes, pairs.other_codes])
    weights = balanced_weights(group_codes(labels, levels)) * len(labels)
    rng, learned = np.random.default_rng(seed), 0
    while True:
        order = rng.permutation(len(labels))
        for part in np.array_split(order, max(1, len(order) // BATCH)):
            inputs = classifier.preprocess.apply(read_sides(dataset, pairs, part))
            answer = top(encoder(inputs) * classifier.feature_scale)
            loss = torch.nn.functional.cross_entropy(answer, torch.from_numpy(labels[part]), reduction="none")
            optimiser.zero_grad()
            (loss * torch.from_numpy(weights[part]).float()).mean().backward()
            optimiser.step()
            learned += len(part)
            if time.process_time() > ends:
                return _finished(classifier, encoder, top), learned


def read_sides(dataset: AttributeDataset, pairs: CounterfactualPairs, part: Array) -> Array:
    """Inputs of the samples at positions `part` among the favoured sides, then the other sides."""
    rows = np.concatenate([pairs.favoured.rows, pairs.other.rows])[part]
    if pairs.method == "matched":  # two real people
        return dataset.source.read(rows)
    codes = np.concatenate([pairs.favoured_codes, pairs.other_codes])[part]
    return dataset.source.counterfactual(rows, pairs.attribute, codes)


def _network(classifier: Classifier) -> tuple:
    import torch

    first = next((a for a in classifier.encoder_state.values() if a.ndim == 2), np.zeros((0, 0)))
    encoder = build_encoder(classifier.architecture, first.shape[1])
    encoder.load_state_dict({k: torch.from_numpy(a.copy()) for k, a in classifier.encoder_state.items()})
    top = torch.nn.Linear(classifier.head.n_features, classifier.head.n_classes)
    top.weight.data = torch.tensor(classifier.head.last.weight, dtype=torch.float32)
    top.bias.data = torch.tensor(classifier.head.last.bias, dtype=torch.float32)
    return encoder.eval(), top


def _finished(classifier: Classifier, encoder: object, top: object) -> Classifier:
    state = {name: frozen_array(t.detach().numpy().copy()) for name, t in encoder.state_dict().items()}
    head = LinearHead(top.weight.detach().numpy(), top.bias.detach().numpy())
    return replace(classifier, encoder_state=state, head=head)
