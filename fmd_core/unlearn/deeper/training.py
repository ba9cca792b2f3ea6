"""Let the last layers, a block or the whole network learn on, so that whoever is served badly is served better.

Training and external people teach (`objectives` says what they ask for); what is kept are running means of the
weights at a few steps, so that people who did not teach can choose how far to go. The original is never touched. The
last layer is not refitted afterwards: that would give the rare group's weight back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, AttributeDataset, Split, frozen_array, ignore_progress
from fmd_core.errors import SolverError
from fmd_core.heads.linear import LinearHead
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import check_fit
from fmd_core.models.taught import as_taught_by, together
from fmd_core.models.training import feature_scale, with_feature_scale
from fmd_core.running.free_cores import free_cores
from fmd_core.unlearn.deeper.checkpoints import Checkpoints, Standing
from fmd_core.unlearn.deeper.material import BATCH, TEACHERS, Material, two_levels
from fmd_core.unlearn.deeper.objectives import GROUP_OBJECTIVES, group_losses, group_weights, twin_losses
from fmd_core.unlearn.deeper.settings import DeeperSettings, check_aim

if TYPE_CHECKING:
    import torch
    from torch import nn

DECAY = 0.98  # of the running mean of the weights


def train_deeper(
    classifier: Classifier,
    dataset: AttributeDataset,
    attribute: str,
    settings: DeeperSettings | None = None,
    *,
    seed: int = 0,
    teachers: Sequence[Split] = TEACHERS,
    material: Material | None = None,
    kept: Checkpoints | None = None,
    progress: Callable[[float], None] = ignore_progress,
) -> dict[int, Classifier]:
    """Networks that learned on from `classifier`, by the number of steps.

    Parameters
    ----------
    attribute : whose levels make the groups, or whose twins are to be answered alike.
    teachers : parts of the data whose people teach.
    material : those people as the network reads them, at the reach of `settings`, where somebody has read them; others
        among them teach nothing.
    kept : where each kept point is written, so that the same request goes on from the last one after the process was
        ended; see `checkpoints_of`. Who asked for it sweeps it when the work is done.
    progress : is told the share that is done, 0 to 1, before every step, and may raise to stop.

    Raises
    ------
    DataError
        Where nobody can be shown with another level (`why_only_groups`), and "twins" should improve.
    ModelError
        For a model that cannot be trained, or whose last block cannot be told apart.
    SolverError
        Where the loss is lost, and where the disk is full.
    """
    chosen = settings or DeeperSettings()
    check_fit(classifier, dataset)
    check_aim(dataset, attribute, chosen)
    read = material or Material(classifier, dataset, attribute, chosen.reach, teachers)
    return Learner(read, chosen, seed, teachers).run(progress, kept)


def checkpoints_of(
    classifier: Classifier,
    dataset: AttributeDataset,
    attribute: str,
    settings: DeeperSettings,
    seed: int = 0,
    teachers: Sequence[Split] = TEACHERS,
    read: Sequence[Split] = TEACHERS,
) -> Checkpoints:
    """Where the kept points of one request lie while it is under way; `read` are the parts of its `Material`."""
    chosen = settings, settings.steps, settings.drawn_by_group, settings.rate
    request = repr((attribute, *chosen, seed, tuple(teachers), tuple(read)))
    return Checkpoints.of(classifier.fingerprint, dataset.fingerprint, request)


def learning_at_once(networks: int) -> int:
    """How many of so many networks learn at the same time: each in a thread of its own, where processors are free that
    torch does not use already. What they learn does not depend on it."""
    import torch

    return max(1, min(networks, free_cores() // torch.get_num_threads()))


class Learner:
    """A copy of the network that learns from some of the people of a `Material`."""

    def __init__(
        self,
        material: Material,
        settings: DeeperSettings,
        seed: int = 0,
        teachers: Sequence[Split] = TEACHERS,
    ) -> None:
        import torch

        self.material, self.settings, self.seed = material, settings, seed
        self.original = material.original
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.taught = np.flatnonzero(np.isin(material.part_of, list(teachers)))
        """Places of those who teach."""
        self.taught_by = together(material.original.taught_by, as_taught_by(material.dataset, teachers))
        self.learns = material.learner()
        head = self.original.head
        assert isinstance(head, LinearHead)
        scaled = head.rescaled(1 / self.original.feature_scale)
        self.top = torch.nn.Linear(scaled.n_features, scaled.n_classes)
        self.top.load_state_dict({name: torch.tensor(array) for name, array in scaled.arrays.items()})
        kind = GROUP_OBJECTIVES.get(settings.improve, GROUP_OBJECTIVES["groups"])
        n_classes = len(material.dataset.target.levels)
        self.objective = kind(n_classes * material.n_levels, material.n_levels)

    def run(
        self, progress: Callable[[float], None] = ignore_progress, kept: Checkpoints | None = None
    ) -> dict[int, Classifier]:
        """Take all steps, from the last point in `kept` on, and give the running means at those that are kept."""
        import torch

        steps, standing = self.settings.steps, self.standing()
        means = {} if kept is None else kept.resume(standing)
        found = {step: self._frozen(mean, step) for step, mean in means.items()}
        begin = self.reading
        losses = self.losses(lambda share: progress(begin * share))
        for step in range(1 + max(found, default=0), steps[-1] + 1):
            loss = next(losses)
            if not torch.isfinite(loss):
                raise SolverError("Learning on went astray (the loss is not a number); take fewer steps.")
            standing.take(loss)
            if step in steps:
                found[step] = self._frozen(arrays_of(standing.mean.get_submodule("module")), step)
                if kept is not None:
                    kept.write(step, standing)
            progress(begin + (1 - begin) * step / steps[-1])
        return found

    def standing(self) -> Standing:
        """Where the work begins: the network as it was, and what takes a step down a loss."""
        import torch
        from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

        whole = torch.nn.Sequential(self.learns, self.top)
        mean = AveragedModel(whole, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
        optimiser = torch.optim.AdamW(whole.parameters(), lr=self.settings.rate, weight_decay=1e-4)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.settings.steps[-1])
        return Standing(whole, mean, optimiser, falling, self.rng, self.generator, self.objective)

    def answers_of(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits of what the part that learns reads."""
        answers: torch.Tensor = self.top(self.learns(inputs))
        return answers

    @property
    def reading(self) -> float:
        """Share of the work that reading is, before anything is learned."""
        if self.settings.improve == "twins":
            return 0.3 if self.material.pools_twins else 0.0
        if self.material.is_read:
            return 0.0
        return 0.1 if self.material.trunk is None else 0.3

    def read(self, progress: Callable[[float], None] = ignore_progress) -> None:
        """Read those who teach by their groups, and make of them what the trunk makes, unless another learner of the
        material has. Twins are read as they are drawn."""
        material = self.material
        if self.settings.improve == "twins" or material.is_read:
            return
        held = 1.0 if material.trunk is None else 1 / 3
        material.hold(lambda share: progress(held * share))
        if material.trunk is not None:
            self._pool(lambda share: progress(held + (1 - held) * share))
        material.is_read = True

    def _pool(self, progress: Callable[[float], None] = ignore_progress) -> tuple[Array, Array]:
        everybody = group_weights(self.material.groups, self.settings.drawn_by_group)
        return self.material.pool(everybody, self.seed, progress)

    def losses(self, progress: Callable[[float], None] = ignore_progress) -> Iterator[torch.Tensor]:
        """A loss for each step; `progress` is told what share of the reading is done."""
        material, taught = self.material, self.taught
        if self.settings.improve == "twins":
            yield from twin_losses(material, self._twin_draws(progress), self.answers_of)
            return
        weights = np.zeros(len(material.rows))
        weights[taught] = group_weights(material.groups[taught], self.settings.drawn_by_group)
        draws = self._draws(weights, progress)
        drawn_by = weights * (len(taught) / len(weights))  # as if those who teach were everybody
        yield from group_losses(self.objective, material, draws, self.answers_of, drawn_by)

    def _twin_draws(
        self, progress: Callable[[float], None]
    ) -> Callable[[], tuple[torch.Tensor, torch.Tensor, Array]]:
        """What gives half a batch of people twice, with two levels: everybody, or those of whom is kept what the trunk
        made of them."""
        import torch

        material, half, taught = self.material, BATCH // 2, self.taught

        if not material.pools_twins:

            def fresh() -> tuple[torch.Tensor, torch.Tensor, Array]:
                places = taught[self.rng.integers(len(taught), size=half)]
                shown = two_levels(self.rng, half, material.n_levels)
                one, two = (material.with_level(places, levels) for levels in shown)
                return one, two, places

            return fresh
        pool, drawn = material.twin_pool(taught, self.settings.steps[-1] * half, self.seed, progress)

        def made() -> tuple[torch.Tensor, torch.Tensor, Array]:
            some = np.sort(self.rng.integers(len(drawn), size=half))
            both = torch.from_numpy(pool[some].astype("float32"))
            return both[:, 0], both[:, 1], drawn[some]

        return made

    def _draws(
        self, weights: Array, progress: Callable[[float], None]
    ) -> Callable[[], tuple[torch.Tensor, Array]]:
        """What gives a batch: of everybody, turned and lit anew, or of what the trunk made of them."""
        import torch

        material = self.material
        self.read(progress)
        if material.trunk is None:

            def fresh() -> tuple[torch.Tensor, Array]:
                places = self.rng.choice(len(weights), BATCH, p=weights)
                return material.lit_anew(material.read(places), self.generator), places

            return fresh
        pool, drawn = self._pool()
        ours = np.flatnonzero(weights[drawn] > 0)

        def made() -> tuple[torch.Tensor, Array]:
            some = np.sort(ours[self.rng.choice(len(ours), BATCH)])
            return torch.from_numpy(pool[some].astype("float32")), drawn[some]

        return made

    def _frozen(self, mean: Mapping[str, Array], step: int) -> Classifier:
        """What was learned so far as a classifier, features scaled to a mean square of 1."""
        state = {
            name.removeprefix("0."): frozen_array(array)
            for name, array in mean.items()
            if name.startswith("0.")
        }
        name = f"{self.original.name or self.original.architecture}, {self.settings.reach} learned on, {step} steps"
        raw = replace(
            self.original.with_weights(state), head=LinearHead(mean["1.weight"], mean["1.bias"]),
            feature_scale=1.0, name=name, taught_by=self.taught_by,
        )  # fmt: skip
        return with_feature_scale(raw, feature_scale(raw, self.material.dataset))


def arrays_of(module: nn.Module) -> dict[str, Array]:
    """Copies of a network's weights."""
    return {name: tensor.detach().numpy().copy() for name, tensor in module.state_dict().items()}


def averaged(networks: Sequence[Classifier], dataset: AttributeDataset) -> Classifier:
    """The mean of the weights of networks that learned on from one (Wortsman et al., Model soups, ICML 2022, arXiv
    2203.05482). Means of batch normalisation are alike in all of them, and counters are those of the first."""
    first = networks[0]
    of_each = [arrays_of(network.as_module()) for network in networks]
    state = {
        name: frozen_array(np.mean([of[name] for of in of_each], axis=0, dtype="float64"), array.dtype.name)
        if array.dtype.kind == "f"
        else array
        for name, array in of_each[0].items()
    }
    heads = [network.head.last.rescaled(1 / network.feature_scale) for network in networks]
    head = LinearHead(np.mean([h.weight for h in heads], axis=0), np.mean([h.bias for h in heads], axis=0))
    taught_by = together(*(network.taught_by for network in networks))
    raw = replace(first.with_weights(state), head=head, feature_scale=1.0, taught_by=taught_by)
    return with_feature_scale(raw, feature_scale(raw, dataset))
