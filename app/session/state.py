"""What a visitor looks at, has chosen and has done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from app.record.history import Decided, History
from app.record.journal import Journal, Remark
from app.record.review import Aim, Asked, Review, WorstGroup
from app.record.variants import Sweep, Variant, describe, of_data
from app.session import access, keeping, memory
from fmd_core.method import DEFAULT_STRATEGY, find_strategy

if TYPE_CHECKING:
    from app.record.criteria import Criteria
    from app.record.trained import Trained
    from fmd_core.measure.bias_functions import Measure
    from fmd_core.measure.verdict.values import Limits
    from fmd_core.models.intake.intake import Passport
    from fmd_core.report.evidence import Decision
    from fmd_core.study.suggestion import Way

DEFAULT_K = 100  # harmful samples to unlearn
NETWORK = "network_on_stage"  # which network that learned on the Fix page's slider leads to
RANKED = 50  # harmful samples that are listed
STOP = "stop_"  # the beginning of the key of every strength
RATIO = 0.8  # least ratio of two groups' rates of the good answer, until another is chosen
NAMED_ROWS = 5  # samples that a line of the history names


def review() -> Review:
    """What this visitor looks at; the first demo until another is chosen."""
    return replace(_opened(), vetoes=history().now.vetoes)


def open_review(chosen: Review) -> None:
    """Look at other data, another model or other twins from now on; each keeps its own journal."""
    if chosen.key != _opened().key:
        _forget_warnings()
    if chosen.data != _opened().data:  # of other data, whatever their levels are called
        memory.put("favourable", "")
        memory.put("references", "")
    memory.put("review", replace(chosen, vetoes=()))


def _opened() -> Review:
    found: Review = memory.value("review", Review())
    return found


def journal() -> Journal:
    """What this visitor did in the review at hand."""
    return _journals().get(_opened().key, Journal())


def history() -> History:
    """This visitor's history of decisions on the model under review."""
    return journal().history


def _journals() -> dict[tuple[str, str], Journal]:
    found: dict[tuple[str, str], Journal] = memory.value("journals", {})
    return found


def _write(changed: Journal, *done: str) -> None:
    """Keep a step on disk first, then here: `done` is what was done, and its detail.

    When another tab went on with this review nothing is changed, and `behind` says so.
    """
    if changed == journal():
        return
    access.require_change()
    from app.storage import StaleReviewError

    key, (action, detail) = _opened().key, done
    contents = {**memory.value("contents", {}).get(key, {}), **_begun_with(key)}
    step = keeping.Step(
        (action, access.signed(detail)), changed, address(), title(), contents, datetime.now(UTC)
    )
    try:
        _keep(key, (*_unsaved(key), step), n_late=len(_unsaved(key)))
    except StaleReviewError as problem:
        memory.put("behind", str(problem))
        return
    memory.put("journals", {**_journals(), key: changed})


def _keep(key: tuple[str, str], steps: tuple[keeping.Step, ...], *, n_late: int) -> None:
    """Keep steps in the order in which they were taken; the first `n_late` could not be written before. Those that
    cannot be written now wait for the next: the review goes on, and every page says that they are in no log.

    Raises StaleReviewError, and then none waits that did not before.
    """
    from app.storage import StaleReviewError, StorageError

    for number, step in enumerate(steps):
        try:
            kept = keeping.keep(_places().get(key), _opened(), step, is_late=number < n_late)
        except StorageError as problem:
            if isinstance(problem, StaleReviewError):
                raise
            memory.put("not_kept", str(problem))
            memory.put("unsaved", {**memory.value("unsaved", {}), key: steps[number:]})
            return
        memory.put("places", {**_places(), key: kept})
        memory.put("began_with", {**memory.value("began_with", {}), key: dict(step.contents)})
        memory.put("unsaved", {**memory.value("unsaved", {}), key: steps[number + 1 : n_late]})
    _forget_warnings()


def _unsaved(key: tuple[str, str]) -> tuple[keeping.Step, ...]:
    found: tuple[keeping.Step, ...] = memory.value("unsaved", {}).get(key, ())
    return found


def unsaved() -> int:
    """How many steps of the review at hand are in force here and stand in no log."""
    return len(_unsaved(_opened().key))


def save_again() -> None:
    """Try once more to keep the steps that could not be written."""
    access.require_change()
    from app.storage import StaleReviewError

    key = _opened().key
    try:
        _keep(key, _unsaved(key), n_late=len(_unsaved(key)))
    except StaleReviewError as problem:
        memory.put("behind", str(problem))


def know_contents(contents: keeping.Contents) -> None:
    """What the data and the model at hand are by their fingerprints, as far as they are open."""
    key = _opened().key
    known = memory.value("contents", {})
    memory.put("contents", {**known, key: {**known.get(key, {}), **contents}})


