"""What every depth of unlearning does to a language model: `fmd reproduce --language`, for docs/language_models.md.

Every set is read once, and kept under FMD_HOME as soon as it is there: readings, chosen changes, what each change does
to each set. So work that was stopped goes on, and the tables can be written at any time from what there is. StereoSet's
words in a sentence decide, by half of the target terms; the other terms of both of its parts and all of CrowS-Pairs
judge.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fmd_core.data import content_fingerprint
from fmd_core.errors import DataError, SolverError
from fmd_core.home import home_folder
from fmd_core.language.document import scores_document, tried_document
from fmd_core.language.examples import Example, SetName, read_examples
from fmd_core.language.head import Answers
from fmd_core.language.kept import keep_change, kept_answers, read_change
from fmd_core.language.opening import LanguageModel, open_language_model
from fmd_core.language.study import Change, LanguageStudy, recipe
from fmd_core.language.unlearning import FORMS, Form
from fmd_core.reproduction.kept import keep, read_kept
from fmd_core.reproduction.trained_models import this_machine
from fmd_core.running.whole_arrays import DamagedError

VERSION = 1  # of what is measured: cells of another one are measured again
DECIDES: SetName = "stereoset"
SETS: tuple[SetName, ...] = (DECIDES, "crows-pairs", "stereoset-next")
Say = Callable[[str], None]
Cell = dict[str, Any]


def study_language(reference: str, say: Say = print, *, measure: bool = True) -> Cell:
    """Every cell that is not kept yet, and all of them together. Data that are not on this machine are skipped; so is,
    with `measure` False, what is not measured yet."""
    bench = _Bench(open_language_model(reference), say, measure)
    scores: dict[str, Cell] = {}
    changes: dict[str, Cell] = {}
    tried: dict[str, Cell] = {}
    for name in SETS:
        try:
            scores[name] = bench.scores(name)
        except DataError as error:
            say(f"{name} was skipped: {error}")
            continue
        for form in FORMS:
            try:
                changes[form] = bench.change(form)
                if not changes[form]["why_not"]:
                    tried[f"{form}.{name}"] = bench.tried(form, name)
            except NotMeasuredError as error:
                say(f"{FORMS[form]} on {name} was skipped: {error}")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": this_machine(),
        "model": {"title": bench.model.title, "sha256": bench.model.digest},
        "scores": scores, "changes": changes, "tried": tried,
    }  # fmt: skip


class NotMeasuredError(DataError):
    """A cell is asked for that is not kept, where nothing is to be measured."""


class _Bench:
    """One model, and everything that is done to it."""

    def __init__(self, model: LanguageModel, say: Say, may_measure: bool) -> None:
        self.model, self.say, self.may_measure = model, say, may_measure
        key = content_fingerprint(model.fingerprint, recipe(), str(VERSION))[:32]
        self.folder = home_folder() / "language" / key
        self.folder.mkdir(parents=True, exist_ok=True)
        self._studies: dict[SetName, LanguageStudy] = {}
        self._examples: dict[SetName, tuple[Example, ...]] = {}

    def scores(self, name: SetName) -> Cell:
        """A set, all of it, and the part that judges as the model is."""

        def measure() -> Cell:
            study = self.study(name)
            return {
                "examples": len(study.examples), "all": scores_document(study.scores()),
                "judging": scores_document(self.judging(name).scores()),
                "terms": [len({one.target for one in each.examples}) for each in (self.deciding, self.judging(name))],
            }  # fmt: skip

        return self._cell(self._key("scores", name), f"{name}: read and scored", measure)

    def change(self, form: Form) -> Cell:
        """What the deciding terms choose of one form."""

        def measure() -> Cell:
            try:
                strength, change = self.deciding.change(form, self.model)
            except (DataError, SolverError) as error:
                return {"strength": None, "why_not": str(error)}
            keep_change(self._change_file(form), change)
            return {"strength": strength, "why_not": ""}

        def is_whole(cell: Cell) -> bool:
            try:
                return bool(cell["why_not"]) or self._changed(form) is not None
            except DamagedError:
                return False

        return self._cell(
            self._key(f"change.{form}"), f"{FORMS[form]}: chosen by the deciding terms", measure, is_whole
        )

    def tried(self, form: Form, name: SetName) -> Cell:
        """One change on one set."""

        def measure() -> Cell:
            strength = float(self.change(form)["strength"])
            return tried_document(self.judging(name).tried(form, strength, self._changed(form), self.model))

        return self._cell(self._key(f"tried.{form}", name), f"{FORMS[form]}, judged on {name}", measure)

    @cached_property
    def deciding(self) -> LanguageStudy:
        """The half of StereoSet's terms that decides."""
        return self.study(DECIDES).parts()[0]

    def judging(self, name: SetName) -> LanguageStudy:
        """What judges: examples of terms that do not decide, or all pairs of CrowS-Pairs, which has no terms."""
        study, decide = self.study(name), {one.target for one in self.deciding.examples}
        rows = [number for number, one in enumerate(study.examples) if one.target not in decide]
        return study if len(rows) == len(study.examples) else study.only(np.array(rows))

    def study(self, name: SetName) -> LanguageStudy:
        """A set as it was read, now or before."""
        if name not in self._studies:

            def recall(what: str, make: Callable[[], Answers]) -> Answers:
                return kept_answers(self.folder / f"{what}.npz", make)

            self._studies[name] = LanguageStudy.read(self.model, name, self.examples(name), recall=recall)
        return self._studies[name]

    def examples(self, name: SetName) -> tuple[Example, ...]:
        """Those of a set. DataError where it is not on this machine."""
        if name not in self._examples:
            self._examples[name] = read_examples(name)
        return self._examples[name]

    def _key(self, what: str, name: SetName = DECIDES) -> str:
        """A name for what comes of one set under those who decide: another one for other sentences."""
        told = [repr(one) for each in (DECIDES, name) for one in self.examples(each)]
        return f"{what}.{name}.{content_fingerprint(*told)[:16]}"

    def _change_file(self, form: Form) -> Path:
        return self.folder / f"{self._key(f'change.{form}')}.safetensors"

    def _changed(self, form: Form) -> Change:
        return read_change(self._change_file(form))

    def _cell(
        self,
        name: str,
        what: str,
        measure: Callable[[], Cell],
        is_whole: Callable[[Cell], bool] = lambda _: True,
    ) -> Cell:
        """One cell, as it was kept, or measured and kept."""
        file = self.folder / f"{name}.json"
        known = read_kept(file, VERSION)
        if known is not None and is_whole(known):
            return known
        if not self.may_measure:
            raise NotMeasuredError("it is not measured yet.")
        self.say(what)
        begun = time.process_time()
        cell = {**measure(), "version": VERSION}
        cell["cpu_seconds"] = round(time.process_time() - begun, 1)
        keep(file, cell)
        return cell
