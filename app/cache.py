"""Heavy results, computed once per content and shared by all visitors, within `bounded`'s limit. Core values
are frozen and their arrays read-only, so sharing is safe, and a result that is held no longer can be made again.

Each function takes small hashable keys and calls the one before it for its heavy input. An
argument with an underscore is no part of the key: it is told how far the work has come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import get_args

import numpy as np

import fmd_core as fmd
from app.bounded import kept
from app.review import BUNDLED, Aim, Review
from app.variants import Erasure, Exclusion, Recipe, Retrained, Side, Variant, describe
from fmd_core import datasets, distributed, model_shelf
from fmd_core.architectures import Depth, find_hidden_layer
from fmd_core.bias_functions import joint
from fmd_core.counterfactual import counterpart_levels, placebo_pairs
from fmd_core.data import SPLITS, Array, Split, ignore_progress
from fmd_core.deepening import deepened
from fmd_core.explanations import Method, average_input, explain, methods
from fmd_core.feature_store import FeatureStore
from fmd_core.features.beside import beside
from fmd_core.features.channels import ChannelGroups, convolution_layers, heat_maps, pattern_reliance
from fmd_core.features.channels import channel_groups as group_channels
from fmd_core.imaging import data_uri
from fmd_core.influence import InfluenceMethod
from fmd_core.intervals import mean_estimates
from fmd_core.proof import default_k
from fmd_core.training import feature_scale
from fmd_core.unlearning import USES_K, StrategyName

Progress = Callable[[float], None]
Step = Callable[[Progress], object]
GROWTH_MODEL = 2.0  # the network is built from a copy of the weights
GROWTH_PAIRS = 1.5  # `counterparts` are as large as one side
TAUGHT = ("features", "labels", "rows")
LEAVE_ONE_OUT_COST = 2e9  # operations, about a second: beyond, scores are first-order


def store() -> FeatureStore:
    """Features on disk, shared by all sessions: a folder's name, which is not worth keeping."""
    return FeatureStore()


@kept()
def open_data(reference: str) -> fmd.AttributeDataset:
    """Rows, target, attributes and split of a data set."""
    return fmd.load_dataset(reference)


def dataset(review: Review) -> fmd.AttributeDataset:
    """The data under review."""
    return open_data(review.data)


@kept(growth=GROWTH_MODEL)
def _open_model(data: str, model: str) -> fmd.Classifier:
    if model == BUNDLED:
        return datasets.load_demo_classifier(data)
    return model_shelf.open_model(open_data(data), model)


@kept(growth=GROWTH_MODEL)
def _deepened(data: str, model: str, depth: Depth) -> fmd.Classifier:
    original, found = _open_model(data, model), open_data(data)
    return deepened(original, depth, scale=feature_scale(deepened(original, "two layers"), found))


@kept(growth=GROWTH_MODEL)
def _beside(data: str, model: str, changed: str) -> tuple[fmd.Classifier, fmd.Head]:
    """A model that was made from another beside it, and the head of its own answers."""
    return beside(_open_model(data, model), _open_model(data, changed))


def classifier(review: Review) -> fmd.Classifier:
    """The original model, open as deep as the review says."""
    if review.beside:
        return _beside(review.data, review.model, review.beside)[0]
    if review.depth == "last layer":
        return _open_model(review.data, review.model)
    return _deepened(review.data, review.model, review.depth)


def _plain(review: Review) -> Review:
    """The same review of the original model alone, open at its last layer."""
    return replace(review, depth="last layer", beside="")


def _every_twin(review: Review) -> Review:
    """The same review whatever twins count: what features and twins are kept by."""
    return replace(review, most_unlike=None, vetoes=())


@kept()
def _features(review: Review, split: Split, _progress: Progress) -> fmd.FeatureSet:
    return fmd.extract_features(
        classifier(review), dataset(review), split=split, store=store(), progress=_progress
    )


