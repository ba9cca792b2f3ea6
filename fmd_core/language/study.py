"""One language model on one stereotype set: scored, changed by the examples that decide, judged on the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fmd_core.data import Array, content_fingerprint
from fmd_core.errors import DataError, SolverError
from fmd_core.figures import count
from fmd_core.language import block_training, harmful, unlearning
from fmd_core.language.block_training import BlockChange
from fmd_core.language.blocks import TOP
from fmd_core.language.examples import Example, SetName, halves
from fmd_core.language.head import SHARPNESS, Answers, RowChange, TokenHead, with_rows
from fmd_core.language.judging import MOST_PERPLEXITY, Debiased, Scores, Tried, refusal
from fmd_core.language.opening import LanguageModel
from fmd_core.language.reading import read
from fmd_core.language.scores import (
    bias_scores,
    difference_change,
    perplexity,
    sentence_scores,
    token_weights,
)
from fmd_core.language.second_order import MOST_COVARIANCE
from fmd_core.language.unlearning import CHOSEN_PERPLEXITY

PROSE = Path(__file__).with_name("own_prose.txt")
"""Prose of FMD Studio's own documents, written in November 2026: nobody can have trained on it before."""
VERSION = 2
"""Of the steps themselves: whoever changes what comes of them counts it up, and what was kept is made anew."""
MASKED_EVERY = 4  # a masked model reads a paragraph once for each of its words, so it reads every fourth
Tell = Callable[[float, str], object]
Recall = Callable[[str, Callable[[], Answers]], Answers]
"""Remembers what was read under a name, which is another for other texts, or has it read."""
Change = RowChange | BlockChange
ALL_FORMS: tuple[unlearning.Form, ...] = tuple(unlearning.FORMS)


def silent(share: float, what: str) -> None:
    """Tell nobody."""


def read_now(_name: str, make: Callable[[], Answers]) -> Answers:
    """Remember nothing."""
    return make()


