"""The server: `streamlit run app/server.py`.

Heavy libraries load in the background once the server is up, so that the first page does not
wait for torch; every response carries security headers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import warmup
from app.shell import Shell

# 'unsafe-inline' for styles and blob: for scripts is what Streamlit's own front end needs.
HEADERS = {
    "content-security-policy": "default-src 'self'; script-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class SecurityHeaders:
    """Adds HEADERS to every HTTP response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the headers back."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(k.encode(), v.encode()) for k, v in HEADERS.items()]
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[dict[str, Any]]:
    """Start loading what the later pages need, without holding up the first."""
    warmup.start()
    yield {}


def word_problem(error: Exception) -> bool:
    """Every error that a page did not expect, in one sentence."""
    from app.components import show_problem  # the server answers before pages are imported

    return show_problem(error)


app = st.App(
    "main.py",
    lifespan=lifespan,
    # Streamlit checks the Host header of websockets only; this checks it for every request.
    middleware=[
        Middleware(SecurityHeaders),
        Middleware(Shell),
        Middleware(TrustedHostMiddleware, allowed_hosts=st.get_option("server.allowedHosts") or ["*"]),
    ],
    on_script_error=word_problem,
)
