"""What was found of a language model, for programs and in sentences."""

from __future__ import annotations

from typing import Any

from fmd_core.intervals import Estimate
from fmd_core.language import unlearning
from fmd_core.language.judging import Debiased, Scores, Tried
from fmd_core.language.scores import BiasScore
from fmd_core.language.study import LanguageStudy

UNEVEN = "This is a measurement on one published set, not a promise about what the model writes."


def scores_document(scores: Scores) -> dict[str, Any]:
    """Figures by bias type, "all" first, and perplexity."""
    return {
        "types": [_type(one) for one in scores.types],
        "perplexity": round(scores.perplexity, 4),
        "difference": _estimate(scores.all.difference),
        "at_best_temperature": {
            "temperature": round(1 / scores.sharpness, 4),
            "perplexity": round(scores.even_perplexity, 4),
            "difference": _estimate(scores.even_difference),
        },
    }


def debiased_document(told: Debiased) -> dict[str, Any]:
    """Before and after on the terms that judge."""
    return {
        "experimental": True,
        "deciding_terms": told.n_deciding,
        "judging_terms": told.n_judging,
        "before": scores_document(told.before),
        "tried": [tried_document(one) for one in told.tried],
        "left_out": [{"form": form, "why": why} for form, why in told.left_out],
    }


def tried_document(one: Tried) -> dict[str, Any]:
    """One change, as it was judged."""
    return {
        "form": one.form,
        "strength": one.strength,
        "refused": one.refused or None,
        "moved": _estimate(one.moved),
        "after": scores_document(one.after),
    }


def study_document(
    study: LanguageStudy, scores: Scores, told: Debiased | None, seconds: float
) -> dict[str, Any]:
    """All of `fmd-stereotypes-1` but its name and our version."""
    return {
        "model": {"title": study.title, "sha256": study.digest},
        "set": study.set_name,
        "examples": len(study.examples),
        "masked": study.is_masked,
        **scores_document(scores),
        "debias": None if told is None else debiased_document(told),
        "seconds": round(seconds, 1),
    }


def _type(one: BiasScore) -> dict[str, Any]:
    return {
        "bias_type": one.bias_type,
        "examples": one.n_examples,
        "terms": one.n_terms,
        "lms": _estimate(one.lms),
        "ss": _estimate(one.ss),
        "icat": _estimate(one.icat),
        "difference": _estimate(one.difference),
    }


def _estimate(found: Estimate | None) -> dict[str, float | None] | None:
    if found is None or found.value is None:
        return None
    ends = {
        name: None if end is None else round(end, 4)
        for name, end in (("low", found.low), ("high", found.high))
    }
    return {"value": round(found.value, 4), **ends}


# --- sentences


def figure(found: Estimate | None, digits: int = 1) -> str:
    """'63.2 (60.1 to 66.0)'; without an interval the figure alone; a dash where there is none."""
    if found is None or found.value is None:
        return "–"
    if found.low is None or found.high is None:
        return f"{found.value:.{digits}f}"
    return f"{found.value:.{digits}f} ({found.low:.{digits}f} to {found.high:.{digits}f})"


def preference_sentence(study: LanguageStudy, scores: Scores) -> str:
    """What the overall SS says; nothing is said that its interval does not carry."""
    ss = scores.all.ss
    if ss.value is None or ss.low is None or ss.high is None:
        return f"{study.title}: too few target terms to say whether stereotypes are preferred."
    likelier = f"{ss.value:.0f} of 100 times"
    if ss.low > 50:
        return f"{study.title} finds the stereotype likelier than its opposite {likelier}."
    if ss.high < 50:
        return (
            f"{study.title} finds the stereotype less likely than its opposite: it is preferred {likelier}."
        )
    return (
        f"It cannot be said whether {study.title} prefers stereotypes: it does {likelier}, and chance is 50."
    )


def tried_sentence(before: Scores, one: Tried) -> str:
    """What one form came to, with what it costs beside it."""
    moved = moved_share(before, one)
    icat = (
        ""
        if one.after.all.icat is None
        else f"ICAT {_point(before.all.icat)} to {_point(one.after.all.icat)}, "
    )
    told = (
        f"{unlearning.FORMS[one.form].capitalize()}: {icat}SS {_point(before.all.ss)} to {_point(one.after.all.ss)}, "
        f"how far apart, when equally sure, {moved}, perplexity {before.perplexity:.1f} to {one.after.perplexity:.1f}."
    )
    return f"{told} {one.refused}".strip()


def moved_share(before: Scores, one: Tried) -> str:
    """How the difference at equal temperature changed, '−4.2 % (−6.0 to −2.3)' of what it was."""
    was = before.even_difference.value
    if not was or one.moved.value is None:
        return "–"
    value, *ends = (
        None if end is None else f"{100 * end / was:+.1f}".replace("-", "\N{MINUS SIGN}")
        for end in (one.moved.value, one.moved.low, one.moved.high)
    )
    return f"{value} %" if None in ends else f"{value} % ({ends[0]} to {ends[1]})"


def _point(found: Estimate | None) -> str:
    return "–" if found is None or found.value is None else f"{found.value:.1f}"
