"""The door, where there is a login: a page to log in, or what this visitor may do."""

from __future__ import annotations

import logging

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.session import access
from app.widgets import components

LOG = logging.getLogger("fmd.access")


def gate() -> None:
    """Let a visitor in and say what they may do, or draw the page to log in and nothing else."""
    if not access.is_required():
        return
    found = access.role()
    if found is None:
        _doorstep()
        st.stop()
    if context := get_script_run_ctx():
        access.admit(context.session_id)
    with st.sidebar:
        st.caption(f"{components.plain(access.email())}, {found}")
        _log_out()
    if found == "viewer":
        st.info("You may look at everything here and change nothing.")


def _doorstep() -> None:
    st.title("FMD Studio", anchor=False)
    if not access.has_login():
        st.error(
            "This server lets in only people who logged in, and no login is set up: see docs/deployment.md."
        )
    elif not st.user.to_dict().get("is_logged_in"):
        st.write("Log in to look at reviews, or to make one.")
        st.button("Log in", type="primary", on_click=st.login, key="log_in")
    else:
        LOG.warning("a person who logged in is on no list")
        st.error("You are logged in, and you are on no list of this server: ask whoever runs it to add you.")
        _log_out()


def _log_out() -> None:
    if access.has_login():  # else the proxy knows how
        st.button("Log out", on_click=st.logout, key="log_out")
