"""The server: `streamlit run app/server.py`.

Heavy libraries load in the background once the server is up, so that the first page does not
wait for torch; every response carries security headers.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.serving import logs, settings, sockets, warmup
from app.serving.shell import SCRIPT_SOURCE, Shell
from app.session import access

# 'unsafe-inline' for styles and blob: for scripts is what Streamlit's own front end needs. Its one inline
# script, which tells search engines that the page is ready, is blocked: nothing of ours needs it. Ours is
# let in by its digest.
HEADERS = {
    "content-security-policy": f"default-src 'self'; script-src 'self' blob: {SCRIPT_SOURCE}; "
    "style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
LOOPBACK = ["127.0.0.1", "localhost"]
DEFAULT_PORTS = {"http": 80, "https": 443}
UPLOADS = "_stcore/upload_file/"

LOG = logging.getLogger("fmd.server")


class SecurityHeaders:
    """Adds HEADERS to every HTTP response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the headers back."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)  # once each: Streamlit sets some on some
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


class OwnOrigin:
    """Refuses whatever a page of another site sends, and what is nobody's to ask for.

    Streamlit compares names without ports, so that any other server on this machine would pass, and
    looks up this machine's address on the internet before it refuses a stranger.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what comes from our own pages."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif refusal := _refusal(scope):
            status, words = refusal
            await PlainTextResponse(words, status)(scope, receive, send)
        else:
            await self.app(_without_origin(scope), receive, send)


def _refusal(scope: Scope) -> tuple[int, str] | None:
    """Status and words for a request that goes no further."""
    headers, path = Headers(scope=scope), str(scope["path"]).strip("/")
    origin = headers.get("origin")
    if origin is not None and not _is_own(origin, headers.get("host", "")):
        return 403, "This request comes from another site."
    if path.endswith("_stcore/metrics"):
        return 404, "Not found."
    _, upload, rest = path.partition(UPLOADS)
    if upload and not access.is_admitted(rest.split("/")[0]):
        return 403, "Log in first."
    return None


def _is_own(origin: str, host: str) -> bool:
    """Whether an Origin header names the host that was asked, or one of `server.corsAllowedOrigins`."""
    if origin in (st.get_option("server.corsAllowedOrigins") or ()):
        return True
    try:
        parts, asked = urlsplit(origin), urlsplit(f"{urlsplit(origin).scheme}://{host}")
        default = DEFAULT_PORTS.get(parts.scheme)
        return default is not None and (parts.hostname, parts.port or default) == (
            asked.hostname,
            asked.port or default,
        )
    except ValueError:  # a port that is no number
        return False


def _without_origin(scope: Scope) -> Scope:
    """The same request without its Origin, which was looked at: Streamlit would look up more than it needs.
    Its websockets keep it, because a login is bound to it."""
    if scope["type"] == "websocket":
        return scope
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"origin"]}


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[dict[str, Any]]:
    """Start loading what the later pages need, without holding up the first."""
    os.umask(0o077)  # whatever this process writes, copies of uploads among it, is for its own user only
    logs.begin()
    sockets.send_at_once()
    if access.is_required():
        LOG.info("started, with a login")
    elif st.get_option("server.address") in LOOPBACK:
        LOG.info("started, for this machine only")
    else:
        LOG.warning("started, open to other machines without a login: see docs/deployment.md")
    warmup.start()
    yield {}
    warmup.end()


if found := settings.faults():
    sys.exit("\n".join(found))


def word_problem(error: Exception) -> bool:
    """Every error that a page did not expect, in one sentence."""
    from app.widgets.components import show_problem  # the server answers before pages are imported

    return show_problem(error)


app = st.App(
    "main.py",
    lifespan=lifespan,
    # Streamlit checks the Host header of websockets only; this checks it for every request.
    middleware=[
        Middleware(SecurityHeaders),
        Middleware(Shell),
        Middleware(TrustedHostMiddleware, allowed_hosts=st.get_option("server.allowedHosts") or LOOPBACK),
        Middleware(OwnOrigin),
    ],
    on_script_error=word_problem,
)