def features(review: Review, split: Split, progress: Progress = ignore_progress) -> fmd.FeatureSet:
    """What the encoder makes of one split."""
    return _features(_every_twin(review), split, progress)


@kept(growth=GROWTH_PAIRS)
def _pairs(review: Review, split: Split, attribute: str, _progress: Progress) -> fmd.CounterfactualPairs:
    data, people = dataset(review), _features(review, split, _progress)
    if data.pair_method == "matched" and review != _plain(review):  # who is whose twin stays
        return _pairs(_plain(review), split, attribute, _progress).seen_in(people)
    return fmd.pair_counterfactuals(
        data, classifier(review), split=split, attribute=attribute, features=people, store=store(),
        progress=_progress,
    )  # fmt: skip


def pairs(
    review: Review, split: Split, attribute: str, progress: Progress = ignore_progress
) -> fmd.CounterfactualPairs:
    """The twins of one split that are alike enough to count."""
    found = _pairs(_every_twin(review), split, attribute, progress).without(review.vetoed(attribute))
    return found if review.most_unlike is None else found.within(review.most_unlike)


@kept()
def _placebo(review: Review, split: Split, attribute: str) -> fmd.CounterfactualPairs:
    people = _features(review, split, ignore_progress)
    if review != _plain(review):
        return _placebo(_plain(review), split, attribute).seen_in(people)
    return placebo_pairs(dataset(review), people, attribute, classifier(review).head)


def placebo(review: Review, split: Split, attribute: str) -> fmd.CounterfactualPairs | None:
    """Placebo twins, where twins are two real people; else None."""
    if dataset(review).pair_method != "matched":
        return None
    found = _placebo(_every_twin(review), split, attribute)
    return found if review.most_unlike is None else found.within(review.most_unlike)


@kept()
def _curvature(review: Review, _progress: Progress) -> fmd.Curvature:
    found, train = classifier(review), features(review, "train", _progress)
    return fmd.fit_curvature(found.head, train, damping=found.damping, progress=_progress)


def curvature(review: Review, progress: Progress = ignore_progress) -> fmd.Curvature:
    """Curvature of the training loss around the original head."""
    return _curvature(_every_twin(review), progress)


def bias(review: Review, split: Split, aim: Aim, *, beyond_placebo: bool = False) -> fmd.BiasFunction:
    """What is to be taken out, measured on the people of one split."""

    def part(attribute: str) -> fmd.CounterfactualBias | fmd.GroupGap:
        if aim.measure != "counterfactual":
            return fmd.GroupGap.of(dataset(review), features(review, split), attribute, aim.measure)
        floor = placebo(review, split, attribute) if beyond_placebo else None
        return fmd.CounterfactualBias(pairs(review, split, attribute), floor)

    return joint([part(attribute) for attribute in aim.attributes])


def _measured_on(review: Review, split: Split, aim: Aim) -> list[Step]:
    """What `bias` reads, in steps that tell how far they are."""
    if aim.measure != "counterfactual":
        return [partial(features, review, split)]
    return [partial(pairs, review, split, attribute) for attribute in aim.attributes]


@kept()
def _scores(review: Review, aim: Aim, _progress: Progress) -> fmd.InfluenceScores:
    _in_turn([*_measured_on(review, "external", aim), partial(curvature, review)], _part(_progress, 0.0, 0.5))
    head, train = classifier(review).head, features(review, "train")
    found, external = curvature(review), bias(review, "external", aim)
    exact = found.solver == "cholesky" and len(train) * head.n_parameters**2 < LEAVE_ONE_OUT_COST
    method: InfluenceMethod = "leave-one-out" if exact else "first-order"
    told = _part(_progress, 0.5, 1.0)
    return fmd.bias_influence(head, train, external, found, method=method, progress=told)


def scores(review: Review, aim: Aim, progress: Progress = ignore_progress) -> fmd.InfluenceScores:
    """Influence of every training sample on the bias of the original model."""
    return _scores(review, aim, progress)


