"""The frame that a document carries until its page is there."""

import asyncio
import base64
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.server import HEADERS
from app.serving import welcome
from app.serving.shell import Shell, frame

PAGE = b"<html><body><div id='root'></div></body></html>"


def answered(path="/", *, accept=b"text/html,*/*", kind=b"text/html; charset=utf-8", body=PAGE, parts=1):
    """Headers and body as a browser gets them, and the request headers that the app below saw."""
    seen, sent = [], []

    async def below(scope, _receive, send):
        seen.extend(name for name, _ in scope["headers"])
        length = str(len(body)).encode()
        headers = [(b"content-type", kind), (b"content-length", length), (b"etag", b'"x"')]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        size = -(-len(body) // parts)
        for part in range(parts):
            more = part < parts - 1
            await send({"type": "http.response.body", "body": body[part * size :][:size], "more_body": more})

    async def collect(message):
        sent.append(message)

    headers = [(b"accept", accept), (b"if-none-match", b'"x"'), (b"accept-encoding", b"gzip")]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers}
    with ThreadPoolExecutor(1) as apart:  # a browser's loop may run in this thread
        apart.submit(asyncio.run, Shell(below)(scope, None, collect)).result()
    whole = b"".join(m.get("body", b"") for m in sent[1:])
    return dict(sent[0]["headers"]), whole, seen


@pytest.mark.parametrize("parts", [1, 3])
def test_a_document_gets_its_frame_before_its_content(parts):
    headers, body, seen = answered(parts=parts)
    assert body == PAGE.replace(b"<body>", b"<body>" + frame("/").encode())
    assert int(headers[b"content-length"]) == len(body)
    assert b"etag" not in headers
    assert seen == [b"accept"]  # a 304 or a zipped document could not be framed


@pytest.mark.parametrize(
    "request_",
    [{"path": "/_stcore/health"}, {"path": "/static/js/index.js", "accept": b"*/*"}],
)
def test_what_is_no_document_is_passed_on_as_it_is(request_):
    headers, body, seen = answered(**request_)
    assert body == PAGE
    assert b"etag" in headers
    assert b"if-none-match" in seen


def test_a_document_of_another_kind_is_left_alone():
    assert answered("/app/static/OFL.txt", kind=b"text/plain", body=b"<body>")[1] == b"<body>"


def test_the_first_page_says_its_own_words_and_others_ask_for_a_moment():
    assert welcome.QUESTION in frame("/")
    assert welcome.QUESTION not in frame("/find_bias")
    assert "One moment." in frame("/find_bias")


def test_the_policy_lets_the_one_script_of_ours_run():
    scripts = re.findall(r"<script>(.*?)</script>", frame("/"), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert len(scripts) == 1
    assert f"script-src 'self' blob: 'sha256-{digest}';" in HEADERS["content-security-policy"]
