"""Language models, experimental: how often stereotypes are the likelier sentence, and a little of it taken out."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.opening import language_job as jobs
from app.session import access, memory
from app.view_models.language_asked import Asked, Scored, TakenOut, Weighed
from app.widgets import components
from fmd_core import FMDError
from fmd_core.language.examples import SETS, SetName, read_examples
from fmd_core.language.opening import NO_SMOLLM2, SMOLLM2, smollm2_file

KICKER = "Language model · experimental"
LEAD = (
    "Experimental. A published set of sentences shows which of two the model finds likelier; it says little about what "
    "the model writes, and no change here makes a model free of bias. English only."
)
A_FEW, ALL = "about 300, a quick look", "all of them"
BLUR = "<style>.st-key-corpus_blurred p { filter: blur(.42em); user-select: none; }</style>"


def source() -> tuple[str, str] | None:
    """Which model: its reference and name; None until one is chosen."""
    known = {SMOLLM2: "SmolLM2 (135 million numbers), installed here"} if smollm2_file() else {}
    known |= {str(path): f"Folder {name}" for name, path in jobs.folders().items()}
    known[jobs.UPLOAD] = "A zip of a Hugging Face folder"
    chosen = st.selectbox(
        "Model", list(known), format_func=lambda one: components.plain(known[one]), key="language_model",
        help="Folders are those in FMD_DATA_DIR. Causal and masked models; weights as safetensors.",
    )  # fmt: skip
    if SMOLLM2 not in known:
        st.caption(components.plain(NO_SMOLLM2))
    if chosen == jobs.UPLOAD:
        if not access.may_change():
            st.info("You may look, not bring files: ask a reviewer.")
            return None
        if not st.file_uploader(
            "A zip with config.json, model.safetensors and tokenizer.json", type="zip", key="language_zip",
            max_upload_size=1024,
        ):  # fmt: skip
            return None
    return chosen, known[chosen].removeprefix("Folder ").split(" (")[0]


def ask() -> Asked | None:
    """Model, sentences and how many."""
    with st.container(border=True):
        chosen = source()
        left, right = st.columns(2)
        with left:
            name: SetName = st.selectbox(
                "Sentences", list(SETS), format_func=SETS.__getitem__, key="language_set"
            )
        with right:
            amount = st.selectbox("How many", (A_FEW, ALL), key="language_most")
        try:
            read_examples(name)
        except FMDError as error:
            st.info(components.plain(str(error)))
            return None
        if chosen is None:
            return None
        asked = Asked(*chosen, name, None if amount == ALL else 300, jobs.content_of(chosen[0], upload()))
        if st.button("Score it", type="primary", disabled=not access.may_change(), key="language_score"):
            jobs.score(asked, upload())
            st.rerun()
    return asked


def upload() -> UploadedFile | None:
    """The zip that was brought, if the model is one."""
    return memory.value("language_zip", None) if memory.value("language_model", "") == jobs.UPLOAD else None


def scored_section(found: Scored) -> None:
    """What was found, by bias type."""
    from app.view_models import language_model as view
    from app.widgets import panels

    chart = view.preferences(found)
    panels.bar_chart(
        chart, key="language_ss", axis="stereotype likelier, of 100 times", limit=view.EVEN, named="even"
    )
    st.caption(components.plain(
        f"{found.asked.words}, {found.n_examples:,} examples, read in {found.seconds:.0f} s. 'How far apart' is the "
        f"mean distance between the two sentences' log-probabilities. Perplexity is measured on our own documents of "
        "November 2026, which nobody can have trained on."
    ))  # fmt: skip


def change_section(found: Scored) -> None:
    """A little of it taken out, as a job."""
    from app.view_models import language_model as view

    st.header("Take it out", anchor=False)
    st.write(
        "Half of the target terms change the model; the other half judge. Perplexity and the distance stand beside "
        "every ICAT, because a wrecked model can have a good one. Nothing is saved."
    )
    forms = st.multiselect(
        "How deep", list(view.DEPTHS), default=list(view.DEPTHS), format_func=view.DEPTHS.__getitem__,
        key="language_depths", help="The last layer takes seconds, blocks take minutes: they are trained.",
    )  # fmt: skip
    if st.button(
        "Take it out (experimental)",
        disabled=not (access.may_change() and forms),
        key="language_change_begin",
    ):
        jobs.take_out(found.asked, upload(), tuple(form for form in view.DEPTHS if form in forms))
        st.rerun()
    told = jobs.result(jobs.TAKEN_OUT)
    if isinstance(told, TakenOut) and told.asked == found.asked:
        taken_out(told)


def taken_out(found: TakenOut) -> None:
    """How much closer each depth brings the sentences, what it costs, and why some are refused."""
    from app.view_models import language_model as view
    from app.widgets import panels

    told = found.told
    if told.tried:
        panels.bar_chart(
            view.closer(told),
            key="language_closer",
            axis="how far apart, change in %",
            signed=True,
        )
        st.caption(
            f"Decided by {told.n_deciding} target terms, judged on {told.n_judging} others, all bias types together. A "
            "model that is less sure of every word holds all sentences closer; so both are made as sure as suits them "
            "best before they are compared. Where intervals overlap, two figures may differ by chance."
        )
    for sentence in view.refusals(told):
        st.warning(components.plain(sentence))
    for form, why in told.left_out:
        st.info(components.plain(f"{view.DEPTHS[form]}: not tried. {why}"))


def corpus_section(found: Scored) -> None:
    """Which sentences of a corpus teach it; they are covered until asked for."""
    st.header("Sentences that teach it", anchor=False)
    st.write(
        "Bring a text file with one sentence on each line. Each is weighed by what learning it does to these "
        "preferences. What the model itself was trained on nobody here knows."
    )
    if access.may_change():
        corpus = st.file_uploader("Sentences (.txt)", type="txt", key="language_corpus", max_upload_size=8)
        if corpus is not None and st.button("Weigh them", key="language_weigh"):
            jobs.weigh(found.asked, upload(), corpus.getvalue().decode("utf-8", "replace"))
            st.rerun()
    told = jobs.result(jobs.CORPUS)
    if not isinstance(told, Weighed) or told.asked != found.asked:
        return
    if not told.teach:
        st.write("None of these sentences teaches these preferences.")
        return
    shown = st.toggle("Show the sentences", key="language_show", help="They may hurt.")
    st.caption("The strongest first. Order and sign mean something, the size does not.")
    st.html(BLUR)
    with st.container(key="corpus_shown" if shown else "corpus_blurred"):
        for number, one in enumerate(told.teach[:20], 1):
            words = one.sentence if shown else "".join(c if c.isspace() else "x" for c in one.sentence)
            st.markdown(components.plain(f"{number}. {words[:300]}"))


top = st.container()
try:
    asked = ask()
    found = jobs.result(jobs.SCORED)
except FMDError as error:
    asked = found = None
    components.show_problem(error)
with top:
    if isinstance(found, Scored):
        components.header(KICKER, found.sentence, LEAD)
    else:
        components.header(KICKER, "Does this language model prefer stereotypes?", LEAD)
if isinstance(found, Scored):
    scored_section(found)
    change_section(found)
    corpus_section(found)
