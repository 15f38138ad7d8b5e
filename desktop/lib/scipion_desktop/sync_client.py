"""Talks to the container `sync` over its Unix socket (HTTP, JSON)."""

import json
from typing import Any

from . import paths
from .unix_http import CONNECT_SECONDS, UnixConnection


class SyncError(Exception):
    """What sync answered instead of the expected, in words for the user."""


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
