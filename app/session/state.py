"""What a visitor has chosen. The only module that touches st.session_state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.record.history import Decided, History
from app.record.journal import Journal, Remark
from app.record.review import Aim, Review
from app.record.variants import Variant, describe
from app.session import access, keeping

if TYPE_CHECKING:
    from app.record.trained import Trained
    from fmd_core.bias_functions import Measure
    from fmd_core.networks.architectures import Depth
    from fmd_core.networks.intake import Passport
    from fmd_core.report.evidence import Decision
    from fmd_core.unlearning import StrategyName

DEFAULT_K = 100  # harmful samples to unlearn
NAMED_ROWS = 5  # samples that a line of the history names


def review() -> Review:
    """What this visitor looks at; the first demo until another is chosen."""
    return replace(_opened(), vetoes=history().now.vetoes)


def open_review(chosen: Review) -> None:
    """Look at other data, another model or other twins from now on; each keeps its own journal."""
    st.session_state["review"] = replace(chosen, vetoes=())


def _opened() -> Review:
    found: Review = st.session_state.setdefault("review", Review())
    return found


def journal() -> Journal:
    """What this visitor did in the review at hand."""
    return _journals().get((_opened().data, _opened().model), Journal())


def history() -> History:
    """This visitor's history of decisions on the model under review."""
    return journal().history


def _journals() -> dict[tuple[str, str], Journal]:
    found: dict[tuple[str, str], Journal] = st.session_state.get("journals", {})
    return found


def _write(changed: Journal, *done: str) -> None:
    """Keep a step on disk first, then here: `done` is what was done, and its detail.

    When another tab went on with this review nothing is changed, and `behind` says so.
    """
    if changed == journal():
        return
    access.require_change()
    from app.storage import StaleReviewError, StorageError

    key, action, detail = (_opened().data, _opened().model), *done
    try:
        kept = keeping.keep(
            place(), _opened(), changed, address(), title=title(), done=(action, access.signed(detail))
        )
        st.session_state["places"] = {**_places(), key: kept}
        forget("not_kept")
        forget("behind")
    except StaleReviewError as problem:
        st.session_state["behind"] = str(problem)
        return
    except StorageError as problem:  # the review goes on, and every page says that it is not kept
        st.session_state["not_kept"] = str(problem)
    st.session_state["journals"] = {**_journals(), key: changed}


def place() -> keeping.Place | None:
    """Where the review at hand is kept; None before its first step."""
    return _places().get((_opened().data, _opened().model))


def _places() -> dict[tuple[str, str], keeping.Place]:
    found: dict[tuple[str, str], keeping.Place] = st.session_state.get("places", {})
    return found


def not_kept() -> str:
    """Why the last step could not be kept, or ''."""
    return str(st.session_state.get("not_kept", ""))


def behind() -> str:
    """Why this tab cannot go on before the review is loaded again, or ''."""
    return str(st.session_state.get("behind", ""))


def load_again() -> None:
    """Go on with the review at hand as another tab left it; what is typed here stays typed."""
    at, looked_at = place(), _opened()
    if at is not None:
        adopt(keeping.open_kept(at.id))
        open_review(looked_at)  # with the twins that were chosen
    forget("behind")


def address() -> dict[str, str]:
    """What was chosen, as it stood in the address when a page was last drawn."""
    found: dict[str, str] = st.session_state.get("address", {})
    return found


def title() -> str:
    """What the review at hand is called."""
    return str(st.session_state.get("title", _opened().data))


def adopt(opened: keeping.Opened) -> None:
    """Go on with a review that was kept."""
    key = (opened.data, opened.model)
    open_review(Review(*key))
    st.session_state["journals"] = {**_journals(), key: opened.journal}
    st.session_state["places"] = {**_places(), key: opened.place}


def start_anew() -> None:
    """Begin a new review of the same model; the one at hand stays kept."""
    key = (_opened().data, _opened().model)
    for kind in ("journals", "places"):
        st.session_state[kind] = {k: v for k, v in st.session_state.get(kind, {}).items() if k != key}


def _remember(changed: History) -> None:
    if changed == history():
        return
    last = changed.log[-1]
    what = f"{last.note or describe(last.variant)}"
    _write(replace(journal(), history=changed), last.action, what)


def apply(variant: Variant) -> None:
    """Put a variant in force."""
    _remember(history().apply(variant, _now()))


def undo() -> None:
    """Take the last step back."""
    _remember(history().undo(_now()))


def redo() -> None:
    """Take a step that was undone again."""
    _remember(history().redo(_now()))


