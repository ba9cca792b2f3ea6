"""A report drawn as one HTML page: no network, no scripts, prints well. Everything in it is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, Template, select_autoescape

from fmd_core import wording
from fmd_core.errors import ModelError
from fmd_core.intervals import Estimate
from fmd_core.networks.architectures import find_architecture
from fmd_core.report.duties import ARTICLES, CARD, NO_CERTIFICATE, SECTIONS
from fmd_core.report.measured import PICTURES, REMARKS
from fmd_core.report.sections import EFFECTS
from fmd_core.unlearn.method import Method, Strategy, find_method

TURNING = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
HERE = Path(__file__).parent


def render_page(
    report: dict[str, Any], pictures: Mapping[int, str] | None = None, *, opened: str = ""
) -> str:
    """A report, as `build_report` or `read_report` give it, as one HTML page.

    `pictures` are data URIs by row; a report that was read from JSON has none, and says so. `opened`
    is what to say at the top of one that was opened again.
    """
    method = _method(report["settings"]["strategy"])
    return _template().render(
        report=report,
        harmful=report["taught_by"]["most_harmful"][:PICTURES],
        changed=_shown(report["measured"]),
        pictures=pictures or {},
        no_pictures=pictures is None and report["data"]["kind"] == "image" and report["data"]["shareable"],
        opened=opened,
        heading={s.key: s for s in SECTIONS},
        sections=[s for s in SECTIONS if report["measured"] or not s.needs_variant],
        articles=ARTICLES,
        card=CARD,
        no_certificate=NO_CERTIFICATE,
        method=method,
        has_strengths=isinstance(method, Strategy),
        remarks=report["taught_by"]["remarks"][:REMARKS],
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
        "points": wording.points,
        "effects": _effects,
        "along": _along,
        "figure": _figure,
        "when": wording.moment,
        "day": _day,
        "p_value": wording.p_value,
        "count": wording.count,
        "counted": wording.counted,
        "network": _network,
    }
    return environment.get_template("report.html")


def _straight(value: object) -> object:
    """Text without the marks that turn the direction of what stands after them; all else as it is."""
    return value.translate(TURNING) if isinstance(value, str) else value


def _unbroken(value: object) -> object:
    """Figures are not to break at the end of a line; marked-up text is left as it is."""
    return wording.unbroken(value) if type(value) is str else value


def _method(name: str | None) -> Method | None:
    """How the variant in force was made; None with the original in force."""
    return None if name is None else find_method(name)


def _network(architecture: str) -> str:
    """A network as the screens call it; one that a report from elsewhere names stays as it is."""
    try:
        return find_architecture(architecture).title
    except ModelError:
        return architecture


def _shown(measured: dict[str, Any] | None) -> list[dict[str, Any]]:
    if measured is None:
        return []
    entries = {entry["row"]: entry for entry in measured["changed"]}
    return [entries[row] for row in measured["shown"] if row in entries]


def _day(iso: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%B %Y}"


def _figure(estimate: dict[str, Any], *, difference: bool = False) -> str:
    return wording.figure(Estimate(**estimate), difference=difference)


def _effects(check: dict[str, Any]) -> list[list[str]]:
    """The rows of a score check, in points."""
    groups = check["groups"]
    text = wording.in_points(g["measured"][end] for g in groups for end in ("least", "most"))

    def name(group: dict[str, Any]) -> str:
        kind, draws = group["kind"], group["draws"]
        return f"{check['k']} random, mean of {draws}" if kind == "random" else f"{check['k']} most {kind}"

    return [[name(group), *(text(group[effect]["mean"]) for effect in EFFECTS)] for group in groups]


def _along(share: float) -> str:
    """Where a share stands along a bar, in percent; a bar ends at 0 and at 100."""
    return f"{100 * min(max(share, 0.0), 1.0):.2f}"
