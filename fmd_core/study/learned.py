"""Networks that learned on, or that a published method trained beside the model, and are kept: which there are, and
what they answered to people who did not teach them.

    home_folder()/learned/<data, the model that they stand beside>/<id on the shelf>.safetensors

The network itself lies on the shelf. Of a network whose choosers took turns the answers are kept too: it has since
been averaged with one that learned from them, and asking it again would flatter it. Of what a method trained they are
kept so that its rows stand in the table at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np

from fmd_core.data import Array, AttributeDataset, Split, content_fingerprint
from fmd_core.errors import ModelError
from fmd_core.home import home_folder, room_needed
from fmd_core.models.classifier import Classifier
from fmd_core.models.shelf import keep_model
from fmd_core.models.taught import UNKNOWN_TEACHERS
from fmd_core.running.whole_arrays import DamagedError, keep_arrays, read_arrays
from fmd_core.study.debiasing import VALIDATION, Change, simpler_fixes
from fmd_core.study.deeper import Deepened, asked
from fmd_core.study.judging import Judging
from fmd_core.study.retraining import TrainedBeside
from fmd_core.unlearn.baselines import find_baseline
from fmd_core.unlearn.deeper.answers import Asked, Logits, Sides
from fmd_core.unlearn.deeper.settings import Improve, usual_improve
from fmd_core.unlearn.guarded_path import TOLERANCE
from fmd_core.unlearn.retraining.methods import find_retraining

FORMAT, UNDIGESTED = "fmd-learned-2", "fmd-learned-1"
"""Of what is written, and of what was written before files had a digest: both are read."""
SPLITS_BESIDE: tuple[Split, Split] = ("validation", "test")
"""Whose answers are kept of what a method trained: who chooses, who judges."""


@dataclass(frozen=True)
class Learned:
    """A network that learned on."""

    id: str
    """On the shelf, for the task of the data."""
    attribute: str
    change: Change
    """What was allowed to change."""
    improve: Improve
    steps: int
    tolerance: float
    """Share of accuracy that those who chose its steps let be lost; another one judges it again."""
    seconds: float
    judged_by: tuple[Split, ...]
    """The parts of the data whose people chose."""
    restored: float = 0.0
    """How much of how often each class occurs was given back."""
    method: str = ""
    """The published method that trained it from the beginning, one of `METHODS`; '' of what learned on."""
    of: int = 0
    """How many networks the method made; 0 where nobody counted."""
    kept: datetime | None = None


def keep_learned(found: Deepened, name: str, seconds: float) -> Learned:
    """Put the network that was chosen on the shelf, or the last one where the original was, with what is known of it.
    Raises ModelError where the disk is full, and for a network that no file can hold."""
    data, model, steps = found.study.data, found.study.model, found.steps
    restored = found.path.chosen.restored
    made = keep_model(data, replace(found.repaired, name=name))
    told = Learned(
        made, found.attribute, found.settings.reach, found.settings.improve, steps, found.tolerance, seconds,
        found.judged_by, restored,
    )  # fmt: skip
    arrays = {} if len(found.judged_by) == 1 else _arrays(found.asked, found.answered(steps, restored))
    _write(data, model, told, arrays)
    for points in found.unfinished:
        points.sweep()  # not before: on a full disk they are all that there is
    return told


def keep_thresholds(
    study: Judging, attribute: str, improve: Improve, tolerance: float, name: str, seconds: float = 0.0
) -> Learned:
    """The same of the model with its thresholds moved, as validation people choose; as training has them where those
    would leave it as it is."""
    path, heads, _ = simpler_fixes(study, attribute, find_baseline("thresholds moved"), improve, tolerance)
    place = path.chosen.steps or max(heads)
    made = keep_model(study.data, replace(study.model.with_head(heads[place]), name=name))
    told = Learned(made, attribute, "threshold", improve, place, tolerance, seconds, ("validation",))
    _write(study.data, study.model, told, {})
    return told


def keep_trained(study: Judging, found: TrainedBeside) -> tuple[Learned, ...]:
    """Put every network that a method made on the shelf, with what it answered to those who choose and who judge: it
    can be put to use as one that learned on can. Raises what `keep_learned` raises."""
    data, attribute = study.data, found.attribute
    improve = usual_improve(data, attribute)
    kept = []
    for steps, network in found.networks.items():
        told = Learned(
            keep_model(data, network), attribute, "whole network", improve, steps, TOLERANCE, found.seconds,
            VALIDATION, method=found.method.name, of=len(found.networks),
        )  # fmt: skip
        answers = {
            f"{part}.{name}": array
            for part, (people, logits) in {
                "validation": (found.choosers, found.validation[steps]),
                "test": (found.judges, found.test[steps]),
            }.items()
            for name, array in _arrays(people, logits).items()
        }
        _write(data, study.model, told, answers)
        kept.append(told)
    return tuple(kept)


def trained_before(study: Judging, attribute: str, method: str) -> TrainedBeside | None:
    """What a method came to that was trained on this machine before, by the answers that were kept; None where it was
    not, or not all of it was kept before the work was ended. No network is asked, and none is in it."""
    made = {
        found.steps: found
        for found in learned_from(study.data, study.model)
        if found.method == method and found.attribute == attribute
    }
    if not made or len(made) < max(found.of for found in made.values()):
        return None
    sides: dict[str, tuple[Asked, dict[int, Logits]]] = {}
    for split in SPLITS_BESIDE:
        everybody, original = asked(study, split, attribute)
        people, logits = everybody, {0: original}
        for steps, found in sorted(made.items()):
            held = _kept(_folder(study.data, study.model) / f"{found.id}.safetensors")
            ours = {n.removeprefix(f"{split}."): a for n, a in held.items() if n.startswith(f"{split}.")}
            people, logits[0], logits[steps] = _recalled(everybody, original, ours)
        sides[split] = people, logits
    (choosers, validation), (judges, test) = (sides[split] for split in SPLITS_BESIDE)
    seconds = max(found.seconds for found in made.values())
    return TrainedBeside(
        find_retraining(method),
        attribute,
        {},
        choosers,
        validation,
        judges,
        test,
        study.data.target.levels,
        seconds,
    )


def _write(data: AttributeDataset, model: Classifier, told: Learned, arrays: Mapping[str, Array]) -> None:
    folder = _folder(data, model)
    with room_needed(ModelError):
        folder.mkdir(parents=True, exist_ok=True)
        metadata = {"format": FORMAT, "told": msgspec.json.encode(asdict(told)).decode()}
        keep_arrays(folder / f"{told.id}.safetensors", dict(arrays) or {"none": np.zeros(0)}, metadata)


def learned_from(data: AttributeDataset, model: Classifier) -> tuple[Learned, ...]:
    """The networks that learned on from a model of these data or were trained beside it, oldest first; what is damaged
    is left out."""
    files = sorted(_folder(data, model).glob("*.safetensors"), key=lambda file: file.stat().st_mtime)
    return tuple(found for file in files if (found := _told(file)) is not None)


def has_lost_its_choosers(network: str) -> bool:
    """Whether validation people may have taught the network of this id on the shelf, and what is known of it is damaged
    or lies with other data: nobody is left who could judge it."""
    files = (home_folder() / "learned").glob(f"*/{network}.safetensors")
    return any((told := _told(file)) is None or len(told.judged_by) > 1 for file in files)


def knowing_its_teachers(network: Classifier, name: str) -> Classifier:
    """The network of this id on the shelf; one whose file is older than `taught_by` is asked of what was kept of it."""
    if network.taught_by or not has_lost_its_choosers(name):
        return network
    return replace(network, taught_by=UNKNOWN_TEACHERS)


def choosers_of(
    study: Judging, attribute: str, network: Classifier, learned: Learned | None
) -> tuple[Asked, Logits, Logits]:
    """Who choose, and what the original and `network` answered to them: of those who took turns what was kept when it
    learned, since it has been averaged with one that learned from them; of validation people what it answers now.
    Twins of whom nothing was kept do not count."""
    if learned is None or len(learned.judged_by) == 1:
        people, original = asked(study, "validation", attribute)
        return people, original, asked(study, "validation", attribute, network)[1]
    parts = [asked(study, part, attribute) for part in learned.judged_by]
    people = Asked.together([who for who, _ in parts])
    original = Logits.together([answers for _, answers in parts])
    return _recalled(people, original, _kept(_folder(study.data, study.model) / f"{learned.id}.safetensors"))


def _recalled(people: Asked, original: Logits, kept: Mapping[str, Array]) -> tuple[Asked, Logits, Logits]:
    """Today's choosers with the answers that were kept."""
    place = {int(row): i for i, row in enumerate(kept["rows"])}
    answers = kept["people"][[place[int(row)] for row in people.people.rows]]
    if people.pairs is None or original.twins is None:
        return people, original, Logits(answers, None, None)
    if people.pairs.method == "matched":  # twins are people

        def of(rows: Array) -> Array:
            return np.asarray(kept["people"][[place[int(row)] for row in rows]])

        twins = of(people.pairs.favoured.rows), of(people.pairs.other.rows)
        floor = people.placebo
        placebo = None if floor is None else (of(floor.favoured.rows), of(floor.other.rows))
        return people, original, Logits(answers, twins, placebo)
    known = np.isin(people.pairs.rows, kept["twin_rows"])
    at = {int(row): i for i, row in enumerate(kept["twin_rows"])}
    some = [at[int(row)] for row in people.pairs.rows[known]]
    sides: Sides = kept["one"][some], kept["two"][some]
    was = original.twins[0][known], original.twins[1][known]
    return (
        replace(people, pairs=people.pairs.subset(known)),
        replace(original, twins=was),
        Logits(answers, sides, None),
    )


