"""What the server sends leaves at once."""

import socket

from app.serving import sockets


def test_connections_of_a_listening_socket_do_not_wait_for_receipts():
    with (
        socket.socket() as listening,
        socket.socket() as client,
    ):  # as Streamlit makes its own: no protocol named
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert sockets.send_at_once() >= 1
        client.connect(listening.getsockname())
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)  # only what listens is changed


def test_other_files_stay_open(tmp_path):
    with (tmp_path / "file").open("w") as file:
        sockets.send_at_once()
        file.write("still open")
