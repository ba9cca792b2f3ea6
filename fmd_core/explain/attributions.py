"""Where a model looks: how much each part of one sample speaks for a class, by captum.

What is explained is the log-odds of the class, log p / (1 - p), in nats. It depends on the
answers alone, so that heads can be compared: adding the same vector to every class's weights
changes each logit, but no answer and no log-odds.

An attribution says what the network's arithmetic uses. It does not say why, nor what would
happen if a part of the sample were another; the twins do that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from PIL import Image

from fmd_core.data import Array, AttributeDataset, frozen_array
from fmd_core.errors import DataError, ModelError
from fmd_core.explain.token_attributions import explain_words
from fmd_core.figures import percent
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.heads.two_layer import MLPHead
from fmd_core.kinds import find_kind
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoder import KnowsRows, Network, ReadsTokens
from fmd_core.models.encoding import BATCH_PIXELS, BATCH_ROWS, check_fit, read_inputs, row_batches
from fmd_core.showing import one_line

if TYPE_CHECKING:
    import torch
    from torch import nn

Method = Literal["integrated-gradients", "grad-cam", "occlusion"]
FIRST_STEPS, MOST_STEPS = 32, 512  # points on the way from the average input to the sample
PIXEL_STEPS = 64 * 64 * MOST_STEPS  # of one explanation: bounds the time that large images take
LARGE_SIDE = 128
ROUGH_SHARE, ROUGH_NATS = 0.05, 0.05  # by which contributions may miss their sum


@dataclass(frozen=True, eq=False)
class Explanation:
    """What one sample's parts contribute to the log-odds of one class; > 0 speaks for the class."""

    method: Method
    target: int
    contributions: Array
    """(height, width) of the image as the network reads it, or (n_columns,) of a record. In nats for
    Integrated Gradients; for Grad-CAM >= 0 and comparable between samples and heads of one encoder; for occlusion
    the nats that are lost where a part is covered, which need not add up."""
    columns: tuple[str, ...]  # names of a record's columns; empty for images
    score: float  # log-odds of the class for this sample, nats
    baseline_score: float | None = (
        None  # the same for the average training sample; None for the other methods
    )

    @property
    def probability(self) -> float:
        """P(class | sample)."""
        return 1 / (1 + math.exp(-self.score)) if self.score > -700 else 0.0

    @property
    def completeness_error(self) -> float | None:
        """Nats by which the contributions miss `score - baseline_score`, their sum by the axiom of
        completeness (captum's convergence delta); None for the other methods, which do not promise it."""
        if self.baseline_score is None:
            return None
        return abs(float(self.contributions.sum()) - (self.score - self.baseline_score))

    @property
    def is_rough(self) -> bool:
        """Whether contributions miss their sum by more than 5 % and by more than 0.05 nats."""
        if self.baseline_score is None:
            return False
        allowed = max(ROUGH_NATS, ROUGH_SHARE * abs(self.score - self.baseline_score))
        return (self.completeness_error or 0.0) > allowed

    def __repr__(self) -> str:
        parts = (
            f"{len(self.columns)} columns" if self.columns else " x ".join(map(str, self.contributions.shape))
        )
        return one_line(self, self.method, f"class {self.target}: {percent(self.probability)}", parts)


def methods(classifier: Classifier, dataset: AttributeDataset) -> tuple[Method, ...]:
    """Methods that can explain this model, the one to begin with first: for large images that is
    Grad-CAM, since Integrated Gradients takes seconds there. Occlusion, where the encoder is no network; none, where
    it knows the features of given rows alone."""
    kind, encoder = find_kind(classifier.kind), classifier.encoder
    if isinstance(encoder, ReadsTokens):
        try:
            encoder.tokens("")
        except ModelError:  # the demo without the sentence encoder
            return ()
        return ("integrated-gradients",)
    if isinstance(encoder, KnowsRows) or kind.reads_words:
        return ()
    if not isinstance(classifier.encoder, Network):
        return ("occlusion",)
    if "grad-cam" not in kind.explainers:
        return ("integrated-gradients",)
    first = _read(classifier, dataset, int(dataset.rows("train")[0]), "", 0)
    sample = classifier.preprocess.apply(first, kind.name)
    try:
        _last_map(classifier.as_module(), sample)
    except ModelError:
        return ("integrated-gradients",)
    large = sample.shape[-1] > LARGE_SIDE
    return ("grad-cam", "integrated-gradients") if large else ("integrated-gradients", "grad-cam")


