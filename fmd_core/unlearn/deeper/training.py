"""Let the last layers, a block or the whole network learn on, every group counted alike or twins answered alike.

    groups   w[i] = (1 - lambda)/n + lambda/(G n_g)     people are drawn by w, g their class and attribute level
    twins    CE(f(x_a), y) + CE(f(x_b), y) + 0.1 mean (f(x_a) - f(x_b))^2,  a and b fresh random levels

Training and external people teach; what is kept are running means of the weights at a few steps, so that
validation people can choose how far to go. The original is never touched. The last layer is not refitted
afterwards: that would give the rare group's weight back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from fmd_core.data import Array, AttributeDataset, frozen_array, ignore_progress
from fmd_core.datasets.data_warnings import unread_columns
from fmd_core.errors import DataError, ModelError, SolverError
from fmd_core.heads.linear import LinearHead
from fmd_core.kinds import find_kind
from fmd_core.models.blocks import split_at
from fmd_core.models.classifier import Classifier
from fmd_core.models.depth import LAST_LAYER
from fmd_core.models.encoder import trainable
from fmd_core.models.encoding import batch_side, check_fit, read_inputs, row_batches
from fmd_core.models.training import feature_scale, with_feature_scale
from fmd_core.unlearn.deeper.augmentation import augmented

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.optim.swa_utils import AveragedModel

Reach = Literal["last layer", "last two layers", "last block", "whole network"]
Improve = Literal["groups", "twins"]
REACHES: tuple[Reach, ...] = get_args(Reach)
STEPS: dict[Improve, tuple[int, ...]] = {"groups": (100, 200, 400, 800), "twins": (200, 400, 800)}
WHOLE_STEPS: dict[Improve, tuple[int, ...]] = {"groups": (200, 400, 600), "twins": (400, 800, 1600)}
"""Steps after which the running mean of the weights is kept; a whole network has others."""
EMPHASIS = 0.5
BATCH = 128
LEARNING_RATE: dict[Improve, float] = {"groups": 5e-4, "twins": 1e-3}
AGREEMENT = 0.1  # weight of the squared difference between twins' logits
DECAY = 0.98  # of the running mean of the weights
POOL = 24_000  # pictures that the last block learns from, copies included
POOL_BYTES = 400_000_000
HELD_BYTES = 1_000_000_000  # inputs that are read once and held; more are read from disk every time


@dataclass(frozen=True)
class DeeperSettings:
    """What may change, what should improve, and how hard."""

    reach: Reach = "whole network"
    improve: Improve = "groups"
    emphasis: float = EMPHASIS
    """lambda in [0, 1]: 0 counts every person alike, 1 every group."""
    kept: tuple[int, ...] | None = None
    """Steps whose weights are kept, ascending; None: what suits reach and aim."""

    def __post_init__(self) -> None:
        for what, value, known in (("reach", self.reach, Reach), ("aim", self.improve, Improve)):
            if value not in get_args(known):
                raise DataError(f"Unknown {what} '{value}'. Choose one of: {', '.join(get_args(known))}.")
        if not 0 <= self.emphasis <= 1:
            raise DataError(f"The emphasis on groups lies between 0 and 1, got {self.emphasis:g}.")
        steps = self.steps
        if not steps or steps[0] < 1 or list(steps) != sorted(set(steps)):
            raise DataError(f"The steps that are kept must ascend from 1 on, got {steps}.")

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps whose weights are kept."""
        usual = WHOLE_STEPS if self.reach == "whole network" else STEPS
        return usual[self.improve] if self.kept is None else self.kept


