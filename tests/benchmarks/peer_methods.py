"""How each of the field's libraries is asked; see `tests.benchmarks.peers`."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fmd_core import CounterfactualPairs, FeatureSet, LinearHead
from fmd_core.data import Array
from fmd_core.measure.bias_functions import pair_differences

BATCH, TEST_BATCH = 4_096, 100
PROJECTED_TO = 512  # TRAK
ARNOLDI_DIMENSIONS = 200


@dataclass(frozen=True, eq=False)
class Question:
    """q: both sides of all pairs, (2m, d), with labels and weights (2m,)."""

    features: Array
    labels: Array
    weights: Array

    @classmethod
    def of(cls, head: LinearHead, pairs: CounterfactualPairs) -> Question:
        """The question whose slope is that of B on `pairs`."""
        signs = np.sign(pair_differences(head, pairs)) / len(pairs)
        return cls(
            np.concatenate([pairs.favoured.features, pairs.other.features]).astype("float32"),
            np.tile(pairs.labels, 2),
            np.concatenate([signs, -signs]).astype("float32"),
        )


# --- what they share: the head as a torch module, and both kinds of samples as tensors


def torch_head(head: LinearHead) -> object:
    """The head, float32."""
    import torch

    module = torch.nn.Sequential(torch.nn.Linear(head.n_features, head.n_classes))
    module[0].weight.data = torch.tensor(head.weight, dtype=torch.float32)
    module[0].bias.data = torch.tensor(head.bias, dtype=torch.float32)
    return module.eval()


def torch_rows(train: FeatureSet) -> object:
    """Features and labels as a data set."""
    import torch

    return torch.utils.data.TensorDataset(torch.tensor(train.features), torch.tensor(train.labels))


def asked(question: Question) -> tuple:
    """All pairs as one test sample: features (1, 2m, d), labels and weights (1, 2m, 2)."""
    import torch

    both = np.column_stack([question.labels, question.weights]).astype("float32")
    return torch.tensor(question.features)[None], torch.tensor(both)[None]


def weighted_probability(logits: object, asked: object) -> object:
    """q of logits (..., 2m, K) and labels with weights (..., 2m, 2)."""
    own = logits.softmax(-1).gather(-1, asked[..., :1].long())
    return (own[..., 0] * asked[..., 1]).sum()


# --- captum


def captum_naive(head: LinearHead, train: FeatureSet, question: Question, damping: float) -> Array:
    """The Hessian by automatic differentiation, all its directions."""
    from captum.influence import NaiveInfluenceFunction

    return _captum(NaiveInfluenceFunction, head, train, question, projection_dim=None,
                   hessian_reg=damping * len(train), hessian_inverse_tol=0.0)  # fmt: skip


def captum_arnoldi(head: LinearHead, train: FeatureSet, question: Question, damping: float) -> Array:
    """A Krylov space of the Hessian."""
    from captum.influence._core.arnoldi_influence_function import ArnoldiInfluenceFunction

    size = ARNOLDI_DIMENSIONS
    return _captum(ArnoldiInfluenceFunction, head, train, question, projection_dim=size, arnoldi_dim=size,
                   arnoldi_tol=0.0, hessian_reg=damping * len(train), hessian_inverse_tol=0.0)  # fmt: skip


def _captum(method: Callable, head: LinearHead, train: FeatureSet, question: Question, **options) -> Array:
    import torch

    def ask(logits, target):
        return weighted_probability(logits, target)

    ask.reduction = "sum"
    found = method(
        torch_head(head),
        torch_rows(train),
        checkpoint="",
        checkpoints_load_func=lambda *_: 0,
        layers=["0"],
        loss_fn=torch.nn.CrossEntropyLoss(reduction="sum"),
        test_loss_fn=ask,
        batch_size=BATCH,
        sample_wise_grads_per_batch=True,
        **options,
    )
    return found.influence(asked(question))[0].numpy()


def captum_tracin(head: LinearHead, train: FeatureSet, question: Question, damping: float) -> Array:  # noqa: ARG001
    """Likeness of gradients at one checkpoint, the layer's bias left out."""
    import torch
    from captum.influence import TracInCPFast

    def ask(logits, labels):
        return logits.softmax(1).gather(1, labels[:, None]).sum()

    ask.reduction = "sum"
    module = torch_head(head)
    found = TracInCPFast(
        module,
        module[0],
        torch_rows(train),
        ["the only one"],
        checkpoints_load_func=lambda *_: 1.0,
        loss_fn=torch.nn.CrossEntropyLoss(reduction="sum"),
        test_loss_fn=ask,
        batch_size=BATCH,
    )
    test = torch.tensor(question.features), torch.tensor(question.labels)
    return question.weights @ found.influence(test).detach().numpy()


