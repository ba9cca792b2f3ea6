"""Navigation and the sidebar; every page is a script in app_pages."""

from pathlib import Path

import streamlit as st

from app import components, sidebar, warmup
from fmd_core import FMDError

ASSETS = Path(__file__).parents[1] / "assets"

st.set_page_config("FMD Studio", page_icon=str(ASSETS / "icon.png"), layout="wide")
st.html(components.STYLE)
st.logo(str(ASSETS / "logo.svg"), size="large")
page = st.navigation(
    [
        st.Page("app_pages/start.py", title="Start", icon=":material/home:", default=True),
        st.Page("app_pages/find_bias.py", title="Find bias", icon=":material/balance:"),
        st.Page("app_pages/twins.py", title="Twins", icon=":material/compare:"),
        st.Page("app_pages/harmful.py", title="Harmful samples", icon=":material/travel_explore:"),
        st.Page("app_pages/unlearn.py", title="Unlearn", icon=":material/tune:"),
        st.Page("app_pages/report.py", title="Report", icon=":material/description:"),
    ],
    expanded=True,
)
try:
    sidebar.draw()
    page.run()
except FMDError as error:
    components.show_problem(error)
finally:
    warmup.page_was_drawn()