def changed_since_begun() -> tuple[str, ...]:
    """What is another than when the review at hand was begun: "data", "model"."""
    key = _opened().key
    now = memory.value("contents", {}).get(key, {})
    return tuple(what for what, was in _begun_with(key).items() if now.get(what, was) != was)


def _begun_with(key: tuple[str, str]) -> keeping.Contents:
    found: keeping.Contents = memory.value("began_with", {}).get(key, {})
    return found


def place() -> keeping.Place | None:
    """Where the review at hand is kept; None before its first step."""
    return _places().get(_opened().key)


def _places() -> dict[tuple[str, str], keeping.Place]:
    found: dict[tuple[str, str], keeping.Place] = memory.value("places", {})
    return found


def not_kept() -> str:
    """Why the last steps could not be kept, or ''."""
    return str(memory.value("not_kept", "")) if unsaved() else ""


def behind() -> str:
    """Why this tab cannot go on before the review is loaded again, or ''."""
    return str(memory.value("behind", ""))


def _forget_warnings() -> None:
    """Nothing is wrong with what is opened or kept now."""
    memory.forget("not_kept")
    memory.forget("behind")


def load_again() -> None:
    """Go on with the review at hand as another tab left it; what is typed here stays typed."""
    at, looked_at = place(), _opened()
    if at is not None:
        adopt(keeping.open_kept(at.id))
        open_review(looked_at)  # with the twins that were chosen
    memory.forget("behind")


def address() -> dict[str, str]:
    """What was chosen, as it stood in the address when a page was last drawn."""
    found: dict[str, str] = memory.value("address", {})
    return found


def title() -> str:
    """What the review at hand is called."""
    return str(memory.value("title", _opened().data))


def adopt(opened: keeping.Opened) -> None:
    """Go on with a review that was kept."""
    key = (opened.data, opened.model)
    open_review(Review(*key))
    _forget_warnings()
    memory.forget("followed")  # the slider stands where the review says
    memory.put("journals", {**_journals(), key: opened.journal})
    memory.put("places", {**_places(), key: opened.place})
    memory.put("began_with", {**memory.value("began_with", {}), key: dict(opened.contents)})
    memory.put("unsaved", {**memory.value("unsaved", {}), key: ()})


def start_anew() -> None:
    """Begin a new review of the same model; the one at hand stays kept."""
    key = _opened().key
    for kind in ("journals", "places", "began_with", "unsaved"):
        memory.put(kind, {k: v for k, v in memory.value(kind, {}).items() if k != key})


def answer_again(data: str, what: str, *, keeps_decision: bool) -> None:
    """Go on with the same people and model under other answers about the data: `what` changed. The steps taken go
    along into a review of its own; the one at hand stays as it was. What was decided only goes along where no figure
    is another (`keeps_decision`)."""
    access.require_change()
    old, was = _opened(), journal()
    trained = tuple(replace(t, variant=of_data(t.variant, data)) for t in _trained(old.key))
    open_review(replace(old, data=data))
    memory.put("trained", {**memory.value("trained", {}), _opened().key: trained})
    if was != Journal():
        moved = replace(was, history=was.history.of_data(data))
        moved = moved if keeps_decision else replace(moved, decision=None)
        _write(moved, "answered again", what)


def _remember(changed: History) -> None:
    if changed == history():
        return
    last = changed.log[-1]
    what = f"{last.note or describe(last.variant)}"
    if last.refusal:
        what += f"; applied although the guard refuses it: {last.refusal}"
    _write(replace(journal(), history=changed), last.action, what)


def apply(variant: Variant, refusal: str = "") -> None:
    """Put a variant in force; `refusal` is why the guard refuses it, a clause, '' where it does not."""
    _remember(history().apply(variant, _now(), refusal))


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
    return str(memory.chosen("attribute"))


def measure() -> Measure:
    """What counts as bias, chosen in the sidebar."""
    found: Measure = memory.value("measure", "counterfactual")
    return found


def aim() -> Aim:
    """The bias under review."""
    return Aim((attribute(),), measure())


def question() -> Asked:
    """What training samples are asked about: the bias under review, unless the Harmful page asks another question."""
    found = memory.value("harmful_for", "")
    if found == WorstGroup.measure:
        return WorstGroup(attribute())
    return Aim((attribute(),), found) if found else aim()


def joint_aim() -> Aim:
    """The bias to take out: with the attributes that were added on the Unlearn page."""
    return Aim((attribute(), *(a for a in memory.value("also", ()) if a != attribute())), measure())


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


def threshold() -> float:
    """The one limit as a share, chosen on Find bias; 10 points until then. Every kind of difference has it that has
    no limit of its own."""
    return float(memory.value("threshold", 10)) / 100


