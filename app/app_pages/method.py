"""The method in plain words, its formulas, its sources, and every term. Needs no review and no torch."""

import streamlit as st

from app.view_models import glossary, method
from app.view_models.method_pictures import PICTURES, STYLE
from app.widgets import components, deep_link

GLOSSARY_STYLE = """<style>
.st-key-steps [data-testid=stHorizontalBlock] { margin-bottom: 1.4rem; row-gap: .6rem; }
:is(.st-key-steps, .st-key-sources) a { text-decoration: underline; text-underline-offset: .15em; }
.st-key-terms [data-testid=stMarkdownContainer] { display: grid; grid-template-columns: 16rem minmax(0, 44rem);
  column-gap: 1.5rem; }
.st-key-terms [data-testid=stMarkdownContainer] > * { grid-column: 2; margin: 0; }
.st-key-terms [data-testid=stMarkdownContainer] > :has(h3) { grid-column: 1 / -1; margin-bottom: -1.6rem;
  border-top: 1px solid light-dark(#dce1eb, #2e3850); padding-top: .7rem; }
.st-key-terms h3 { padding: 0; line-height: 1.6rem; white-space: nowrap; width: fit-content; }
.st-key-terms h3:not(:hover) > [data-testid=stHeaderActionElements] { visibility: hidden; }
.st-key-terms p:has(> em:only-child) { padding: .15rem 0 .8rem; }
.st-key-terms em { font-style: normal; opacity: .8; }
@media (max-width: 640px) {
  .st-key-terms [data-testid=stMarkdownContainer] { grid-template-columns: minmax(0, 1fr); }
  .st-key-terms [data-testid=stMarkdownContainer] > :is(*, :has(h3)) { grid-column: 1; margin-bottom: 0; }
  .st-key-terms h3 { white-space: normal; }
}
</style>"""


def step(number: int, told: method.Step) -> None:
    """One step of the story with its picture, its terms and its formulas."""
    left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
    with left:
        st.header(f"{number}. {told.title}", anchor=f"step-{number}")
        st.write(told.text)
        links = (f"[{name}](#{anchor})" for name, anchor in method.links(told))
        st.caption("In the glossary: " + ", ".join(links))
        if formulas := told.all_formulas:
            with st.expander("The formulas"):
                for formula in formulas:
                    st.write(formula.words)
                    st.latex(formula.latex)
                st.caption(told.note)
    right.html(PICTURES[told.picture])


@components.fragment
def terms() -> None:
    """The glossary, or those of its terms that are looked for."""
    words = st.text_input(
        "Search the glossary", key="term_search", placeholder="for example: placebo", width=420
    )
    found = glossary.find(words)
    st.caption(f"{len(found)} of {len(glossary.TERMS)} terms" if words.strip() else f"{len(found)} terms")
    if not found:
        st.info("No entry holds these words. Try fewer, or another one.")
    with st.container(key="terms"):
        st.markdown("\n\n".join(f"### {t.name}\n\n{t.meaning}\n\n*{t.is_not}*" for t in found))


st.html(STYLE + GLOSSARY_STYLE)
components.header(
    "Method & glossary",
    "How bias is found, taken out and checked.",
    "Five steps in plain words, with the formulas folded away. Below them, every term that a screen uses: what it "
    "means, and what it does not mean.",
)
st.markdown("[Glossary](#glossary) · [What this cannot do](#limits) · [Sources](#sources)")
with st.container(key="steps"):
    for number, told in enumerate(method.STEPS, start=1):
        step(number, told)
st.header("What this cannot do", anchor="limits")
st.markdown("\n".join(f"- {limit}" for limit in method.LIMITS))
st.header("Glossary", anchor="glossary")
terms()
st.header("Sources", anchor="sources")
with st.container(key="sources"):
    st.markdown("\n".join(f"- {source.line}" for source in method.SOURCES))
deep_link.follow()
