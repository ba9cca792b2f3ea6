"""What held-out test people say of a model: the audit, comparisons, simpler fixes, and what can still be read of
an attribute that was to be forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Self

from fmd_core.errors import DataError, FMDError, ModelError
from fmd_core.forget.erasure import Erased
from fmd_core.forget.forgetting import Forgetting, Seen, judge_forgetting
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.intervals import Estimate
from fmd_core.measure.audit import audit_bias, measured_accuracy
from fmd_core.measure.bias_report import BiasReport
from fmd_core.measure.candidates import Candidate
from fmd_core.measure.changes import Change as Difference
from fmd_core.measure.comparing import bias_changes, compare
from fmd_core.measure.comparison import Comparison
from fmd_core.measure.red_flags import RedFlag, red_flags
from fmd_core.measure.twin_bias import TwinBias, twin_bias_changes, twin_biases, twin_biases_among
from fmd_core.measure.worst_group import judged_by_group, lag_change
from fmd_core.study.aim import Aim
from fmd_core.study.answering import Answering
from fmd_core.study.people import About
from fmd_core.study.subject import Change
from fmd_core.twins.pairs import CounterfactualPairs
from fmd_core.unlearn.rivals import Rival, default_k, rival_heads


class Judging(Answering):
    """Judges are asked last: nothing that they say decides or guards a fix."""

    def audit(self, change: Change | None = None) -> BiasReport:
        """Every attribute's bias on held-out test people; of the original where no change is named."""
        of = self._named(change)

        def make() -> BiasReport:
            twins = {name: self.pairs("test", name) for name in self.testable()}
            floors = {name: self.placebo("test", name) for name in twins}
            known = {name: floor for name, floor in floors.items() if floor is not None}
            return audit_bias(of.make(), self.data, self.features("test"), list(twins.values()), known)

        return self.memory.recall(self._counted("audit", of.name), make)

    def accuracy(self) -> Estimate:
        """How often the original is right of held-out test people: the figure of its audit, which takes longer."""
        return measured_accuracy(self.head, self.features("test"))

    def red_flags(self, change: Change | None = None) -> tuple[RedFlag, ...]:
        """Who of the held-out test people is served worse than everybody else."""
        of = self._named(change)
        return self.memory.recall(
            self._counted("red flags", of.name),
            lambda: red_flags(of.make(), self.data, self.features("test")),
        )

    def comparison(self, change: Change, about: About = None) -> Comparison:
        """Original against a change, by the attribute of an aim, on held-out test people and the twins that count."""
        of, aim = self._named(change), self.aim(about)

        def make() -> Comparison:
            pairs, floor = self.pairs("test", aim.attribute), self.placebo("test", aim.attribute)
            return self._compared(of.make(), aim, pairs, floor)

        return self.memory.recall(self._counted("comparison", of.name, aim.attribute, aim.measure), make)

    def _compared(
        self, head: Head, aim: Aim, pairs: CounterfactualPairs, floor: CounterfactualPairs | None
    ) -> Comparison:
        """The original against a head, by what an aim is about; of the worst group that whom those who choose name."""
        people, guards, data = self.features("test"), self.features("validation"), self.data
        if aim.measure != "worst group":
            return compare(self.head, head, data, people, pairs, floor, aim.measure, guards)
        found = compare(self.head, head, data, people, pairs, floor)
        return judged_by_group(found, data, self.worst_served(aim.attribute))

    def other_biases(self, change: Change, about: About = None) -> list[Difference]:
        """What a change does to the bias by every attribute but that of the aim, on the same people."""
        of, aim = self._named(change), self.aim(about)

        def make() -> list[Difference]:
            names = [name for name in self.testable() if name != aim.attribute]
            if aim.measure == "worst group":
                return [self._other_lag(change, aim, name) for name in names]
            if aim.measure == "counterfactual":
                known = self._biases_before()
                return twin_bias_changes([known[name] for name in names], self._biases(of.make(), names))
            twins = [(self.pairs("test", name), None) for name in names]
            return bias_changes(self.head, of.make(), self.data, self.features("test"), twins, aim.measure)

        return self.memory.recall(self._counted("other biases", of.name, aim.attribute, aim.measure), make)

    def _other_lag(self, change: Change, aim: Aim, name: str) -> Difference:
        """What a change does to how far the worst group by another attribute lags."""
        try:
            group = self.worst_served(name)
        except DataError as problem:
            unknown = Estimate.refused(str(problem))
            return Difference("lag", name, unknown, unknown, unknown)
        found = lag_change(self.comparison(change, aim), self.data, name, group)
        return replace(found, group=name)

    def _biases_before(self) -> dict[str, TwinBias]:
        """The original's bias by every attribute, which is the same whatever it is compared with."""
        names = self.testable()
        make = partial(self._biases, self.head, names)
        return dict(zip(names, self.memory.recall(self._counted("biases before"), make), strict=True))

    def _biases(self, head: Head, names: Sequence[str]) -> list[TwinBias]:
        twins = [(self.pairs("test", name), self.placebo("test", name)) for name in names]
        # matched twins are these people: their answers are looked up
        measure = twin_biases_among if self.data.pair_method == "matched" else twin_biases
        return measure(head, self.features("test"), twins, self.data)

    def candidate(
        self, attribute: str, change: Change | None = None, *, twins_of: Self | None = None
    ) -> Candidate:
        """A model with what it reads of the test people. Who is whose matched twin does not depend on the model:
        with `twins_of` it is asked of that study."""
        people, head, guards = self.features("test"), self._named(change).make(), self.features("validation")
        if twins_of is None or self.data.pair_method != "matched":
            twins, floor = self.pairs("test", attribute), self.placebo("test", attribute)
            return Candidate(head, people, twins, floor, guards)
        floor = twins_of.placebo("test", attribute)
        return Candidate(
            head, people, twins_of.pairs("test", attribute).seen_in(people),
            None if floor is None else floor.seen_in(people), guards,
        )  # fmt: skip

    def rivals(self, about: About = None, k: int | None = None) -> tuple[tuple[Rival, Comparison], ...]:
        """What simpler fixes do to the same held-out people, by the attribute under review: with `k` samples left
        out, or the usual number. External people decide them, validation people choose."""
        aim = self.aim(about)
        count = default_k(len(self.features("train"))) if k is None else k

        def make() -> tuple[tuple[Rival, Comparison], ...]:
            guards = self.features("validation")
            heads = rival_heads(
                self.head, self.features("train"), self.scores(aim),
                [self.pairs("external", name) for name in aim.attributes],
                guards, self.data.attribute(aim.attribute).codes[guards.rows],
                k=count, damping=self.model.damping,
            )  # fmt: skip
            twins, floor = self.pairs("test", aim.attribute), self.placebo("test", aim.attribute)
            return tuple((rival, self._compared(rival.head, aim, twins, floor)) for rival in heads)

        return self.memory.recall(self._counted("rivals", aim, count), make)

    def rivals_or_why(
        self, about: About = None, k: int | None = None
    ) -> tuple[tuple[tuple[Rival, Comparison], ...], str]:
        """The same, or none and why that cannot be said, as a sentence."""
        try:
            return self.rivals(about, k), ""
        except FMDError as error:
            return (), str(error)

    # --- forgetting

    def forgetting(self, change: Erased | Self, attributes: Sequence[str]) -> Forgetting:
        """What fresh probes can still read of attributes after an erasure, or from a model that was trained on.

        External and validation people, from whom nothing was erased or trained, teach them; test people judge.
        Nothing is kept: probes are trained at every call.
        """
        before = self.original._seen()
        if isinstance(change, Erased):
            after, seconds = before.after(change), change.seconds
        else:
            after, seconds = change.original._seen(), 0.0
        return judge_forgetting(before, after, self.data, attributes, seconds=seconds)

    def _seen(self) -> Seen:
        last = self.head
        if not isinstance(last, LinearHead):
            raise ModelError("Forgetting is judged at the last layer; open the model there.")
        return Seen(last, self.choosers(), self.features("test"))
