"""What is aimed at on the Unlearn page: the finding behind it, and the way to what is worst."""

from __future__ import annotations

import streamlit as st

from app import cache
from app.record.review import Aim
from app.session import state
from app.view_models import aiming
from app.widgets import components
from fmd_core import Verdict
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.values import Finding
from fmd_core.study.aim import finding_of


def verdict() -> Verdict:
    """What held-out people say of the original model: it says what to aim at, and chooses no strength."""
    return cache.verdict(state.review(), None, state.criteria())


def finding(aim: Aim) -> Finding | None:
    """What an aim has to bring within its limit: the worst finding that it takes out; of the worst group what held-out
    people say of the one that those who choose have named."""
    if aim.measure == "worst group":
        asked = goal(aim)
        return None if asked is None else cache.reached(state.review(), None, asked)
    found = verdict()
    return finding_of(found.findings, aim, found.classes)


def sentence(aim: Aim) -> str:
    """What an aim is to take out, in the data's own words; '' where nobody can say."""
    found = finding(aim)
    return "" if found is None else found.sentence


def goal(aim: Aim) -> Goal | None:
    """The same as a question for validation people."""
    if aim.measure == "worst group":
        limit = state.limits().of_aim(aim.measure)
        return cache.worst_group_goal(state.review(), aim.attribute, limit)
    found = finding(aim)
    return None if found is None else goal_of(found)


def goal_of(found: Finding) -> Goal:
    """A finding of the verdict as a question for other people."""
    return Goal.of(found, verdict().references)


def propose(aim: Aim, *, is_told: bool) -> None:
    """A sentence and a button where something else is worst than what is aimed at, and stays so; `is_told` where the
    page is headed by it."""
    found = verdict()
    better = aiming.better_aim(found, aim)
    if better is None or aiming.is_of_same_people(found.worst, goal(aim)):
        return
    said = aiming.proposal(found, cache.dataset(state.review()), aim, is_told=is_told)
    with st.container(border=True, key="proposal"):
        told, instead = st.columns([5, 1], vertical_alignment="center")
        told.write(components.plain(said))
        if instead.button("Aim at that instead", key="aim_instead", width="stretch"):
            state.aim_at(better)
            st.rerun()
