"""The real server, and visitors who speak its websocket as the browser does, without a browser.

A visitor knows the widgets that it was shown by their labels and moves them as a person would; what
the browser does by itself (the address, fragments, messages that are sent once) is done here.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

ROOT = Path(__file__).parents[1]
LONGEST_SECONDS = 120.0  # for one rerun; the machine may be busy


class Server:
    """`streamlit run app/server.py` on a port and in a home of its own."""

    def __init__(self, home: Path, log: str = "server.log") -> None:
        self.home, self.log = home, home / log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "streamlit", "run", "app/server.py", "--server.port", str(self.port)]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                env=os.environ | {"FMD_HOME": str(self.home)},
            )  # fmt: skip
        deadline = time.monotonic() + 90
        while not self._answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as `kill -9` does: nothing of ours runs any more."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def memory(self) -> float:
        """Resident memory, MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def _answers(self) -> bool:
        try:
            return self._ask("/_stcore/health").status == 200
        except OSError:
            return False

    def _ask(self, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def cookie(self) -> str:
        """What protects a visitor's session from other sites."""
        return cookies_of(self._ask("/_stcore/health"))


def cookies_of(answer: http.client.HTTPResponse) -> str:
    """What an answer sets, as a client sends it back; Streamlit's own first."""
    given = [text.split(";")[0] for text in answer.headers.get_all("set-cookie") or []]
    return "; ".join(sorted(given, key=lambda text: not text.startswith("_streamlit")))


class Visitor:
    """One session. `text` is everything that the last rerun said, `query` the address."""

    def __init__(self, server: Server, query: str = "") -> None:
        cookie = server.cookie()
        self._open = ExitStack()
        self.socket = self._open.enter_context(
            connect(
                f"ws://127.0.0.1:{server.port}/_stcore/stream",
                max_size=None,
                open_timeout=60,
                ping_interval=None,
                additional_headers={"Cookie": cookie},
                subprotocols=["streamlit", cookie.split(";")[0].split("=", 1)[1]],
            )
        )
        self.query, self.page = query, ""
        self.text = ""
        self.exceptions: list[str] = []
        self._known: dict[str, ForwardMsg] = {}  # large messages by hash: sent once
        self._widgets: dict[str, tuple[object, str]] = {}  # by label: element and fragment

    def close(self) -> None:
        """Close the tab."""
        self._open.close()

    def go(self, page: str = "") -> str:
        """Draw a page of the app, by its path."""
        self._widgets.clear()
        message = BackMsg()
        message.rerun_script.page_name = page
        return self._rerun(message)

    def press(self, label: str) -> str:
        """Press a button."""
        element, fragment = self._widget(label)
        message = self._here(fragment)
        state = message.rerun_script.widget_states.widgets.add()
        state.id, state.trigger_value = element.id, True
        return self._rerun(message)

    def slide(self, label: str, value: str | float) -> str:
        """Move a slider: to an option where it has any, else to a number."""
        element, fragment = self._widget(label)
        message = self._here(fragment)
        state = message.rerun_script.widget_states.widgets.add()
        state.id = element.id
        if isinstance(value, str):
            state.string_array_value.data.append(value)
        else:
            state.double_array_value.data.append(value)
        return self._rerun(message)

    def fill(self, label: str, value: float) -> str:
        """Write a number into a field, and press Enter."""
        element, fragment = self._widget(label)
        message = self._here(fragment)
        state = message.rerun_script.widget_states.widgets.add()
        state.id, state.double_value = element.id, value
        return self._rerun(message)

    def options(self, label: str) -> list[str]:
        """Where a slider may stand."""
        return list(self._widget(label)[0].options)

    def shows(self, label: str) -> bool:
        """Whether there is a widget of this label that can be used."""
        return label in self._widgets and not self._widgets[label][0].disabled

    def _widget(self, label: str):
        assert label in self._widgets, (label, sorted(self._widgets), self.text[-2_000:])
        return self._widgets[label]

    def _here(self, fragment: str) -> BackMsg:
        message = BackMsg()
        message.rerun_script.page_script_hash, message.rerun_script.fragment_id = self.page, fragment
        return message

    def _rerun(self, message: BackMsg) -> str:
        message.rerun_script.query_string = self.query
        self.socket.send(message.SerializeToString())
        deadline, said = time.monotonic() + LONGEST_SECONDS, []
        while True:
            found = ForwardMsg()
            found.ParseFromString(self.socket.recv(timeout=deadline - time.monotonic()))
            kind = found.WhichOneof("type")
            if kind == "ref_hash":
                metadata, found = found.metadata, self._known[found.ref_hash]
                found.metadata.CopyFrom(metadata)
                kind = found.WhichOneof("type")
            elif found.metadata.cacheable:
                self._known[found.hash] = found
            if kind == "script_finished":
                if found.script_finished in (
                    ForwardMsg.FINISHED_SUCCESSFULLY,
                    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
                ):
                    self.text = "\n".join(said)
                    return self.text
                if found.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                    raise AssertionError("the page does not compile")
                said.clear()  # it begins anew
            elif kind == "page_info_changed":
                self.query = found.page_info_changed.query_string
            elif kind == "new_session":
                self.page = found.new_session.page_script_hash
            elif kind == "navigation":
                self.page = found.navigation.page_script_hash
            elif kind == "delta" and found.delta.WhichOneof("type") == "new_element":
                said.append(self._note(found.delta))

    def _note(self, delta) -> str:
        kind = delta.new_element.WhichOneof("type")
        element = getattr(delta.new_element, kind)
        if kind == "exception":
            self.exceptions.append(f"{element.type}: {element.message}")
        if kind in ("button", "slider", "checkbox", "number_input", "selectbox"):
            self._widgets[element.label] = element, delta.fragment_id
        body = getattr(element, "body", "")
        return body if isinstance(body, str) and body else str(element)
