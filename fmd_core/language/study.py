"""One language model on one stereotype set: scored, changed by the examples that decide, judged on the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import DataError, SolverError
from fmd_core.figures import count
from fmd_core.intervals import Estimate
from fmd_core.language import harmful, unlearning
from fmd_core.language.examples import Example, SetName, halves
from fmd_core.language.head import (
    RowChange,
    TokenHead,
    changed_log_probabilities,
    log_normalisers,
    token_log_probabilities,
)
from fmd_core.language.opening import LanguageModel
from fmd_core.language.reading import Reading, read
from fmd_core.language.scores import (
    BiasScore,
    bias_scores,
    difference_change,
    perplexity,
    sentence_scores,
    token_weights,
)

PROSE = Path(__file__).with_name("own_prose.txt")
"""Prose of FMD Studio's own documents, written in November 2026: nobody can have trained on it before."""
MASKED_EVERY = 4  # a masked model reads a paragraph once for each of its words, so it reads every fourth
MOST_PERPLEXITY = 1.05
"""A change that raises perplexity on that prose by more is refused."""
CHOSEN_PERPLEXITY = 1.02
"""The strongest change within this on the deciding examples' own sentences is taken."""
Tell = Callable[[float, str], object]


def silent(share: float, what: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Scores:
    """A model's figures on some examples."""

    types: tuple[BiasScore, ...]
    """All together first."""
    perplexity: float
    """On prose that nobody trained on."""

    @property
    def all(self) -> BiasScore:
        """Over all bias types."""
        return self.types[0]


@dataclass(frozen=True)
class Tried:
    """One form of unlearning: the change chosen by the deciding terms, judged on other terms."""

    form: unlearning.Form
    strength: float
    after: Scores
    moved: Estimate
    """How the mean |difference| changed, paired over target terms."""
    refused: str
    """Why it is not kept, a sentence; "" where it may be."""


@dataclass(frozen=True)
class Debiased:
    """What unlearning comes to, on the target terms that had no say."""

    before: Scores
    tried: tuple[Tried, ...]
    n_deciding: int
    n_judging: int
    """Target terms."""


@dataclass(frozen=True, eq=False)
class _Read:
    reading: Reading
    normalisers: Array
    own: Array
    """log p of each token of the model as it is."""

    @classmethod
    def of(cls, head: TokenHead, reading: Reading, tell: Callable[[float], object]) -> _Read:
        normalisers = log_normalisers(head, reading.features, tell)
        return cls(reading, normalisers, token_log_probabilities(head, reading, normalisers))

    def after(self, head: TokenHead, change: RowChange | None) -> Array:
        if change is None:
            return self.own
        return changed_log_probabilities(head, self.reading, self.normalisers, self.own, change)


@dataclass(frozen=True, eq=False)
class LanguageStudy:
    """A model's reading of a set, held so that changes of its last layer are judged without reading again."""

    title: str
    digest: str
    set_name: SetName
    examples: tuple[Example, ...]
    head: TokenHead
    is_masked: bool
    seconds: float
    _examples: _Read = field(repr=False)
    _prose: _Read = field(repr=False)
    _weights: Array = field(repr=False)

    @classmethod
    def read(
        cls, model: LanguageModel, set_name: SetName, examples: Sequence[Example], tell: Tell = silent
    ) -> LanguageStudy:
        """Read every sentence and the prose. `tell` hears the share done and what goes on, and may raise to stop."""
        if not examples:
            raise DataError("There are no examples to score; take at least one.")
        begun, is_masked = time.monotonic(), model.kind == "masked"
        head = TokenHead.of(model)
        sentences = [sentence for one in examples for sentence in one.sentences]
        contexts = [one.context for one in examples for _ in one.sentences]
        reading = read(model, sentences, contexts, lambda share: tell(0.7 * share, "Reading the examples"))
        lines = prose_lines()[:: MASKED_EVERY if is_masked else 1]
        prose = read(model, lines, None, lambda share: tell(0.7 + 0.1 * share, "Reading prose"))
        crows = set_name == "crows-pairs"
        return cls(
            model.title, model.digest, set_name, tuple(examples), head, is_masked, time.monotonic() - begun,
            _Read.of(head, reading, lambda share: tell(0.8 + 0.15 * share, "Weighing every word")),
            _Read.of(head, prose, lambda share: tell(0.95 + 0.05 * share, "Weighing every word")),
            token_weights(reading, is_mean=not crows, shared=crows and is_masked),
        )  # fmt: skip

    def scores(self, rows: Array | None = None, change: RowChange | None = None) -> Scores:
        """Of all examples or some `rows` of them, as the model is or with a change."""
        examples, scores = self._scored(rows, change)
        return Scores(bias_scores(examples, scores), perplexity(self._prose.after(self.head, change)))

    def _scored(self, rows: Array | None, change: RowChange | None) -> tuple[list[Example], Array]:
        """Examples and the scores of their sentences."""
        log_probabilities = self._examples.after(self.head, change)
        scores = sentence_scores(log_probabilities, self._weights, self._examples.reading.starts)
        chosen = np.arange(len(self.examples)) if rows is None else rows
        return [self.examples[i] for i in chosen], np.concatenate(
            [scores[self._sentences(int(i))] for i in chosen]
        )

    def debias(self, tell: Tell = silent, judge: LanguageStudy | None = None) -> Debiased:
        """Every form of unlearning, decided by half of the target terms, judged on the others or on all of another set.

        DataError where this set is one that is meant for evaluation only, or `judge` reads another model.
        """
        if self.set_name == "crows-pairs":
            raise DataError(
                "CrowS-Pairs is meant for evaluation, so it does not decide; let StereoSet do so."
            )
        if judge is not None and judge.digest != self.digest:
            raise DataError("The set that judges was read by another model; read it by the same.")
        deciding, others = self._halves()
        judging = judge or self
        rows = None if judge else others
        before = judging.scores(rows)
        best = self._chosen(deciding, tell)
        tried = tuple(
            judging._tried(form, strength, change, rows, before) for form, (strength, change) in best.items()
        )
        judges = judging.examples if judge else [self.examples[i] for i in others]
        terms = [len({one.target for one in part}) for part in ([self.examples[i] for i in deciding], judges)]
        return Debiased(before, tried, *terms)

    def _tried(
        self, form: unlearning.Form, strength: float, change: RowChange, rows: Array | None, before: Scores
    ) -> Tried:
        """One change, judged."""
        after = self.scores(rows, change)
        examples, was = self._scored(rows, None)
        moved = difference_change(examples, was, self._scored(rows, change)[1])
        return Tried(form, strength, after, moved, refusal(before, after, moved))

    def _chosen(self, deciding: Array, tell: Tell) -> dict[unlearning.Form, tuple[float, RowChange]]:
        """Of each form the strongest change that the deciding examples' own sentences bear, with its strength."""
        found = self._partings(deciding)
        steps = [(form, strength) for form in unlearning.FORMS for strength in unlearning.LADDER[form]]
        best: dict[unlearning.Form, tuple[float, RowChange]] = {}
        for number, (form, strength) in enumerate(steps):
            tell(number / len(steps), f"Trying {unlearning.FORMS[form]}")
            try:
                change = unlearning.change(form, found, strength)
            except SolverError:
                continue
            if form not in best or self._cost(deciding, change) <= CHOSEN_PERPLEXITY:
                best[form] = strength, change
        return best

    def harmful(
        self, model: LanguageModel, sentences: list[str], tell: Tell = silent, most: int = 50
    ) -> tuple[harmful.Influence, ...]:
        """The sentences of a corpus that teach the preferences of this set most."""
        found = self._partings(np.arange(len(self.examples)))
        reading = read(model, sentences, None, lambda share: tell(0.7 * share, "Reading the corpus"))
        normalisers = log_normalisers(
            self.head, reading.features, lambda share: tell(0.7 + 0.3 * share, "Weighing every word")
        )
        return harmful.most_harmful(
            sentences, harmful.influences(found, self.head, reading, normalisers), most
        )

    def _halves(self) -> tuple[Array, Array]:
        deciding, judging = halves(self.examples)
        if not len(deciding) or not len(judging):
            raise DataError("There are too few target terms to keep some for judging; take more examples.")
        return deciding, judging

    def _partings(self, deciding: Array) -> unlearning.Partings:
        seen = self._examples
        return unlearning.partings(self.examples, deciding, seen.reading, self.head, seen.normalisers)

    def _sentences(self, number: int) -> slice:
        per = len(self.examples[0].sentences)
        return slice(per * number, per * (number + 1))

    def _cost(self, deciding: Array, change: RowChange) -> float:
        """How perplexity on the deciding examples' sentences rises, as a factor."""
        reading = self._examples.reading
        sentences = np.concatenate(
            [np.arange(len(reading))[self._sentences(int(number))] for number in deciding]
        )
        tokens = np.concatenate([np.arange(len(reading.tokens))[reading.span(s)] for s in sentences])
        after = self._examples.after(self.head, change)
        return perplexity(after[tokens]) / perplexity(self._examples.own[tokens])


def refusal(before: Scores, after: Scores, moved: Estimate) -> str:
    """Why a change is not kept, a sentence; "" where it may be."""
    worse = after.perplexity / before.perplexity
    if not worse <= MOST_PERPLEXITY:
        return (
            f"Refused: perplexity rises from {before.perplexity:.1f} to {after.perplexity:.1f}, by more than 5 %: the "
            "model would write worse."
        )
    if moved.value is None or not moved.value < 0:
        return "Refused: on terms that had no say the two sentences are as far apart as before."
    if moved.high is None or not moved.high < 0:
        return "Refused: on terms that had no say it cannot be told from chance that the two sentences come closer."
    return ""


def prose_lines() -> list[str]:
    """The prose that perplexity is measured on, a paragraph each."""
    return [line for line in PROSE.read_text("utf-8").splitlines() if line.strip()]


def corpus_lines(text: str, most: int = 20_000) -> list[str]:
    """A corpus as sentences, one a line. DataError for none or too many."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not 1 <= len(lines) <= most:
        raise DataError(
            f"The corpus has {count(len(lines))} sentences; bring 1 to {count(most)}, one on each line."
        )
    return lines
