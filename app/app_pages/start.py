"""What this is, the demo, and what was loaded."""

import streamlit as st

from app import cache, components, gallery, state, warmup
from app.view_models import start

data, model = cache.dataset(state.DATASET), cache.classifier(state.DATASET)
components.header(
    "FMD Studio",
    "Is this classifier biased, who taught it that, and can we take it out?",
    "Find out which attributes decide the answers of an image classifier, look at the very training samples that "
    "taught it, and unlearn the bias in seconds. Held-out people say what got better and what got worse.",
)


def draw(ready: bool) -> None:
    """The card and the tables; figures of the model once it is loaded."""
    view = start.build(data, model, cache.audit(state.DATASET, None) if ready else None)
    with st.container(border=True):
        st.subheader(data.name, anchor=False)
        st.write(view.card_text)
        tiles = [
            gallery.Tile(
                row, (gallery.Picture(cache.thumbnail(state.DATASET, row), f"A handwritten {k}"),), ""
            )
            for row, k in zip(view.card_rows, view.classes, strict=True)
        ]
        gallery.show(tiles, key="card", label="Training samples of the demo", size="small")
        components.next_step("app_pages/find_bias.py", "Find the bias")
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("What was loaded", anchor=False)
        st.table(view.loaded, border="horizontal", hide_index=True, hide_header=True, alt="What was loaded")
    with right:
        st.subheader("Who plays which part", anchor=False)
        st.table(view.splits, border="horizontal", hide_index=True, alt="Images in each part of the data")
        st.caption("No image is in two parts.")


@st.fragment(run_every=2)
def waiting() -> None:
    """Poll until the heavy libraries are in, then draw the page once more with figures."""
    if warmup.is_done():
        st.rerun()
    draw(ready=False)


if warmup.is_done():
    draw(ready=True)
else:
    waiting()
