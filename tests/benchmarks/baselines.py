"""What others do: the published procedure, and captum's gradient similarity."""

from __future__ import annotations

import time
import warnings

import numpy as np

from fmd_core import CounterfactualPairs, FeatureSet, LinearHead
from fmd_core.data import Array


def published_step(
    head: LinearHead, train: FeatureSet, pairs: CounterfactualPairs, *, damping: float, n_pairs: int
) -> Array:
    """Chen et al. (2023) word by word: for every counterfactual pair the full Hessian of the
    training loss, its explicit inverse, and that times the pair's gradient difference.

    The Hessian is built by the function that our own curvature uses, so BLAS and blocking are
    the same; only what is done once for us is done per pair here.
    """
    step, weights, one = np.zeros(head.n_parameters), np.full(len(train), 1 / len(train)), np.ones(1)
    for pair in (pairs.subset([i]) for i in range(n_pairs)):
        hessian = head.hessian(train.features, weights)
        inverse = np.linalg.inv(hessian + damping * np.eye(head.n_parameters))
        difference = head.loss_gradient(pair.favoured.features, pair.labels, one) - head.loss_gradient(
            pair.other.features, pair.labels, one
        )
        step += inverse @ difference / n_pairs
    return step


def autograd_hessian_seconds(head: LinearHead, train: FeatureSet, *, n_rows: int | None) -> float:
    """Seconds for one Hessian of the training loss as PyTorch users write it: differentiate every
    entry of the gradient, for all K (d + 1) parameters. Scaled up where only `n_rows` are run."""
    import torch

    x, y = torch.tensor(train.features), torch.tensor(train.labels)
    weight = torch.tensor(np.column_stack([head.weight, head.bias]), dtype=x.dtype, requires_grad=True)
    start = time.perf_counter()
    loss = torch.nn.functional.cross_entropy(x @ weight[:, :-1].T + weight[:, -1], y)
    entries = torch.autograd.grad(loss, weight, create_graph=True)[0].ravel()
    built = time.perf_counter() - start
    rows = len(entries) if n_rows is None else n_rows
    start = time.perf_counter()
    for entry in entries[:rows]:
        torch.autograd.grad(entry, weight, retain_graph=True)
    return built + (time.perf_counter() - start) * len(entries) / rows


class GradientSimilarity:
    """captum's TracInCPFast on one checkpoint of a head."""

    def __init__(self, head: LinearHead, train: FeatureSet) -> None:
        import torch
        from captum.influence import TracInCPFast

        module = torch.nn.Sequential(torch.nn.Linear(head.n_features, head.n_classes))
        module[0].weight.data = torch.tensor(head.weight, dtype=torch.float32)
        module[0].bias.data = torch.tensor(head.bias, dtype=torch.float32)
        self.tracin = TracInCPFast(
            module,
            module[0],
            torch.utils.data.TensorDataset(torch.tensor(train.features), torch.tensor(train.labels)),
            ["the only one"],
            checkpoints_load_func=lambda module, path: 1.0,  # noqa: ARG005
            loss_fn=torch.nn.CrossEntropyLoss(reduction="sum"),
            batch_size=4096,
        )

    def scores(self, pairs: CounterfactualPairs) -> Array:
        """Similarity to the other sides' gradients less that to the favoured sides', per sample: in
        our terms and with the identity for the curvature, what removal does to the bias, up to scale."""
        return self._mean(pairs.other) - self._mean(pairs.favoured)

    def _mean(self, side: FeatureSet) -> Array:
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test = torch.tensor(side.features), torch.tensor(side.labels)
            return self.tracin.influence(test).mean(dim=0).detach().numpy()
