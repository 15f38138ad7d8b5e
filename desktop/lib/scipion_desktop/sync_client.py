"""Talks to the container `sync` over its Unix socket (HTTP, JSON)."""

import http.client
import json
import socket
from typing import Any

from . import paths

CONNECT_SECONDS = 10


class SyncError(Exception):
    """What sync answered instead of the expected, in words for the user."""


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(CONNECT_SECONDS)
        self.sock.connect(self.path)
        self.sock.settimeout(self.timeout)


def request(
    method: str, path: str, timeout: float | None = CONNECT_SECONDS, content: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Sends one request; answers the JSON body. Raises SyncError with a sentence for the user."""
    connection = UnixConnection(str(paths.SYNC_SOCKET), timeout)
    try:
        if content is not None:
            connection.request(method, path, json.dumps(content), {"content-type": "application/json"})
        else:
            connection.request(method, path, headers={"content-length": "0"} if method == "POST" else {})
        response = connection.getresponse()
        body = response.read()
    except OSError as error:
        raise SyncError(f"The part that saves does not answer ({paths.SYNC_SOCKET}: {error}).") from error
    finally:
        connection.close()
    try:
        answer = json.loads(body) if body else {}
    except ValueError:
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    if response.status >= 400:
        error = answer.get("error")
        nested = error.get("message") if isinstance(error, dict) else error
        raise SyncError(str(answer.get("message") or nested or f"It answered {response.status} {response.reason}."))
    return answer