def average_input(dataset: AttributeDataset) -> Array:
    """The mean training input, float32: (height, width, 3) from 0 to 255, or (d,). Texts have none: (0,).

    Of all training rows for tables, of 100 drawn with a fixed seed for images (`Kind.averaged`).
    """
    if find_kind(dataset.source.kind).reads_words:
        return frozen_array(np.zeros(0), "float32")
    rows, most = dataset.rows("train"), find_kind(dataset.source.kind).averaged
    if most is not None and len(rows) > most:
        rows = np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
    total = sum(
        dataset.source.read(rows[part]).sum(axis=0, dtype="float64") for part in row_batches(len(rows))
    )
    return frozen_array(np.asarray(total) / len(rows), "float32")


def explain(
    classifier: Classifier,
    dataset: AttributeDataset,
    row: int,
    *,
    target: int,
    method: Method,
    attribute: str = "",
    code: int = 0,
    baseline: Array | None = None,
) -> Explanation:
    """What in sample `row`, with `attribute` set to `code` if one is named, speaks for class `target`.

    Integrated Gradients (Sundararajan et al. 2017) adds up gradients on the straight way from a
    baseline to the sample. The baseline is the average training sample (`average_input`; give it as
    `baseline` to compute it once), not a black image: against black, dark parts count for nothing.
    The points on the way double until the contributions add up; see `Explanation.is_rough` for
    where they never did. The inputs of one column (one-hot levels, a number and whether it is
    missing) are summed, and so are the colours of one pixel.

    Occlusion (Zeiler and Fergus 2014) asks for answers alone, and serves every encoder; see
    `fmd_core.explain.occlusion`.

    Grad-CAM (Selvaraju et al. 2017) weights the channels of the encoder's last convolutional map by
    their mean gradient; negative regions are cut off, and the map is enlarged to the input.

    For before and after unlearning ask twice, the second time with `classifier.with_head(head)`.
    Raises ModelError for a model of other data, for an encoder that is no network, for Grad-CAM without
    convolutions, and for an unknown kind of head; DataError for an unknown class or method.

    Examples
    --------
    >>> row = int(data.rows("test")[0])
    >>> fmd.explain(model, data, row, target=int(data.target.codes[row]), method="grad-cam")
    Explanation(grad-cam, class 9: 39.5 %, 32 x 32)
    """
    check_fit(classifier, dataset)
    if method not in get_args(Method):
        raise DataError(f"Unknown method '{method}'. Choose one of: {', '.join(get_args(Method))}.")
    if not 0 <= target < len(dataset.target.levels):
        raise DataError(
            f"There is no class {target}; choose one from 0 to {len(dataset.target.levels) - 1}, "
            f"as '{dataset.target.name}' has {len(dataset.target.levels)}."
        )
    if isinstance(classifier.encoder, ReadsTokens):
        return _of_words(
            classifier, classifier.encoder, str(_read(classifier, dataset, row, attribute, code)[0]), target
        )
    if method == "occlusion":
        return _occlusion(
            classifier, dataset, _read(classifier, dataset, row, attribute, code), target, baseline
        )
    network = _log_odds(classifier, target)
    kind = find_kind(classifier.kind)
    sample = classifier.preprocess.apply(_read(classifier, dataset, row, attribute, code), kind.name)
    if not sample.is_floating_point():
        raise ModelError(
            "Where a model looks cannot be shown when it reads pictures as whole numbers; say how they are made ready "
            "for it (preprocess=)."
        )
    sample = sample.requires_grad_()
    if method == "grad-cam":
        return _grad_cam(network, sample, target)
    mean = average_input(dataset) if baseline is None else baseline
    start = classifier.preprocess.apply(np.array(mean, "float32")[None], kind.name)
    found = _integrated_gradients(network, sample, start, target)
    contributions, names = kind.parts(found.contributions, dataset.source)
    return replace(found, contributions=frozen_array(contributions), columns=names)


def _of_words(classifier: Classifier, encoder: ReadsTokens, text: str, target: int) -> Explanation:
    added, words, score, masked = explain_words(classifier, encoder, text, target, _head_module)
    return Explanation("integrated-gradients", target, added, words, score, masked)


def _read(classifier: Classifier, dataset: AttributeDataset, row: int, attribute: str, code: int) -> Array:
    """One input as the classifier reads it, (1, height, width, 3), (1, d) or a frame, free to be written to."""
    given = read_inputs(
        classifier, dataset, np.array([row]), attribute, np.array([code]) if attribute else None
    )
    return given if hasattr(given, "columns") else np.array(given)


def _occlusion(
    classifier: Classifier, dataset: AttributeDataset, sample: Array, target: int, baseline: Array | None
) -> Explanation:
    from fmd_core.explain.occlusion import occlude_picture, occlude_record

    if classifier.kind == "table":
        lost, names, score = occlude_record(classifier, dataset, sample, target)
        return Explanation("occlusion", target, lost, names, score)
    mean = average_input(dataset) if baseline is None else baseline
    usual = np.array(mean, "float32")
    if usual.shape != sample.shape[1:]:
        usual = classifier.preprocess.fitted(Image.fromarray(np.rint(usual).astype("uint8")))
    lost, score = occlude_picture(classifier, sample[0], usual, target)
    return Explanation("occlusion", target, lost, (), score)


