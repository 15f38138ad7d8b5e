"""Finds and ends the processes of the session, detached ones too.

Scipion starts each protocol as a process of its own session, so neither a process group nor the parent's end
reaches it. In the container everything but PID 1 and this process belongs to the session. Outside one (tests)
only the descendants do; this process adopts orphans (subreaper), so that a detached process stays one.
"""

import ctypes
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Callable, Collection

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """From now on descendants whose parent ends become children of this process."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def reap(known: Collection[subprocess.Popen]) -> None:
    """Collects ended children; for the `known` ones their Popen does, so that it learns the exit code."""
    by_pid = {child.pid: child for child in known}
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None:
            return
        if ended.si_pid in by_pid:
            by_pid[ended.si_pid].poll()
        else:
            os.waitpid(ended.si_pid, 0)


def parents() -> dict[int, int]:
    """pid → parent's pid of all processes that have not ended."""
    table = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                # The name in field 2 may hold blanks and parentheses; what follows its last one does not.
                state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state not in ("Z", "X"):
                table[int(entry.name)] = int(parent)
    return table


def cpu_seconds(pid: int) -> float | None:
    """What a process and those of its children that have ended have used so far; None where it has ended itself."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def arguments(pid: int) -> list[str]:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def owns_container() -> bool:
    """Whether PID 1 is the init of this container and this process is its child."""
    if os.getpid() == 1:
        return True
    try:
        return os.getppid() == 1 and pathlib.Path("/proc/1/comm").read_text().strip() == "tini"
    except OSError:
        return False


def session_members() -> set[int]:
    """PIDs of everything that belongs to the session, without this process."""
    table = parents()
    own = os.getpid()
    if owns_container():
        return {pid for pid in table if pid not in (1, own)}
    members: set[int] = set()
    found = {own}
    while found:
        found = {pid for pid, parent in table.items() if parent in found and pid not in members}
        members |= found
    return members


def end(
    known: Collection[subprocess.Popen],
    spared: Collection[int],
    on_wait: Callable[[], None],
    grace_seconds: float,
    kill_seconds: float,
) -> set[int]:
    """Ends the session's processes except the `spared`: SIGTERM, after the grace SIGKILL until none is left.

    Returns those that outlived even that for `kill_seconds` (a process that hangs in a file system does).
    """

    def left() -> set[int]:
        reap(known)
        on_wait()
        return session_members() - set(spared)

    told: set[int] = set()
    deadline = time.monotonic() + grace_seconds
    while (remaining := left()) and time.monotonic() < deadline:
        send(remaining - told, signal.SIGTERM)
        told |= remaining
        time.sleep(0.05)
    deadline = time.monotonic() + kill_seconds
    while (remaining := left()) and time.monotonic() < deadline:
        send(remaining, signal.SIGKILL)
        time.sleep(0.05)
    return remaining


def send(pids: Collection[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            # Ended in between, or not ours to end (a debug container of another user).
            pass
