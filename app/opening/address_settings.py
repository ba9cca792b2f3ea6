"""Which widgets' values stand in the address, and what each may be there: it comes from outside, so that every value
is checked before a widget has it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.session import state
from fmd_core.method import DEFAULT_STRATEGY, strategies


@dataclass(frozen=True)
class Setting:
    """A widget whose value stands in the address."""

    key: str  # in the session
    default: object
    read: Callable[[str], object]
    """The value; raises ValueError with what it should be."""


def _one_of(options: Callable[[], tuple[Any, ...]]) -> Callable[[str], object]:
    def read(text: str) -> object:
        found = options()
        if text not in found:
            raise ValueError(f"none of: {', '.join(map(str, found))[:200]}")
        return text

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and low <= int(text) <= high):
            raise ValueError(f"no whole number from {low} to {high}")
        return int(text)

    return read


def _number(fits: Callable[[float], bool], wanted: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not fits(number):  # NaN fits nothing
            raise ValueError(f"no {wanted}")
        return number

    return read


_points = _number(lambda n: 0 <= n <= 5 and 2 * n == int(2 * n), "number of points from 0 to 5 in halves")
_share = _number(lambda n: 0 <= n <= 100, "number of points from 0 to 100")
distance = _number(lambda n: 0 < n <= 10, "distance between 0 and 10")


def attributes() -> tuple[str, ...]:
    """The protected attributes of the data under review."""
    from app import cache

    return tuple(cache.dataset(state.review()).attributes)


def joined(names: Sequence[str]) -> str:
    """Names in one text; a comma in one of them does not part it."""
    return ",".join(name.replace("%", "%25").replace(",", "%2C") for name in names)


def _several(text: str) -> list[str]:
    known = attributes()
    named = [
        part if part in known else part.replace("%2C", ",").replace("%25", "%") for part in text.split(",")
    ]
    if unknown := [name for name in named if name not in known]:
        raise ValueError(f"no list of attributes: '{unknown[0][:40]}' is none of {', '.join(known)[:200]}")
    return named


def _classes() -> tuple[str, ...]:
    from app import cache

    return cache.dataset(state.review()).target.levels


def _references(text: str) -> str:
    """References as the session keeps them."""
    from app import cache
    from app.record.criteria import read_references, references_text

    data = cache.dataset(state.review())
    named = read_references(text)
    for attribute, level in named.items():
        if attribute not in data.attributes:
            raise ValueError(f"about '{attribute[:40]}', which is none of {', '.join(data.attributes)[:200]}")
        if level not in ("", *data.attribute(attribute).levels):
            raise ValueError(f"about a level '{level[:40]}' that {attribute} does not have")
    return references_text(named)


def _measures() -> tuple[str, ...]:
    from fmd_core.measure.bias_functions import MEASURES

    return MEASURES


def _strategies() -> tuple[str, ...]:
    return tuple(strategy.name for strategy in strategies())


def _fairness_measures() -> tuple[str, ...]:
    from fmd_core.measure.bias_functions import FAIRNESS_MEASURES

    return FAIRNESS_MEASURES


def _depths() -> tuple[str, ...]:
    from fmd_core.models.depth import DEPTHS

    return tuple(DEPTHS)


def _networks() -> tuple[str, ...]:
    from app import cache

    return tuple(found.id for found in cache.learned(state.review()))


def _side(text: str) -> str:
    from app.opening import model_forms
    from app.view_models import compare

    review = state.review()
    if not review.has_model:
        raise ValueError("nothing to compare: no model is open")
    found = compare.sides(review.model, state.history(), model_forms.on_this_machine(review))
    if text not in {compare.address_of(side, review.model) for side in found.values()}:
        raise ValueError(
            "neither the original, nor a variant kept in this review, nor a model on this machine"
        )
    return text


SETTINGS: dict[str, Setting] = {
    "attribute": Setting("attribute", None, _one_of(attributes)),
    "measure": Setting("measure", "counterfactual", _one_of(_measures)),
    "limit": Setting("threshold", 10, _whole(1, 50)),
    "twins": Setting(state.limit_key("twins"), None, _share),
    "selection": Setting(state.limit_key("selection"), None, _share),
    "recognised": Setting(state.limit_key("equal_truth"), None, _share),
    "right": Setting(state.limit_key("service"), None, _share),
    "ratio": Setting(
        state.limit_key("ratio"), state.RATIO, _number(lambda n: 0 <= n <= 1, "ratio from 0 to 1")
    ),
    "good": Setting("favourable", "", _one_of(_classes)),
    "against": Setting("references", "", _references),
    "for": Setting("harmful_for", "", _one_of(_fairness_measures)),
    "kind": Setting("harmful_kind", "Harmful", _one_of(lambda: ("Harmful", "Helpful"))),
    "k": Setting("harmful_k", 50, _whole(1, 10_000_000)),
    "improve": Setting(state.IMPROVES, "", _one_of(lambda: ("worst group",))),
    "also": Setting("also", [], _several),
    "how": Setting("strategy", DEFAULT_STRATEGY, _one_of(_strategies)),
    "depth": Setting("depth", "last layer", _one_of(_depths)),
    "forget": Setting("unlearn_k", state.DEFAULT_K, _whole(0, 10_000_000)),
    "tolerance": Setting("tolerance", 1.0, _points),
    "network": Setting(state.NETWORK, "", _one_of(_networks)),
    "compare": Setting("compare_first", None, _side),
    "with": Setting("compare_second", None, _side),
}