@dataclass(frozen=True, eq=False)
class LanguageStudy:
    """A model's reading of a set, held so that changes of its topmost layers are judged without reading again."""

    title: str
    digest: str
    """sha256 of the model's weights."""
    fingerprint: str
    """Of the model, its words among it."""
    set_name: SetName
    examples: tuple[Example, ...]
    head: TokenHead
    is_masked: bool
    seconds: float
    """That reading took."""
    answers: Answers
    """To the examples' sentences."""
    prose: Answers
    weights: Array
    """(tokens,) what each counts in its sentence's score."""

    @classmethod
    def read(
        cls, model: LanguageModel, set_name: SetName, examples: Sequence[Example], tell: Tell = silent,
        recall: Recall = read_now,
    ) -> LanguageStudy:  # fmt: skip
        """Read a set and our prose. `tell` hears the share that is done, and what of, and may raise to stop."""
        if not examples:
            raise DataError("There are no examples to score.")
        begun, head, is_masked = time.monotonic(), TokenHead.of(model), model.kind == "masked"
        sentences = [sentence for one in examples for sentence in one.sentences]
        contexts = [one.context for one in examples for _ in one.sentences]

        def answered(texts: list[str], before: list[str] | None, start: float, end: float) -> Answers:
            def part(share: float, what: str) -> object:
                return tell(start + (end - start) * share, what)

            reading = read(model, texts, before, lambda share: part(0.7 * share, "Reading"), TOP)
            return Answers.of(head, reading, lambda share: part(0.7 + 0.3 * share, "Weighing every word"))

        lines = prose_lines()[:: MASKED_EVERY if is_masked else 1]
        names = f"{set_name}.{_key(*sentences, *contexts)}", f"prose.{_key(*lines)}"
        answers = recall(names[0], lambda: answered(sentences, contexts, 0, 0.9))
        prose = recall(names[1], lambda: answered(lines, None, 0.9, 1))
        crows = set_name == "crows-pairs"
        weights = token_weights(answers.reading, is_mean=not crows, shared=crows and is_masked)
        took = time.monotonic() - begun
        return cls(
            model.title,
            model.digest,
            model.fingerprint,
            set_name,
            tuple(examples),
            head,
            is_masked,
            took,
            answers,
            prose,
            weights,
        )

    def only(self, rows: Array) -> LanguageStudy:
        """Of some examples."""
        sentences = self._sentences(rows)
        tokens = self.answers.reading.only(sentences)[1]
        return replace(
            self, examples=tuple(self.examples[int(i)] for i in rows), answers=self.answers.only(sentences),
            weights=self.weights[tokens],
        )  # fmt: skip

    def scores(self) -> Scores:
        """Of all examples."""
        raw, even = self._sentence_scores(1.0), self._sentence_scores(self.prose.best_sharpness)
        return Scores(
            bias_scores(self.examples, raw), perplexity(self.prose.log_probabilities()),
            bias_scores(self.examples, even)[0].difference, self.prose.best_sharpness,
            perplexity(self.prose.log_probabilities(self.prose.best_sharpness)),
        )  # fmt: skip

    def debias(
        self, model: LanguageModel, tell: Tell = silent, judge: LanguageStudy | None = None,
        forms: Collection[unlearning.Form] = ALL_FORMS,
    ) -> Debiased:  # fmt: skip
        """Forms of unlearning, decided by half of the target terms, judged on the others, or on those of another set.

        DataError where this set is one that is meant for evaluation only, or `judge` or `model` is another model.
        """
        deciding, judging = self.parts(judge)
        tried, left_out = [], []
        for number, form in enumerate(forms):

            def part(share: float, _number: int = number, _form: unlearning.Form = form) -> object:
                return tell((_number + share) / len(forms), f"Trying {unlearning.FORMS[_form]}")

            try:
                strength, change = deciding.change(form, model, lambda share: part(0.8 * share))
                tried.append(
                    judging.tried(form, strength, change, model, lambda share: part(0.8 + 0.2 * share))
                )
            except (SolverError, DataError) as error:
                left_out.append((form, str(error)))
        terms = [len({one.target for one in each.examples}) for each in (deciding, judging)]
        return Debiased(judging.scores(), tuple(tried), tuple(left_out), *terms)

    def parts(self, judge: LanguageStudy | None = None) -> tuple[LanguageStudy, LanguageStudy]:
        """What decides, and what judges: the other target terms, of another set all that do not decide. DataError as
        `debias`."""
        if self.set_name == "crows-pairs":
            raise DataError(
                "CrowS-Pairs is meant for evaluation, so it does not decide; let StereoSet do so."
            )
        if judge is not None and judge.fingerprint != self.fingerprint:
            raise DataError("The set that judges was read by another model; read it by the same.")
        deciding, others = halves(self.examples)
        if not len(deciding) or not len(others):
            raise DataError("There are too few target terms to keep some for judging; take more examples.")
        if judge is None:
            return self.only(deciding), self.only(others)
        decide = {
            self.examples[int(i)].target for i in deciding
        }  # both parts of StereoSet have the same terms
        rows = np.array([i for i, one in enumerate(judge.examples) if one.target not in decide], int)
        if not len(rows):
            raise DataError("Every target term of the set that judges decides too; take another set.")
        return self.only(deciding), judge if len(rows) == len(judge.examples) else judge.only(rows)

    def change(
        self, form: unlearning.Form, model: LanguageModel, tell: Callable[[float], object] = lambda _: None
    ) -> tuple[float, Change]:
        """What these examples choose of one form, with its strength. DataError or SolverError where it cannot be."""
        self._check(model)
        if form == "published" or form == "rows":
            return self._rows(form)
        return block_training.trained(form, model, self.head, self.examples, self.answers, self.weights, tell)

    def tried(
        self, form: unlearning.Form, strength: float, change: Change, model: LanguageModel,
        tell: Callable[[float], object] = lambda _: None,
    ) -> Tried:  # fmt: skip
        """One change, judged on these examples."""
        self._check(model)
        after = self.changed(change, model, tell)
        was, now = (each._sentence_scores(each.prose.best_sharpness) for each in (self, after))
        moved, scores = difference_change(self.examples, was, now), after.scores()
        return Tried(form, strength, scores, moved, refusal(self.scores(), scores, moved))

    def changed(
        self, change: Change, model: LanguageModel, tell: Callable[[float], object] = lambda _: None
    ) -> LanguageStudy:
        """This study as the changed model would have read it."""
        if isinstance(change, RowChange):
            answers, prose = (with_rows(self.head, each, change) for each in (self.answers, self.prose))
        else:
            answers, prose = (
                block_training.read_again(model, self.head, each.reading, change, tell)
                for each in (self.answers, self.prose)
            )
        return replace(self, answers=answers, prose=prose)

    def harmful(
        self, model: LanguageModel, sentences: list[str], tell: Tell = silent, most: int = 50
    ) -> tuple[harmful.Influence, ...]:
        """The sentences of a corpus that teach the preferences of this set most."""
        reading = read(model, sentences, None, lambda share: tell(0.7 * share, "Reading the corpus"))
        corpus = Answers.of(self.head, reading, lambda share: tell(0.7 + 0.3 * share, "Weighing every word"))
        scores = harmful.influences(self.partings(), self.head, corpus)
        return harmful.most_harmful(sentences, scores, most)

    def partings(self) -> unlearning.Partings:
        """Where the two sentences of these examples part."""
        return unlearning.partings(self.examples, np.arange(len(self.examples)), self.answers, self.head)

    def _rows(self, form: unlearning.RowForm) -> tuple[float, RowChange]:
        """The strongest change that the sentences bear."""
        found, best = self.partings(), None
        for strength in unlearning.LADDER[form]:
            try:
                change = unlearning.change(form, found, strength)
            except SolverError:
                continue
            if best is None or self._cost(change) <= CHOSEN_PERPLEXITY:
                best = strength, change
        if best is None:
            raise SolverError("No change of these rows settled; take more examples.")
        return best

    def _cost(self, change: RowChange) -> float:
        """How perplexity on the sentences rises, as a factor."""
        after = with_rows(self.head, self.answers, change)
        return perplexity(after.log_probabilities()) / perplexity(self.answers.log_probabilities())

    def _sentence_scores(self, sharpness: float) -> Array:
        return sentence_scores(
            self.answers.log_probabilities(sharpness), self.weights, self.answers.reading.starts
        )

    def _sentences(self, rows: Array) -> Array:
        per = len(self.examples[0].sentences)
        found: Array = (per * rows[:, None] + np.arange(per)).ravel()
        return found

    def _check(self, model: LanguageModel) -> None:
        if model.fingerprint != self.fingerprint:
            raise DataError("The model is not the one that read this set; take the same.")


def _key(*texts: str) -> str:
    return content_fingerprint(*texts)[:16]


def recipe() -> str:
    """Digest of what decides what comes of a model and a set: how it is read, what is chosen, on which prose."""
    chosen = (
        VERSION, TOP, MASKED_EVERY, SHARPNESS.tolist(), block_training.PLANS, block_training.PAIRS_AT_ONCE,
        unlearning.LADDER, unlearning.RIDGE, unlearning.MOST_RETAINED, unlearning.MIN_PAIRS, CHOSEN_PERPLEXITY,
        MOST_PERPLEXITY, MOST_COVARIANCE,
    )  # fmt: skip
    return content_fingerprint(repr(chosen), *prose_lines())


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