def are_scored(review: Review, aim: Aim) -> bool:
    """Whether `scores` cost nothing."""
    return _scores.holds(review, aim)


@kept()
def _score_check(review: Review, aim: Aim, k: int, _progress: Progress) -> fmd.ScoreCheck:
    model = classifier(review)
    return fmd.check_scores(
        model.head, features(review, "train"), bias(review, "external", aim), scores(review, aim),
        held_out=bias(review, "test", aim), k=k, damping=model.damping, progress=_progress,
    )  # fmt: skip


def score_check(review: Review, aim: Aim, k: int, progress: Progress = ignore_progress) -> fmd.ScoreCheck:
    """What leaving out the top `k` really does, beside the scores; `progress` may raise to stop."""
    return _score_check(review, aim, k, progress)


def known_score_check(review: Review, aim: Aim, k: int) -> fmd.ScoreCheck | None:
    """The same where somebody has asked for it before, else None."""
    return score_check(review, aim, k) if _score_check.holds(review, aim, k) else None


def known_score_checks(review: Review, aim: Aim) -> tuple[fmd.ScoreCheck, ...]:
    """Every check of these scores that somebody has asked for, the smallest K first."""
    ks = sorted(k for checked, of, k in _score_check.held() if (checked, of) == (review, aim))
    return tuple(score_check(review, aim, k) for k in ks)


@kept()
def _refitted(review: Review) -> fmd.Head:
    """The original's last layer fitted to convergence: itself, unless it comes from elsewhere."""
    model = classifier(review)
    return fmd.refit_without(model.head, features(review, "train"), [], damping=model.damping)


@kept()
def measured_effect(review: Review, aim: Aim, position: int) -> float:
    """Change of the bias on external samples when one training sample is left out of an exact refit."""
    everybody, measured = _refitted(_every_twin(review)), bias(review, "external", aim)
    damping, train = classifier(review).damping, features(review, "train")
    without = fmd.refit_without(everybody, train, [position], damping=damping)
    return measured.value(without) - measured.value(everybody)


def inputs(
    review: Review, aim: Aim, strategy: StrategyName, progress: Progress = ignore_progress
) -> fmd.UnlearningInputs:
    """What decides the fix: training samples and external people."""
    swaps = strategy == "paper-replace"  # the only one that needs the training samples' own twins
    steps = _measured_on(review, "external", aim)
    if strategy != "iterated":
        steps.append(partial(curvature, review))
    if strategy in USES_K:
        steps.append(partial(scores, review, aim))
    if swaps:
        steps += [partial(pairs, review, "train", attribute) for attribute in aim.attributes]
    _in_turn(steps, progress)
    return fmd.UnlearningInputs(
        train=features(review, "train"),
        bias=bias(review, "external", aim),
        curvature=None if strategy == "iterated" else curvature(review),
        scores=scores(review, aim) if strategy in USES_K else None,
        train_pairs=tuple(pairs(review, "train", a) for a in aim.attributes) if swaps else (),
    )


def guard(review: Review, aim: Aim, tolerance: float) -> fmd.Guard:
    """Who guards the fix: validation people."""
    measured = bias(review, "validation", aim, beyond_placebo=True)
    return fmd.Guard(features(review, "validation"), measured, tolerance, dataset(review).target.levels)


@kept()
def _solutions(
    review: Review, aim: Aim, strategy: StrategyName, k: int, _progress: Progress
) -> tuple[fmd.UnlearningResult, ...]:
    given = inputs(review, aim, strategy, _part(_progress, 0.0, 0.5))
    told = _part(_progress, 0.5, 1.0)
    with distributed.watched(told):
        return fmd.solve_path(classifier(review).head, given, strategy=strategy, k=k, progress=told)


def solutions(
    review: Review, aim: Aim, strategy: StrategyName, k: int, progress: Progress = ignore_progress
) -> tuple[fmd.UnlearningResult, ...]:
    """Every strength of one strategy, before anybody judges it."""
    return _solutions(review, aim, strategy, k, progress)


