"""Who may look and who may change, once there is a login.

Who somebody is, Streamlit says: its own login (`[auth]` in .streamlit/secrets.toml), or the header of a
proxy that asked (`server.trustedUserHeaders`). What they may do, two settings say: FMD_REVIEWERS and
FMD_VIEWERS, lists of addresses (anna@example.org) and of whole domains (@example.org). Whoever is in
neither gets nothing. Without a login and without the settings whoever reaches the server is its reviewer.

A reviewer may do everything. A viewer may look at the demos and at every review whose address they were
given, and changes nothing. Both lists are one team: only what is kept is listed by owner, not hidden.
"""

from __future__ import annotations

import os
import re
from typing import Literal

import streamlit as st
from streamlit.auth_util import get_secrets_auth_section

from fmd_core import FMDError

Role = Literal["reviewer", "viewer"]
LISTS: dict[Role, str] = {"reviewer": "FMD_REVIEWERS", "viewer": "FMD_VIEWERS"}
_admitted: set[str] = set()  # sessions, by Streamlit's ids, which nobody can guess


class AccessError(FMDError):
    """This visitor may look, and tried to change something."""


def is_required() -> bool:
    """Whether visitors must say who they are. A list alone closes the door too: a secrets file that cannot
    be read must not open it."""
    return has_login() or any(os.environ.get(name, "").strip() for name in LISTS.values())


def has_login() -> bool:
    """Whether Streamlit's own login is set up; without it a proxy may know who somebody is."""
    return bool(get_secrets_auth_section())


def role() -> Role | None:
    """What this visitor may do; None is nothing."""
    return role_of(email()) if is_required() else "reviewer"


def role_of(address: str) -> Role | None:
    """What the lists say of an address, the greater right first."""
    return next((name for name, setting in LISTS.items() if _lists(setting, address)), None)


def email() -> str:
    """The address of this visitor in small letters, '' for a stranger and for one that the provider says
    it never checked."""
    user = st.user.to_dict()
    if user.get("is_logged_in") is False or str(user.get("email_verified", True)).lower() == "false":
        return ""
    return str(user.get("email") or "").strip().lower()


def may_change() -> bool:
    """Whether this visitor may do more than look."""
    return role() == "reviewer"


def require_change() -> None:
    """Raises AccessError for who may only look."""
    if not may_change():
        raise AccessError("You may look, not change: ask a reviewer to do this, or to be made one.")


def signed(detail: str) -> str:
    """A line of the log with who did it; without a login nobody knows, and it stays as it is."""
    return f"{detail} (by {email()})" if is_required() else detail


def admit(session: str) -> None:
    """Let a session, by Streamlit's id, send files."""
    _admitted.add(session)


def is_admitted(session: str) -> bool:
    """Whether a session, by Streamlit's id, may send files."""
    return session in _admitted or not is_required()


def _lists(setting: str, address: str) -> bool:
    entries = {entry.lower() for entry in re.split(r"[\s,;]+", os.environ.get(setting, "")) if entry}
    name, _, domain = address.partition("@")
    return bool(name and domain) and bool(entries & {address, f"@{domain}"})