def limit_key(name: str) -> str:
    """Where a limit of its own is kept, in points, or the ratio."""
    return f"limit_{name}"


def limits() -> Limits:
    """From where on a difference counts, for each kind of difference."""
    from fmd_core.measure.verdict.values import Limits

    own = {name: memory.value(limit_key(name), None) for name in vars(Limits()) if name != "ratio"}
    shares = {name: threshold() if points is None else float(points) / 100 for name, points in own.items()}
    return Limits(**shares, ratio=float(memory.value(limit_key("ratio"), RATIO)))


def references() -> dict[str, str]:
    """The level that others are compared with, by attribute, where it is another than that of the data; '' for the
    group that fares best."""
    from app.record.criteria import read_references

    return read_references(memory.value("references", ""))


def compare_with(attribute: str, level: str, of_data: str) -> None:
    """Compare others with a level from now on; `of_data` is what they are compared with anyway."""
    from app.record.criteria import references_text

    chosen = references() | {attribute: level}
    if level == of_data:
        del chosen[attribute]
    memory.put("references", references_text(chosen))


def criteria() -> Criteria:
    """By what a verdict judges."""
    from app.record.criteria import Criteria

    return Criteria(limits(), str(memory.value("favourable", "")), tuple(sorted(references().items())))


def keep_criteria_within(classes: tuple[str, ...], levels: Mapping[str, tuple[str, ...]]) -> None:
    """Let go of a good answer and of references that these data do not have."""
    from app.record.criteria import references_text

    if memory.value("favourable", "") not in ("", *classes):
        memory.put("favourable", "")
    known = {a: level for a, level in references().items() if level in ("", *levels.get(a, ()))}
    known = {attribute: level for attribute, level in known.items() if attribute in levels}
    if known != references():
        memory.put("references", references_text(known))


def jobs() -> tuple[str, ...]:
    """Ids of the long work that this visitor started or looked at, oldest first."""
    return tuple(memory.value("jobs", ()))


def remember_job(job: str) -> None:
    """Keep a job in this visitor's list."""
    memory.put("jobs", (*(j for j in jobs() if j != job), job))


def forget_job(job: str) -> None:
    """Take a job off this visitor's list."""
    memory.put("jobs", tuple(j for j in jobs() if j != job))


def leave_job(job: str) -> None:
    """Wait no longer for a job that goes on for somebody else: no place follows it any more."""
    forget_job(job)
    for place in memory.keys_of("job_", job):
        memory.put(place, "")
    memory.put("left_job", job)


def has_left(job: str) -> bool:
    """Whether this visitor stopped waiting for a job that goes on, and did not come back."""
    return bool(memory.value("left_job", "") == job)


def come_back() -> None:
    """Wait again for what was left."""
    memory.forget("left_job")


def show_job(place: str, job: str) -> None:
    """Let a place on a page follow a job."""
    memory.put(f"job_{place}", job)


def shown_job(place: str) -> str:
    """The job that a place on a page follows, or ''."""
    return str(memory.value(f"job_{place}", ""))


def decide(decision: Decision, head: str) -> None:
    """Keep what the reviewer decided and wrote, with the fingerprint of the head it was said of."""
    told = f"{decision.verdict or 'no decision'}, by {decision.reviewer or 'nobody named'}, about head {head[:16]}"
    _write(replace(journal(), decision=(decision, head)), "decided", told)


def decision() -> tuple[Decision, str] | None:
    """What was decided in the review at hand, and of which head."""
    return journal().decision


def trained_here() -> tuple[Trained, ...]:
    """What this visitor had trained on, in the review at hand, oldest first."""
    return _trained(_opened().key)


def _trained(key: tuple[str, str]) -> tuple[Trained, ...]:
    found: tuple[Trained, ...] = memory.value("trained", {}).get(key, ())
    return found


def remember_trained(trained: Trained) -> None:
    """Keep what training a model on came to, with the review that it began in."""
    key = trained.variant.review.key
    others = tuple(t for t in _trained(key) if t.variant != trained.variant)
    memory.put("trained", {**memory.value("trained", {}), key: (*others, trained)})


def keep_passport(model: str, passport: Passport) -> None:
    """Remember what was found when a model's weights were opened."""
    memory.put(f"passport_{model}", passport)


def passport(model: str) -> Passport | None:
    """What was found when this visitor opened the weights of a model."""
    found: Passport | None = memory.value(f"passport_{model}", None)
    return found


def stop_key() -> str:
    """Where the strength of what is being unlearned is kept: each way to unlearn keeps its own."""
    chosen = sweep()
    return _stop_key(chosen.aim, chosen.strategy, chosen.review.depth)


def _stop_key(aim: Aim, strategy: str, depth: str) -> str:
    return f"{STOP}{aim.words}_{strategy}_{depth}"


def _now() -> datetime:
    return datetime.now(UTC)
