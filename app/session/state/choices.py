"""What a visitor has chosen to look at and to take out, by widgets of the sidebar and of the Unlearn page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from app.record.review import Aim
from app.record.variants import Sweep
from app.session import memory
from app.session.state.reviews import review
from fmd_core.figures import strength_label
from fmd_core.method import DEFAULT_STRATEGY, find_strategy

if TYPE_CHECKING:
    from fmd_core.measure.bias_functions import FairnessMeasure, Measure
    from fmd_core.study.suggestion import Way


DEFAULT_K = 100  # harmful samples to unlearn
NETWORK = "network_on_stage"  # which network that learned on the Fix page's slider leads to
RANKED = 50  # harmful samples that are listed
IMPROVES = "improves"  # what should improve where that is another thing than what counts as bias
STOP = "stop_"  # the beginning of the key of every strength
ORIGINAL_STOP = strength_label(0)  # where every slider of strengths begins; an address leaves it out


def attribute() -> str:
    """The protected attribute under review, chosen in the sidebar."""
    return str(memory.chosen("attribute"))


def measure() -> Measure:
    """What counts as bias, chosen in the sidebar."""
    found: Measure = memory.value("measure", "counterfactual")
    return found


def aim() -> Aim:
    """The bias under review."""
    return Aim((attribute(),), measure())


def question() -> Aim:
    """What training samples are asked about: the bias under review, unless the Harmful page asks another question."""
    found = memory.value("harmful_for", "")
    return Aim((attribute(),), found) if found else aim()


def improves() -> FairnessMeasure:
    """What should improve: what counts as bias, unless whoever is served worst was chosen on the Fix page."""
    found: FairnessMeasure = memory.value(IMPROVES, "") or measure()
    return found


def fix_aim() -> Aim:
    """What a fix is for, by the attribute under review."""
    return Aim((attribute(),), improves())


def joint_aim() -> Aim:
    """The same with the attributes that were added on the Unlearn page."""
    return Aim((attribute(), *(a for a in memory.value("also", ()) if a != attribute())), improves())


def depth() -> str:
    """How much of the model may be changed, chosen on the Unlearn page."""
    found: str = memory.value("depth", "last layer")
    return found


def strategy() -> tuple[str, int]:
    """How to unlearn and how many harmful samples it uses (0 where it uses none), chosen on the Unlearn page."""
    found = find_strategy(memory.value("strategy", DEFAULT_STRATEGY))
    return found.name, harmful_count() if found.uses_k else 0


def harmful_count() -> int:
    """How many harmful samples a strategy uses that counts them."""
    return int(memory.value("unlearn_k", DEFAULT_K))


def aim_at(wanted: Aim) -> None:
    """Aim at another bias from the next drawing of the page on."""
    memory.put_later("attribute", wanted.attribute)
    is_worst = wanted.measure == "worst group"
    memory.put_later(IMPROVES, wanted.measure if is_worst else "")
    if not is_worst:
        memory.put_later("measure", wanted.measure)
    memory.put_later("also", list(wanted.attributes[1:]))


def go_to(way: Way, stop: str) -> None:
    """Let the Unlearn page stand on a setting, from the next drawing of the page on."""
    aim_at(way.aim)
    memory.put_later("strategy", way.strategy)
    memory.put_later("depth", way.depth)
    memory.put_later(_stop_key(way.aim, way.strategy, way.depth), stop)
    memory.put(NETWORK, "")  # the place is on the path of a last layer
    memory.put("going", True)


def let_slider(go: Literal["best", "original"]) -> None:
    """Let the slider of the Unlearn page go to our suggestion, or to the original, when it is drawn next."""
    memory.put(NETWORK, "")  # it is the last layer's
    memory.put("slider_goes", go)


def slider_goes() -> str:
    """Where the slider was told to go since it was drawn, or ''; said once."""
    goes = str(memory.value("slider_goes", ""))
    memory.forget("slider_goes")
    return goes


def is_going() -> bool:
    """Whether a place to go to was named since the page was drawn; said once."""
    going = bool(memory.value("going", False))
    memory.forget("going")
    return going


def settle_sweep() -> None:
    """Let what is chosen on the Unlearn page be what was put later, before it is read."""
    for key in ("also", "strategy", "depth"):
        memory.settle(key)


def sweep() -> Sweep:
    """What is chosen on the Unlearn page, but for the strength: slider, recipe and address all read this."""
    return Sweep(replace(review(), depth=depth()), joint_aim(), *strategy())


def stop_key() -> str:
    """Where the strength of what is being unlearned is kept: each way to unlearn keeps its own."""
    chosen = sweep()
    return _stop_key(chosen.aim, chosen.strategy, chosen.review.depth)


def _stop_key(aim: Aim, strategy: str, depth: str) -> str:
    return f"{STOP}{aim.words}_{strategy}_{depth}"
