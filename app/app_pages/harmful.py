"""Training samples that taught the bias, worst first."""

import streamlit as st

from app import cache
from app.jobs import preparation
from app.opening import permalink
from app.samples import blame, exclusions, sample_detail, score_check, waterfall
from app.session import state
from app.view_models import glossary, harmful, scores_file, training_sample
from app.widgets import components, gallery, panels, portraits
from fmd_core import DataError, FMDError, figures, scan
from fmd_core.influence.label_doubts import LabelDoubts
from fmd_core.measure.scan import Finding

REVIEW = state.review()
KICKER = f"Harmful {figures.many(cache.dataset(REVIEW).unit)} · the original model"
ASKED = state.question()
attribute = state.attribute()
try:
    preparation.require_scores(REVIEW, ASKED)
    data, scores = cache.dataset(REVIEW), cache.scores(REVIEW, ASKED)
    MANY = figures.many(data.unit)
    MEANT = blame.sentence(REVIEW, ASKED)
except FMDError as error:  # another question can be asked
    components.header(KICKER, "This cannot be asked.")
    blame.choose()
    components.show_problem(error)
    st.stop()


def doubts() -> LabelDoubts | None:
    """Whose label looks wrong; None, and a sentence, where nobody can say."""
    try:
        preparation.require_label_doubts(REVIEW)
        return cache.label_doubts(REVIEW)
    except DataError as error:
        st.caption(components.plain(str(error)))
        return None


def tile(sample: training_sample.Sample) -> gallery.Tile:
    """One sample with rank, label, level and effect."""
    name = sample.name
    picture = portraits.picture(REVIEW, sample.row, f"Training {data.unit} {sample.row}: {name}")
    return gallery.Tile(sample.row, (picture,), f"#{sample.rank} {name}", sample.note, sample.badge)


def choose(most: int) -> tuple[harmful.Kind, str | None, int, harmful.Shown]:
    """Kind, class, K and which of them to show."""
    with st.container(horizontal=True, key="harmful_controls"):
        kind = st.segmented_control(
            "Kind",
            harmful.KINDS,
            default="Harmful",
            required=True,
            key="harmful_kind",
            persist_state="session",
            help=glossary.tip("Harmful sample", "Helpful sample", "Effect"),
        )
        label = st.selectbox(
            components.plain(data.target.name.capitalize()), (None, *data.target.levels),
            format_func=lambda level: "All" if level is None else level, key="harmful_class",
            persist_state="session", width=130,
        )  # fmt: skip
        k = st.number_input(
            "How many",
            value=state.RANKED,
            step=10,
            key="harmful_k",
            persist_state="session",
            width=250,  # room for "Press Enter to apply" beside the number
            help=f"{glossary.tip('K')} From 1 to {most:,}, all training {MANY}.",
        )
        shown = st.selectbox(
            "Show", list(harmful.SHOWN), format_func=harmful.SHOWN.__getitem__, key="harmful_shown",
            persist_state="session", width=190, help=glossary.tip("Looks mislabelled"),
        )  # fmt: skip
    if not 1 <= k <= most:
        raise DataError(f"{k:,} is not possible: choose between 1 and the {most:,} training {MANY}.")
    return kind, label, k, shown


def on_test_people() -> Finding | None:
    """The bias that is scored, of those who judge it: one figure on every page."""
    if ASKED.measure == "worst group":
        return None
    scanned = scan(cache.audit(REVIEW, None), state.threshold(), ASKED.measure)
    return next((found for found in scanned if found.attribute == attribute), None)


DOUBTS = doubts()


@components.fragment
def ranking() -> None:
    """Everything that K, kind and class change."""
    top = st.container()
    asked, meant = st.columns([2, 3], vertical_alignment="bottom", gap="medium")
    with asked:
        blame.choose()
    if state.question() != ASKED:
        st.rerun()  # another ranking: scores are made before the page is drawn
    meant.caption(components.plain(MEANT))
    try:
        kind, label, k, shown = choose(len(scores.rows))
    except DataError:  # the sentence stands below; the page keeps its question
        with top:
            components.header(KICKER, f"This many {MANY} cannot be ranked.")
        raise
    checked = score_check.lead(REVIEW, ASKED, k)
    said = harmful.Said(state.journal().remarks, frozenset(state.history().now.excluded))
    view = harmful.build(
        data, scores, k=k, kind=kind, label=label, checked=checked, said=said, shown=shown, held_out=on_test_people(),
        doubts=DOUBTS,
    )  # fmt: skip
    with top:
        tip = f"{glossary.tip('Influence')}\n\n{components.plain(view.elsewhere)}"
        components.header(KICKER, view.headline, view.lead, help=tip)
    if not view.samples:
        st.info(components.plain(harmful.nobody(data, label, k, shown)))
    if view.caution:
        st.info(components.plain(view.caution))
    portraits.offer_to_show(REVIEW)
    left, right = st.columns([3, 5], gap="medium")
    with right:
        chosen = gallery.show(
            [tile(s) for s in view.samples],
            key="harmful_gallery",
            label=f"{kind} training {MANY}",
            selectable=True,
            size="wide" if portraits.reads_words(REVIEW) else "",
        )
        if view.hidden:
            st.caption(f"{view.hidden} more are in the CSV file.")
        if view.doubts:
            st.caption(components.plain(view.doubts), help=glossary.tip("Looks mislabelled"))
    with left:
        sample_detail.draw(REVIEW, ASKED, view.samples, chosen)
    exclusions.draw(REVIEW)
    score_check.draw(REVIEW, ASKED, k)
    st.header("What they are made of", anchor=False, help=glossary.tip("The pattern"))
    panels.bar_chart(view.composition, key="composition", axis=f"{attribute} with the pattern, %")
    st.download_button(
        "Download all scores as CSV", lambda: scores_file.csv(data, scores, DOUBTS), "influence.csv", "text/csv",
        icon=":material/download:",
    )  # fmt: skip
    waterfall.draw(REVIEW, ASKED, k)
    permalink.write()


ranking()
components.next_step("app_pages/unlearn.py", "Take it out")