# --- dattri


def dattri_cg(
    head: LinearHead,
    train: FeatureSet,
    question: Question,
    damping: float,
    *,
    steps: int,
    singly: bool = False,
) -> Array:
    """Conjugate gradients on products with the Hessian; `singly`: each side of a pair is a test sample of its
    own, as in the library's examples, and has its own solve."""
    import torch
    from dattri.algorithm.influence_function import IFAttributorCG
    from dattri.task import AttributionTask

    module = torch_head(head)
    state = {name: value.clone() for name, value in module.state_dict().items()}

    def loss(parameters, data):
        logits = torch.func.functional_call(module, parameters, data[0])
        return torch.nn.functional.cross_entropy(logits, data[1])

    def ask(parameters, data):
        return weighted_probability(torch.func.functional_call(module, parameters, data[0]), data[1])

    task = AttributionTask(loss_func=loss, model=module, checkpoints=state, target_func=ask)
    found = IFAttributorCG(task, max_iter=steps, regularization=damping)
    whole = torch.utils.data.DataLoader(torch_rows(train), batch_size=len(train))  # else it solves per batch
    features, weights = asked(question)
    if singly:
        features, weights = features[0][:, None], weights[0][:, None]
    samples = torch.utils.data.TensorDataset(features, weights)
    found.cache(whole)
    scores = found.attribute(whole, torch.utils.data.DataLoader(samples, batch_size=TEST_BATCH))
    return scores.sum(dim=1).detach().numpy()


# --- kronfluence


def kronfluence_ekfac(head: LinearHead, train: FeatureSet, question: Question, damping: float) -> Array:
    """Kronecker factors with eigenvalues corrected."""
    import torch
    from kronfluence.analyzer import Analyzer, prepare_model
    from kronfluence.arguments import FactorArguments, ScoreArguments
    from kronfluence.task import Task

    class Head(Task):
        def compute_train_loss(self, batch, model, sample=False):
            logits, labels = model(batch[0]), batch[1]
            if sample:
                labels = torch.multinomial(logits.detach().softmax(-1), 1)[:, 0]
            return torch.nn.functional.cross_entropy(logits, labels, reduction="sum")

        def compute_measurement(self, batch, model):
            return weighted_probability(model(batch[0]), batch[1])

    torch.manual_seed(0)
    rows, test = torch_rows(train), torch.utils.data.TensorDataset(*asked(question))
    whole = {"covariance_max_examples": None, "lambda_max_examples": None}
    with tempfile.TemporaryDirectory() as folder:
        task = Head()
        found = Analyzer("bench", prepare_model(torch_head(head), task), task, cpu=True, disable_tqdm=True,
                         output_dir=folder, log_level=logging.ERROR)  # fmt: skip
        found.fit_all_factors(
            "factors", rows, per_device_batch_size=BATCH, factor_args=FactorArguments("ekfac", **whole)
        )
        found.compute_pairwise_scores("scores", "factors", test, rows, 1, BATCH,
                                      score_args=ScoreArguments(damping_factor=damping))  # fmt: skip
        return found.load_pairwise_scores("scores")["all_modules"][0].numpy()


# --- TRAK


def trak(head: LinearHead, train: FeatureSet, question: Question, damping: float) -> Array:  # noqa: ARG001
    """Randomly projected gradients of the margin, one checkpoint."""
    import torch
    from trak import TRAKer
    from trak.modelout_functions import ImageClassificationModelOutput

    class Output(ImageClassificationModelOutput):
        """The margin for a training sample, q for the one test sample."""

        @staticmethod
        def get_output(model, weights, buffers, image, label):
            if image.ndim == 1:
                return ImageClassificationModelOutput.get_output(model, weights, buffers, image, label)
            logits = torch.func.functional_call(model, (weights, buffers), image)
            return weighted_probability(logits, label)

    module = torch_head(head)
    state = {name: value.clone() for name, value in module.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        found = TRAKer(module, Output(), len(train), save_dir=folder, device="cpu", proj_dim=PROJECTED_TO,
                       use_half_precision=False, logging_level=logging.ERROR)  # fmt: skip
        found.load_checkpoint(state, model_id=0)
        for batch in torch.utils.data.DataLoader(torch_rows(train), batch_size=BATCH):
            found.featurize(batch, num_samples=len(batch[0]))
        found.finalize_features()
        found.start_scoring_checkpoint("bias", state, model_id=0, num_targets=1)
        found.score(asked(question), num_samples=1)
        return -np.array(found.finalize_scores("bias"))[:, 0]
