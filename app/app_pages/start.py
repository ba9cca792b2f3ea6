"""What this is, the demos, and what is under review."""

import streamlit as st

from app.serving import warmup, welcome
from app.session import state
from app.view_models import glossary
from app.widgets import components

components.header(welcome.NAME, welcome.QUESTION, welcome.LEAD)
# The question is on screen before the rest is imported.
from app import cache  # noqa: E402
from app.frame import tour  # noqa: E402
from app.opening import your_reviews  # noqa: E402
from app.record.review import Review  # noqa: E402
from app.view_models import start, texts  # noqa: E402
from app.widgets import gallery, marked_text, portraits  # noqa: E402

REVIEW = state.review()
POLL_SECONDS = 0.3  # it draws nothing, so that asking costs 2 ms


def card(reference: str, *, first: bool) -> None:
    """A demo with pictures and the one button that opens it."""
    review = Review(reference)
    data, said = cache.dataset(review), None
    if data.source.kind == "text":
        asked = cache.head(review, None), cache.features(review, "test"), next(iter(data.attributes))
        said = texts.same_sentence(data, *asked)
    view = start.build_card(reference, data, said)
    with st.container(border=True, height="stretch"):
        st.subheader(components.plain(view.title), anchor=False)
        st.write(view.story)
        if view.sentences:
            with st.container(key="sentences_on_card"):
                most, *_, least = view.sentences
                st.html(marked_text.answers((most, *view.sentences[1:2], least), view.answer))
        tiles = [
            gallery.Tile(row, (portraits.picture(review, row, f"{view.title}: {label}", side=96),))
            for row, label in zip(view.rows, view.labels, strict=True)
        ]
        if tiles:
            gallery.show(tiles, key=f"card_{reference}", label=f"From training: {view.title}", size="five")
        if st.button(
            "Find the bias",
            type="primary" if first else "secondary",
            icon=":material/arrow_forward:",
            icon_position="right",
            key=f"open_{reference}",
        ):
            state.open_review(review)
            st.switch_page("app_pages/find_bias.py")


def bring_your_own() -> None:
    """The way to other data."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            "**Other data, or your own**  \nCelebA, Coloured MNIST and Adult from this machine; your table, texts or "
            "pictures. Then open your model, whatever made it, or train one here. No code.",
            width="stretch",
        )
        if st.button("Choose data", icon=":material/arrow_forward:", icon_position="right", key="open_data"):
            from app.opening import data_forms  # for which the first page does not wait

            data_forms.ask_for_other_data()
            st.switch_page("app_pages/data.py")


def plain(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Names from a user's file as they are: Streamlit reads cells as Markdown. Without pandas, for which the first page
    does not wait (see `panels.plain_cells`)."""
    return [{name: components.plain(text) for name, text in row.items()} for row in rows]


def under_review() -> None:
    """The tables; figures of the model once they are measured."""
    model = cache.classifier(REVIEW) if REVIEW.has_model else None
    measured = cache.accuracy(REVIEW) if cache.are_read(REVIEW, "test") else None
    view = start.build_loaded(
        cache.dataset(REVIEW), model, measured, another_system=REVIEW.is_of_another_system
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("What is under review", anchor=False)
        st.table(
            plain(view.loaded), border="horizontal", hide_index=True, hide_header=True, alt="What was loaded"
        )
    with right:
        st.subheader("Who plays which part", anchor=False, help=glossary.tip("Four parts of the data"))
        st.table(
            view.splits, border="horizontal", hide_index=True, alt="How many are in each part of the data"
        )
        st.caption("Nobody is in two parts.")
    if view.notes:
        with st.expander("What was left out or changed"):
            for note in view.notes:
                st.text(note)


@st.fragment(run_every=POLL_SECONDS)
def waiting() -> None:
    """Ask until the first demo's accuracy is known, then draw the page once more with it."""
    if warmup.is_measured():
        st.rerun()


with st.container(key="demos"):
    places = st.columns(3, gap="medium")
for place, reference in zip(places, ("colored_digits", "synthetic_faces", "hate_texts"), strict=True):
    with place:
        card(reference, first=reference == "colored_digits")
bring_your_own()
if st.button("Take the tour: a whole review in two minutes", icon=":material/play_circle:", key="begin_tour"):
    tour.begin()
your_reviews.draw()
under_review()
if Review() == REVIEW and not warmup.is_measured():
    waiting()
