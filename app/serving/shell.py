"""The frame of a page, sent inside the HTML document itself.

Streamlit's document is empty until its script has run: a second or two of white on a slow machine. So
that a page paints at once, the document carries the sidebar's ground, the logo and the first words,
where they will stand. The frame covers the place of the content only until the page's own heading and
the way above it are drawn, by CSS alone.

With it comes the only script of ours, which the content security policy knows by its digest.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.serving import welcome

LOGO = (Path(__file__).parents[2] / "assets" / "logo.svg").read_text()
SHARED = (Path(__file__).parents[2] / "assets" / "app.css").read_text()
# Colours and places are those of .streamlit/config.toml and assets/app.css.
STYLE = """<style>
@font-face { font-family: Inter; src: url(./app/static/Inter.woff2) format("woff2"); font-weight: 100 900; }
#fmd-shell { position: fixed; inset: 0; display: flex; background: light-dark(#fff, #0f1420);
  color: light-dark(#16203a, #e6eaf4); color-scheme: light dark; font: 15px/1.6 Inter, sans-serif;
  pointer-events: none; }
body:has([data-testid=stMain] h1):not(:has(:is(.st-key-stepper, .st-key-heading) [data-testid=stSkeleton])) #fmd-shell,
body:has([data-testid=stMain] [role=alert]) #fmd-shell,
body:has([role=dialog]) #fmd-shell { display: none; }
#fmd-shell aside { flex: none; width: 281px; box-sizing: border-box; padding: 13px 29px;
  background: light-dark(#f4f6fa, #141a29); border-right: 1px solid light-dark(#dce1eb, #2e3850); }
#fmd-shell svg { height: 30px; width: auto; }
#fmd-shell main { flex: 1; box-sizing: border-box; max-width: 1140px; margin: 0 auto; padding: 144px 33px 0; }
#fmd-shell p { margin: 0; }
#fmd-shell p:nth-child(1) { font-size: 12px; font-weight: 600; letter-spacing: .06em;
  text-transform: uppercase; opacity: .8; }
#fmd-shell p:nth-child(2) { font-size: 26.25px; font-weight: 700; line-height: 31.5px; padding: 6px 0 8px; }
#fmd-shell p:nth-child(3) { font-size: 16.2px; line-height: 24.3px; max-width: 690px; text-wrap: pretty; }
@media (max-width: 768px) { #fmd-shell aside { display: none; } #fmd-shell main { padding: 178px 15px 0; } }
</style>"""
# Streamlit adds an entry to the browser's history for every change of the address. The view stands in ours, so
# Back would lead to the same page with a setting less, which is written into the address again at once: a trap.
ONE_ENTRY_PER_PAGE = """
const push = history.pushState.bind(history);
history.pushState = (state, unused, url) => {
  const goesOn = new URL(url ?? "", location.href).pathname !== location.pathname;
  goesOn ? push(state, unused, url) : history.replaceState(state, unused, url);
};
"""
SCRIPT_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(ONE_ENTRY_PER_PAGE.encode()).digest()).decode()}'"


def frame(path: str) -> str:
    """The frame for an address: the first page's own words, or what is said while another one opens."""
    words = (
        (welcome.NAME, welcome.QUESTION, welcome.LEAD) if path == "/" else (welcome.NAME, "One moment.", "")
    )
    told = "".join(f"<p>{escape(text)}</p>" for text in words)
    shell = f"<div id='fmd-shell' aria-hidden='true'><aside>{LOGO}</aside><main>{told}</main></div>"
    return f"<script>{ONE_ENTRY_PER_PAGE}</script>{STYLE}<style>{SHARED}</style>{shell}"


class Shell:
    """Puts the frame into every document, which then is sent whole: it is small."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is no document as it is."""
        if scope["type"] != "http" or not _asks_for_a_document(scope):
            await self.app(scope, receive, send)
            return
        await self.app(_unconditional(scope), receive, _Framed(send, frame(scope["path"])))


class _Framed:
    """Collects a response, frames it if it is HTML, and sends it."""

    def __init__(self, send: Send, frame: str) -> None:
        self.send, self.frame, self.body = send, frame, b""
        self.start: Message = {}

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        self.body += message.get("body", b"")
        if message.get("more_body"):
            return
        headers = MutableHeaders(raw=list(self.start["headers"]))  # a login sets several cookies at once
        if headers.get("content-type", "").startswith("text/html"):
            self.body = self.body.replace(b"<body>", b"<body>" + self.frame.encode(), 1)
            headers["content-length"] = str(len(self.body))
            del headers["etag"]  # they are those of the document without its frame
            del headers["last-modified"]
        await self.send({**self.start, "headers": headers.raw})
        await self.send({"type": "http.response.body", "body": self.body})


def _asks_for_a_document(scope: Scope) -> bool:
    accepts = dict(scope["headers"]).get(b"accept", b"")
    return scope["method"] == "GET" and b"text/html" in accepts and not scope["path"].startswith("/_stcore")


def _unconditional(scope: Scope) -> Scope:
    """The same request for the plain and whole document."""
    dropped = (b"accept-encoding", b"if-none-match", b"if-modified-since", b"range")
    return {**scope, "headers": [(k, v) for k, v in scope["headers"] if k.lower() not in dropped]}
