"""A report drawn as one HTML page: no network, no scripts, prints well. Everything in it is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, Template, select_autoescape

from fmd_core import figures
from fmd_core.errors import ModelError
from fmd_core.forget.forgetting_words import READERS
from fmd_core.kinds import find_kind
from fmd_core.measure.verdict.values import Outcome
from fmd_core.method import Method, Strategy, find_method
from fmd_core.models.architectures import find_architecture
from fmd_core.report import slope_chart
from fmd_core.report.differing import differing
from fmd_core.report.duties import ARTICLES, CARD, NO_CERTIFICATE, SECTIONS, sections_of
from fmd_core.report.fields import Figure
from fmd_core.report.measured import DOUBTED, PICTURES, REMARKS
from fmd_core.report.schema import Report
from fmd_core.report.schema.held_out import ChangedAnswer, Measured
from fmd_core.report.schema.steps import Current
from fmd_core.report.schema.summary import FirstPage
from fmd_core.report.schema.teaching import GroupCheck, ScoreCheck
from fmd_core.report.sections import EFFECTS
from fmd_core.report.typeface import embedded

TURNING = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
HERE = Path(__file__).parent
NAMED_LAYERS = 4
MOST_VALUES = 5  # of a record, on the first page
MOST_NEXT = 3  # findings beside the worst, on the first page
MOST_NOTES = 400  # characters of the reviewer's, on the first page
MOST_LINES = 4  # of what was not tested, on the first page

_VERDICTS = {Outcome.BEYOND: "beyond", Outcome.WITHIN: "within", Outcome.UNKNOWN: "cannot be said"}
"""Of one finding: what holds of everything together is the headline's to say."""


def render_page(
    report: Report,
    pictures: Mapping[int, str] | None = None,
    *,
    twins: Sequence[str] = (),
    opened: str = "",
) -> str:
    """A report, as `build_report` or `read_report` give it, as one HTML page.

    `pictures` are data URIs by row, `twins` those of the pair on the first page; a report that was read from
    JSON has none, and says so. `opened` is what to say at the top of one that was opened again. All texts of a report
    are escaped: they may come from anybody.
    """
    method = _method(report.settings.strategy)
    forgets = report.forgetting is not None or (method is not None and method.forgets)
    return _template().render(
        report=report,
        harmful=report.taught_by.most_harmful[:PICTURES],
        changed=_shown(report.measured),
        pictures=pictures or {},
        twins=twins,
        first=report.first_page,
        next_worst=_next_worst(report),
        values=_differing_first(report.first_page),
        most_lines=MOST_LINES,
        no_pictures=pictures is None and find_kind(report.data.kind).has_pictures and report.data.shareable,
        opened=opened,
        heading={s.key: s for s in SECTIONS},
        sections=sections_of(has_variant=report.measured is not None, forgets=forgets),
        forgets=forgets,
        articles=ARTICLES,
        card=CARD,
        no_certificate=NO_CERTIFICATE,
        method=method,
        has_strengths=isinstance(method, Strategy),
        readers=READERS,
        remarks=report.taught_by.remarks[:REMARKS],
        DOUBTED=DOUBTED,
        lines=slope_chart.drawn(report.first_page.slopes) if report.first_page else [],
        named=[line.change for line in report.first_page.slopes if line.role] if report.first_page else [],
        slope_size={"high": slope_chart.HIGH, "top": slope_chart.TOP, "foot": slope_chart.FOOT},
        most_notes=MOST_NOTES,
        inter=embedded(),
    )


@lru_cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: _unbroken(_straight(value)),
    )
    environment.filters |= {
        "points": figures.points,
        "many": figures.many,
        "with_article": figures.with_article,
        "percent": figures.percent,
        "effects": _effects,
        "along": _along,
        "figure": _figure,
        "value": _value,
        "interval": lambda figure: figures.interval(figure.estimate),
        "when": figures.moment,
        "day": _day,
        "p_value": figures.p_value,
        "count": figures.count,
        "counted": figures.counted,
        "network": _network,
        "layers": _layers,
        "span": figures.span,
        "whole": lambda share: figures.percent(share, 0),
        "differing": lambda own, other: differing(*(str(_straight(text)) for text in (own, other))),
        "said": _VERDICTS.__getitem__,
    }
    return environment.get_template("report.html")


def _straight(value: object) -> object:
    """Text without the marks that turn the direction of what stands after them; all else as it is."""
    return value.translate(TURNING) if isinstance(value, str) else value


def _unbroken(value: object) -> object:
    """Figures are not to break at the end of a line; marked-up text is left as it is."""
    return figures.unbroken(value) if type(value) is str else value


def _method(name: str | None) -> Method | None:
    """How the variant in force was made; None with the original in force."""
    return None if name is None else find_method(name)


def _network(architecture: str) -> str:
    """A network as the screens call it; one that a report from elsewhere names stays as it is."""
    try:
        return find_architecture(architecture).title
    except ModelError:
        return architecture


def _layers(current: Current) -> str:
    """Which layers are not the original's, in words."""
    if current.strategy is None or not find_method(current.strategy).retrains:
        return "the last layer"
    names = current.changed_layers
    if names is None:
        return "layers below the last one as well; which was not looked at"
    if len(names) > NAMED_LAYERS:
        return f"{len(names)} layers, from {names[0]} to {names[-1]}, and the last layer"
    return figures.listed([*names, "the last layer"])


def _shown(measured: Measured | None) -> list[ChangedAnswer]:
    if measured is None:
        return []
    entries = {entry.row: entry for entry in measured.changed}
    return [entries[row] for row in measured.shown if row in entries]


def _next_worst(report: Report) -> list[str]:
    """What was found beside the headline and its detail."""
    said = (report.found.headline, report.found.detail)
    return [one.sentence for one in report.found.findings if one.sentence not in said][:MOST_NEXT]


def _differing_first(first: FirstPage | None) -> list[tuple[str, str, str]]:
    """What both twins of a record say, name by name: where they differ first."""
    if first is None or first.twin is None:
        return []
    one, other = (side.values for side in first.twin.sides)
    rows = [(name, value, other.get(name, "")) for name, value in one.items()]
    return sorted(rows, key=lambda row: row[1] == row[2])[:MOST_VALUES]


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _figure(figure: Figure, *, difference: bool = False) -> str:
    return figures.figure(figure.estimate, difference=difference)


def _value(figure: Figure, *, difference: bool = False) -> str:
    return figures.value(figure.estimate, difference=difference)


def _effects(check: ScoreCheck) -> list[list[str]]:
    """The rows of a score check, in points."""
    text = figures.in_points(end for g in check.groups for end in (g.measured.least, g.measured.most))

    def name(group: GroupCheck) -> str:
        random = group.kind == "random"
        return f"{check.k} random, mean of {group.draws}" if random else f"{check.k} most {group.kind}"

    return [
        [name(group), *(text(getattr(group, effect).mean) for effect in EFFECTS)] for group in check.groups
    ]


def _along(share: float) -> str:
    """Where a share stands along a bar, in percent; a bar ends at 0 and at 100."""
    return f"{100 * min(max(share, 0.0), 1.0):.2f}"