def warm_path(
    review: Review, aim: Aim, strategy: StrategyName, k: int, progress: Progress = ignore_progress
) -> None:
    """Compute what the Unlearn page needs of one strategy; `progress` may raise to stop."""
    _in_turn(_measured_on(review, "validation", aim), _part(progress, 0.0, 0.3))
    bias(review, "validation", aim, beyond_placebo=True)  # with the placebo
    solutions(review, aim, strategy, k, _part(progress, 0.3, 1.0))


def is_solved(review: Review, aim: Aim, strategy: StrategyName, k: int) -> bool:
    """Whether every strength of a path costs nothing."""
    return _solutions.holds(review, aim, strategy, k)


@kept()
def path(review: Review, aim: Aim, strategy: StrategyName, k: int, tolerance: float) -> fmd.UnlearningPath:
    """The guarded path of one strategy: another tolerance judges again, but solves nothing."""
    return fmd.judge_path(solutions(review, aim, strategy, k), guard(review, aim, tolerance))


def point(variant: Variant) -> fmd.PathPoint:
    """What a variant makes, and what the guard says of it."""
    if not isinstance(variant, Recipe):
        return _guarded(variant)
    found = path(variant.review, variant.aim, variant.strategy, variant.k, variant.tolerance)
    wanted = (variant.strength, variant.blend)
    return next(p for p in (*found.points, *found.blends) if (p.result.strength, p.result.blend) == wanted)


@kept()
def _guarded(variant: Variant) -> fmd.PathPoint:
    review = variant.review
    original, judges = classifier(review).head, guard(review, variant.aim, variant.tolerance)
    return fmd.judge(original, _made(variant), judges)


def _made(variant: Variant) -> fmd.UnlearningResult:
    """What a variant makes that is no point of a path."""
    review, what = variant.review, describe(variant)
    if isinstance(variant, Exclusion):
        train = features(review, "train")
        members = np.flatnonzero(np.isin(train.rows, variant.rows))
        everybody, damping = _refitted(_every_twin(review)), classifier(review).damping
        without = fmd.refit_without(everybody, train, members, damping=damping)
        return fmd.UnlearningResult(without, "exclusion", 1.0, variant.k, what=what)
    if isinstance(variant, Erasure):
        return fmd.UnlearningResult(erased(variant).head, "erasure", 1.0, 0, what=what)
    assert isinstance(variant, Retrained)
    changed = _beside(review.data, review.model, review.beside)[1]
    return fmd.UnlearningResult(changed, variant.way, 1.0, 0, what=what)


@kept()
def untouched(review: Review, aim: Aim, tolerance: float) -> fmd.PathPoint:
    """What validation people say of the original model."""
    head = classifier(review).head
    return fmd.judge(head, result(review, None), guard(review, aim, tolerance))


@kept()
def erased(variant: Erasure) -> fmd.Erased:
    """The attributes of a variant erased from the features of the original."""
    review, data = variant.review, dataset(variant.review)
    model = classifier(review)
    drawn = data.pair_method != "matched"  # then everybody can be shown with every level
    return fmd.erase(
        model.head, data, features(review, "train"), variant.attributes, damping=model.damping, form=variant.form,
        twins=[pairs(review, "train", name) for name in variant.attributes] if drawn else (),
    )  # fmt: skip


@kept()
def _forgetting(variant: Erasure | Retrained, attributes: tuple[str, ...]) -> fmd.Forgetting:
    original = _plain(variant.review)
    before = _seen(original)
    if isinstance(variant, Erasure):
        made = erased(variant)
        after, seconds = before.after(made), made.seconds
    else:
        after, seconds = _seen(replace(original, model=variant.review.beside)), 0.0
    found = fmd.judge_forgetting(before, after, dataset(original), attributes, seconds=seconds)
    return found


