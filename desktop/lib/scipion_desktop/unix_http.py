"""HTTP over Unix sockets, by which the containers of an instance talk."""

import http.client
import socket

CONNECT_SECONDS = 10


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(CONNECT_SECONDS)
        self.sock.connect(self.path)
        self.sock.settimeout(self.timeout)