def _head_module(head: Head) -> nn.Module:
    """A head as a torch module from features (m, d) to logits (m, K). The one place that knows kinds."""
    import torch

    if isinstance(head, LinearHead):
        return _linear(head.weight, head.bias)
    if isinstance(head, MLPHead):
        hidden = _linear(head.hidden_weight, head.hidden_bias)
        return torch.nn.Sequential(hidden, torch.nn.ReLU(), _head_module(head.last))
    raise ModelError(
        f"Where a model with a head of the kind '{type(head).__name__}' looks cannot be shown; "
        "choose a model whose last layers are linear."
    )


def _linear(weight: Array, bias: Array) -> nn.Module:
    """A frozen layer from weights (out, in) and biases (out,), in single precision as encoders are."""
    import torch

    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
    return layer.requires_grad_(False)


def _log_odds(classifier: Classifier, target: int) -> nn.Module:
    """The whole network as a module from inputs (m, ...) to log-odds of the class (m,).

    With an encoder of its own: Grad-CAM listens to a layer, and the classifier's is shared by all
    who read features at the same time.
    """
    import torch

    class LogOdds(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = classifier.as_module()
            self.head = _head_module(classifier.head)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            logits = self.head(self.encoder(inputs) * classifier.feature_scale)
            others = [k for k in range(logits.shape[1]) if k != target]
            return logits[:, target] - logits[:, others].logsumexp(dim=1)

    return LogOdds().eval()


def _integrated_gradients(
    network: nn.Module, sample: torch.Tensor, start: torch.Tensor, target: int
) -> Explanation:
    """Contributions of a sample's inputs, in their shape: (3, height, width) or (d,)."""
    import torch
    from captum.attr import IntegratedGradients

    pixels = math.prod(sample.shape[2:])  # 1 of a record, whose inputs lie along one axis
    most = min(MOST_STEPS, max(FIRST_STEPS, PIXEL_STEPS // pixels))
    at_once = max(1, min(BATCH_ROWS, BATCH_PIXELS // pixels))
    with torch.no_grad():
        scores = [float(network(x)[0]) for x in (sample, start)]
    method, steps = IntegratedGradients(network), FIRST_STEPS
    while True:
        given = method.attribute(sample, start, n_steps=steps, internal_batch_size=at_once)[0].detach()
        found = Explanation("integrated-gradients", target, given.double().numpy(), (), *scores)
        if not found.is_rough or 2 * steps > most:
            return found
        steps *= 2


def _grad_cam(network: nn.Module, sample: torch.Tensor, target: int) -> Explanation:
    """The regions (height, width) of an image."""
    import torch
    from captum.attr import LayerAttribution, LayerGradCam

    layer = _last_map(network.get_submodule("encoder"), sample)
    found = LayerGradCam(network, layer).attribute(sample, relu_attributions=True)
    enlarged = LayerAttribution.interpolate(found, tuple(sample.shape[-2:]), "bilinear")[0, 0]
    with torch.no_grad():
        score = float(network(sample)[0])
    return Explanation("grad-cam", target, frozen_array(enlarged.detach().double().numpy()), (), score)


def _last_map(encoder: nn.Module, inputs: torch.Tensor) -> nn.Module:
    """The layer that gives the last map as large as the last convolution's: that convolution with
    what follows it, normalisation and activation.

    Raises ModelError for an encoder without one, or where the map is a single spot.
    """
    import torch

    done: list[tuple[nn.Module, tuple[int, ...]]] = []

    def note(layer: nn.Module, _: object, output: object) -> None:
        if isinstance(output, torch.Tensor):  # attention gives two
            done.append((layer, tuple(output.shape)))

    listening = [layer.register_forward_hook(note) for layer in encoder.modules()]
    with torch.no_grad():
        encoder(inputs)
    for ear in listening:
        ear.remove()
    sizes = [shape[2:] for layer, shape in done if isinstance(layer, torch.nn.Conv2d)]
    # A transformer cuts its image by a convolution; what comes after is no picture any more.
    if not sizes or any(isinstance(layer, torch.nn.MultiheadAttention) for layer in encoder.modules()):
        raise ModelError(
            "Grad-CAM needs a network with convolutions up to its last layers; choose Integrated Gradients."
        )
    if math.prod(sizes[-1]) == 1:
        raise ModelError(
            "Grad-CAM cannot tell regions apart here: images this small are one spot in the network's last "
            "convolution; choose Integrated Gradients."
        )
    return [layer for layer, shape in done if len(shape) == 4 and shape[2:] == sizes[-1]][-1]