def forgetting(
    variant: Erasure | Retrained, attributes: tuple[str, ...], progress: Progress = ignore_progress
) -> fmd.Forgetting:
    """What fresh probes can still read of attributes. External and validation people, from whom nothing was
    erased or trained, teach them; test people judge."""
    progress(0.0)
    return _forgetting(variant, attributes)


def is_judged(variant: Erasure | Retrained, attributes: tuple[str, ...]) -> bool:
    """Whether `forgetting` costs nothing."""
    return _forgetting.holds(variant, attributes)


@kept()
def channel_groups(review: Review, layer: str, n_groups: int | None) -> ChannelGroups:
    """Channels of one convolution of the original, grouped by what they respond to."""
    return group_channels(classifier(_plain(review)), dataset(review), layer=layer, n_groups=n_groups)


@kept()
def convolutions(review: Review) -> dict[str, tuple[int, int]]:
    """Height and width of the map of each convolution of the original, by name."""
    return convolution_layers(classifier(_plain(review)), dataset(review))


@kept()
def pattern_pictures(
    review: Review, layer: str, n_groups: int | None, group: int, rows: tuple[int, ...]
) -> tuple[str, ...]:
    """Where samples show a group's pattern, over their pictures, as data URIs."""
    from app import heat_map

    groups = channel_groups(review, layer, n_groups)
    maps = heat_maps(classifier(_plain(review)), dataset(review), groups, group, np.array(rows))
    source = dataset(review).source
    return tuple(
        data_uri(heat_map.overlay(np.asarray(source.display(row)), values, 2.0), heat_map.SIDE)
        for row, values in zip(rows, maps, strict=True)
    )


@kept()
def reliance(
    review: Review, layer: str, n_groups: int | None, group: int, changed: str
) -> tuple[fmd.Estimate, fmd.Estimate]:
    """How far answers hang on a pattern, by the original and by a `changed` model, on test samples."""
    data, original = dataset(review), classifier(_plain(review))
    groups, rows = channel_groups(review, layer, n_groups), data.rows("test")
    models = original, _open_model(review.data, changed)
    told = [pattern_reliance(m, data, groups, group, rows, found_by=original) for m in models]
    before, after = mean_estimates(np.stack(told, axis=1))
    return before, after


def _seen(review: Review) -> fmd.Seen:
    last = classifier(review).head
    if not isinstance(last, fmd.LinearHead):
        raise fmd.ModelError("Forgetting is judged at the last layer; open the model there.")
    parts = [features(review, split) for split in ("external", "validation")]
    teachers = fmd.FeatureSet(*(np.concatenate([getattr(p, what) for p in parts]) for what in TAUGHT))
    return fmd.Seen(last, teachers, features(review, "test"))


def result(review: Review, variant: Variant | None) -> fmd.UnlearningResult:
    """What a variant makes; the original head for None."""
    return (
        fmd.UnlearningResult(classifier(review).head, "iterated", 0.0, 0)
        if variant is None
        else point(variant).result
    )


def head(review: Review, variant: Variant | None) -> fmd.Head:
    """The head in force: a variant's, or the original one."""
    return result(review, variant).head


def depths(review: Review) -> tuple[Depth, ...]:
    """How deep the model can be opened: only the last layer, where no plain layer lies below it."""
    try:
        find_hidden_layer(classifier(review).architecture)
    except fmd.ModelError:
        return ("last layer",)
    return get_args(Depth)


def standing(review: Review, variant: Variant | None) -> Review:
    """The review whose features the head in force reads."""
    if variant is None:
        return review
    return replace(review, depth=variant.review.depth, beside=variant.review.beside)


def n_inputs(review: Review) -> int:
    """How many numbers the model reads of one sample of a table."""
    data = dataset(review)
    return int(data.source.read(data.rows("test")[:1]).shape[1])


def changeable(data: fmd.AttributeDataset) -> list[str]:
    """Attributes with more than one value: the others cannot be changed, so not be tested."""
    return [attribute.name for attribute in data.attributes.values() if len(attribute.levels) > 1]