def back_to_original() -> None:
    """Return to the original model, bit for bit."""
    _remember(history().original(_now()))


def rename(variant: Variant, name: str) -> None:
    """Give a kept variant another name."""
    _remember(history().rename(variant, name, _now()))


def let_go(variant: Variant) -> None:
    """Take a variant off the list of those that are kept."""
    _remember(history().let_go(variant, _now()))


def veto(attribute: str, row: int, split: str) -> None:
    """Leave a pair out of everything, and say so in the history."""
    now = history().now
    after = replace(now, vetoes=tuple(sorted({*now.vetoes, (attribute, row)})))
    _do("left a pair out", f"{attribute}, pair {row} of the {split} samples", after)


def take_back(attribute: str, row: int) -> None:
    """Let a pair that was left out count again."""
    now = history().now
    after = replace(now, vetoes=tuple(v for v in now.vetoes if v != (attribute, row)))
    _do("took a pair back", f"{attribute}, pair {row}", after)


def exclude(rows: Iterable[int]) -> None:
    """Say that the model should not have learned from these training samples."""
    now = history().now
    if new := sorted(set(rows) - set(now.excluded)):
        _do("excluded", _named(new), replace(now, excluded=tuple(sorted((*now.excluded, *new)))))


def include(rows: Iterable[int]) -> None:
    """Let training samples that were excluded count again."""
    now, gone = history().now, set(rows)
    _do(
        "took back",
        _named(sorted(gone)),
        replace(now, excluded=tuple(r for r in now.excluded if r not in gone)),
    )


def _do(action: str, note: str, after: Decided) -> None:
    _remember(history().done(action, after, _now(), note))


def _named(rows: list[int]) -> str:
    shown = ", ".join(map(str, rows[:NAMED_ROWS])) + (", …" if len(rows) > NAMED_ROWS else "")
    return f"training sample{'s' if len(rows) > 1 else ''} {shown}" + (
        f" ({len(rows)})" if len(rows) > 1 else ""
    )


def remark(row: int) -> Remark:
    """What the reviewer said of a training sample."""
    return journal().remark(row)


def say(row: int, remark: Remark) -> None:
    """Keep what the reviewer says of a training sample."""
    told = ", ".join(
        [*(["marked"] if remark.marked else []), *([f"note: {remark.note}"] if remark.note else [])]
    )
    _write(journal().remarked(row, remark), "said", f"training sample {row}: {told or 'nothing any more'}")


def current() -> Variant | None:
    """The variant in force, None for the original model."""
    return history().current


def attribute() -> str:
    """The protected attribute under review, chosen in the sidebar."""
    return str(st.session_state["attribute"])


def measure() -> Measure:
    """What counts as bias, chosen in the sidebar."""
    found: Measure = st.session_state.get("measure", "counterfactual")
    return found


def aim() -> Aim:
    """The bias under review."""
    return Aim((attribute(),), measure())


def joint_aim() -> Aim:
    """The bias to take out: with the attributes that were added on the Unlearn page."""
    return Aim((attribute(), *(a for a in st.session_state.get("also", ()) if a != attribute())), measure())


def depth() -> Depth:
    """How much of the model may be changed, chosen on the Unlearn page."""
    found: Depth = st.session_state.get("depth", "last layer")
    return found


def strategy() -> tuple[StrategyName, int]:
    """How to unlearn and how many harmful samples it uses (0 where it uses none), chosen on the Unlearn page."""
    from fmd_core.unlearning import USES_K  # slow, and no other page asks

    found: StrategyName = st.session_state.get("strategy", "iterated")
    return found, int(st.session_state.get("unlearn_k", DEFAULT_K)) if found in USES_K else 0


def is_first_time(key: object) -> bool:
    """Whether `key` is another than at the last call: for what is to be tried once, not for ever."""
    last, st.session_state["tried"] = st.session_state.get("tried"), key
    return bool(last != key)


def threshold() -> float:
    """The limit delta as a share, chosen on the bias page; 10 points until then."""
    return float(st.session_state.get("threshold", 10)) / 100


def jobs() -> tuple[str, ...]:
    """Ids of the long work that this visitor started or looked at, oldest first."""
    return tuple(st.session_state.get("jobs", ()))


def remember_job(job: str) -> None:
    """Keep a job in this visitor's list."""
    st.session_state["jobs"] = (*(j for j in jobs() if j != job), job)


def forget_job(job: str) -> None:
    """Take a job off this visitor's list."""
    st.session_state["jobs"] = tuple(j for j in jobs() if j != job)


def show_job(place: str, job: str) -> None:
    """Let a place on a page follow a job."""
    st.session_state[f"job_{place}"] = job