def pool_size(one: torch.Tensor) -> int:
    """How many people the last block learns from, where `one` is what it reads of each."""
    return min(POOL, max(BATCH, POOL_BYTES // (2 * one.numel())))


def why_only_groups(dataset: AttributeDataset, attribute: str) -> str:
    """Why nobody can be shown with another level, so that only groups can improve, in a clause; '' where somebody
    can."""
    if dataset.pair_method == "matched":
        return "twins are other people"
    return "the model does not read it" if attribute in unread_columns(dataset) else ""


def usual_improve(dataset: AttributeDataset, attribute: str) -> Improve:
    """What improves unless somebody says otherwise: groups where nobody can be shown with another level, else
    twins."""
    return "groups" if why_only_groups(dataset, attribute) else "twins"


def group_weights(groups: Array, emphasis: float) -> Array:
    """How much each person counts, (n,), summing to 1: `emphasis` of the total is shared out evenly over the
    groups (n,) that occur, the rest evenly over people."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return (1 - emphasis) / len(groups) + emphasis / (len(counts) * counts[inverse])


def train_deeper(
    classifier: Classifier,
    dataset: AttributeDataset,
    attribute: str,
    settings: DeeperSettings | None = None,
    *,
    seed: int = 0,
    progress: Callable[[float], None] = ignore_progress,
) -> dict[int, Classifier]:
    """Networks that learned on from `classifier`, by the number of steps.

    Parameters
    ----------
    attribute : whose levels make the groups, or whose twins are to be answered alike.
    progress : is told the share that is done, 0 to 1, before every step, and may raise to stop.

    Raises
    ------
    DataError
        Where nobody can be shown with another level (`why_only_groups`), and "twins" should improve.
    ModelError
        For a model that cannot be trained, or whose last block cannot be told apart.
    SolverError
        Where the loss is lost.
    """
    import torch

    chosen = settings or DeeperSettings()
    check_fit(classifier, dataset)
    if chosen.improve == "twins" and (why := why_only_groups(dataset, attribute)):
        raise DataError(
            f"Nobody here can be shown with another {attribute}: {why}. Let groups improve instead."
        )
    torch.manual_seed(seed)
    learner = Learner(classifier, dataset, attribute, chosen, np.random.default_rng(seed))
    return learner.run(seed, progress)


class Learner:
    """A copy of the network that learns, and the people who teach it."""

    def __init__(
        self,
        classifier: Classifier,
        dataset: AttributeDataset,
        attribute: str,
        settings: DeeperSettings,
        rng: np.random.Generator,
    ) -> None:
        import torch

        if classifier.depth != LAST_LAYER or not isinstance(classifier.head, LinearHead):
            raise ModelError(
                f"This classifier is open at '{classifier.depth}'; change the original with one last layer."
            )
        trainable(classifier.encoder)
        self.original, self.dataset, self.attribute = classifier, dataset, attribute
        self.settings, self.rng = settings, rng
        self.kind = find_kind(classifier.kind)
        self.rows = np.concatenate([dataset.rows("train"), dataset.rows("external")])
        self.codes = dataset.attribute(attribute).codes[self.rows]
        self.labels = dataset.target.codes[self.rows]
        network = classifier.as_module()
        self.trunk: nn.Module | None = None
        self.learns = network
        if settings.reach != "whole network":
            self.trunk, self.learns = split_at(settings.reach, network, classifier.title)
            self.trunk.eval().requires_grad_(False)
        self.learns.eval().requires_grad_(True)  # the running means of batch normalisation stay as they are
        scaled = classifier.head.rescaled(1 / classifier.feature_scale)
        self.top = torch.nn.Linear(scaled.n_features, scaled.n_classes)
        self.top.load_state_dict({name: torch.tensor(array) for name, array in scaled.arrays.items()})

    # --- what is learned

    def run(self, seed: int, progress: Callable[[float], None]) -> dict[int, Classifier]:
        import torch

        steps, improve = self.settings.steps, self.settings.improve
        take, mean = self.taking_steps()
        generator = torch.Generator().manual_seed(seed)
        loss_of = self._twin_losses() if improve == "twins" else self._group_losses(generator, progress)
        begin = 0.0 if improve == "twins" else 0.1 if self.trunk is None else 0.3  # what is read before
        kept = {}
        for step, loss in zip(range(1, steps[-1] + 1), loss_of, strict=False):
            if not torch.isfinite(loss):
                raise SolverError("Learning on went astray (the loss is not a number); take fewer steps.")
            take(loss)
            if step in steps:
                kept[step] = self._frozen(mean.module, step)
            progress(begin + (1 - begin) * step / steps[-1])
        return kept

    def taking_steps(self) -> tuple[Callable[[torch.Tensor], None], AveragedModel]:
        """What takes a step down a loss, and the running mean of the weights."""
        import torch
        from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

        whole = torch.nn.Sequential(self.learns, self.top)
        mean = AveragedModel(whole, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
        last, improve = self.settings.steps[-1], self.settings.improve
        optimiser = torch.optim.AdamW(whole.parameters(), lr=LEARNING_RATE[improve], weight_decay=1e-4)
        falls = improve == "twins"
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, last) if falls else None

        def take(loss: torch.Tensor) -> None:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            mean.update_parameters(whole)
            if falling is not None:
                falling.step()

        return take, mean

    def _group_losses(
        self, generator: torch.Generator, progress: Callable[[float], None]
    ) -> Iterator[torch.Tensor]:
        """Cross-entropy of people who are drawn by their group's weight."""
        import torch

        weights = group_weights(
            self.labels * (1 + int(self.codes.max())) + self.codes, self.settings.emphasis
        )

        def learned(inputs: torch.Tensor, places: Array) -> torch.Tensor:
            answers, truth = self.top(self.learns(inputs)), torch.from_numpy(self.labels[places])
            return torch.nn.functional.cross_entropy(answers, truth)

        read = self._reader(progress)
        if self.trunk is None:
            while True:
                places = self.rng.choice(len(self.rows), BATCH, p=weights)
                yield learned(self.lit_anew(read(places), generator), places)
        pool, drawn = self._pool(weights, lambda places: self.lit_anew(read(places), generator), progress)
        while True:
            some = np.sort(self.rng.choice(len(drawn), BATCH))
            yield learned(torch.from_numpy(pool[some].astype("float32")), drawn[some])

    def _pool(
        self, weights: Array, shown: Callable[[Array], torch.Tensor], progress: Callable[[float], None]
    ) -> tuple[Array, Array]:
        """What the trunk makes of people drawn by `weights`, each time turned and lit anew, in half precision in a
        file of its own, (m, ...), and who they are, (m,): the last block learns from these alone."""
        import torch

        assert self.trunk is not None
        with torch.inference_mode():
            one = self.trunk(shown(np.zeros(1, int)))[0]
        size = pool_size(one)
        drawn = self.rng.choice(len(self.rows), size, p=weights)
        file = TemporaryFile()  # noqa: SIM115  it goes with the array
        pool = np.memmap(file, "float16", "w+", shape=(size, *one.shape))
        with torch.inference_mode():
            for start in range(0, size, BATCH):
                progress(0.1 + 0.2 * start / size)
                part = slice(start, start + BATCH)
                pool[part] = self.trunk(shown(drawn[part])).numpy()
        return pool, drawn

    def _twin_losses(self) -> Iterator[torch.Tensor]:
        """Cross-entropy of two people who are the same but for the attribute, and how differently they are
        answered."""
        import torch

        n_levels, half = len(self.dataset.attribute(self.attribute).levels), BATCH // 2
        while True:
            places = self.rng.integers(len(self.rows), size=half)
            both = [self._with_level(places, self.rng.integers(n_levels, size=half)) for _ in range(2)]
            answers = self.top(self.learns(torch.cat(both)))
            truth = torch.from_numpy(self.labels[places])
            task = torch.nn.functional.cross_entropy(answers, torch.cat([truth, truth]))
            yield 2 * task + AGREEMENT * torch.mean((answers[:half] - answers[half:]) ** 2)

    def _with_level(self, places: Array, levels: Array) -> torch.Tensor:
        """What the part that learns reads of people with their attribute set to `levels` (m,)."""
        import torch

        rows = self.rows[places]
        inputs = read_inputs(self.original, self.dataset, rows, self.attribute, levels)
        ready = self.original.preprocess.apply(inputs, self.kind.name)
        if self.trunk is None:
            return ready
        with torch.no_grad():
            return self.trunk(ready)

    # --- what is read

    def lit_anew(self, pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Pictures turned, moved and lit at random; other inputs as they are."""
        if not self.kind.has_pictures:
            return pictures
        flip = self.dataset.pair_method == "matched"  # drawn pictures may mean something by left and right
        colours = 1 / float(np.mean(self.original.preprocess.colours[1]))
        return augmented(pictures, generator, flip=flip, colour_range=colours)

    def _reader(self, progress: Callable[[float], None]) -> Callable[[Array], torch.Tensor]:
        """Reads people by their places, ready for the network: from memory where all of them fit."""
        first = read_inputs(self.original, self.dataset, self.rows[:1])
        held: Array | None = None
        if isinstance(first, np.ndarray) and first.nbytes * len(self.rows) <= HELD_BYTES:
            held = np.empty((len(self.rows), *first.shape[1:]), first.dtype)
            side = batch_side(self.dataset, self.rows, self.original.preprocess)
            for part in row_batches(len(self.rows), side):
                progress(0.1 * part.start / len(self.rows))
                held[part] = read_inputs(self.original, self.dataset, self.rows[part])

        def read(places: Array) -> torch.Tensor:
            inputs = (
                read_inputs(self.original, self.dataset, self.rows[places]) if held is None else held[places]
            )
            return self.original.preprocess.apply(inputs, self.kind.name)

        return read

    def _frozen(self, mean: nn.Module, step: int) -> Classifier:
        """What was learned so far as a classifier, features scaled to a mean square of 1."""
        learned = copy.deepcopy(mean).eval().requires_grad_(False)
        layers, top = learned.get_submodule("0"), learned.get_submodule("1")
        state = {name: frozen_array(tensor.numpy()) for name, tensor in layers.state_dict().items()}
        weight, bias = (top.get_parameter(name).numpy() for name in ("weight", "bias"))
        name = f"{self.original.name or self.original.architecture}, {self.settings.reach} learned on, {step} steps"
        raw = replace(
            self.original.with_weights(state), head=LinearHead(weight, bias), feature_scale=1.0, name=name
        )
        return with_feature_scale(raw, feature_scale(raw, self.dataset))