def _arrays(people: Asked, answers: Logits) -> dict[str, Array]:
    found = {"rows": people.people.rows, "people": answers.people}
    if people.pairs is not None and answers.twins is not None and people.pairs.method != "matched":
        found |= {"twin_rows": people.pairs.rows, "one": answers.twins[0], "two": answers.twins[1]}
    return {name: np.ascontiguousarray(array) for name, array in found.items()}


def _folder(data: AttributeDataset, model: Classifier) -> Path:
    return home_folder() / "learned" / content_fingerprint(data.fingerprint, model.fingerprint)[:32]


def _told(file: Path) -> Learned | None:
    """What is known of a network; None where the file is damaged, what it answered among it."""
    try:
        at = file.stat()
        told = _checked(file, at.st_size, at.st_mtime_ns)
    except (DamagedError, OSError):
        return None
    return replace(told, kept=datetime.fromtimestamp(at.st_mtime, UTC))


@lru_cache(maxsize=256)  # a page asks dozens of times; what the disk says of a file tells it from another
def _checked(file: Path, _size: int, _changed: int) -> Learned:
    _, metadata = read_arrays(file, UNDIGESTED)
    try:
        told = msgspec.json.decode(metadata.get("told", ""), type=Learned)
    except msgspec.MsgspecError as error:
        raise DamagedError(str(file)) from error
    if metadata.get("format") not in (FORMAT, UNDIGESTED) or told.id != file.stem:
        raise DamagedError(str(file))
    return told


def _kept(file: Path) -> dict[str, Array]:
    try:
        return read_arrays(file, UNDIGESTED)[0]
    except DamagedError as error:
        raise ModelError(
            "What this network answered when it learned is not on this machine any more; let it learn again."
        ) from error