def shown_job(place: str) -> str:
    """The job that a place on a page follows, or ''."""
    return str(st.session_state.get(f"job_{place}", ""))


def decide(decision: Decision, head: str) -> None:
    """Keep what the reviewer decided and wrote, with the fingerprint of the head it was said of."""
    told = f"{decision.verdict or 'no decision'}, by {decision.reviewer or 'nobody named'}, about head {head[:16]}"
    _write(replace(journal(), decision=(decision, head)), "decided", told)


def decision() -> tuple[Decision, str] | None:
    """What was decided in the review at hand, and of which head."""
    return journal().decision


def trained_to_forget() -> tuple[Trained, ...]:
    """What this visitor had trained on until it forgot, in the review at hand, oldest first."""
    found: tuple[Trained, ...] = st.session_state.get("trained", {}).get(
        (_opened().data, _opened().model), ()
    )
    return found


def remember_trained(trained: Trained) -> None:
    """Keep what training against an attribute came to."""
    others = tuple(t for t in trained_to_forget() if t.variant != trained.variant)
    key = _opened().data, _opened().model
    st.session_state["trained"] = {**st.session_state.get("trained", {}), key: (*others, trained)}


def keep_passport(model: str, passport: Passport) -> None:
    """Remember what was found when a model's weights were opened."""
    st.session_state[f"passport_{model}"] = passport


def passport(model: str) -> Passport | None:
    """What was found when this visitor opened the weights of a model."""
    found: Passport | None = st.session_state.get(f"passport_{model}")
    return found


def has_arrived() -> bool:
    """Whether this session has drawn a page before; true from the first call on."""
    return bool(st.session_state.get("arrived")) or bool(st.session_state.update(arrived=True))


def keep_notes(place: str, notes: list[str]) -> None:
    """Sentences to be said on the page that is drawn next."""
    st.session_state[place] = ("", notes)


def notes_of(place: str, page: str) -> list[str]:
    """Sentences that were kept, on the first page that asks for them and on no other."""
    said_on, found = st.session_state.get(place, ("", []))
    if said_on not in ("", page):
        st.session_state.pop(place)
        return []
    if found:
        st.session_state[place] = (page, found)
    return list(found)


def has(key: str) -> bool:
    """Whether a widget has a value yet."""
    return key in st.session_state


def value(key: str, default: object) -> object:
    """The value of a widget, or what it has at first."""
    return st.session_state.get(key, default)


def selected_rows(table: str) -> list[int]:
    """Which rows of a table are selected."""
    found: list[int] = st.session_state[table]["selection"]["rows"]
    return found


def put(key: str, value: object) -> None:
    """Give a widget a value before it is drawn."""
    st.session_state[key] = value


def stop_key() -> str:
    """Where the strength of what is being unlearned is kept: each way to unlearn keeps its own."""
    return f"stop_{joint_aim().words}_{st.session_state.get('strategy', 'iterated')}_{depth()}"


def put_later(key: str, value: object) -> None:
    """Give a widget another value from the next drawing of the page on: it is drawn already in this one, or stands
    outside of the fragment that runs."""
    st.session_state[f"later_{key}"] = value


def settle(key: str) -> None:
    """Give a widget, not yet drawn, what was put later."""
    if f"later_{key}" in st.session_state:
        st.session_state[key] = st.session_state.pop(f"later_{key}")


def forget(key: str) -> None:
    """Let a widget start from its default again."""
    st.session_state.pop(key, None)


def setter(key: str, value: object) -> Callable[[], None]:
    """A callback that gives a widget another value."""

    def assign() -> None:
        st.session_state[key] = value

    return assign


def keep_within(key: str, options: tuple[Any, ...]) -> None:
    """Give a widget its first option again when the options no longer hold its value."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0]


def offer(key: str, options: tuple[Any, ...], first: Any) -> None:  # noqa: ANN401 - whatever the widget holds
    """Give a widget the value `first` unless the visitor chose another of its options: what was only offered
    gives way to a better offer."""
    offered = f"offered_{key}"
    if st.session_state.get(key) not in options or st.session_state[key] == st.session_state.get(offered):
        st.session_state[key] = st.session_state[offered] = first


def keep_among(key: str, options: tuple[Any, ...]) -> None:
    """Drop from a widget of several choices those that are no longer offered."""
    kept = [value for value in st.session_state.get(key, ()) if value in options]
    if key in st.session_state and kept != list(st.session_state[key]):
        st.session_state[key] = kept


def _now() -> datetime:
    return datetime.now(UTC)