@kept()
def audit(review: Review, variant: Variant | None) -> fmd.BiasReport:
    """Every attribute's bias on held-out test people."""
    data, seen = dataset(review), standing(review, variant)
    twins = {attribute: pairs(seen, "test", attribute) for attribute in changeable(data)}
    floors = {attribute: placebo(seen, "test", attribute) for attribute in twins}
    return fmd.audit_bias(
        head(review, variant),
        data,
        features(seen, "test"),
        list(twins.values()),
        {attribute: floor for attribute, floor in floors.items() if floor is not None},
    )


@kept()
def red_flags(review: Review, variant: Variant | None) -> tuple[fmd.RedFlag, ...]:
    """Who of the held-out test people is served worse than everybody else."""
    return fmd.red_flags(head(review, variant), dataset(review), features(standing(review, variant), "test"))


@kept()
def comparison(variant: Variant, attribute: str) -> fmd.Comparison:
    """Original against a variant, by one attribute, on held-out test samples."""
    review = variant.review
    return fmd.compare(
        classifier(review).head,
        head(review, variant),
        dataset(review),
        features(review, "test"),
        pairs(review, "test", attribute),
        placebo(review, "test", attribute),
        variant.aim.measure,
    )


@kept()
def other_biases(variant: Variant, attribute: str) -> list[fmd.Change]:
    """What a variant does to the bias by every attribute but the one named, on held-out test samples."""
    review = variant.review
    names = [name for name in changeable(dataset(review)) if name != attribute]
    return fmd.bias_changes(
        classifier(review).head,
        head(review, variant),
        dataset(review),
        features(review, "test"),
        [(pairs(review, "test", name), placebo(review, "test", name)) for name in names],
        variant.aim.measure,
    )


def _candidate(review: Review, side: Side, attribute: str) -> fmd.Candidate:
    """A model with what it reads of the test people. Whose twin is whose does not depend on the model."""
    seen = standing(replace(review, model=side.model), side.variant)
    twins, floor = pairs(seen, "test", attribute), placebo(seen, "test", attribute)
    people = features(seen, "test")
    if floor is not None and side.model != review.model:
        twins = pairs(review, "test", attribute).seen_in(people)
        own = placebo(review, "test", attribute)
        floor = own.seen_in(people) if own is not None else None
    return fmd.Candidate(head(seen, side.variant), people, twins, floor)


@kept()
def side_by_side(review: Review, first: Side, second: Side, aim: Aim) -> fmd.Comparison:
    """Two models or variants on the same held-out test samples."""
    ends = [_candidate(review, side, aim.attribute) for side in (first, second)]
    return fmd.compare_candidates(ends[0], ends[1], dataset(review), aim.measure)


@kept()
def side_by_side_biases(review: Review, first: Side, second: Side, aim: Aim) -> list[fmd.Change]:
    """The bias of both by every attribute but the one under review."""
    names = [name for name in changeable(dataset(review)) if name != aim.attribute]
    both = [(_candidate(review, first, name), _candidate(review, second, name)) for name in names]
    return fmd.candidate_biases(both, dataset(review), aim.measure)


@kept()
def rivals(review: Review, aim: Aim, k: int) -> tuple[tuple[fmd.Rival, fmd.Comparison], ...]:
    """What simpler fixes do to the same held-out people, by the attribute under review."""
    model, guards, data = classifier(review), features(review, "validation"), dataset(review)
    found = fmd.rival_heads(
        model.head,
        features(review, "train"),
        scores(review, aim),
        [pairs(review, "external", attribute) for attribute in aim.attributes],
        guards,
        data.attribute(aim.attribute).codes[guards.rows],
        k=k,
        damping=model.damping,
    )
    people, twins = features(review, "test"), pairs(review, "test", aim.attribute)
    floor = placebo(review, "test", aim.attribute)
    return tuple(
        (rival, fmd.compare(model.head, rival.head, data, people, twins, floor, aim.measure))
        for rival in found
    )


