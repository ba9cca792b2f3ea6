"""Where the model looks: which parts of a sample speak for an answer, in words and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fmd_core import AttributeDataset, Explanation, figures
from fmd_core.data import Array
from fmd_core.explain.attributions import Method
from fmd_core.figures import with_capital
from fmd_core.kinds import find_kind
from fmd_core.text import cut

METHODS: dict[Method, str] = {
    "integrated-gradients": "Pixels",
    "grad-cam": "Regions",
    "occlusion": "Covered parts",
}
NAMES: dict[Method, str] = {
    "integrated-gradients": "Integrated Gradients",
    "grad-cam": "Grad-CAM",
    "occlusion": "Occlusion",
}
MOST_BARS = 8
LONGEST_LABEL = 22


@dataclass(frozen=True)
class Shown:
    """A sample as it stands on the page: as it is, or with `attribute` set to `code`."""

    row: int
    name: str  # such as "its twin, red"
    attribute: str = ""
    code: int = 0


@dataclass(frozen=True)
class Words:
    """What the maps or bars show and what they do not, and what to be careful with."""

    shows: str
    shows_not: str
    caution: str  # empty where the figures add up


@dataclass(frozen=True)
class Map:
    """One map: a line under it, and what it shows for who cannot see it."""

    note: str
    alt: str


@dataclass(frozen=True)
class MapRow:
    """Maps side by side, under a title where there is more than one row."""

    title: str
    maps: tuple[Map, ...]


@dataclass(frozen=True)
class Bars:
    """One record: what its columns add to the answer, for each model."""

    title: str
    labels: tuple[str, ...]
    series: tuple[tuple[str, tuple[float, ...]], ...]  # model -> log-odds, as long as `labels`
    summary: str
    table: pd.DataFrame


@dataclass(frozen=True)
class Text:
    """One text: what its words add to the answer, for each model."""

    title: str
    models: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]  # model -> word and weight from -1 to 1
    summary: str
    table: pd.DataFrame


def words(data: AttributeDataset, target: int, found: Sequence[Explanation]) -> Words:
    """What stands above the maps or bars of `found`, all by one method and for one class."""
    answer, what = f"the answer '{data.target.levels[target]}'", "map"
    compared = f"compared with the average training {data.unit}"
    if find_kind(data.source.kind).reads_words:
        what, shows = (
            "marking",
            f"Blue words speak for {answer}, orange ones against it, against the same text masked.",
        )
    elif found[0].method == "occlusion":
        what = "chart" if found[0].columns else "map"
        shows = (
            f"What is lost of {answer} when a column gets its most usual value: 0.7 halves the odds. It is asked of "
            "the whole model, since it is open at its last layer only."
            if found[0].columns
            else f"Blue is where covering a part, by the average training {data.unit}, makes {answer} less likely, "
            "orange where it makes it likelier. It is asked of the whole model, since gradients are "
            "not known."
        )
    elif found[0].columns:
        what = "chart"
        shows = f"What each column adds to {answer}, {compared}. 0.7 doubles the odds, \N{MINUS SIGN}0.7 halves them."
    elif found[0].method == "grad-cam":
        shows = (
            f"The deeper the blue, the more a region speaks for {answer}. Regions are coarse, and what speaks "
            "against it is left out."
        )
    else:
        shows = f"Blue speaks for {answer}, orange against it, {compared}."
    rough = [f for f in found if f.is_rough]
    return Words(
        shows,
        f"The {what} shows what the model's arithmetic uses, by {NAMES[found[0].method]}. It does not prove a cause"
        f"{'.' if data.pair_method == 'matched' else ': only twins change one thing and nothing else.'}",
        _rough(rough[0]) if rough else "",
    )


def _rough(found: Explanation) -> str:
    whole = found.score - (found.baseline_score or 0.0)
    parts, whole_text = (figures.signed(f"{v:.1f}") for v in (float(found.contributions.sum()), whole))
    return f"Read this as rough: the parts add up to {parts}, but the whole is {whole_text} (log-odds)."


def build_maps(
    data: AttributeDataset,
    shown: Sequence[Shown],
    models: Sequence[str],
    found: Sequence[Sequence[Explanation]],
) -> tuple[MapRow, ...]:
    """Models side by side, a row per sample; with one model the samples side by side. `found` by
    sample, then by model."""
    if len(models) == 1:
        return (
            MapRow(
                "",
                tuple(_map(data, s, models[0], own[0], s.name) for s, own in zip(shown, found, strict=True)),
            ),
        )
    return tuple(
        MapRow(with_capital(s.name), tuple(_map(data, s, m, f, m) for m, f in zip(models, own, strict=True)))
        for s, own in zip(shown, found, strict=True)
    )


def _map(data: AttributeDataset, shown: Shown, model: str, found: Explanation, called: str) -> Map:
    sure = f"{100 * found.probability:.0f} % sure"
    return Map(
        f"{called}: {sure}",
        f"Where the model looks ({model}; {shown.name}): most {_place(found.contributions)}; {sure} of "
        f"'{data.target.levels[found.target]}'",
    )


def _place(values: Array) -> str:
    """Which ninth of a map (height, width) holds most of it, in words."""
    if not np.abs(values).any():
        return "nowhere"
    rows = [part.sum(axis=0) for part in np.array_split(np.abs(values), 3, axis=0)]
    ninths = np.array([[part.sum() for part in np.array_split(row, 3)] for row in rows])
    down, across = divmod(int(ninths.argmax()), 3)
    if (down, across) == (1, 1):
        return "in the middle"
    return f"{('at the top', 'half way down', 'at the bottom')[down]} {('left', 'middle', 'right')[across]}"


def build_bars(
    data: AttributeDataset,
    shown: Sequence[Shown],
    models: Sequence[str],
    found: Sequence[Sequence[Explanation]],
) -> tuple[Bars, ...]:
    """One chart per record of `shown`, in the same order of columns; `found` by record, then by model.

    The columns that move any of the answers most, and the rest as one bar.
    """
    names = found[0][0].columns
    size = np.max([np.abs(f.contributions) for own in found for f in own], axis=0)
    order = np.argsort(-size, kind="stable")
    top, rest = order[:MOST_BARS], order[MOST_BARS:]
    labels = [cut(names[i], LONGEST_LABEL) for i in top] + ([f"{len(rest)} others"] if len(rest) else [])
    charts, kind = [], find_kind(data.source.kind)
    for who, own in zip(shown, found, strict=True):
        values = kind.record(data.source.display(who.row, who.attribute, who.code))
        texts = [values.get(names[i], "") for i in top] + ([""] if len(rest) else [])
        series = tuple(
            (model, tuple(_with_rest(f.contributions, top, rest)))
            for model, f in zip(models, own, strict=True)
        )
        table = pd.DataFrame(
            {"Column": labels, "Value": texts}
            | {with_capital(model): [_signed(v) for v in figures] for model, figures in series}
        )
        summary = _summary(models, own, data, values)
        charts.append(Bars(with_capital(who.name), tuple(labels), series, summary, table))
    return tuple(charts)


def build_texts(
    data: AttributeDataset,
    shown: Sequence[Shown],
    models: Sequence[str],
    found: Sequence[Sequence[Explanation]],
) -> tuple[Text, ...]:
    """Each text of `shown` with its words coloured by what they add, on one scale; `found` by text, then by model."""
    top = (
        max(
            (float(np.abs(f.contributions).max()) for own in found for f in own if len(f.columns)),
            default=1.0,
        )
        or 1.0
    )
    texts = []
    for who, own in zip(shown, found, strict=True):
        coloured = tuple(
            (
                f"{model}: {100 * f.probability:.0f} % sure of '{data.target.levels[f.target]}'",
                tuple((word, float(v) / top) for word, v in zip(f.columns, f.contributions, strict=True)),
            )
            for model, f in zip(models, own, strict=True)
        )
        table = pd.DataFrame(
            {"Word": own[0].columns}
            | {
                with_capital(m): [_signed(float(v)) for v in f.contributions]
                for m, f in zip(models, own, strict=True)
            }
        )
        texts.append(Text(with_capital(who.name), coloured, _summary(models, own, data, {}), table))
    return tuple(texts)


def _with_rest(values: Array, top: Array, rest: Array) -> list[float]:
    return [float(values[i]) for i in top] + ([float(values[rest].sum())] if len(rest) else [])


def _summary(
    models: Sequence[str], own: Sequence[Explanation], data: AttributeDataset, values: Mapping[str, str]
) -> str:
    """The strongest columns each way, or where two models differ most, in a sentence."""
    first, last = own[0].contributions, own[-1].contributions

    def named(i: int) -> str:
        column = own[0].columns[i]
        return f"{column} ({cut(values[column], LONGEST_LABEL)})" if column in values else column

    sure = ", ".join(f"{m} {100 * f.probability:.0f} %" for m, f in zip(models, own, strict=True))
    opening = f"Sure of '{data.target.levels[own[0].target]}': {sure}"
    if len(own) > 1:
        i = int(np.abs(last - first).argmax())
        return (
            f"{opening}; what {named(i)} adds changes most, from {_signed(first[i])} to {_signed(last[i])}."
        )
    best, worst = int(first.argmax()), int(first.argmin())
    ways = [f"most for it {named(best)} {_signed(first[best])}"] if first[best] > 0 else []
    ways += [f"most against it {named(worst)} {_signed(first[worst])}"] if first[worst] < 0 else []
    return f"{'; '.join([opening, ', '.join(ways) or 'no column moves it'])}."


def _signed(value: float) -> str:
    return figures.signed(f"{value:+.2f}")
