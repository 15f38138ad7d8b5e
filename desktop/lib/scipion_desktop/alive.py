"""The probe of the container."""

import socket
import sys
import time

from . import paths

# A step of the session lasts 0.2 s; a loaded node may stretch it a lot.
HEARTBEAT_SECONDS = 30
ANSWER_SECONDS = 5


def main() -> int:
    """0 when the session lives: its heartbeat is fresh, and where a VNC socket stands, it greets."""
    problem = heartbeat_problem() or display_problem()
    if problem:
        print(f"desktop is not alive: {problem}", file=sys.stderr)
        return 1
    return 0


def heartbeat_problem() -> str | None:
    try:
        age = time.time() - paths.HEARTBEAT.stat().st_mtime
    except FileNotFoundError:
        return f"{paths.HEARTBEAT} does not exist: the session has not started"
    if age > HEARTBEAT_SECONDS:
        return f"the last heartbeat is {age:.0f} s old, expected at most {HEARTBEAT_SECONDS} s"
    return None


def display_problem() -> str | None:
    """No socket is no problem: the session waits for the data, or starts its display and watches that itself."""
    if not paths.VNC_SOCKET.exists():
        return None
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_SECONDS)
        try:
            client.connect(str(paths.VNC_SOCKET))
            greeting = client.recv(4)
        except OSError as error:
            # Gone since the look: the session is stopping.
            return f"{paths.VNC_SOCKET}: {error}" if paths.VNC_SOCKET.exists() else None
    return None if greeting == b"RFB " else f"{paths.VNC_SOCKET} greets with {greeting!r}, expected b'RFB '"