@kept()
def counterparts(data: str, split: Split, attribute: str) -> Array:
    """The level that each sample of a split has to be shown with as its own twin, (m,)."""
    return counterpart_levels(open_data(data), split, attribute)


@kept()
def portrait(data: str, row: int, attribute: str = "", code: int = 0, side: int = 128) -> tuple[str, str]:
    """A sample, with `attribute` set to `code` if one is named: a picture as a data URI or the text of
    a record; the other is empty."""
    shown = open_data(data).source.display(row, attribute, code)
    if isinstance(shown, dict):
        return "", "\n".join(f"{column}: {value}" for column, value in shown.items())
    return data_uri(shown, side), ""


@kept()
def _average(data: str) -> Array:
    return average_input(open_data(data))


@kept()
def explainers(review: Review) -> tuple[Method, ...]:
    """Ways to show where the original model looks, and every variant, the one to begin with first."""
    return methods(classifier(review), dataset(review))


@kept()
def explanation(
    review: Review, variant: Variant | None, row: int, attribute: str, code: int, target: int, method: Method
) -> fmd.Explanation:
    """What in a sample, with `attribute` set to `code` if one is named, speaks for class `target`."""
    # as it is where no variant is in force: its encoder is built already
    original = classifier(standing(review, variant))
    model = original if variant is None else original.with_head(head(review, variant))
    return explain(
        model, dataset(review), row, target=target, method=method, attribute=attribute, code=code,
        baseline=_average(review.data),
    )  # fmt: skip


@kept()
def heat(
    review: Review, variant: Variant | None, row: int, attribute: str, code: int, target: int, method: Method,
    scale: float,
) -> str:  # fmt: skip
    """The same over the sample's picture, as a data URI; `scale` is the end of the colours."""
    from app import heat_map  # pictures and filters, for who asks where a model looks

    values = explanation(review, variant, row, attribute, code, target, method).contributions
    picture = dataset(review).source.display(row, attribute, code)
    return data_uri(heat_map.overlay(np.asarray(picture), values, scale), heat_map.SIDE)


def warm(review: Review, progress: Progress = ignore_progress) -> None:
    """Compute what the first pages say: features, twins and the audit; `progress` may raise to stop."""
    steps: list[Step] = [partial(features, review, split) for split in SPLITS]
    steps += [partial(pairs, review, "test", attribute) for attribute in changeable(dataset(review))]
    _in_turn([*steps, lambda _: audit(review, None)], progress)


def is_warm(review: Review) -> bool:
    """Whether every sample was read and has its twin. The rest of what the first pages say takes no panel: data and
    model are opened again, and the audit is made anew with every pair that is left out."""
    seen = _every_twin(review)
    return all(_features.holds(seen, split) for split in SPLITS) and all(
        _pairs.holds(seen, "test", attribute) for attribute in changeable(dataset(review))
    )


def warm_scores(review: Review, progress: Progress = ignore_progress) -> None:
    """Compute what the later pages of a demo need."""
    aims, k = (
        [Aim((name,)) for name in changeable(dataset(review))],
        default_k(len(features(review, "train"))),
    )
    steps: list[Step] = []
    for aim in aims:
        steps += [
            partial(scores, review, aim),
            lambda _, aim=aim: path(review, aim, "iterated", 0, 0.01),  # type: ignore[misc]
            lambda _, aim=aim: rivals(review, aim, k),  # type: ignore[misc]
        ]
    _in_turn(steps, progress)


def _in_turn(steps: Sequence[Step], progress: Progress) -> None:
    """Do one step after the other, each an equal share of the whole."""
    for position, step in enumerate(steps):
        told = _part(progress, position / len(steps), (position + 1) / len(steps))
        told(0.0)
        step(told)


def _part(progress: Progress, start: float, end: float) -> Progress:
    """Progress for a part of the work: its 0 to 1 becomes `start` to `end` of the whole."""
    return lambda share: progress(start + share * (end - start))
