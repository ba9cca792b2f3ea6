"""Navigation and the sidebar; every page is a script in app_pages."""

from pathlib import Path

import streamlit as st

from app.frame import doorstep, stepper, tour
from app.opening import permalink
from app.serving import warmup
from app.session import access
from app.widgets import components
from fmd_core import FMDError

ASSETS = Path(__file__).parents[1] / "assets"

st.set_page_config("FMD Studio", page_icon=str(ASSETS / "icon.png"), layout="wide")
st.logo(str(ASSETS / "logo.svg"), size="large")
doorstep.gate()
choosing = [
    st.Page("app_pages/start.py", title="Start", icon=":material/home:", default=True),
    st.Page("app_pages/data.py", title="Data", icon=":material/database:"),
    st.Page("app_pages/model.py", title="Model", icon=":material/network_node:"),
]
find_bias = st.Page("app_pages/find_bias.py", title="Find bias", icon=":material/balance:")
report = st.Page("app_pages/report.py", title="Report", icon=":material/description:")
unlearn = st.Page("app_pages/unlearn.py", title="Unlearn", icon=":material/tune:")
features = st.Page("app_pages/feature_unlearning.py", title="Feature unlearning", icon=":material/blur_on:")
twins = st.Page("app_pages/twins.py", title="Twins", icon=":material/compare:")
harmful = st.Page("app_pages/harmful.py", title="Harmful samples", icon=":material/travel_explore:")
compare = st.Page("app_pages/compare.py", title="Compare", icon=":material/compare_arrows:")
reviewing = [find_bias, twins, harmful, unlearn, features, compare, report]
language = st.Page("app_pages/language_model.py", title="Language model", icon=":material/text_fields:")
reading = st.Page("app_pages/method.py", title="Method & glossary", icon=":material/menu_book:")
steps = (
    stepper.Step("Data & model", tuple(choosing)),
    stepper.Step("Find", (find_bias,)),
    stepper.Step("Look", (harmful, twins)),
    stepper.Step("Fix", (unlearn,)),
    stepper.Step("Report", (report,)),
)
more = (compare, features, language, reading)
page = st.navigation([*choosing, *reviewing, language, reading], position="hidden")
with warmup.drawing():
    st.sidebar.container()  # it takes its place before the page is drawn, which else would move aside for it
    stepper.draw(steps, more, page)
    tour.draw()
    top, below_attribute = st.container(), None
    try:
        permalink.adopt()
        permalink.notes(page.title)
        if page in choosing[1:]:  # everything there brings in data or models
            access.require_change()
        if page in (*choosing, language, reading):
            page.run()  # first: the page paints before the sidebar's libraries are in
        from app.frame import sidebar
        from app.jobs import preparation
        from app.opening import class_order_form
        from app.session import state

        below_attribute = sidebar.draw(with_steps=page not in (unlearn, features))  # they have their own
        is_of_model = not state.review().is_of_another_system
        if page in reviewing and is_of_model and class_order_form.ask(state.review()):
            pass  # no figure before it is known what the model's outputs mean
        elif page in reviewing and is_of_model:
            preparation.require(state.review())
            preparation.require_in_force(state.current())
            page.run()
        elif page in (find_bias, report):
            page.run()
        elif page in reviewing:
            from app.widgets import without_model

            without_model.draw(page.title)
    except (FMDError, SystemExit) as error:  # some libraries end the process when they are unhappy
        components.show_problem(error)
    finally:
        from app.frame import behind, doubts
        from app.jobs import job_panel

        if below_attribute is not None:
            sidebar.name_the_worst(below_attribute)
        behind.draw(top)
        doubts.draw(top)
        permalink.write()
        job_panel.sidebar_list()  # last: a job that the page has just started is in it
